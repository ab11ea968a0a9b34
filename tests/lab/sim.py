# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulation: one queue of things that happen at a lab time, one lock around all state.

Whatever reads or changes the world does it inside :meth:`Simulation.current`, which first lets everything happen that
is due. So what a caller sees depends on the lab's time alone, never on how promptly a thread was scheduled.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import logging
import random
import threading
from collections.abc import Callable, Generator, Iterator
from datetime import datetime, timedelta
from typing import Any, TypeVar

from lab.clock import Clock, VirtualClock

Result = TypeVar("Result")
Action = Callable[[], None]

_log = logging.getLogger(__name__)


class Timer:
    """Something that will happen, unless it is cancelled."""

    def __init__(self, action: Action) -> None:
        self.action: Action | None = action

    def cancel(self) -> None:
        self.action = None


class Signal:
    """Processes wait for it; ``fire`` lets all that wait at that moment go on."""

    def __init__(self, sim: Simulation) -> None:
        self._sim = sim
        self._waiting: list[Process] = []

    def fire(self) -> None:
        waiting, self._waiting = self._waiting, []
        for process in waiting:
            process.resume_after(0)

    def add(self, process: Process) -> None:
        self._waiting.append(process)


# A process is a generator that yields seconds to let pass, or a signal to wait for.
Steps = Generator["float | Signal", None, Result]


class Process:
    """A generator that is moved on by the simulation until it ends or is stopped."""

    def __init__(self, sim: Simulation, steps: Steps[Any]) -> None:
        self._sim = sim
        self._steps = steps
        self._timer: Timer | None = None
        self._running = False
        self.alive = True

    def resume_after(self, seconds: float) -> None:
        if self.alive:
            self._timer = self._sim.after(seconds, self._resume)

    def _resume(self) -> None:
        if self.alive:
            self._wait(self._advance())

    def _advance(self) -> float | Signal | None:
        """What it wants to wait for next, None when it has come to its end."""
        self._running = True
        try:
            return next(self._steps)
        except StopIteration:
            self.alive = False
            return None
        finally:
            self._running = False

    def _wait(self, pause: float | Signal | None) -> None:
        if pause is None:
            return
        if not self.alive:  # it stopped itself, and a running generator cannot be closed
            self._steps.close()
        elif isinstance(pause, Signal):
            pause.add(self)
        else:
            self.resume_after(pause)

    def stop(self) -> None:
        """End it where it is; the generator sees GeneratorExit."""
        if not self.alive:
            return
        self.alive = False
        if self._timer:
            self._timer.cancel()
        if not self._running:
            self._steps.close()


class Simulation:
    """The queue, the lock and the time of everything that happens in a lab.

    ``now`` is in lab seconds since the start. Inside an action it is the time at which the action was due.
    """

    def __init__(self, clock: Clock, seed: int) -> None:
        self.clock = clock
        self.seed = seed
        self.now = 0.0
        self.failures: list[Exception] = []
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._queue: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()
        self._depth = 0
        self._stopping = False

    @property
    def time(self) -> datetime:
        """The date at ``now``."""
        return self.clock.start + timedelta(seconds=self.now)

    def random(self, *key: object) -> random.Random:
        """A source of random numbers that depends on the seed and the key alone."""
        return random.Random(f"{self.seed}/" + "/".join(map(str, key)))

    def at(self, seconds: float, action: Action) -> Timer:
        """Let ``action`` happen at that second, or at once when it is past."""
        timer = Timer(action)
        with self._lock:
            heapq.heappush(self._queue, (max(seconds, self.now), next(self._order), timer))
            self._changed.notify()
        return timer

    def after(self, seconds: float, action: Action) -> Timer:
        return self.at(self.now + seconds, action)

    def spawn(self, steps: Steps[Any]) -> Process:
        process = Process(self, steps)
        process.resume_after(0)
        return process

    @contextlib.contextmanager
    def current(self) -> Iterator[None]:
        """The lock, with everything done that is due. Inside, the time stands still."""
        with self._lock:
            if not self._depth:
                self._catch_up(self.clock.seconds())
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1

    def _catch_up(self, until: float) -> None:
        self._depth += 1
        try:
            while self._queue and self._queue[0][0] <= until:
                due, _order, timer = heapq.heappop(self._queue)
                self.now = max(self.now, due)
                if timer.action:
                    self._do(timer.action)
            self.now = max(self.now, until)
        finally:
            self._depth -= 1

    def _do(self, action: Action) -> None:
        try:
            action()
        except Exception as error:  # noqa: BLE001 - the other processes continue, and the lab reports it
            self.broke(error)

    def broke(self, error: Exception) -> None:
        """Something of the lab's own went wrong: the lab has to report it."""
        _log.error("the lab broke", exc_info=error)
        self.failures.append(error)

    def run(self) -> None:
        """Let things happen in the clock's time until :meth:`stop`; the body of the simulation's one thread."""
        with self._lock:
            while not self._stopping:
                self._catch_up(self.clock.seconds())
                pause = (self._queue[0][0] - self.clock.seconds()) / self.clock.scale if self._queue else None
                self._changed.wait(pause)

    def stop(self) -> None:
        with self._lock:
            self._stopping = True
            self._changed.notify()

    def run_until(self, seconds: float) -> None:
        """With a virtual clock: let everything happen up to that second; raises what broke."""
        assert isinstance(self.clock, VirtualClock)
        with self._lock:
            self._catch_up(seconds)
            self.clock.move_to(seconds)
        if self.failures:
            raise self.failures[0]

    def run_for(self, seconds: float) -> None:
        self.run_until(self.now + seconds)
