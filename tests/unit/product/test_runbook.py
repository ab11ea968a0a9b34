# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each reason code that can come out is in the runbook, and nothing else is."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[3]
PLACES = {
    "PatchFleetError": 1,
    "Deferred": 1,
    "NeedsAttention": 1,
    "Excluded": 1,
    "Cause": 0,
    "Verdict": 2,
    "ScriptEnded": 1,
}
"""Where the code stands among the arguments."""
WORD = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
PUT_TOGETHER = {
    "run_command.py": {"instance_terminated", "instance_stopped", "instance_stopping", "instance_shutting_down"},
    "user_tasks.py": {"pre_tasks_failed", "post_tasks_failed", "start_tasks_failed", "room_tasks_failed"},
    "install.py": {"agent_lost", "installation_hung", "install_timeout"},
    "errors.py": {"access_denied", "credentials_expired", "throttled", "aws_unreachable", "unanswered"},
    "discover.py": {"no_way_in", "not_windows"},
    "order.py": {"excluded_by_user"},
}
"""Codes that no constructor holds as one text, by the file that makes them."""
NOT_CODES = {"category", "reason_code", "instance_", "_tasks_failed", "stop"}


def in_constructors() -> Iterator[str]:
    for path in (ROOT / "plugins").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            name = getattr(node.func, "id", "") if isinstance(node, ast.Call) else ""
            if name not in PLACES or not isinstance(node, ast.Call):
                continue
            for argument in node.args[PLACES[name] : PLACES[name] + 1]:
                values = [part.value for part in ast.walk(argument) if isinstance(part, ast.Constant)]
                yield from (value for value in values if isinstance(value, str) and WORD.fullmatch(value))


def in_exclusions() -> Iterator[str]:
    for name in ("eligibility.py", "claims.py"):
        text = (ROOT / "plugins" / "module_utils" / "_fleet" / name).read_text()
        yield from re.findall(r'(?:return |^\s+)"([a-z_]+)",', text, re.MULTILINE)


def in_scripts() -> Iterator[str]:
    for path in [*(ROOT / "roles").glob("*/files/*.ps1"), *(ROOT / "plugins").rglob("*.ps1")]:
        yield from re.findall(r"New-PatchFleet(?:Error|Failure) '([a-z_]+)' ", path.read_text())
        yield from re.findall(r'"category": "([a-z_]+)"', path.read_text())


def codes() -> set[str]:
    made = {code for own in PUT_TOGETHER.values() for code in own}
    return ({*in_constructors(), *in_exclusions(), *in_scripts()} | made) - NOT_CODES - {"category"}


def test_what_plan_says_to_look_at_is_there_too() -> None:
    source = (ROOT / "plugins" / "module_utils" / "_plan" / "prerequisites.py").read_text()
    section = (ROOT / "docs" / "runbook.md").read_text().partition("warns about")[2].partition("\n## ")[0]
    assert set(re.findall(r'(?:return |\()\s*"([a-z]+(?:_[a-z]+)+)",\s', source)) == set(
        re.findall(r"^\| `([a-z_]+)` \|", section, re.MULTILINE)
    )


def test_the_runbook_has_each_code_and_no_other() -> None:
    text = (ROOT / "docs" / "runbook.md").read_text().partition("## By outcome")[2]
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    message = {code for row in rows for code in re.findall(r"`([a-z0-9_]+)`", row)}
    message |= set(re.findall(r"`([a-z0-9_]+)`", text.partition("## Before anything is touched")[2]))
    outcomes = {"patched", "compliant", "noncompliant", "deferred", "excluded", "failed", "held"}
    assert codes() - message == set()
    assert message - codes() - outcomes == set()
