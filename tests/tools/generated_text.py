# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Helpers of the generators: Markdown tables, YAML in this project's style, and parts of files between two comments."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import yaml

END = "<!-- end -->"
MARKUP = re.compile(r"\b[CVOM]\(([^()]*)\)")


def markdown(text: str) -> str:
    """Ansible's markup as Markdown."""
    return MARKUP.sub(lambda match: f"`{match[1].removeprefix('patchfleet.windows.')}`", text)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table, without a line's end after it."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |".replace("| --- ", "|---").replace("--- |", "---|") for line in lines)


def with_part(text: str, name: str, part: str) -> str:
    """The text of a file with this part in its place.

    Raises:
        ValueError: there is no such place, or there are several.
    """
    begin = f"<!-- generated: {name} -->"
    pattern = re.compile(rf"{re.escape(begin)}\n.*?{re.escape(END)}", re.DOTALL)
    if text.count(begin) != 1 or len(pattern.findall(text)) != 1:
        raise ValueError(f"There must be one part between {begin} and {END}.")
    return pattern.sub(lambda _match: f"{begin}\n{part}\n{END}", text)


class FlowList(list[str]):
    """A list that YAML writes on one line."""


class _Dumper(yaml.SafeDumper):
    """Sequences are indented below their key, as yamllint and ansible-lint want them."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


_Dumper.add_representer(
    FlowList, lambda dumper, value: dumper.represent_sequence("tag:yaml.org,2002:seq", value, flow_style=True)
)


def as_yaml(document: Any) -> str:
    """YAML in the order of the mapping."""
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True)
