# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The judge: for every expectation a run that it accepts and the same run, spoilt, that it does not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fabricated import BOTH, Run
from lab.fields import OUTCOMES

Spoil = Callable[[Run], object]

# Each: what is expected of the good run, how it is spoilt, and the one line that the judge has to say then.
EXPECTATIONS: dict[str, tuple[dict[str, Any], Spoil, str]] = {
    "rc": ({"rc": 0}, lambda run: run.results.__setitem__(0, 2), "expect.rc: expected 0, got 2"),
    "outcome": (
        {"outcomes": {"dev-01": "patched"}},
        lambda run: run.reports(0, outcome="failed", step="disk", reason="no room"),
        "expect.outcomes.dev-01: expected patched, got failed (disk: no room)",
    ),
    "outcome of a range": (
        {"outcomes": {"dev-{01..02}": "patched"}},
        lambda run: run.reports(1, outcome="failed", step="patch"),
        "expect.outcomes.dev-02: expected patched, got failed (patch)",
    ),
    "outcome of all that are not named": (
        {"outcomes": {"*": "patched"}},
        lambda run: run.reports(1, outcome="held", reason="restarted by somebody else"),
        "expect.outcomes.dev-02: expected patched, got held (restarted by somebody else)",
    ),
    "one of several outcomes": (
        {"outcomes": {"dev-02": {"outcome": ["patched", "compliant"]}}},
        lambda run: run.reports(1, outcome="held"),
        "expect.outcomes.dev-02: expected patched or compliant, got held",
    ),
    "step": (
        {"outcomes": {"dev-02": {"outcome": "patched", "step": None}}},
        lambda run: run.reports(1, step="verify"),
        "expect.outcomes.dev-02: expected patched at null, got patched (verify)",
    ),
    "a field of the report's host": (
        {"outcomes": {"dev-02": {"reason_code": None}}},
        lambda run: run.reports(1, reason_code="sessions"),
        "expect.outcomes.dev-02.reason_code: expected null, got sessions",
    ),
    "a list in the report's host": (
        {"outcomes": {"dev-02": {"repaired": []}}},
        lambda run: run.reports(1, repaired=["services"]),
        'expect.outcomes.dev-02.repaired: expected [], got ["services"]',
    ),
    "state": (
        {"state": {"dev-01": {"state": "stopped"}}},
        lambda run: run.hosts["dev-01"].update(state="terminated"),
        "expect.state.dev-01.state: expected stopped, got terminated",
    ),
    "state of all that are not named": (
        {"state": {"*": {"reboots": 1}, "dev-01": {"starts": 1}}},
        lambda run: [run.hosts[name].update(reboots=2) for name in BOTH],
        "expect.state.dev-02.reboots: expected 1, got 2",
    ),
    "lists are sets": (
        {"state": {"dev-01": {"installed": ["KB5031361"]}}},
        lambda run: run.hosts["dev-01"].update(installed=["KB5031361", "KB5031990"]),
        'expect.state.dev-01.installed: expected ["KB5031361"], got ["KB5031361", "KB5031990"]',
    ),
    "at_most": (
        {"state": {"dev-01": {"idle_seconds": {"at_most": 40}}}},
        lambda run: run.hosts["dev-01"].update(idle_seconds=41),
        "expect.state.dev-01.idle_seconds: expected at most 40, got 41",
    ),
    "at_least": (
        {"state": {"dev-01": {"free_gib": {"at_least": 29.5}}}},
        lambda run: run.hosts["dev-01"].update(free_gib=29.4),
        "expect.state.dev-01.free_gib: expected at least 29.5, got 29.4",
    ),
    "at_most of what is unknown": (
        {"state": {"dev-01": {"free_gib": {"at_most": 100}}}},
        lambda run: run.hosts["dev-01"].update(free_gib=None),
        "expect.state.dev-01.free_gib: expected at most 100, got null",
    ),
    "any_of": (
        {"state": {"dev-02": {"state": {"any_of": ["running", "stopped"]}}}},
        lambda run: run.hosts["dev-02"].update(state="terminated"),
        'expect.state.dev-02.state: expected any of ["running", "stopped"], got terminated',
    ),
    "has": (
        {"state": {"dev-01": {"installed": {"has": ["KB5031361"], "has_not": ["KB5031990"]}}}},
        lambda run: run.hosts["dev-01"].update(installed=["KB5031990"]),
        'expect.state.dev-01.installed: expected a list with ["KB5031361"] and none of ["KB5031990"], got ["KB5031990"]',
    ),
    "has_not": (
        {"state": {"dev-01": {"installed": {"has_not": ["KB5031990"]}}}},
        lambda run: run.hosts["dev-01"].update(installed=["KB5031361", "KB5031990"]),
        'expect.state.dev-01.installed: expected none of ["KB5031990"], got ["KB5031361", "KB5031990"]',
    ),
    "has of what is no list": (
        {"outcomes": {"dev-01": {"repaired": {"has_not": ["services"]}}}},
        lambda run: run.reports(0, repaired=None),
        'expect.outcomes.dev-01.repaired: expected none of ["services"], got null',
    ),
    "never with a host": (
        {"never": {"ModifyVolume": ["dev-{01..02}"]}},
        lambda run: run.call(160, "ModifyVolume", ["dev-02"], params={"VolumeId": "vol-1", "Size": 80}),
        "expect.never.ModifyVolume: expected no call with dev-01, dev-02, got one with dev-02 after 160 s",
    ),
    "never at all": (
        {"never": {"CreateTags": "*"}},
        lambda run: run.call(160, "CreateTags", []),
        "expect.never.CreateTags: expected no call with any host, got one with no host after 160 s",
    ),
    "calls": (
        {"calls": {"ec2.StartInstances": {"at_most": 1}, "ssm.SendCommand": 3}},
        lambda run: run.call(3, "StartInstances", ["dev-01"], error="RequestLimitExceeded", at=1),
        "expect.calls.ec2.StartInstances: expected at most 1, got 2",
    ),
    "running_at_once": (
        {"running_at_once": {"at_most": 1}},
        lambda run: setattr(run, "running_at_once", 2),
        "expect.running_at_once: expected at most 1, got 2",
    ),
    "order": (
        {"order": ["dev-01", ["dev-02"]]},
        lambda run: run.call(1, "SendCommand", ["dev-02"], at=1),
        "expect.order[1]: expected dev-02 to begin after dev-01, got it before or together",
    ),
    "log": (
        {"log": ["ALL HOSTS"]},
        lambda run: run.logs.__setitem__(0, "some hosts"),
        "expect.log: expected 'ALL HOSTS' in step-1.log, got no such text",
    ),
    "not_log": (
        {"not_log": ["Uid=0"]},
        lambda run: run.logs.__setitem__(0, "uid=\x1b[31m0(root)"),
        "expect.not_log: expected no 'Uid=0' in step-1.log, got it",
    ),
    "report": (
        {"report": {"schema": 1}},
        lambda run: run.report.update(schema=2),
        "expect.report.schema: expected 1, got 2",
    ),
    "report's totals": (
        {"report": {"totals": {"patched": 2, "failed": 0}}},
        lambda run: run.reports(1, outcome="failed"),
        'expect.report.totals: expected {"failed": 0, "patched": 2}, got {"failed": 1, "patched": 1}',
    ),
}


@pytest.mark.parametrize("name", EXPECTATIONS)
def test_a_good_run_passes(name: str, tmp_path: Path) -> None:
    expect, _spoil, _line = EXPECTATIONS[name]
    assert Run(expect).judge(tmp_path) == []


@pytest.mark.parametrize("name", EXPECTATIONS)
def test_a_spoilt_run_is_caught(name: str, tmp_path: Path) -> None:
    expect, spoil, line = EXPECTATIONS[name]
    run = Run(expect)
    spoil(run)
    assert run.judge(tmp_path, "expect", "steps") == [line]


# ---- what every scenario holds


def start_again(run: Run) -> None:
    run.call(770, "StartInstances", ["dev-01"])
    run.hosts["dev-01"]["state"] = "stopping"
    run.hosts["dev-01"]["history"].append({"t": 770, "state": "pending"})


def lose_a_host(run: Run) -> None:
    del run.reported[1]
    run.count()


def report_twice(run: Run) -> None:
    run.reported.append({**run.reported[1]})
    run.count()


ALWAYS: dict[str, tuple[Spoil, str]] = {
    "unrecorded start": (
        lambda run: run.hosts["dev-01"].update(unrecorded_starts=1),
        "always.unrecorded_starts.dev-01: expected 0, got 1",
    ),
    "cut off by us": (
        lambda run: run.hosts["dev-01"].update(cut_off=1, cut_off_by_us=1),
        "always.cut_off.dev-01: expected no installation cut off by us, got 1",
    ),
    "left on": (
        start_again,
        "always.left_on.dev-01: expected the host that we started to be off again, got stopping",
    ),
    "lost host": (lose_a_host, "always.targets.dev-02: expected one outcome, got none"),
    "two outcomes": (report_twice, "always.targets.dev-02: expected one outcome, got 2"),
    "no outcome": (
        lambda run: (run.reports(1, outcome="skipped"), run.results.__setitem__(0, 2)),
        f"always.outcome.dev-02: expected one of {', '.join(OUTCOMES)}, got skipped",
    ),
    "totals": (
        lambda run: run.report.update(totals={"patched": 3}),
        'always.totals: expected {"patched": 2} as the hosts say, got {"patched": 3}',
    ),
    "patched, but something is missing": (
        lambda run: (run.hosts["dev-02"].update(missing=["KB5031361"]), run.reports(1, missing=["KB5031361"])),
        'always.missing.dev-02: expected nothing missing on a patched host, got ["KB5031361"]',
    ),
    "stop by force": (
        lambda run: run.trace[-2]["params"].update(Force=True),
        "always.stop: expected no Force, got it with dev-01 after 701 s",
    ),
    "stop without shutdown": (
        lambda run: run.trace[-2]["params"].update(SkipOsShutdown="true"),
        "always.stop: expected no SkipOsShutdown, got it with dev-01 after 701 s",
    ),
    "more than a size": (
        lambda run: run.call(300, "ModifyVolume", ["dev-01"], params={"Size": 80, "VolumeType": "gp3"}, at=4),
        "always.modify_volume: expected a Size alone, got VolumeType with dev-01 after 300 s",
    ),
    "unknown to the lab": (
        lambda run: run.call(300, "RebootInstances", [], error="NotImplemented", at=4),
        "always.unknown.ec2.RebootInstances: expected calls that the lab knows, got one with no host after 300 s",
    ),
    "secret": (
        lambda run: run.files.update({"report.html": f"x{run.secrets[0]}x"}),
        "always.secrets: expected no secret in report.html, got one",
    ),
    "secret within JSON": (
        lambda run: run.trace[0]["params"].update(password=run.secrets[0]),
        "always.secrets: expected no secret in trace.jsonl, got one",
    ),
}


@pytest.mark.parametrize("name", ALWAYS)
def test_what_no_run_may_do_is_caught(name: str, tmp_path: Path) -> None:
    spoil, line = ALWAYS[name]
    run = Run()
    spoil(run)
    assert run.judge(tmp_path) == [line]


def test_what_others_cut_off_is_not_ours(tmp_path: Path) -> None:
    run = Run()
    run.call(200, "TerminateInstances", ["dev-02"], caller="other", at=4)
    run.hosts["dev-02"].update(cut_off=1, state="terminated")
    run.reports(1, outcome="failed", step="patch", reason="It is gone.", reason_code="instance_gone", final_state=None)
    run.results = [2]
    assert run.judge(tmp_path) == []


def test_a_held_host_may_be_on(tmp_path: Path) -> None:
    run = Run()
    run.drop("StopInstances")
    run.hosts["dev-01"].update(state="running", on_seconds=795, idle_seconds=79)
    run.hosts["dev-01"]["history"] = run.hosts["dev-01"]["history"][:-2]
    held = {"outcome": "held", "reason": "It is still installing.", "reason_code": "installing"}
    run.reports(0, **held, final_state="running", on_seconds=775, idle_seconds=59)
    run.results = [2]
    assert run.judge(tmp_path) == []


def test_a_host_that_others_started_may_be_on(tmp_path: Path) -> None:
    run = Run()
    run.call(800, "StartInstances", ["dev-01"], caller="other")
    run.call(790, "DescribeInstances", ["dev-01"], at=8)
    run.hosts["dev-01"]["state"] = "running"
    run.hosts["dev-01"]["history"].append({"t": 800, "state": "pending"})
    assert run.judge(tmp_path) == []


def test_a_dry_run_and_others_count_for_nothing(tmp_path: Path) -> None:
    run = Run({"never": {"ModifyVolume": "*", "RebootInstances": ["dev-02"]}, "calls": {"ec2.ModifyVolume": 0}})
    run.call(1, "ModifyVolume", ["dev-01"], params={"DryRun": True}, error="DryRunOperation", at=1)
    run.call(2, "RebootInstances", ["dev-02"], caller="other", at=2)
    assert run.judge(tmp_path) == []


def test_hosts_of_one_call_begin_together(tmp_path: Path) -> None:
    run = Run({"order": ["dev-02", "dev-01"]})
    run.drop("StartInstances")
    assert "expect.order[1]: expected dev-01 to begin after dev-02, got it before or together" in run.judge(tmp_path)


def test_an_order_of_hosts_over_winrm(tmp_path: Path) -> None:
    run = Run({"order": ["dev-02", "dev-01"]})
    run.over_winrm((600.0, "win_updates", {"state": "searched", "check_mode": False}))
    assert "expect.order[1]: expected dev-01 to begin after dev-02, got it before or together" in run.judge(tmp_path)


def test_an_order_of_hosts_that_never_begin_is_not_held(tmp_path: Path) -> None:
    run = Run({"order": ["dev-01", "dev-02"]})
    run.trace = [entry for entry in run.trace if entry["operation"] != "SendCommand"]
    run.reports(1, outcome="failed")
    run.reports(0, outcome="failed")
    line = "expect.order[1]: expected dev-02 to begin, got no start of it and no command to it"
    assert run.judge(tmp_path, "expect") == [line]


# ---- exit codes


@pytest.mark.parametrize(
    ("result", "wanted", "lines"),
    [
        (4, 4, []),
        (4, "nonzero", []),
        (0, "nonzero", ["steps[0].rc: expected nonzero, got 0"]),
        (2, 0, ["steps[0].rc: expected 0, got 2"]),
        ("killed", 0, []),
        ("timeout", 0, ["steps[0]: expected it to end, got killed after the limit in real time"]),
    ],
)
def test_exit_codes_of_steps(result: Any, wanted: Any, lines: list[str], tmp_path: Path) -> None:
    run = Run(steps=[{"playbook": "patch", "rc": wanted}])
    run.results = [result]
    assert run.judge(tmp_path, "expect", "steps") == lines


def test_the_last_step_counts(tmp_path: Path) -> None:
    run = Run({"rc": 0, "log": ["restored"]}, steps=[{"playbook": "patch"}, {"playbook": "restore"}])
    run.results, run.logs = [2, 0], ["patch", "restored"]
    assert run.judge(tmp_path, "expect", "steps") == []


def test_a_step_that_did_not_run_is_reported(tmp_path: Path) -> None:
    run = Run({"rc": 0}, steps=[{"playbook": "patch"}, {"playbook": "restore"}])
    assert run.judge(tmp_path) == ["steps[1]: expected it to run, got no exit code"]


# ---- broken files


def test_no_report_is_reported_for_each_expectation(tmp_path: Path) -> None:
    run = Run({"outcomes": {"dev-01": "patched"}, "report": {"schema": 1}}, steps=[{"playbook": "plan"}])
    run.report = None
    assert run.judge(tmp_path) == [
        "expect.outcomes.dev-01: expected patched, got no report.json",
        "expect.report.schema: expected 1, got no report.json",
    ]


def test_a_host_is_found_by_its_id_whatever_it_is_called(tmp_path: Path) -> None:
    run = Run({"outcomes": {"dev-02": "patched"}})
    run.reports(1, host="東京-開発 01")
    assert run.judge(tmp_path) == []


def test_a_missing_host_is_reported(tmp_path: Path) -> None:
    run = Run({"outcomes": {"dev-02": "patched"}, "state": {"dev-02": {"starts": 0}}})
    lose_a_host(run)
    del run.hosts["dev-02"]
    problems = run.judge(tmp_path)
    assert "expect.outcomes.dev-02: expected patched, got nothing in the report" in problems
    assert "expect.state.dev-02: expected a host, got nothing in state.json" in problems


@pytest.mark.parametrize(
    ("file", "text", "line"),
    [
        ("trace.jsonl", "{", "trace.jsonl:1: expected a call, got '{'"),
        ("trace.jsonl", '{"t": 1}', "trace.jsonl:1: expected a call, got '{\"t\": 1}'"),
        ("state.json", "[]", "state.json: expected a mapping with hosts"),
        ("report.json", "no", "report.json: expected JSON, got Expecting value: line 1 column 1 (char 0)"),
    ],
)
def test_a_file_that_is_not_what_it_should_be(file: str, text: str, line: str, tmp_path: Path) -> None:
    run = Run()
    run.files = {file: text}
    assert run.judge(tmp_path) == [line]
