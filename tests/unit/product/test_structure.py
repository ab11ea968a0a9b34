# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What holds for the structure of plugins and tests beside the layers of plugins/module_utils, which ``make lint`` checks."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
UTILS = ROOT / "plugins" / "module_utils"
TESTS = ROOT / "tests"
PACKAGES = {
    str(path.parent.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for folder in (ROOT / "plugins", *(TESTS / name for name in ("awx", "bench", "chaos", "lab")))
    for path in sorted(folder.rglob("__init__.py"))
}
SOURCES = {str(path.relative_to(UTILS)): path.read_text(encoding="utf-8") for path in sorted(UTILS.rglob("*.py"))}
LIMIT = re.compile(r"\b(no|not|nothing|never|only)\b", re.IGNORECASE)
BY_CODE = re.compile(r"\b(?:error|failure|failed|raised|held)\.(?:code|reason_code) (?:==|!=|in|not in) ([\w.]+)")
DECISIONS = {
    ("_disk/free_space.py", "Reason.NO_ROOM"): "the host says why its script failed by a code of a closed list",
    ("_operation/failures.py", "Reason.CREDENTIALS_EXPIRED"): "as in admission",
    ("_power/restore.py", "Reason.RESTARTED_BY_OTHERS"): "one of the reasons for which a host is left to others",
    ("_run/brakes.py", "BY_CODE"): "a table of the reasons that a brake causes",
    ("_run/admission.py", "Reason.CREDENTIALS_EXPIRED"): "AWS says it as an error, and botocore before a call",
    ("_update/update_history.py", "Reason.UPDATE_API_REFUSED"): "the host says why its script failed, as above",
}
"""Where code decides by the code of an error and not by its type, and why."""
SLEEPERS = frozenset(
    {
        "_base/clock.py",
        "_ledger/dynamodb_table.py",
        "_operation/context.py",
        "_operation/poller.py",
        "_operation/standstill.py",
    }
)
"""Files that let time pass themselves; all others do it through the context, which keeps the lease. The poller has none to keep."""


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_says_what_it_is_for_and_what_it_must_not_touch(package: str) -> None:
    text = ast.get_docstring(ast.parse(PACKAGES[package])) or ""
    purpose, _blank, limit = text.partition("\n\n")
    assert (bool(purpose), bool(LIMIT.search(limit))) == (True, True)


def test_code_decides_by_the_type_of_an_error() -> None:
    found = {(name, code) for name, text in SOURCES.items() for code in BY_CODE.findall(text)}
    assert found == set(DECISIONS)


def test_a_decision_by_code_is_found() -> None:
    assert BY_CODE.findall("if error.code != Reason.NO_ROOM:") == ["Reason.NO_ROOM"]


def test_only_one_file_knows_the_two_channels_to_a_host() -> None:
    """The proof of an account has a node of its own."""
    names = [name for name, text in SOURCES.items() if re.search(r"\b(SsmChannel|ConnectionChannel)\b", text)]
    assert names == ["_proof/prover.py", "_update/channels.py"]


def test_time_passes_through_the_context() -> None:
    assert {name for name, text in SOURCES.items() if re.search(r"clock\.sleep\(", text)} == SLEEPERS


def test_nothing_is_asked_under_a_lock_of_all_hosts() -> None:
    """A functools.cached_property holds one for all objects of its class before Python 3.12. Threads of hosts would wait for each
    other while AWS is asked.
    """
    decorator = re.compile(r"^\s*@(functools\.)?cached_property", re.MULTILINE)
    assert [name for name, text in SOURCES.items() if decorator.search(text)] == []


@pytest.mark.parametrize("package", ["awx", "lab"])
def test_the_lab_knows_nothing_of_the_code_that_it_judges(package: str) -> None:
    imports = re.compile(r"^\s*(?:from|import) ansible_collections\b", re.MULTILINE)
    files = sorted((TESTS / package).rglob("*.py"))
    assert len(files) > 5
    assert [str(path) for path in files if imports.search(path.read_text(encoding="utf-8"))] == []
