# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The notes on each fact of a host and each setting of a run are true: who writes it, who reads it, and that something does."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._model.host_facts import HostFacts
from ansible_collections.patchfleet.windows.plugins.module_utils._model.run_settings import RunSettings
from tools.generate_facts import notes_of

MODULE_UTILS = Path(__file__).parents[3] / "plugins" / "module_utils"
FACTS, SETTINGS = notes_of(HostFacts), notes_of(RunSettings)
READ = re.compile(r'facts(?:\.get\(|\[)"(\w+)"')


def sources() -> Iterator[tuple[str, str]]:
    """Each module, as a path below module_utils without its ending, and its text."""
    for path in sorted(MODULE_UTILS.glob("_*/*.py")):
        if path.parent.name != "_model":
            yield path.relative_to(MODULE_UTILS).with_suffix("").as_posix(), path.read_text()


WRITES = {"note_facts", "update_facts", "update_facts_and_work", "update_facts_in"}


def written(text: str) -> set[str]:
    """The facts that a module hands to one of WRITES by name, or in a mapping."""
    calls = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
    calls = [call for call in calls if isinstance(call.func, ast.Attribute) and call.func.attr in WRITES]
    names = {keyword.arg for call in calls for keyword in call.keywords if keyword.arg not in {None, "fence"}}
    mappings = [argument for call in calls for argument in call.args if isinstance(argument, ast.Dict)]
    return {str(name) for name in names} | {
        str(key.value) for mapping in mappings for key in mapping.keys if isinstance(key, ast.Constant)
    }


SOURCES = dict(sources())


@pytest.mark.parametrize(("name", "notes"), [*FACTS.items(), *SETTINGS.items()])
def test_each_module_that_is_named_has_to_do_with_it(name: str, notes: tuple[str, ...]) -> None:
    _what, *modules = notes
    assert modules
    for module in ", ".join(modules).split(", "):
        assert re.search(rf"\b{name}\b", SOURCES[module]), module


def test_a_module_that_writes_or_reads_a_fact_is_named() -> None:
    for module, text in SOURCES.items():
        assert {name for name in written(text) if module not in FACTS[name][1].split(", ")} == set(), module
        read = set(READ.findall(text)) & set(FACTS)
        known = {name for name, notes in FACTS.items() if module in f"{notes[1]}, {notes[2]}".split(", ")}
        assert read - known == set(), module


def test_the_search_finds_what_is_written() -> None:
    assert {"deadline_at", "original_state"} <= written(SOURCES["_run/admission"])
    assert "switch" in written(SOURCES["_power/watchdog"])
