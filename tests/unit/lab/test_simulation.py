# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulation loop and the clocks."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from lab.clock import LabClock, VirtualClock
from lab.lagged import Lag, Lagged
from lab.sim import Signal, Simulation, Steps

START = datetime(2026, 11, 14, 22, tzinfo=UTC)


@pytest.fixture
def sim() -> Simulation:
    return Simulation(VirtualClock(START), seed=1)


def test_things_happen_in_order_at_their_own_time(sim: Simulation) -> None:
    observed: list[tuple[str, float]] = []
    sim.at(20, lambda: observed.append(("late", sim.now)))
    sim.at(10, lambda: observed.append(("early", sim.now)))
    sim.at(10, lambda: observed.append(("second", sim.now)))
    sim.at(15, lambda: observed.append(("never", sim.now))).cancel()
    sim.run_until(15)
    assert observed == [("early", 10), ("second", 10)]
    sim.run_until(30)
    assert observed[-1] == ("late", 20)
    assert sim.time == START + timedelta(seconds=30)


def test_a_reader_sees_everything_that_is_due(sim: Simulation) -> None:
    observed: list[float] = []
    sim.at(5, lambda: sim.after(5, lambda: observed.append(sim.now)))
    assert isinstance(sim.clock, VirtualClock)
    sim.clock.move_to(12)
    with sim.current():
        assert observed == [10]
        assert sim.now == 12


def test_a_process_waits_for_seconds_and_for_signals(sim: Simulation) -> None:
    signal = Signal(sim)
    observed: list[float] = []

    def steps() -> Steps[None]:
        yield 10
        observed.append(sim.now)
        yield signal
        observed.append(sim.now)

    process = sim.spawn(steps())
    sim.run_until(50)
    assert observed == [10]
    signal.fire()
    sim.run_until(60)
    assert observed == [10, 50]
    assert not process.alive


def test_a_process_can_be_stopped_and_can_stop_itself(sim: Simulation) -> None:
    ended: list[str] = []

    def steps(name: str) -> Iterator[float]:
        try:
            yield 10
            own.stop()
            yield 10
            ended.append(f"{name} went on")
        except GeneratorExit:
            ended.append(name)
            raise

    stopped = sim.spawn(steps("stopped"))  # type: ignore[arg-type]
    own = sim.spawn(steps("own"))  # type: ignore[arg-type]
    sim.run_until(5)
    stopped.stop()
    sim.run_until(40)
    assert ended == ["stopped", "own"]


def test_chance_follows_from_seed_and_key(sim: Simulation) -> None:
    other = Simulation(VirtualClock(START), seed=2)
    assert sim.random("a", 1).random() == sim.random("a", 1).random()
    assert sim.random("a", 1).random() != sim.random("a", 2).random()
    assert sim.random("a", 1).random() != other.random("a", 1).random()


def test_what_breaks_does_not_stop_the_rest_but_is_reported(sim: Simulation) -> None:
    observed: list[float] = []

    def breaks() -> None:
        raise KeyError("no such host")

    sim.at(1, breaks)
    sim.at(2, lambda: observed.append(sim.now))
    with pytest.raises(KeyError):
        sim.run_until(3)
    assert observed == [2]


def test_the_loop_runs_in_the_clocks_time() -> None:
    sim = Simulation(LabClock(100_000, START), seed=1)
    happened = threading.Event()
    thread = threading.Thread(target=sim.run)
    thread.start()
    sim.after(1000, happened.set)
    assert happened.wait(10)
    sim.stop()
    thread.join(10)
    assert not thread.is_alive()


def test_the_clock_shows_other_processes_how_it_runs() -> None:
    clock = LabClock(60, START)
    scale, lab_epoch, real_epoch = map(float, clock.env_value().split(","))
    assert (scale, lab_epoch) == (60, START.timestamp())
    now = clock.now().timestamp()
    assert (now - lab_epoch) / scale + real_epoch == pytest.approx(clock.seconds() / scale + real_epoch, abs=5)


def test_readers_see_changes_late_and_in_order(sim: Simulation) -> None:
    value = Lagged("old")
    value.set("new", 10)
    value.set("newest", 5)
    assert (value.at(9), value.latest) == ("old", "newest")
    assert value.at(10) == "newest"
    lag = Lag(sim, 20)
    assert all(10 <= lag.visible_at() <= 20 for _time in range(50))
