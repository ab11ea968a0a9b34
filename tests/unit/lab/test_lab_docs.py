# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``docs/lab.md`` knows every key of a scenario, and its example is one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lab.fields import REPORT_FIELDS, TRUTH_FIELDS
from lab.scenario import load
from lab.schema import schema

TEXT = (Path(__file__).parents[3] / "docs" / "lab.md").read_text(encoding="utf-8")


def keys(part: Any) -> Iterator[str]:
    """All keys that the schema knows, and all values that it lists."""
    if isinstance(part, dict):
        yield from part.get("properties", {})
        yield from (value for value in part.get("enum", []) if isinstance(value, str))
    for inner in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from keys(inner)


def test_every_key_is_described() -> None:
    words = set(re.findall(r"[A-Za-z_][\w-]*", TEXT))
    assert {*keys(schema()), *REPORT_FIELDS, *TRUTH_FIELDS} - words == set()


def test_the_example_is_a_scenario(tmp_path: Path) -> None:
    (example,) = re.findall(r"```yaml\n(---\n.*?)```", TEXT, flags=re.DOTALL)
    path = tmp_path / "example.yml"
    path.write_text(example, encoding="utf-8")
    assert [host.name for host in load(path).hosts] == ["web-01", "web-02", "web-03", "files"]
