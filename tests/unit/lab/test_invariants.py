# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The design's invariants, each with a run that breaks it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fabricated import BOTH, IDS, Run, patch_baseline

Spoil = Callable[[Run], object]


def stop_what_was_running(run: Run) -> None:
    run.call(702, "DescribeInstances", ["dev-02"])
    run.call(703, "StopInstances", ["dev-02"])
    run.records.pop()


def start_again_by_others(run: Run) -> None:
    run.call(690, "StopInstances", ["dev-01"], caller="other", at=5)
    run.call(695, "StartInstances", ["dev-01"], caller="other", at=6)


def stop_without_a_look(run: Run) -> None:
    run.drop("DescribeInstances", 1)


def begin_a_deferred_host(run: Run) -> None:
    run.reports(0, outcome="deferred", reason_code="breaker")


def install_on_an_excluded_host(run: Run) -> None:
    run.reports(1, outcome="excluded")


def scan_before_the_installation(run: Run) -> None:
    run.call(650, "SendCommand", BOTH, params=patch_baseline("Install"), at=5)


BROKEN: dict[str, tuple[Spoil, list[str]]] = {
    "1: no record": (
        lambda run: run.records.pop(0),
        ["invariants[1].dev-01: expected a record of what was started in the ledger, got none"],
    ),
    "2: a record of a later state": (
        lambda run: run.records.append((IDS["dev-02"], "stopped", "closed")),
        ["invariants[2].dev-02: expected the state before the first start (running), got stopped"],
    ),
    "2: a report of a later state": (
        lambda run: run.reports(0, original_state="running"),
        ["invariants[2].dev-01: expected the state before the first start (stopped), got running"],
    ),
    "3: stopped what was running": (
        stop_what_was_running,
        ["invariants[3].dev-02: expected no stop of what we did not start, got one after 703 s"],
    ),
    "3: stopped what others had started": (
        start_again_by_others,
        ["invariants[3].dev-01: expected no stop of what we did not start, got one after 701 s"],
    ),
    "3: stopped without a look": (
        stop_without_a_look,
        ["invariants[3].dev-01: expected a look at LaunchTime before the stop after 701 s, got none"],
    ),
    "5: begun though deferred": (
        begin_a_deferred_host,
        [
            "invariants[5].dev-01: expected nothing done to a host that is deferred, got StartInstances",
            "invariants[5].dev-01: expected nothing done to a host that is deferred, got SendCommand",
        ],
    ),
    "5: touched though excluded": (
        install_on_an_excluded_host,
        ["invariants[5].dev-02: expected nothing done to a host that is excluded, got SendCommand"],
    ),
    "6: no proof": (
        lambda run: run.reports(1, outcome="compliant", verified_at=None),
        ["invariants[6].dev-02: expected a proving scan for compliant, got null"],
    ),
    "6: an old proof": (
        scan_before_the_installation,
        [
            f"invariants[6].{name}: expected a scan after the last installation, got a verdict of 2026-11-14T22:11:00Z"
            for name in BOTH
        ],
    ),
    "6: a verdict from before the scan": (
        lambda run: run.reports(1, verified_at="2026-11-14T22:09:59Z"),
        ["invariants[6].dev-02: expected a scan after the last installation, got a verdict of 2026-11-14T22:09:59Z"],
    ),
    "7: too long": (
        lambda run: run.reports(1, seconds={"patch": 14000, "verify": 1100, "admit": 3000}),
        ["invariants[7].dev-02: expected at most 14400 s, got 15100 s"],
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_invariant_is_caught(name: str, tmp_path: Path) -> None:
    spoil, lines = BROKEN[name]
    run = Run()
    spoil(run)
    assert run.judge(tmp_path) == lines


def test_nothing_is_started_after_the_deadline(tmp_path: Path) -> None:
    variables: dict[str, Any] = {"patch_deadline": "2026-11-14T22:00:02Z"}
    line = "invariants[5].dev-01: expected no start after 2026-11-14T22:00:02Z, got one 3 s late"
    assert Run(vars=variables).judge(tmp_path) == [line]


def test_looking_at_a_deferred_host_is_no_beginning(tmp_path: Path) -> None:
    run = Run()
    run.trace = [entry for entry in run.trace if entry["operation"] != "StartInstances"][:3]
    run.trace[-1]["hosts"] = ["dev-02"]
    run.trace[-1]["params"] = {"DocumentName": "AWS-RunPowerShellScript"}
    for index, code in enumerate(("no_time", "sessions")):
        run.reports(index, outcome="deferred", reason_code=code)
    assert run.judge(tmp_path) == []


def test_what_another_run_does_to_a_leased_host_is_not_ours(tmp_path: Path) -> None:
    steps = [{"playbook": "patch", "background": True}, {"playbook": "patch"}]
    run = Run(steps=steps)
    run.results, run.logs = [0, 0], ["", ""]
    for index in (0, 1):
        run.reports(index, outcome="deferred", reason_code="leased")
    assert run.judge(tmp_path) == []


def test_a_green_run_without_hosts_is_caught(tmp_path: Path) -> None:
    run = Run(vars={"patch_tag_value": "Nobody"})
    run.trace.clear()
    run.report = None
    line = "invariants[8]: expected a run without hosts to fail, got exit code 0 of step 1"
    assert run.judge(tmp_path) == [line]


def test_a_run_of_too_many_hosts_is_caught(tmp_path: Path) -> None:
    line = "invariants[8]: expected more than 1 hosts to be refused, got a report of 2"
    assert Run(vars={"patch_max_hosts": 1}).judge(tmp_path) == [line]


@pytest.mark.parametrize("value", ["$(id)", "a\"b'c", "{{ 6 * 7 }}"])
def test_a_tag_in_a_command_is_caught(value: str, tmp_path: Path) -> None:
    run = Run()
    run.document["hosts"][1]["tags"] = {"PatchGroup": "Windows", "Owner": value}
    run.trace[2]["params"]["Parameters"] = {"commands": [f"Write-Output {value}"]}
    line = f"invariants[9].dev-01, dev-02: expected no tag's value in a command, got {value!r}"
    assert run.judge(tmp_path) == [line]


INSTALL = {"state": "installed", "check_mode": False}
SEARCH = {"state": "searched", "check_mode": False}


@pytest.mark.parametrize(
    ("last", "lines"),
    [
        ([(620.0, "win_updates", SEARCH)], []),
        ([(620.0, "win_updates", {**INSTALL, "check_mode": True})], []),
        ([(620.0, "Script", {"name": "search_updates"})], []),
        ([], ["got a verdict of 2026-11-14T22:11:00Z"]),
        ([(620.0, "win_updates", INSTALL)], ["got a verdict of 2026-11-14T22:11:00Z"]),
        ([(670.0, "win_updates", SEARCH)], ["got a verdict of 2026-11-14T22:11:00Z"]),
    ],
)
def test_a_verdict_over_winrm_needs_a_look_after_the_reboot(tmp_path: Path, last: Any, lines: list[str]) -> None:
    run = Run()
    run.over_winrm((200.0, "win_updates", INSTALL), (300.0, "Reboot", {"after_seconds": 2.0}), *last)
    expected = [f"invariants[6].dev-02: expected a scan after the last installation, {line}" for line in lines]
    assert run.judge(tmp_path) == expected


def test_nothing_is_installed_over_winrm_on_a_deferred_host(tmp_path: Path) -> None:
    acts = (("win_updates", SEARCH, True), ("Script", {"name": "probe"}, True), ("Reboot", {}, False))
    for operation, params, good in acts:
        run = Run()
        run.over_winrm((200.0, operation, params))
        run.reports(1, outcome="deferred", reason_code="sessions", verified_at=None)
        line = f"invariants[5].dev-02: expected nothing done to a host that is deferred, got {operation}"
        folder = tmp_path / operation
        folder.mkdir()
        assert run.judge(folder) == ([] if good else [line])
