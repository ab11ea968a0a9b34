# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of docs/ledger.md: what the ledger holds of a host and of a run, from the types in _model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

from ansible_collections.patchfleet.windows.plugins.module_utils._model.host_facts import HostFacts
from ansible_collections.patchfleet.windows.plugins.module_utils._model.run_settings import RunSettings
from tools.generated_text import table, with_part


def ledger_page(root: Path) -> Iterator[tuple[Path, str]]:
    """docs/ledger.md with both tables."""
    path = root / "docs/ledger.md"
    text = with_part(
        path.read_text(encoding="utf-8"), "facts", _table(HostFacts, ("fact", "what", "written by", "read by"))
    )
    yield path, with_part(text, "settings", _table(RunSettings, ("setting", "what", "read by")))


def _table(fields: type[Any], head: tuple[str, ...]) -> str:
    return table(head, [[f"`{name}`", note[0], *map(_paths, note[1:])] for name, note in notes_of(fields).items()])


def notes_of(fields: type[Any]) -> dict[str, tuple[str, ...]]:
    """The strings of each field: what it is, who writes it, who reads it."""
    return {name: get_args(hint)[1:] for name, hint in get_type_hints(fields, include_extras=True).items()}


def _paths(modules: str) -> str:
    return ", ".join(f"`{module}`" for module in modules.split(", "))
