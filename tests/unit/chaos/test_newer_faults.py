# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several hosts at work, the watchdog, windows and wrong clocks: a sound product holds, and a broken one is noticed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._ledger import sqlite
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.records import LEASE_SECONDS
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.lease import Lease
from ansible_collections.patchfleet.windows.plugins.module_utils._power import restore, start, watchdog
from ansible_collections.patchfleet.windows.plugins.module_utils._run import admission
from chaos.controller import AtWork, Controller
from chaos.draw import draw
from chaos.drawn import Drawn, Recovery, Rival, Watchdog, Window, WrongClock, from_data
from chaos.judge import left_on, problems
from chaos.night import Night
from chaos.outside import Killed
from chaos.own_clock import OwnClock
from chaos.play import play_drawn
from chaos.shrink import shrink
from chaos.turns import Turns
from chaos.watch import NOT_OURS, STARTED, TAKEN, TOO_MANY, TOUCHED

OFF = {"name": "a", "state": "stopped"}
TWO_OFF = [OFF, {**OFF, "name": "b"}]
LONG = {"kb": "KB5031361", "severity": "critical", "class": "security", "seconds": 2500, "reboot": True}
LAST = [Recovery(40000.0, "restore")]


def kinds(hosts: list[dict[str, Any]], **parts: Any) -> set[str]:
    """Of the problems of a night with these hosts."""
    keys = {"hosts": hosts, "account": {"lag_seconds": 0}, "events": parts.pop("events", [])}
    return {problem.kind for problem in play_drawn(Drawn(keys, LAST, **parts)).problems}


# Several hosts at work in one controller


def started_before_one_was_stopped(folder: Path, at_once: int, dies_after: str | None = None) -> tuple[int, Controller]:
    """The number of hosts that were on at a time."""
    with Night(folder, hosts=TWO_OFF, account={"lag_seconds": 0}) as night:
        turns = Turns(night)
        controller = Controller(night, sleep=turns.sleep, hosts=AtWork(at_once, turns.gather), dies_after=dies_after)
        try:
            turns.run((0.0, controller.patch))
        finally:
            power = [act for act in controller.acts if act in {"start_instances", "stop_instances"}]
        assert problems(night, [controller]) == left_on(night) == []
        return power.index("stop_instances"), controller


@pytest.mark.parametrize("at_once", [1, 2])
def test_a_controller_works_on_the_given_number_of_hosts_at_a_time(tmp_path: Path, at_once: int) -> None:
    assert started_before_one_was_stopped(tmp_path, at_once)[0] == at_once


def test_all_that_a_controller_has_at_work_dies_with_it(tmp_path: Path) -> None:
    with Night(tmp_path, hosts=TWO_OFF, account={"lag_seconds": 0}) as night:
        turns = Turns(night)
        controller = Controller(night, sleep=turns.sleep, hosts=AtWork(2, turns.gather), dies_after="start_instances")
        with pytest.raises(Killed):
            turns.run((0.0, controller.patch))
        assert controller.acts.count("start_instances") == 1
        night.sleep(1000.0)
        Controller(night, "later").restore()
        assert problems(night, [controller]) == left_on(night) == []


def test_more_hosts_than_patch_max_running_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    parts: dict[str, Any] = {"at_once": 2, "variables": {"patch_max_running": 1, "patch_batch_size": 2}}
    assert kinds(TWO_OFF, **parts) == set()
    monkeypatch.setattr(admission, "wait_for_slot", lambda *_: False)
    monkeypatch.setattr(admission, "confirm_slot", lambda *_: True)
    assert kinds(TWO_OFF, **parts) == {TOO_MANY}


# The watchdog


@pytest.mark.parametrize(
    "delivered", [Watchdog(), Watchdog(late_seconds=900.0, times=2)], ids=["once", "late and twice"]
)
def test_a_watchdog_stops_what_a_dead_controller_left_on(tmp_path: Path, delivered: Watchdog) -> None:
    options = {"dead_man_switch": True, "dead_man_switch_margin_seconds": 600, "setup_prefix": "PatchFleet"}
    with Night(tmp_path, hosts=[OFF], account={"lag_seconds": 0}) as night:
        night.deliver_schedules(delivered)
        controller = Controller(night, dies_after="note_launch", hosts=AtWork(options=options))
        with pytest.raises(Killed):
            controller.patch()
        controller.at_work = False
        assert left_on(night)
        night.sleep(14400.0 + 600.0 + 300.0)
        assert bool(left_on(night)) is (delivered.late_seconds > 0)
        night.sleep(delivered.late_seconds)
        assert left_on(night) == []
        Controller(night, "later").restore()
        assert problems(night, [controller]) == []


def test_a_watchdog_that_stops_a_host_of_others_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not deleted with the end of the work, and does not look whose start it was."""
    parts: dict[str, Any] = {"watchdog": Watchdog(), "events": [{"at_seconds": 9000, "host": "a", "do": "start"}]}
    assert kinds([OFF], **parts) == set()
    monkeypatch.setattr(restore, "delete_schedule", lambda *_: None)
    monkeypatch.setattr(start, "update_schedule", lambda *_: None)
    monkeypatch.setattr(watchdog, "launch_window", lambda at: (at - 90000.0, at + 90000.0))
    assert kinds([OFF], **parts) == {NOT_OURS}


@pytest.mark.parametrize("lives", [False, True], ids=["dead", "living"])
def test_a_watchdog_that_stops_a_host_of_a_living_controller_is_noticed(tmp_path: Path, lives: bool) -> None:
    with Night(tmp_path, hosts=[OFF], account={"lag_seconds": 0}) as night:
        controller = Controller(night, dies_after="note_launch")
        with pytest.raises(Killed):
            controller.patch()
        controller.at_work = lives
        night.watch.service_call("StopInstances", [night.play.world.hosts["a"]])
        assert {problem.kind for problem in night.watch.problems} == ({TAKEN} if lives else set())


def test_a_watchdog_may_stop_a_host_that_waits_for_its_turn_in_a_later_run(tmp_path: Path) -> None:
    with Night(tmp_path, hosts=[OFF], account={"lag_seconds": 0}) as night:
        with pytest.raises(Killed):
            Controller(night, dies_after="note_launch").patch()
        night.sleep(2 * LEASE_SECONDS)
        with pytest.raises(Killed):
            (later := Controller(night, "later", dies_after="open_run")).patch()
        later.at_work = True
        night.watch.service_call("StopInstances", [night.play.world.hosts["a"]])
        assert night.watch.problems == []


# Maintenance windows


@pytest.mark.parametrize(
    ("check", "window"),
    [("_check_cutoff", Window(1800.0, 3, 2)), ("_check_deadline", Window(1800.0, 2))],
    ids=["cutoff", "end"],
)
def test_a_host_that_starts_too_late_for_its_window_is_noticed(
    monkeypatch: pytest.MonkeyPatch, check: str, window: Window
) -> None:
    """The first host's work continues until the window's cutoff has started, or until too little of the window is left."""
    hosts = [{**OFF, "updates": [LONG]}, {**OFF, "name": "b"}]
    parts: dict[str, Any] = {"window": window, "variables": {"patch_maintenance_window": "night"}}
    assert kinds(hosts, **parts) == set()
    checks = {one.__name__: one for one in admission.ADMISSION_CHECKS}
    monkeypatch.setattr(admission, "ADMISSION_CHECKS", tuple({**checks, check: lambda *_: None}.values()))
    assert kinds(hosts, **parts) == {STARTED}


# The controller's own clock


@pytest.mark.parametrize(
    "clock",
    [WrongClock(290.0), WrongClock(-290.0, 5, 580.0), WrongClock(hides_freezes=True, corrected_after=2)],
    ids=["ahead", "jumps", "stands still"],
)
def test_a_controller_with_a_wrong_clock_that_does_not_ask_for_its_lease_is_noticed(
    monkeypatch: pytest.MonkeyPatch, clock: WrongClock
) -> None:
    rival = Rival(1500.0, "restore", freezes_after="send_command", freezes_seconds=2000.0)
    parts: dict[str, Any] = {"clock": clock, "rival": rival}
    assert kinds([{**OFF, "updates": [LONG]}], **parts) == set()
    monkeypatch.setattr(Lease, "prove", lambda _self: None)
    monkeypatch.setattr(sqlite, "prove_lease", lambda *_: None)
    assert TOUCHED in kinds([{**OFF, "updates": [LONG]}], **parts)


def test_what_a_wrong_clock_shows() -> None:
    clock = OwnClock(WrongClock(60.0, jumps_after=2, jumps_seconds=-100.0, hides_freezes=True, corrected_after=1))
    acts = ["open_run"]
    assert clock.shown(1000.0, acts) == 1060.0
    clock.freeze(500.0, acts)
    assert clock.shown(1500.0, acts) == 1060.0, "it stood still, too"
    acts.append("heartbeat")
    assert clock.shown(1500.0, acts) == 1460.0, "it was set right, and has jumped"
    assert not clock.is_trusted
    assert OwnClock(WrongClock(290.0, 3, -580.0)).is_trusted
    assert not OwnClock(WrongClock(290.0, 3, 290.0)).is_trusted


# All of them


def test_each_of_them_is_drawn_and_kept_and_left_out_when_it_does_not_matter() -> None:
    nights = [draw(f"newer/{number}") for number in range(60)]
    for name, none in (("at_once", 1), ("watchdog", None), ("window", None), ("clock", None), ("poller_answers", None)):
        having = [night for night in nights if getattr(night, name) != none]
        assert 0 < len(having) < len(nights), name
        data = having[0].to_data()
        assert getattr(from_data(data), name) == getattr(having[0], name)
        assert name not in shrink(data, lambda _night: True)
