# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the emulated agent does to a script, as an amazon-ssm-agent 3.3.0.0 did it with a real PowerShell."""

from __future__ import annotations

import json
from typing import Any

import pytest

from conftest import MakeLab
from lab import scripts_model
from lab.agent import Outcome
from lab.answers import PROFILE
from lab.aws.ssm_patches import PREPARING
from lab.guests import PowerShellGuests
from lab.powershell.process import WHERE_FROM, find
from lab.sim import Steps
from lab.world import Host
from virtual_lab import UPDATE, VirtualLab, programs, script

NATIVE = "/bin/sh -c 'exit 3'"


def test_the_document_of_a_script_is_there_whole(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a"})
    command = lab.send("a", parameters={"commands": script("probe")})
    lab.run_for(60)
    reported = lab.invocation(command, "a")
    assert (reported["Status"], reported["ResponseCode"]) == ("Success", 0)
    assert json.loads(reported["StandardOutputContent"])["data"]["computer_name"]


@pytest.mark.parametrize("code", [1, 255, 300, 1641])
def test_an_exit_code_but_zero_is_a_failure_and_the_errors_end_with_it(
    make_lab: MakeLab, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    lab = make_lab({"name": "a"})
    programs(monkeypatch, Outcome(code, "out"))
    command = lab.send("a")
    lab.run_for(60)
    reported = lab.invocation(command, "a")
    assert (reported["Status"], reported["ResponseCode"], reported["StandardOutputContent"]) == ("Failed", code, "out")
    assert reported["StandardErrorContent"].endswith(f"failed to run commands: exit status {code}")


def test_what_was_printed_before_the_time_limit_is_there(make_lab: MakeLab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab = make_lab({"name": "a", "answers": "noisy"})
    programs(monkeypatch, Outcome(0, "never printed"), seconds=500)
    command = lab.send("a", parameters={"commands": script("probe"), "executionTimeout": ["60"]})
    lab.run_for(70)
    reported = lab.invocation(command, "a")
    assert (reported["StatusDetails"], reported["ResponseCode"]) == ("Execution Timed Out", 137)
    assert reported["StandardOutputContent"] == PROFILE


def test_what_was_printed_before_a_cancel_is_there(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a", "updates": [UPDATE]})
    command = lab.start_patch("a")
    lab.run_for(120)
    lab.ssm.cancel_command(CommandId=command)
    lab.run_for(10)
    reported = lab.invocation(command, "a", "PatchWindows")
    assert (reported["Status"], reported["ResponseCode"]) == ("Cancelled", 137)
    assert reported["StandardOutputContent"] == PREPARING


def test_seven_at_once_are_five_and_then_two(make_lab: MakeLab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab = make_lab({"name": "a"})
    programs(monkeypatch, Outcome(0), seconds=8)
    commands = [lab.send("a") for _number in range(7)]
    lab.run_for(4)
    assert [lab.details(command, "a") for command in commands] == ["InProgress"] * 5 + ["Pending"] * 2
    lab.run_for(20)
    assert {lab.details(command, "a") for command in commands} == {"Success"}


def test_values_come_to_the_script_as_they_are(make_lab: MakeLab, monkeypatch: pytest.MonkeyPatch) -> None:
    """The agent replaces no braces inside of values; the service resolves or refuses some before."""
    lines = ["$a = \"it's\t'quoted'\"", "'a{{b}}c'", "'{{ commands }}'", "exit 0"]
    came: list[str] = []

    def run(_host: Host, text: str, _unknown: object, _logon: object) -> Steps[Outcome]:
        came.append(text)
        yield 1
        return Outcome(0)

    monkeypatch.setattr(scripts_model, "run", run)
    lab = make_lab({"name": "a"})
    lab.send("a", parameters={"commands": lines})
    lab.run_for(60)
    assert came == ["\n".join(lines)]


def test_a_worker_that_its_parent_restarts_reports_everything(
    make_lab: MakeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = [
        {"at_seconds": 5, "host": "a", "do": "agent_dies"},
        {"at_seconds": 60, "host": "a", "do": "agent_returns"},
    ]
    lab = make_lab({"name": "a"}, events=events)
    programs(monkeypatch, Outcome(0, "everything"), seconds=20)
    command = lab.send("a")
    lab.run_for(50)
    assert lab.details(command, "a") == "InProgress"
    lab.run_for(20)
    reported = lab.invocation(command, "a")
    assert (reported["Status"], reported["StandardOutputContent"]) == ("Success", "everything")


@pytest.mark.skipif(find() is None, reason=WHERE_FROM)
@pytest.mark.xdist_group("powershell")
@pytest.mark.parametrize(
    ("lines", "status", "code"),
    [
        (["throw 'bad'"], "Failed", 1),
        ([NATIVE, "'after it'"], "Success", 0),
        (["Write-Error 'bad'", "'after it'"], "Success", 0),
    ],
)
def test_the_end_of_a_script_counts_and_not_that_of_a_program_in_it(
    make_lab: MakeLab, lines: list[str], status: str, code: int
) -> None:
    lab = make_lab({"name": "a"})
    lab.play.account.guests = PowerShellGuests()
    try:
        reported = _reported(lab, lines)
    finally:
        lab.play.account.guests.stop()
    assert (reported["Status"], reported["ResponseCode"]) == (status, code)
    assert ("bad" in reported["StandardErrorContent"]) is ("bad" in lines[0])
    assert ("after it" in reported["StandardOutputContent"]) is (status == "Success")


def _reported(lab: VirtualLab, lines: list[str]) -> dict[str, Any]:
    command = lab.send("a", parameters={"commands": lines})
    lab.run_for(60)
    return lab.invocation(command, "a")
