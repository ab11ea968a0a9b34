# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nights that once violated an invariant stay without a violation, and a bad night can be reduced and kept as data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.patchfleet.windows.plugins.module_utils._ledger import dynamodb_changes, dynamodb_leases
from ansible_collections.patchfleet.windows.plugins.module_utils._operation import context, operation
from ansible_collections.patchfleet.windows.plugins.module_utils._power import launch, restore
from ansible_collections.patchfleet.windows.plugins.module_utils._run import (
    admission,
    host_result,
    recovery,
)
from chaos.draw import draw
from chaos.drawn import from_data
from chaos.play import play_drawn
from chaos.shrink import shrink
from chaos.watch import AFTER_STANDSTILL, KINDS, NOT_OURS, STARTED

NIGHTS: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "nights.yml").read_text(encoding="utf-8"))
TOO_LATE = next(night for night in NIGHTS if night["why"].startswith("The controller stands still after it has found"))


@pytest.mark.parametrize("kept", NIGHTS, ids=lambda kept: kept["why"][:40])
def test_a_night_that_was_bad_is_not_any_more(kept: dict[str, Any]) -> None:
    assert kept["kind"] in KINDS
    assert play_drawn(from_data(kept["night"])).problems == []


def test_a_night_that_is_kept_still_shows_what_it_is_kept_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "_check_again", lambda *_: None)
    monkeypatch.setattr(context, "note_standstill", lambda *_: None)
    assert [problem.kind for problem in play_drawn(from_data(TOO_LATE["night"])).problems] == [STARTED]


def admit_in_closed_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    checks = tuple(check for check in admission.ADMISSION_CHECKS if check.__name__ != "_check_run")
    assert len(checks) == len(admission.ADMISSION_CHECKS) - 1
    monkeypatch.setattr(admission, "ADMISSION_CHECKS", checks)
    monkeypatch.setattr(operation, "refuse_after_standstill", lambda *_: None)  # the other defence
    monkeypatch.setattr(host_result, "note_silence", lambda of: of.recent_run())
    # The third: a closed run leases no hosts.
    conditions = {("closed_at",): dynamodb_changes.exists("pk")}
    monkeypatch.setattr(dynamodb_leases, "absent", lambda *path: conditions.get(path) or dynamodb_changes.absent(*path))


def test_a_host_that_starts_in_a_closed_run_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    admit_in_closed_runs(monkeypatch)
    (kept,) = [night for night in NIGHTS if "takes the run for dead" in night["why"]]
    assert kept["kind"] in {problem.kind for problem in play_drawn(from_data(kept["night"])).problems}


def test_a_run_that_is_closed_without_taking_its_hosts_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the other defence out of the way: a controller that notices that it stood still starts nothing more."""
    monkeypatch.setattr(recovery, "_may_begin", lambda _host: False)
    admit_in_closed_runs(monkeypatch)
    monkeypatch.setattr(context, "note_standstill", lambda *_: None)
    for module in (context, operation):
        monkeypatch.setattr(module, "refuse_after_standstill", lambda *_: None)
    closed = [night for night in NIGHTS if "restore closes the run" in night["why"] or "second turn" in night["why"]]
    for kept in closed:
        assert kept["kind"] in {problem.kind for problem in play_drawn(from_data(kept["night"])).problems}
    assert len(closed) == 2


UNDECIDABLE = next(night for night in NIGHTS if "Nothing in" in night["why"])


def test_a_start_that_nothing_distinguishes_from_ours_is_counted() -> None:
    assert play_drawn(from_data(UNDECIDABLE["night"])).counts["starts that nothing distinguishes from ours"] == 1


@pytest.mark.parametrize(
    "changes",
    [
        {
            "keys": {
                "hosts": [{"name": "a", "state": "stopped"}],
                "events": [{"at_seconds": 406, "host": "a", "do": "start"}],
            }
        },
        {"dies_after": None},
    ],
    ids=["later than any start of ours", "its controller asked for the start"],
)
def test_any_other_start_that_is_taken_for_ours_is_caught(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    monkeypatch.setattr(launch, "UNSEEN_LAUNCH_SECONDS", 9000.0)
    monkeypatch.setattr(restore, "_refuse_restarted", lambda *_: None)
    if "keys" not in changes:
        events = [{"at_seconds": 200, "host": "a", "do": "restart"}]
        changes = {**changes, "keys": {**UNDECIDABLE["night"]["keys"], "events": events}}
    ended = play_drawn(from_data({**UNDECIDABLE["night"], **changes}))
    assert {problem.kind for problem in ended.problems} == {NOT_OURS}


@pytest.mark.parametrize(
    "kept",
    [night for night in NIGHTS if night["kind"] == AFTER_STANDSTILL],
    ids=["patch", "disk", "opening", "next host", "scan", "start tasks"],
)
def test_an_installation_by_a_controller_that_stood_still_is_caught(
    monkeypatch: pytest.MonkeyPatch, kept: dict[str, Any]
) -> None:
    for module in (context, operation):
        monkeypatch.setattr(module, "refuse_after_standstill", lambda *_: None)
    monkeypatch.setattr(host_result, "note_silence", lambda of: of.recent_run())
    assert {problem.kind for problem in play_drawn(from_data(kept["night"])).problems} == {AFTER_STANDSTILL}


def test_a_start_by_a_controller_that_stood_still_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    rival = {
        "begins_seconds": 9000.0,
        "playbook": "restore",
        "freezes_after": "record_power",
        "freezes_seconds": 3000.0,
    }
    night = {
        "keys": {"hosts": [{"name": "a", "state": "stopped"}]},
        "recoveries": TOO_LATE["night"]["recoveries"],
        "rival": rival,
    }
    assert play_drawn(from_data(night)).problems == []
    for module in (context, operation):
        monkeypatch.setattr(module, "refuse_after_standstill", lambda *_: None)
    monkeypatch.setattr(context, "note_standstill", lambda *_: None)
    assert {problem.kind for problem in play_drawn(from_data(night)).problems} == {AFTER_STANDSTILL}


def test_a_drawn_night_is_the_same_after_it_was_kept_in_a_file() -> None:
    for number in range(20):
        drawn = draw(f"kept/{number}")
        assert from_data(yaml.safe_load(yaml.safe_dump(drawn.to_data()))) == drawn


@pytest.mark.parametrize("fault", ["lost answer", "clock", "windows", "stale reads"])
def test_a_fault_that_is_left_out_changes_nothing_else(fault: str) -> None:
    """Each fault has a stream of its own, so that a new one does not turn all nights into others."""
    keys = {
        "lost answer": "api_faults",
        "clock": "clock_skew_seconds",
        "windows": "windows",
        "stale reads": "stale_reads",
    }
    changed = 0
    for number in range(100):
        whole, less = draw(f"streams/{number}"), draw(f"streams/{number}", frozenset({fault}))
        changed += whole != less
        for drawn in (whole, less):
            for part in (*drawn.keys["hosts"], drawn.keys["account"]):
                part.pop(keys[fault], None)
            if fault == "stale reads":
                drawn.keys["account"].pop("lag_seconds")
        assert whole == less
    assert 0 < changed < 100


def test_a_night_is_reduced_to_the_parts_that_matter() -> None:
    drawn = draw("shrink/1").to_data()
    hosts = [
        {"name": "a", "state": "stopped", "updates": [], "boots": "never"},
        {"name": "b", "state": "running", "sessions": 1, "agent": "never"},
    ]
    drawn["keys"] |= {"hosts": hosts, "events": [{"when": "b online", "host": "a", "do": "stop"}]}
    drawn["dies_after"] = 7

    def is_bad(night: dict[str, Any]) -> bool:
        agents = [host.get("agent") for host in night["keys"]["hosts"]]
        return "never" in agents and night.get("dies_after") == 7

    smallest = shrink(drawn, is_bad)
    assert smallest["keys"]["hosts"] == [{"name": "b", "state": "running", "agent": "never"}]
    assert (smallest["keys"]["events"], smallest["keys"]["account"], smallest["variables"]) == ([], {}, {})
    assert (smallest["dies_after"], len(smallest["recoveries"]), smallest.get("rival")) == (7, 1, None)


def test_a_night_that_is_reduced_can_be_played() -> None:
    def is_bad(night: dict[str, Any]) -> bool:
        return play_drawn(from_data(night)).counts["hosts"] == 1

    one = draw("shrink/2").to_data()
    one["keys"]["hosts"] = one["keys"]["hosts"][:1]
    one["keys"]["events"] = []
    smallest = shrink(one, is_bad)
    assert set(smallest["keys"]["hosts"][0]) == {"name", "state"}
