# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every field of a report that differs from the truth is named, in the last report and in those of earlier and other steps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fabricated import Run
from lab.matching import show

Spoil = Callable[[Run], object]
FAILED = {"outcome": "failed", "step": "patch", "reason": "It did not work.", "reason_code": "install_failed"}
HRESULT = {"kb": "KB5031361", "hresult": "0x80073712"}


def says(index: int, **fields: Any) -> Spoil:
    """A report that has these fields of a host instead."""
    return lambda run: run.reports(index, **fields)


def was(name: str, **fields: Any) -> Spoil:
    """A truth that has these fields at the end instead."""
    return lambda run: run.hosts[name].update(fields)


def fall_back(run: Run) -> None:
    """dev-01 was on for 20 s, was asked about soon after that, and is reported as on until the end."""
    run.begin_nothing("dev-01")
    run.trace = [entry for entry in run.trace if entry["operation"] != "StopInstances" and entry["t"] < 700]
    run.call(5, "StartInstances", ["dev-01"], at=1)
    run.call(40, "DescribeInstances", ["dev-01"], at=2)
    run.happened("dev-01", (0, "is stopped"), (5, "is pending"), (25, "is stopped"))
    run.hosts["dev-01"].update(starts=1, on_seconds=20, idle_seconds=20)
    nothing = dict.fromkeys(("installed", "missing", "reboots", "verified_at"))
    run.reports(0, **{**FAILED, "step": "start"}, **nothing, on_seconds=775, idle_seconds=30)
    run.results = [2]


def end_at_the_start(run: Run) -> None:
    """Another user ended dev-01 in the second of our start."""
    fall_back(run)
    run.happened("dev-01", (0, "is stopped"), (5, "is pending"), (5, "is terminated"))
    run.hosts["dev-01"].update(state="terminated", on_seconds=0, idle_seconds=0)
    run.reports(0, on_seconds=35, idle_seconds=0, final_state="terminated")


def take_over(run: Run) -> None:
    """dev-01 was on because of a run that died, and the report does not know since when."""
    run.drop("StartInstances")
    run.call(0, "StartInstances", ["dev-01"], at=0, caller="AKIA-dead")
    run.document["steps"] = [{"playbook": "patch"}, {"playbook": "patch"}]
    run.results, run.logs = ["killed", 0], ["", ""]
    run.steps = [
        {"playbook": "patch", "caller": "AKIA-dead", "began": 0.0, "ended": 100.0},
        {"playbook": "patch", "caller": "AKIA1", "began": 100.0, "ended": 800.0},
    ]
    run.before["dev-01"].update(state="running", on_seconds=95, idle_seconds=95)
    run.reports(0, started_by_run=False, on_seconds=None)


def patch_in_two_runs(run: Run) -> None:
    """The first run reported what only the second one did."""
    run.document["steps"] = [{"playbook": "patch"}, {"playbook": "patch"}]
    run.results, run.logs = [0, 0], ["", ""]


def timed(step: str, began: str, ended: str) -> dict[str, Any]:
    """One phase of a timeline."""
    return {"step": step, "started_at": f"2026-11-14T{began}Z", "finished_at": f"2026-11-14T{ended}Z", "ok": True}


def shown(step: str, began: str, ended: str) -> str:
    """The same, as the judge shows it."""
    return show(timed(step, began, ended))


# Each: how the run is spoilt, and what the judge says of it.
FIELDS: dict[str, tuple[Spoil, str]] = {
    "reboots": (says(0, reboots=0), "report.reboots.dev-01: expected 1, got 0"),
    "no reboots": (says(0, reboots=None), "report.reboots.dev-01: expected 1, got null"),
    "installed": (says(1, installed=["KB1"]), 'report.installed.dev-02: expected ["KB5031361"], got ["KB1"]'),
    "more than came in": (
        lambda run: (run.hosts["dev-02"].update(installed=[]), run.reports(1, **FAILED)),
        'report.installed.dev-02: expected [], got ["KB5031361"]',
    ),
    "missing": (says(1, missing=["KB1"]), 'report.missing.dev-02: expected [], got ["KB1"]'),
    "missing without a scan": (
        says(1, **FAILED, missing=["KB1"], verified_at=None),
        'report.missing.dev-02: expected of [], got ["KB1"]',
    ),
    "a scan that had not ended": (
        says(1, **FAILED, verified_at="2026-11-14T22:01:00Z"),
        "report.verified_at.dev-02: expected null, as no scan had ended, got 2026-11-14T22:01:00Z",
    ),
    "a volume that is none": (
        lambda run: (run.document["hosts"][1].update(kind="hybrid"), run.reports(1, kind="hybrid", grown_gib=7)),
        "report.grown_gib.dev-02: expected 0, got 7",
    ),
    "nothing of what is missing": (says(1, missing=None), "report.missing.dev-02: expected [], got null"),
    "another HRESULT": (
        lambda run: (
            run.hosts["dev-02"].update(failed_updates=[HRESULT]),
            run.reports(1, failed_updates=[{**HRESULT, "hresult": "0x80240022"}]),
        ),
        'report.failed_updates.dev-02: expected of KB5031361 0x80073712, got [["KB5031361", "0x80240022"]]',
    ),
    "a failed update that is left out": (
        lambda run: (
            run.hosts["dev-02"].update(failed_updates=[HRESULT], missing=["KB5031361"], installed=[]),
            run.reports(1, **FAILED, missing=["KB5031361"], installed=[]),
        ),
        "report.failed_updates.dev-02: expected KB5031361 0x80073712 among them, got []",
    ),
    "free before": (says(0, free_gib_before=12), "report.free_gib_before.dev-01: expected about 29.5, got 12"),
    "free after": (was("dev-01", free_gib=20), "report.free_gib_after.dev-01: expected about 20, got 29.5"),
    "free after what had been free for a while": (
        lambda run: (
            run.hosts["dev-01"].update(free_gib=33, free_gib_at=[(0, 29.5), (900, 28)])
            or run.reports(0, free_gib_after=28)
        ),
        "report.free_gib_after.dev-01: expected about 33, got 28",
    ),
    "grown": (was("dev-01", volume_gib=80), "report.grown_gib.dev-01: expected 20, got 0"),
    "grown, and not said": (
        lambda run: (run.hosts["dev-01"].update(volume_gib=80), run.reports(0, grown_gib=None)),
        "report.grown_gib.dev-01: expected 20, got null",
    ),
    "not started by us": (says(0, started_by_run=False), "report.started_by_run.dev-01: expected true, got false"),
    "started by us": (says(1, started_by_run=True), "report.started_by_run.dev-02: expected false, got true"),
    "final state": (says(0, final_state="running"), "report.final_state.dev-01: expected stopped, got running"),
    "no final state": (says(1, final_state=None), "report.final_state.dev-02: expected running, got null"),
    "on for longer": (says(0, on_seconds=900), "report.on_seconds.dev-01: expected between 694 and 847, got 900"),
    "on for less": (says(0, on_seconds=600), "report.on_seconds.dev-01: expected between 694 and 847, got 600"),
    "no on_seconds": (says(0, on_seconds=None), "report.on_seconds.dev-01: expected between 694 and 847, got null"),
    "on though it was": (
        says(1, on_seconds=9),
        "report.on_seconds.dev-02: expected null of a host that was not on because of us, got 9",
    ),
    "on after it fell back": (fall_back, "report.on_seconds.dev-01: expected between 0 and 97, got 775"),
    "on before it was taken over": (
        take_over,
        "report.on_seconds.dev-01: expected between 599 and 847 (step 2), got null",
    ),
    "idle for longer": (says(0, idle_seconds=600), "report.idle_seconds.dev-01: expected between 0 and 149, got 600"),
    "idle for less": (
        lambda run: (run.hosts["dev-01"].update(idle_seconds=400), run.reports(0, idle_seconds=200)),
        "report.idle_seconds.dev-01: expected between 320 and 509, got 200",
    ),
    "no idle_seconds": (says(0, idle_seconds=None), "report.idle_seconds.dev-01: expected between 0 and 149, got null"),
    "steps that are longer than the run": (
        says(0, seconds={"patch": 700, "verify": 200}),
        'report.seconds.dev-01: expected at most 800 s together, got {"patch": 700, "verify": 200}',
    ),
    "patched without an update": (
        lambda run: (run.hosts["dev-02"].update(installed=[]), run.reports(1, installed=[])),
        "report.outcome.dev-02: expected compliant, as nothing was installed, got patched",
    ),
    "compliant with an update": (
        says(1, outcome="compliant"),
        "report.outcome.dev-02: expected patched, as something was installed, got compliant",
    ),
    "noncompliant with an update": (
        lambda run: (
            run.hosts["dev-02"].update(missing=["KB1"]),
            run.reports(1, outcome="noncompliant", missing=["KB1"]),
        ),
        "report.outcome.dev-02: expected no noncompliant host on which something was installed, got noncompliant",
    ),
    "noncompliant without an update": (
        lambda run: (run.hosts["dev-02"].update(installed=[]), run.reports(1, outcome="noncompliant", installed=[])),
        "report.outcome.dev-02: expected no noncompliant host that misses nothing, got noncompliant",
    ),
    "up to date though a reboot is pending": (
        was("dev-02", reboot_pending=True),
        "report.outcome.dev-02: expected noncompliant (reboot_pending), as a reboot is pending, got patched",
    ),
    "stopped while a reboot was pending": (
        was("dev-01", stopped_while_pending=1),
        "report.outcome.dev-01: expected held, as it was stopped while Windows waited for a reboot, got patched",
    ),
    "failed without a step": (
        says(1, **{**FAILED, "step": None}),
        (
            "report.step.dev-02: expected where it failed, one of plan, admit, start, ready, disk, repair, patch, verify, restore, "
            "got null"
        ),
    ),
    "failed without a reason": (
        says(1, **{**FAILED, "reason": None}),
        "report.reason.dev-02: expected one of a host that is failed, got null",
    ),
    "held without a code": (
        says(1, outcome="held", reason="It is on."),
        "report.reason_code.dev-02: expected one of a host that is held, got null",
    ),
}


# The same of the fields that say which host it is, how it was found, and what was done there.
IDENTITY: dict[str, tuple[Spoil, str]] = {
    "another instance": (
        lambda run: run.truly("dev-02", instance_id=None),
        "report.instance_id.dev-02: expected null, got i-00000000000000002",
    ),
    "another kind": (says(0, kind="hybrid"), "report.kind.dev-01: expected ec2, got hybrid"),
    "another account": (
        says(0, account="999999999999"),
        "report.account.dev-01: expected 123456789012, got 999999999999",
    ),
    "another region": (says(0, region="us-east-1"), "report.region.dev-01: expected eu-central-1, got us-east-1"),
    "another zone": (says(0, az="eu-central-1b"), "report.az.dev-01: expected eu-central-1a, got eu-central-1b"),
    "another type": (says(0, type="x9.nano"), "report.type.dev-01: expected t3.large, got x9.nano"),
    "found in another state": (
        says(1, original_state="stopped"),
        "report.original_state.dev-02: expected running, got stopped",
    ),
    "a repair that nobody made": (
        says(1, repaired=["repair_components"]),
        'report.repaired.dev-02: expected nothing but scripts that were sent, got ["repair_components"]',
    ),
    "a snapshot that nobody made": (
        says(1, snapshot_id="snap-1"),
        "report.snapshot_id.dev-02: expected null, as no snapshot was made, got snap-1",
    ),
    "people who were not there": (says(1, sessions=2), "report.sessions.dev-02: expected 0, got 2"),
    "a phase before the run": (
        says(1, seconds={}, timeline=[timed("patch", "21:00:00", "22:05:00")]),
        f"report.timeline.dev-02: expected phases of this run, one after the other, got {shown('patch', '21:00:00', '22:05:00')}",
    ),
    "two phases at once": (
        says(1, seconds={}, timeline=[timed("patch", "22:01:00", "22:10:00"), timed("verify", "22:05:00", "22:11:00")]),
        f"report.timeline.dev-02: expected phases of this run, one after the other, got {shown('verify', '22:05:00', '22:11:00')}",
    ),
    "a phase of another length": (
        says(1, seconds={"patch": 60}, timeline=[timed("patch", "22:01:00", "22:10:00")]),
        "report.seconds.dev-02: expected about 540 of patch, got 60",
    ),
}


@pytest.mark.parametrize("name", IDENTITY)
def test_a_host_that_is_not_the_one_it_was_is_named(name: str, tmp_path: Path) -> None:
    spoil, line = IDENTITY[name]
    run = Run()
    spoil(run)
    assert run.judge(tmp_path, f"{line.split(':')[0]}:") == [line]


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_that_is_not_the_truth_is_named(name: str, tmp_path: Path) -> None:
    spoil, line = FIELDS[name]
    run = Run()
    spoil(run)
    assert run.judge(tmp_path, "report") == [line]


LATE = {"document": "AWS-RunPatchBaseline", "status": "DeliveryTimedOutButRuns"}


@pytest.mark.parametrize(
    ("keys", "events"),
    [
        ({"agent": "lost_after_reboot"}, []),
        ({"command_faults": [LATE]}, []),
        ({}, [{"at_seconds": 60, "host": "dev-01", "do": "agent_dies"}]),
    ],
    ids=["the agent is lost", "a late delivery", "the agent dies"],
)
def test_the_idle_time_may_be_unknown_where_the_end_of_a_command_is(
    keys: dict[str, Any], events: list[dict[str, Any]], tmp_path: Path
) -> None:
    run = Run()
    run.document["hosts"][0].update(keys)
    run.document["events"] = events
    says(0, idle_seconds=None)(run)
    assert run.judge(tmp_path, "report.idle_seconds") == []


@pytest.mark.parametrize(("later", "lines"), [([], 0), ([(700, None)], 1)], ids=["refused", "answered again"])
def test_the_final_state_may_be_unknown_where_the_last_question_was_refused(
    later: list[tuple[float, str | None]], lines: int, tmp_path: Path
) -> None:
    """Credentials that have ended, for one: a host that was on may have been stopped by its owner since."""
    run = Run()
    for t, error in [(690, "RequestExpired"), *later]:
        run.call(t, "DescribeInstances", ["dev-02"], error=error)
    says(1, final_state=None)(run)
    assert len(run.judge(tmp_path, "report.final_state")) == lines


def test_a_start_that_others_ended_at_once_was_ours(tmp_path: Path) -> None:
    run = Run()
    end_at_the_start(run)
    assert run.judge(tmp_path, "report") == []


@pytest.mark.parametrize(("began", "lines"), [(600, 0), (605, 1)])
def test_room_that_an_installation_takes_at_the_begin_may_be_reported(began: float, lines: int, tmp_path: Path) -> None:
    run = Run()
    patch_in_two_runs(run)
    run.results[0] = "killed"
    run.steps = [
        {"playbook": "patch", "caller": "AKIA-dead", "began": 0.0, "ended": began},
        {"playbook": "patch", "caller": "AKIA1", "began": began, "ended": 800.0},
    ]
    run.before["dev-02"].update(free_gib=12.0)
    run.hosts["dev-02"]["history"] = [{"t": 500, "event": "installing"}, {"t": 604, "event": "installed"}]
    run.reports(1, free_gib_before=12.0, free_gib_after=12.0)
    found = [line for line in run.judge(tmp_path, "report.free_gib_after") if "dev-02" in line]
    assert len(found) == lines


def test_an_earlier_run_is_held_against_what_it_did_itself(tmp_path: Path) -> None:
    """Its report has the numbers of the second run, and a truth in which nothing was done."""
    run = Run()
    patch_in_two_runs(run)
    run.write(tmp_path)
    first = tmp_path / "out" / "step-1" / "report.json"
    first.write_text((tmp_path / "out" / "report.json").read_text(encoding="utf-8"), encoding="utf-8")
    lines = run.judge_again(tmp_path, "report.reboots", "report.started_by_run", "invariants[6]")
    assert [line for line in lines if "step 1" in line] == [
        "report.reboots.dev-01: expected 0 (step 1), got 1",
        "report.started_by_run.dev-01: expected false (step 1), got true",
        "report.reboots.dev-02: expected 0 (step 1), got 1",
    ]


def test_what_a_dead_run_has_installed_is_reported_by_the_next_one(tmp_path: Path) -> None:
    for result, lines in (("killed", []), (0, ['report.installed.dev-02: expected [] (step 2), got ["KB5031361"]'])):
        run = Run()
        patch_in_two_runs(run)
        run.results[0] = result
        run.before["dev-02"].update(installed=["KB5031361"], missing=[])
        folder = tmp_path / str(result)
        folder.mkdir()
        assert run.judge(folder, "report.installed") == lines


def test_a_host_that_lies_is_no_fault_of_the_report(tmp_path: Path) -> None:
    run = Run()
    run.document["hosts"][1]["answers"] = "hostile"
    run.reports(1, **FAILED, reboots=-4, free_gib_after=1e9, failed_updates=[HRESULT])
    assert run.judge(tmp_path, "report") == []


def test_a_host_that_others_switch_off_later_had_another_state(tmp_path: Path) -> None:
    run = Run(events=[{"at_seconds": 795, "host": "dev-02", "do": "stop"}])
    run.hosts["dev-02"]["state"] = "stopped"
    run.hosts["dev-02"]["history"].append({"t": 795, "state": "stopped"})
    assert run.judge(tmp_path, "report") == []


def test_the_reboots_of_a_dead_run_may_be_reported(tmp_path: Path) -> None:
    for got, lines in ((1, []), (0, []), (2, ["report.reboots.dev-02: expected 0 (step 2), got 2"])):
        run = Run()
        patch_in_two_runs(run)
        run.results[0] = "killed"
        run.before["dev-02"]["reboots"] = 1
        run.reports(1, reboots=got)
        folder = tmp_path / str(got)
        folder.mkdir()
        assert run.judge(folder, "report.reboots.dev-02") == lines


def test_unknown_is_null_where_the_outcome_does_not_need_it(tmp_path: Path) -> None:
    run = Run()
    unknown = ("installed", "missing", "reboots", "verified_at", "free_gib_before", "free_gib_after", "grown_gib")
    run.reports(1, **FAILED, **dict.fromkeys(unknown))
    assert run.judge(tmp_path, "report") == []


def test_with_patch_kbs_a_report_speaks_of_these_alone(tmp_path: Path) -> None:
    run = Run(vars={"patch_kbs": ["KB5031361"]})
    run.hosts["dev-02"]["missing"] = ["KB5031990"]
    assert run.judge(tmp_path, "report", "always") == []


def test_what_was_excluded_may_be_called_missing_or_not(tmp_path: Path) -> None:
    for missing in ([], ["KB5031990"]):
        run = Run(vars={"patch_exclude_kbs": ["KB5031990"]})
        run.hosts["dev-02"]["missing"] = ["KB5031990"]
        run.reports(1, missing=missing)
        folder = tmp_path / str(len(missing))
        folder.mkdir()
        assert run.judge(folder, "report.missing") == []


def test_a_controller_whose_clock_is_fast_is_not_blamed(tmp_path: Path) -> None:
    run = Run(account={"controller_clock_seconds": 300})
    run.report.update(started_at="2026-11-14T22:05:00Z", finished_at="2026-11-14T22:18:00Z")
    for index in (0, 1):
        run.reports(index, verified_at="2026-11-14T22:16:00Z")
    assert run.judge(tmp_path) == []
    run.reports(1, verified_at="2026-11-14T22:11:00Z")  # by AWS's clock: before the scan
    (tmp_path / "again").mkdir()
    lines = run.judge(tmp_path / "again")
    assert lines[0].startswith("invariants[6].dev-02: expected a scan after the last installation and reboot")
