# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each variable is said once, what follows from it is up to date, and none does nothing."""

from __future__ import annotations

import ast
import functools
import importlib
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._operation.operation import Operation
from ansible_collections.patchfleet.windows.plugins.module_utils._plan.variable import GROUPS, Variable
from ansible_collections.patchfleet.windows.plugins.module_utils._plan.variables import VARIABLES
from tools import generate, generate_variables

ROOT = Path(__file__).parents[3]
PLUGINS = ROOT / "plugins"
MODULES = sorted(path.stem for path in (PLUGINS / "modules").glob("*.py"))
SETTINGS = ("settings", "params", "given")
"""What the mappings are called that hold settings of a run or options of a module."""
OTHER_KEYS = {"deadline": "deadline_at"}
ON_THE_CONTROLLER = ("action", "plugin_utils", "filter")
"""Where plugins read variables by their full names."""

A_NEW_ONE = Variable(
    "patch_nobody_reads_this", "int", "disk", "A number that nobody reads.", default=7, roles=("expand_ebs",)
)


# What is generated


def test_what_is_generated_is_up_to_date() -> None:
    old = [str(path.relative_to(ROOT)) for path, _text in generate.outdated()]
    assert old == [], "run `make generate`"


def test_a_new_variable_reaches_every_file_that_is_generated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generate_variables, "VARIABLES", (*VARIABLES, A_NEW_ONE))
    old = {str(path.relative_to(ROOT)): text for path, text in generate.outdated()}
    assert set(old) == {
        "docs/variables.md",
        "roles/expand_ebs/README.md",
        "roles/expand_ebs/defaults/main.yml",
        "roles/expand_ebs/meta/argument_specs.yml",
    }
    assert all(A_NEW_ONE.name in text for text in old.values())


# Readers


def python_files(*parts: str) -> Iterator[ast.Module]:
    for part in parts:
        for path in sorted((PLUGINS / part).rglob("*.py")):
            if not path.name.endswith("_variables.py"):
                yield ast.parse(path.read_text(encoding="utf-8"))


@functools.cache
def keys_read(*parts: str) -> frozenset[str]:
    """Names that code takes from settings or options: by index, by get or as an attribute."""
    found: set[str] = set()
    for tree in python_files(*parts):
        for node in ast.walk(tree):
            if isinstance(node, ast.Subscript):
                found |= texts(node.slice) if is_settings(node.value) else set()
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get":
                found |= texts(*node.args[:1]) if is_settings(node.func.value) else set()
            elif isinstance(node, ast.Attribute) and is_settings(node.value):
                found.add(node.attr)
    return frozenset(found)


def is_settings(node: ast.expr) -> bool:
    return ast.unparse(node).endswith(SETTINGS)


def texts(*nodes: ast.expr) -> set[str]:
    return {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def variables_named() -> set[str]:
    """Full names of variables in the tasks of roles and playbooks, and in plugins that read a play's variables."""
    folders = (ROOT / "roles").glob("*/tasks"), (ROOT / "roles").glob("*/vars"), [ROOT / "playbooks"]
    files = [path for folder in chain(*folders) for path in folder.rglob("*.yml")]
    lines = [line.partition("#")[0] for path in files for line in path.read_text(encoding="utf-8").splitlines()]
    found = set(re.findall(r"\bpatch_(?!_)[a-z_]+", "\n".join(lines)))
    for tree in python_files(*ON_THE_CONTROLLER):
        found |= {text for node in ast.walk(tree) if isinstance(node, ast.expr) for text in texts(node)}
    return found


def unread(variables: tuple[Variable, ...]) -> list[str]:
    """The variables that do nothing. What may differ by host has to be read by its full name, in the host's own variables."""
    keys, names = keys_read("module_utils"), variables_named()

    def is_read(variable: Variable) -> bool:
        key = OTHER_KEYS.get(variable.short_name, variable.short_name)
        return variable.name in names or (key in keys and not variable.per_host)

    return [variable.name for variable in variables if not is_read(variable)]


def test_every_variable_has_a_reader() -> None:
    assert unread(VARIABLES) == []


def test_a_variable_without_a_reader_is_noticed() -> None:
    assert unread((*VARIABLES, A_NEW_ONE)) == [A_NEW_ONE.name]


@pytest.mark.parametrize("module", MODULES)
def test_every_option_of_a_module_has_a_reader(module: str) -> None:
    """So that a variable that a role hands over to a module does something there."""
    operation: Operation = importlib.import_module(
        f"ansible_collections.patchfleet.windows.plugins.action.{module}"
    ).ActionModule.operation
    assert set(operation.arguments) - keys_read("module_utils", *ON_THE_CONTROLLER) == set()


# The list itself


def test_each_variable_has_a_group_and_a_name_of_its_own() -> None:
    assert {variable.group for variable in VARIABLES} == set(GROUPS)
    assert len({variable.name for variable in VARIABLES}) == len(VARIABLES)


def test_eight_variables_come_first() -> None:
    assert sum(variable.first for variable in VARIABLES) == 8


def test_what_is_said_of_a_variable_is_sentences() -> None:
    for variable in VARIABLES:
        for text in (variable.description, variable.details):
            assert text == "" or re.fullmatch(r"[A-Z0-9].*\.", text), variable.name
