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


def another_user_starts_it_again(run: Run) -> None:
    run.call(690, "StopInstances", ["dev-01"], caller="other", at=5)
    run.call(695, "StartInstances", ["dev-01"], caller="other", at=6)


def stop_without_a_check(run: Run) -> None:
    run.drop("DescribeInstances", 1)


def defer(run: Run, index: int, code: str, outcome: str = "deferred") -> None:
    """Report a host as left alone, and the exit code with it."""
    fields = dict.fromkeys(("installed", "missing", "reboots", "verified_at", "on_seconds", "idle_seconds"))
    run.reports(index, outcome=outcome, reason_code=code, reason="Not now.", started_by_run=False, **fields)
    run.results = [2]


def begin_a_deferred_host(run: Run) -> None:
    defer(run, 0, "breaker")


def install_on_an_excluded_host(run: Run) -> None:
    defer(run, 1, "asg", "excluded")
    run.results = [0]


def install_after_the_scan(run: Run) -> None:
    run.call(700, "SendCommand", BOTH, params=patch_baseline("Install"), at=5)
    for name in BOTH:
        run.hosts[name]["history"] += [{"t": 705, "event": "installing"}, {"t": 720, "event": "installed"}]


def reboot_after_the_scan(run: Run) -> None:
    for name in BOTH:
        run.hosts[name]["history"] += [{"t": 705, "event": "rebooting"}, {"t": 720, "event": "booted"}]


def take_the_scan_of_before(run: Run) -> None:
    run.drop("SendCommand", 2)
    run.call(140, "SendCommand", BOTH, params=patch_baseline("Scan"), at=3)


def scan_while_it_reboots(run: Run) -> None:
    """Sent after the installation, and before the host was up again."""
    run.drop("SendCommand", 2)
    run.call(410, "SendCommand", BOTH, params=patch_baseline("Scan"), at=4)


def start_again_after_a_fall_back(run: Run) -> None:
    """The start of ours falls back, another user's does not, and ours is the stop."""
    run.call(60, "StartInstances", ["dev-01"], caller="other", at=2)
    began = [(0, "is stopped"), (5, "is pending"), (25, "is stopped"), (60, "is pending"), (80, "is running")]
    later = run.hosts["dev-01"]["history"][3:]
    run.happened("dev-01", *began)
    run.hosts["dev-01"]["history"] += later


LEFT_ALONE = "expected nothing done to a host that is"
TOO_OLD = "expected a scan after the last installation and reboot, got a verdict of"

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
        another_user_starts_it_again,
        ["invariants[3].dev-01: expected no stop of what we did not start, got one after 701 s"],
    ),
    "3: stopped what others had started after it fell back": (
        start_again_after_a_fall_back,
        ["invariants[3].dev-01: expected no stop of what we did not start, got one after 701 s"],
    ),
    "3: stopped without a look": (
        stop_without_a_check,
        ["invariants[3].dev-01: expected a look at LaunchTime before the stop after 701 s, got none"],
    ),
    "5: begun though deferred": (
        begin_a_deferred_host,
        [
            f"invariants[5].dev-01: {LEFT_ALONE} deferred, got StartInstances",
            f"invariants[5].dev-01: {LEFT_ALONE} deferred, got SendCommand",
            f"invariants[5].dev-01: {LEFT_ALONE} deferred, got StopInstances",
            "invariants[5].dev-01: expected the reboots of a host that is deferred as before (0), got 1",
            "invariants[5].dev-01: expected the installed of a host that is deferred as before ([]), got ['KB5031361']",
        ],
    ),
    "5: touched though excluded": (
        install_on_an_excluded_host,
        [
            f"invariants[5].dev-02: {LEFT_ALONE} excluded, got SendCommand",
            "invariants[5].dev-02: expected the reboots of a host that is excluded as before (0), got 1",
            "invariants[5].dev-02: expected the installed of a host that is excluded as before ([]), got ['KB5031361']",
        ],
    ),
    "6: no proof": (
        lambda run: run.reports(1, verified_at=None),
        ["invariants[6].dev-02: expected a proving scan for patched, got null"],
    ),
    "6: an old proof": (
        take_the_scan_of_before,
        [f"invariants[6].{name}: {TOO_OLD} 2026-11-14T22:11:00Z" for name in BOTH],
    ),
    "6: a proof from before the reboot": (
        scan_while_it_reboots,
        [f"invariants[6].{name}: {TOO_OLD} 2026-11-14T22:11:00Z" for name in BOTH],
    ),
    "6: an installation after the proof": (
        install_after_the_scan,
        [
            f"invariants[6].{name}: expected nothing after the proving scan, got an installation or a reboot after 700 s"
            for name in BOTH
        ],
    ),
    "6: a reboot after the proof": (
        reboot_after_the_scan,
        [
            f"invariants[6].{name}: expected nothing after the proving scan, got an installation or a reboot after 705 s"
            for name in BOTH
        ],
    ),
    "6: a verdict from before the scan": (
        lambda run: run.reports(1, verified_at="2026-11-14T22:09:59Z"),
        [f"invariants[6].dev-02: {TOO_OLD} 2026-11-14T22:09:59Z"],
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
    assert run.judge(tmp_path, "invariants") == lines


def test_nothing_begins_after_the_deadline(tmp_path: Path) -> None:
    """Neither what is started nor what runs already."""
    variables: dict[str, Any] = {"patch_deadline": "2026-11-14T22:00:02Z"}
    assert Run(vars=variables).judge(tmp_path) == [
        "invariants[5].dev-01: expected no begin after 2026-11-14T22:00:02Z, got one 3 s late",
        "invariants[5].dev-02: expected no begin after 2026-11-14T22:00:02Z, got one 128 s late",
    ]


def test_a_deadline_that_is_no_time_is_no_matter_where_nothing_begins(tmp_path: Path) -> None:
    run = Run(vars={"patch_deadline": "tomorrow"})
    run.trace = []
    assert not any("deadline" in line for line in run.judge(tmp_path, "invariants[5]"))


WINDOW = {"name": "Patches", "id": "mw-1", "opens": -3600.0, "ends": 3600.0}


@pytest.mark.parametrize(
    ("window", "variables", "late"),
    [
        ({"begin_until": 2000.0}, {}, []),
        ({"begin_until": 20.0}, {}, ["dev-02"]),
        ({"begin_until": -60.0}, {}, BOTH),
        ({"begin_until": -60.0}, {"patch_outside_window_ok": True}, []),
        ({"opens": 4000.0, "begin_until": 5000.0}, {}, BOTH),
        ({"name": "Another", "begin_until": 20.0}, {}, []),
    ],
)
def test_nothing_begins_in_the_cutoff_or_outside_the_window(
    window: dict[str, Any], variables: dict[str, Any], late: list[str], tmp_path: Path
) -> None:
    run = Run(vars={"patch_maintenance_window": "Patches", **variables})
    run.windows = [{**WINDOW, **window}]
    begins = {"dev-01": 5, "dev-02": 130}
    assert run.judge(tmp_path) == [
        f"invariants[5].{name}: expected no begin in the window's cutoff or outside it, got one after {begins[name]} s"
        for name in late
    ]


def leave_alone(run: Run, *names: str) -> None:
    for name in names:
        run.begin_nothing(name)


def test_reading_a_deferred_host_is_no_start(tmp_path: Path) -> None:
    run = Run(vars={"patch_deadline": "2026-11-14T22:00:02Z"})
    leave_alone(run, *BOTH)
    polls = {"DocumentName": "AWS-RunPowerShellScript", "Comment": "patchfleet: inspect_sessions"}
    run.call(130, "SendCommand", ["dev-02"], params=polls)
    defer(run, 0, "no_time")
    defer(run, 1, "sessions")
    assert run.judge(tmp_path) == []


@pytest.mark.parametrize(
    ("operation", "params", "error"),
    [
        ("SendCommand", {"DocumentName": "AWS-RunPowerShellScript", "Comment": "patchfleet: clean_disk"}, None),
        ("SendCommand", patch_baseline("Install"), None),
        ("CreateTags", {}, None),
        ("RebootInstances", {}, "IncorrectInstanceState"),
        ("ModifyVolume", {"VolumeId": "vol-1", "Size": 80}, None),
    ],
)
@pytest.mark.parametrize("outcome", ["deferred", "excluded"])
def test_a_change_of_a_host_that_is_left_alone_is_caught(
    outcome: str, operation: str, params: dict[str, Any], error: str | None, tmp_path: Path
) -> None:
    run = Run()
    leave_alone(run, *BOTH)
    defer(run, 0, "no_time", outcome)
    defer(run, 1, "sessions", outcome)
    run.call(130, operation, ["dev-02"], params=params, error=error)
    line = f"invariants[5].dev-02: {LEFT_ALONE} {outcome}, got {operation}"
    assert run.judge(tmp_path, "invariants") == [line]


def test_room_that_was_made_on_a_deferred_host_is_caught(tmp_path: Path) -> None:
    run = Run()
    leave_alone(run, *BOTH)
    defer(run, 0, "no_time")
    defer(run, 1, "sessions")
    run.hosts["dev-02"]["free_gib"] = 31
    line = "invariants[5].dev-02: expected the free_gib of a host that is deferred as before (29.5), got 31"
    assert run.judge(tmp_path, "invariants") == [line]


def test_a_start_that_aws_refuses_begins_nothing(tmp_path: Path) -> None:
    run = Run()
    leave_alone(run, "dev-01")
    for t, operation, error in (
        (3, "CreateTags", None),
        (5, "StartInstances", "InsufficientInstanceCapacity"),
        (9, "DeleteTags", None),
    ):
        run.call(t, operation, ["dev-01"], error=error)
    defer(run, 0, "no_capacity")
    assert run.judge(tmp_path, "invariants") == []


def test_what_another_run_does_to_a_leased_host_is_not_ours(tmp_path: Path) -> None:
    steps = [{"playbook": "patch", "background": True}, {"playbook": "patch"}]
    run = Run(steps=steps)
    run.trace = [{**entry, "caller": "AKIA-1"} for entry in run.trace]
    for index in (0, 1):
        defer(run, index, "leased")
    run.results, run.logs = [2, 2], ["", ""]
    assert run.judge(tmp_path) == []


def test_a_green_run_without_hosts_is_caught(tmp_path: Path) -> None:
    run = Run(vars={"patch_tag_value": "Nobody"})
    leave_alone(run, *BOTH)
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
IN_INVENTORY = {"patch_hosts": "all", "patch_tag_value": "Windows"}
WINRM_HISTORY = [
    (0, "is running"),
    (201, "searching"),
    (260, "searched"),
    (260, "installing"),
    (290, "installed"),
    (302, "rebooting"),
    (400, "booted"),
]
SEARCHED = [(621, "searching"), (658, "searched")]


@pytest.mark.parametrize(
    ("call", "history", "good"),
    [
        ((620.0, "win_updates", SEARCH), SEARCHED, True),
        ((620.0, "win_updates", {**INSTALL, "check_mode": True}), SEARCHED, True),
        ((620.0, "Script", {"name": "search_updates"}), SEARCHED, True),
        ((620.0, "Script", {"name": "inspect_boot"}), [], False),
        ((620.0, "Script", {"name": "inspect_boot"}), SEARCHED, False),
        (None, SEARCHED, False),
        ((620.0, "win_updates", INSTALL), [*SEARCHED, (658, "installing"), (659, "installed")], False),
        ((670.0, "win_updates", SEARCH), [(671, "searching"), (720, "searched")], False),
        ((350.0, "win_updates", SEARCH), SEARCHED, False),
    ],
)
def test_a_verdict_over_winrm_needs_a_search_after_the_reboot(
    tmp_path: Path, call: tuple[float, str, dict[str, Any]] | None, history: list[tuple[float, str]], good: bool
) -> None:
    run = Run(vars=IN_INVENTORY)
    acts = [(200.0, "win_updates", INSTALL), (300.0, "Reboot", {"after_seconds": 2.0}), *([call] if call else [])]
    run.over_winrm(*acts)
    run.happened("dev-02", *WINRM_HISTORY, *history)
    assert run.judge(tmp_path) == ([] if good else [f"invariants[6].dev-02: {TOO_OLD} 2026-11-14T22:11:00Z"])


@pytest.mark.parametrize(
    ("operation", "params", "good"),
    [
        ("win_updates", SEARCH, True),
        ("Script", {"name": "probe"}, True),
        ("Script", {"name": "clean_disk"}, False),
        ("Reboot", {}, False),
        ("win_updates", INSTALL, False),
    ],
)
def test_nothing_is_changed_over_winrm_on_a_deferred_host(
    operation: str, params: dict[str, Any], good: bool, tmp_path: Path
) -> None:
    run = Run(vars=IN_INVENTORY)
    run.over_winrm((200.0, operation, params))
    history = run.hosts["dev-02"]["history"][:1]
    run.hosts["dev-02"] = {**run.before["dev-02"], "instance_id": None, "history": history}
    defer(run, 1, "sessions")
    line = f"invariants[5].dev-02: {LEFT_ALONE} deferred, got {operation}"
    assert run.judge(tmp_path, "invariants", "always") == ([] if good else [line])
