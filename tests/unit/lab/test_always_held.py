# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Batches, waves, exit codes, volumes and texts: what is held whether a scenario speaks of it or not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fabricated import BOTH, Run
from lab.known import KNOWN_DEFECTS, known_defect, split

Spoil = Callable[[Run], object]
FAILED = {"outcome": "failed", "step": "patch", "reason": "It did not work.", "reason_code": "install_failed"}
DEFERRED = {"outcome": "deferred", "reason": "Not now.", "reason_code": "no_time"}
CONTROLS = ["\x1b[31m", "\r", "\t", "\u202e", "\u2066", "\x85"]


# ---- batches and waves


def test_more_hosts_at_work_than_the_batch_are_caught(tmp_path: Path) -> None:
    assert Run(vars={"patch_batch_size": 1}).judge(tmp_path, "pace.batch") == [
        "pace.batch.dev-02: expected at most 1 at work at a time, got dev-01, dev-02"
    ]


@pytest.mark.parametrize(("size", "good"), [(2, True), ("100%", True), ("99%", False), ("50%", False), ("1", False)])
def test_a_batch_may_be_a_share_of_the_hosts(size: Any, good: bool, tmp_path: Path) -> None:
    assert (Run(vars={"patch_batch_size": size}).judge(tmp_path, "pace") == []) is good


def test_a_wave_that_is_larger_than_the_batch_is_caught(tmp_path: Path) -> None:
    run = Run(vars={"patch_batch_size": 1})
    for index in (0, 1):
        run.reports(index, wave=1)
    assert run.judge(tmp_path, "pace.wave") == ["pace.wave.1: expected at most 1 hosts, got dev-01, dev-02"]


def test_a_wave_that_begins_before_the_one_before_it_is_done_is_caught(tmp_path: Path) -> None:
    run = Run(vars={"patch_batch_size": 5})
    for index, wave in enumerate((1, 2)):
        run.reports(index, wave=wave)
    assert run.judge(tmp_path) == [
        "pace.wave.dev-02: expected it to begin after dev-01 of wave 1 was done, got it 470 s earlier"
    ]


def test_rolling_knows_no_waves(tmp_path: Path) -> None:
    run = Run(vars={"patch_batch_size": 2, "patch_rollout": "rolling"})
    for index, wave in enumerate((1, 2)):
        run.reports(index, wave=wave)
    assert run.judge(tmp_path) == []


def test_more_hosts_on_than_patch_max_running_are_caught(tmp_path: Path) -> None:
    run = Run(vars={"patch_max_running": 1})
    run.running_at_once = 2
    assert run.judge(tmp_path) == ["pace.max_running: expected at most 1 on at a time, got 2"]


@pytest.mark.parametrize(("calls", "good"), [(10, True), (20, False)])
def test_calls_that_come_before_the_api_budget_has_tokens_for_them_are_caught(
    calls: int, good: bool, tmp_path: Path
) -> None:
    run = Run(vars={"patch_api_calls_per_second": 0.1})
    for _call in range(calls):
        run.call(20, "DescribeInstances", BOTH, at=2)
    problems = run.judge(tmp_path, "pace.api")
    assert problems == ([] if good else ["pace.api.1: expected at most 12 calls after 20 s, got 13"])


# ---- exit codes


@pytest.mark.parametrize(
    ("first", "second", "variables", "right"),
    [
        ({}, {}, {}, {0}),
        ({}, FAILED, {}, {2}),
        ({}, DEFERRED, {}, {0}),
        ({}, DEFERRED, {"patch_fail_on_deferred": True}, {2}),
        ({}, {**DEFERRED, "reason_code": "sessions"}, {}, {2}),
        ({}, {**DEFERRED, "reason_code": "credentials_too_short"}, {}, {0, 2}),
        ({}, {**DEFERRED, "outcome": "excluded"}, {}, {0}),
        ({}, {**FAILED, "outcome": "held"}, {}, {2}),
        (DEFERRED, DEFERRED, {}, {2}),
        ({**DEFERRED, "outcome": "excluded"}, {**DEFERRED, "outcome": "excluded"}, {}, {2}),
    ],
)
def test_the_exit_code_of_a_roll_out_follows_from_the_outcomes(
    first: dict[str, Any], second: dict[str, Any], variables: dict[str, Any], right: set[int], tmp_path: Path
) -> None:
    for result in (0, 2, 4):
        run = Run(vars=variables)
        run.reports(0, **first)
        run.reports(1, **second)
        run.results = [result]
        folder = tmp_path / str(result)
        folder.mkdir()
        assert (run.judge(folder, "exit") == []) is (result in right)


@pytest.mark.parametrize(("left_on", "right"), [(False, 0), (True, 2)])
def test_restore_says_whether_something_is_on_because_of_us(left_on: bool, right: int, tmp_path: Path) -> None:
    for result in (0, 2):
        run = Run(steps=[{"playbook": "patch"}, {"playbook": "restore"}])
        run.results, run.logs = [0, result], ["", ""]
        if left_on:
            run.drop("StopInstances")
            run.hosts["dev-01"]["state"] = "running"
            run.hosts["dev-01"]["history"] = run.hosts["dev-01"]["history"][:-2]
        folder = tmp_path / str(result)
        folder.mkdir()
        wrong = (
            "exit.step-2: expected 2 while dev-01 is on because of us, got 0"
            if left_on
            else ("exit.step-2: expected 0 as nothing is on because of us, got 2")
        )
        assert run.judge(folder, "exit") == ([] if result == right else [wrong])


# ---- volumes


@pytest.mark.parametrize(
    ("gib", "variables", "lines"),
    [
        (80, {}, []),
        (81, {}, ["growth.dev-01: expected at most 20 GiB more, got 81 GiB after 60"]),
        (80, {"patch_grow_gib": 10}, ["growth.dev-01: expected at most 10 GiB more, got 80 GiB after 60"]),
        (80, {"patch_volume_max_gib": 70}, ["growth.dev-01: expected at most 70 GiB, got 80"]),
    ],
)
def test_a_volume_grows_within_the_caps(gib: int, variables: dict[str, Any], lines: list[str], tmp_path: Path) -> None:
    run = Run(vars=variables)
    run.hosts["dev-01"]["volume_gib"] = gib
    run.reports(0, grown_gib=gib - 60)
    assert run.judge(tmp_path) == lines


def test_a_data_volume_never_grows(tmp_path: Path) -> None:
    run = Run()
    run.truly("dev-02", data_volumes_gib=[100])
    run.hosts["dev-02"]["data_volumes_gib"] = [120]
    assert run.judge(tmp_path) == ["growth.data_volumes.dev-02: expected [100] GiB as before, got [120]"]


def test_no_volume_grows_in_a_restore(tmp_path: Path) -> None:
    run = Run(steps=[{"playbook": "patch"}, {"playbook": "restore"}])
    run.results, run.logs = [0, 0], ["", ""]
    run.write(tmp_path)
    after = {"dev-01": {**run.before["dev-01"], "volume_gib": 80}}
    (tmp_path / "out" / "step-2" / "state-after.json").write_text(json.dumps(after), encoding="utf-8")
    assert run.judge_again(tmp_path) == ["growth.dev-01: expected no volume to grow in restore, got 80 GiB after 60"]


# ---- texts


@pytest.mark.parametrize("file", ["step-1.log", "report.html", "report.md", "step-1/report.html"])
@pytest.mark.parametrize("character", CONTROLS)
def test_a_control_character_is_caught(file: str, character: str, tmp_path: Path) -> None:
    run = Run()
    run.files[file] = f"first line\nsecond {character} line\n"
    code = f"U+{ord(character[0]):04X}"
    assert run.judge(tmp_path, "always.control") == [
        f"always.control_characters.{file}: expected none, got {code} in line 2"
    ]


def test_letters_of_any_script_are_no_control_characters(tmp_path: Path) -> None:
    run = Run()
    run.files["report.md"] = "東京-開発 01, Zürich, 👩‍💻\n"
    assert run.judge(tmp_path) == []


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_a_number_that_is_none_is_caught(number: str, tmp_path: Path) -> None:
    run = Run()
    run.write(tmp_path)
    report = tmp_path / "out" / "report.json"
    report.write_text(report.read_text(encoding="utf-8").replace("29.5", number, 1), encoding="utf-8")
    assert run.judge_again(tmp_path, "always") == [f"always.json.report.json: expected strict JSON, got {number}"]


# ---- what the truth alone shows


@pytest.mark.parametrize(
    ("field", "line"),
    [
        ("deleted_in_use", "always.deleted_in_use.dev-02: expected 0, got 3"),
        ("doubled_installs", "always.doubled_installs.dev-02: expected one Install at a time, got 3 more"),
    ],
)
def test_what_must_never_be_counted_is_caught(field: str, line: str, tmp_path: Path) -> None:
    run = Run()
    run.hosts["dev-02"][field] = 3
    assert run.judge(tmp_path) == [line]


def held(run: Run) -> None:
    run.reports(1, outcome="held", reason="It is busy.", reason_code="busy")
    run.results = [2]


START_TYPES: dict[str, tuple[Spoil, bool]] = {
    "changed": (lambda _run: None, False),
    "held": (held, True),
    "gone": (lambda run: run.hosts["dev-02"].update(state="terminated"), True),
    "killed": (lambda run: setattr(run, "results", ["killed"]), True),
}


@pytest.mark.parametrize("name", START_TYPES)
def test_start_types_are_as_they_were(name: str, tmp_path: Path) -> None:
    spoil, good = START_TYPES[name]
    run = Run()
    run.document["hosts"][1]["windows"] = {"start_types": {"wuauserv": "disabled"}}
    run.hosts["dev-02"]["start_types"] = {"wuauserv": "manual"}
    spoil(run)
    line = "always.start_types.dev-02: expected wuauserv to be disabled as before, got manual"
    assert run.judge(tmp_path, "always.start_types") == ([] if good else [line])


def test_a_node_of_a_cluster_is_not_left_paused(tmp_path: Path) -> None:
    run = Run()
    run.hosts["dev-02"]["cluster_paused"] = True
    line = "always.cluster_paused.dev-02: expected a node that takes roles again, got one that is paused"
    assert run.judge(tmp_path, "always.cluster_paused") == [line]


def test_a_host_that_an_earlier_step_held_may_be_on(tmp_path: Path) -> None:
    """The later step leaves it out; without that it would have had to be put back."""
    for outcome, lines in (("held", []), ("failed", ["always.left_on.dev-01"])):
        run = Run(steps=[{"playbook": "patch"}, {"playbook": "patch", "background": True}])
        run.results, run.logs = [2, 0], ["", ""]
        run.drop("StopInstances")
        run.hosts["dev-01"].update(state="running")
        run.hosts["dev-01"]["history"] = run.hosts["dev-01"]["history"][:-2]
        run.reports(0, **{**FAILED, "outcome": outcome}, final_state="running")
        folder = tmp_path / outcome
        folder.mkdir()
        run.write(folder)
        (folder / "out" / "report.json").write_text('{"hosts": [], "totals": {}}', encoding="utf-8")
        found = run.judge_again(folder, "always.left_on")
        assert [line.partition(":")[0] for line in found] == lines


@pytest.mark.parametrize(
    ("change", "asked", "line"),
    [
        (
            {"base_was_reset": True},
            "patch_reset_base",
            "always.reset_base.dev-02: expected no /ResetBase that was not asked for, got one",
        ),
        (
            {"old_windows_gib": 0},
            "patch_remove_old_windows",
            "always.old_windows.dev-02: expected 9 GiB of the old Windows as before, got 0",
        ),
    ],
)
def test_what_cannot_be_undone_is_done_only_when_asked_for(
    change: dict[str, Any], asked: str, line: str, tmp_path: Path
) -> None:
    for value, lines in ((False, [line]), (True, [])):
        run = Run(vars={asked: value})
        run.truly("dev-02", old_windows_gib=9)
        run.hosts["dev-02"].update(change)
        folder = tmp_path / str(value)
        folder.mkdir()
        assert run.judge(folder) == lines


# ---- known defects


def test_a_known_defect_is_said_and_does_not_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KNOWN_DEFECTS, "report.reboots", "The report counts some twice.")
    lines = ["report.reboots.dev-01: expected 1, got 2", "report.rebootser.dev-01: expected 1, got 2"]
    assert split(lines) == (lines[1:], lines[:1])


def test_each_known_defect_says_what_is_wrong() -> None:
    assert all(sentence.endswith(".") for sentence in KNOWN_DEFECTS.values())
    assert known_defect(f"expect.outcomes.{BOTH[0]}: expected patched, got failed") is None
