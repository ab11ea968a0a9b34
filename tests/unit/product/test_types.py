# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Packages hand each other data with named fields. ``dict[str, Any]`` is for borders: botocore, Ansible, JSON."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
UTILS = ROOT / "plugins" / "module_utils"
MODULES = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py"))
SIGNATURE = re.compile(r"^ *def ([a-z]\w*)\((.*?)\) -> ([^\n]*):$", re.DOTALL | re.MULTILINE)
UNTYPED = ("dict[str, Any]", "Mapping[str, Any]")
BORDERS = {
    "_aws/api.py": "botocore",
    "_aws/connect.py": "botocore",
    "_aws/descriptions.py": "botocore",
    "_aws/dynamodb.py": "requests of botocore",
    "_aws/ec2.py": "botocore",
    "_aws/errors.py": "botocore",
    "_aws/options.py": "argument specs of Ansible",
    "_host/scripts.py": "JSON of a host, which fields.py reads",
    "_ledger/dynamodb_changes.py": "requests of botocore",
    "_ledger/dynamodb_table.py": "items of botocore",
    "_ledger/stored.py": "rows as JSON",
    "_operation/channel.py": "results of ansible.windows",
    "_operation/failures.py": "results of tasks",
    "_operation/operation.py": "options and argument specs of Ansible",
    "_plan/agreement.py": "variables of Ansible",
    "_report/_format.py": "JSON of the report",
    "_report/_hosts.py": "JSON of the page",
    "_update/channels.py": "results of ansible.windows",
    "_update/update_history.py": "results of ansible.windows",
    "_update/win_updates.py": "results of ansible.windows",
}
"""Files whose public functions take or return such data, and what is on the other side."""


def untyped(source: str) -> Iterator[str]:
    """The public functions of a module with a parameter or a result without named fields."""
    for name, parameters, result in SIGNATURE.findall(source):
        if any(kind in parameters + result for kind in UNTYPED):
            yield name


def test_packages_hand_each_other_typed_data() -> None:
    found = {
        str(path.relative_to(UTILS)) for path in UTILS.rglob("*.py") if any(untyped(path.read_text(encoding="utf-8")))
    }
    assert found - set(BORDERS) == set()
    assert set(BORDERS) - found == set(), "no border any more"


def test_a_function_without_named_fields_is_found() -> None:
    assert list(untyped("def show(\n    run: Run, rows: list[dict[str, Any]]\n) -> str:\n")) == ["show"]
    assert list(untyped("class A:\n    def rows(self) -> dict[str, Any]:\n")) == ["rows"]
    assert list(untyped("def _rows() -> dict[str, Any]:\ndef rows(run: Run) -> Rows:\n")) == []


@pytest.mark.parametrize("name", MODULES)
def test_the_result_of_a_module_has_a_type(name: str) -> None:
    package = "ansible_collections.patchfleet.windows.plugins.module_utils._modules"
    operation: Any = importlib.import_module(f"{package}.{name}").OPERATION
    functions = operation.work.values() if isinstance(operation.work, Mapping) else [operation.work]
    results = [inspect.signature(function).return_annotation for function in functions]
    assert [result for result in results if re.search(r"dict\[|Mapping\[|object|Any", result)] == []
