# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two living controllers on the same host: one stands still until its lease is over, and continues when another has it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._ledger import records, sqlite, sqlite_leases
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.lease import Lease
from chaos.controller import Controller
from chaos.drawn import WrongClock
from chaos.judge import left_on, problems
from chaos.night import BACKENDS, Night
from chaos.own_clock import OwnClock
from chaos.turns import Turns
from chaos.watch import KINDS, TAKEN, TOUCHED, Problem

UPDATE = {"kb": "KB5031361", "severity": "critical", "class": "security", "seconds": 1500, "reboot": True}
HOST = {"name": "a", "state": "stopped", "disk": {"size_gib": 60, "free_gib": 3}, "updates": [UPDATE]}
BEGINS_SECONDS = 1500.0
STANDS_STILL_SECONDS = 2000.0


def meet(
    folder: Path,
    playbook: str,
    after: str,
    backend: str = "sqlite",
    skew: float = 0.0,
    begins: float = BEGINS_SECONDS,
    stands_still: float = STANDS_STILL_SECONDS,
) -> tuple[list[Problem], Controller, Controller]:
    """The first stands still after its first act ``after``; the second runs the playbook meanwhile, by a clock of its own."""
    with Night(folder, backend, hosts=[HOST], account={"lag_seconds": 0}) as night:
        turns = Turns(night)

        def pauses(acts: list[str]) -> float:
            return stands_still if acts.count(after) == 1 and acts[-1] == after else 0.0

        first = Controller(night, sleep=turns.sleep, pauses=pauses)
        second = Controller(night, "second", sleep=turns.sleep, clock=OwnClock(WrongClock(skew)))
        turns.run((0.0, first.patch), (begins, second.patch if playbook == "patch" else second.restore))
        Controller(night, "last").restore()
        assert left_on(night) == []
        return problems(night, [first, second]), first, second


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("playbook", "after", "skew"),
    [
        ("restore", "start_instances", 300.0),
        ("patch", "start_instances", -300.0),
        ("restore", "modify_volume", -300.0),
        ("patch", "send_command", 300.0),
        ("restore", "send_command", 0.0),
    ],
)
def test_who_stood_still_past_its_lease_touches_nothing_more(
    tmp_path: Path, backend: str, playbook: str, after: str, skew: float
) -> None:
    found, first, second = meet(tmp_path, playbook, after, backend, skew)
    assert found == []
    assert second.acts, "it did what the first left undone"
    since = first.acts.index(after) + 1
    assert not {"start_instances", "stop_instances", "modify_volume", "send_command"} & set(first.acts[since:])


def test_who_stands_still_right_after_it_decided_to_begin_a_host_is_not_blamed_for_what_others_conclude(
    tmp_path: Path,
) -> None:
    found, _first, second = meet(tmp_path, "restore", "update_facts")
    assert found == []
    assert "close_run" in second.acts


@pytest.mark.parametrize("skew", [-300.0, 300.0])
def test_who_stands_still_for_less_than_its_lease_keeps_its_hosts(tmp_path: Path, skew: float) -> None:
    found, first, second = meet(tmp_path, "patch", "start_instances", skew=skew, begins=500.0, stands_still=550.0)
    assert found == []
    assert "stop_instances" in first.acts
    assert "send_command" not in second.acts


def test_a_product_that_does_not_ask_for_its_lease_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Lease, "prove", lambda _self: None)
    monkeypatch.setattr(sqlite, "prove_lease", lambda *_: None)
    found, _first, _second = meet(tmp_path, "patch", "send_command")
    assert TOUCHED in {problem.kind for problem in found} <= set(KINDS)


def test_a_product_whose_leases_are_too_short_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (records, sqlite, sqlite_leases):  # the plan asks records whether a run lives
        monkeypatch.setattr(module, "LEASE_SECONDS", 300.0)
    found, _first, _second = meet(tmp_path, "patch", "start_instances", begins=500.0, stands_still=1000.0)
    assert TAKEN in {problem.kind for problem in found}


def test_the_one_whose_time_comes_first_continues(tmp_path: Path) -> None:
    message: list[tuple[str, float]] = []
    with Night(tmp_path, hosts=[HOST]) as night:
        turns, start = Turns(night), night.now()

        def work(name: str, seconds: float) -> None:
            for _ in range(2):
                message.append((name, night.now() - start))
                turns.sleep(seconds)

        turns.run((0.0, lambda: work("slow", 10.0)), (1.0, lambda: work("quick", 2.0)))
    assert message == [("slow", 0.0), ("quick", 1.0), ("quick", 3.0), ("slow", 10.0)]


def test_what_one_raises_is_raised_when_all_have_ended(tmp_path: Path) -> None:
    ended: list[str] = []
    with Night(tmp_path, hosts=[HOST]) as night, pytest.raises(ZeroDivisionError):
        Turns(night).run((0.0, lambda: 1 / 0), (5.0, lambda: ended.append("the other")))
    assert ended == ["the other"]
