# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The servicing stack of a Windows host: work that continues when its caller is gone, and processes that stay awake after it."""

from __future__ import annotations

import math
from collections.abc import Callable

from lab.sim import Process, Signal, Simulation, Steps

POLL_SECONDS = 5.0
# Values of ServicingInProgress, as ansible.windows' win_updates reads them.
NOTHING, WAITS_FOR_REBOOT, WORKS = 0, 1, 2


class ServicingJob:
    """One Dism at work. ``done`` fires at its end; ``ended`` says whether that has been."""

    def __init__(self, sim: Simulation) -> None:
        self.done = Signal(sim)
        self.ended = False
        self.exit_code = 0
        self._sim = sim

    def end(self) -> None:
        self.ended = True
        self.done.fire()

    def wait(self) -> Steps[None]:
        while not self.ended:
            yield self.done

    def wait_at_most(self, seconds: float) -> Steps[bool]:
        """Whether it ended in that time."""
        until = self._sim.now + seconds
        while not self.ended and self._sim.now < until:
            yield min(POLL_SECONDS, until - self._sim.now)
        return self.ended


class Servicing:
    """What the servicing stack does besides installing. ``lingers_seconds`` is how long TiWorker stays after a search."""

    def __init__(self, sim: Simulation, lingers_seconds: float) -> None:
        self._sim = sim
        self._lingers_seconds = lingers_seconds
        self._awake_until = -math.inf
        self._jobs: list[ServicingJob] = []
        self._processes: list[Process] = []

    @property
    def working(self) -> bool:
        return bool(self._jobs)

    @property
    def worker_is_awake(self) -> bool:
        """TiWorker runs, whatever it does."""
        return self.working or self._sim.now < self._awake_until

    def searched(self) -> None:
        """A search asks the servicing stack what applies, which wakes its worker."""
        self._awake_until = max(self._awake_until, self._sim.now + self._lingers_seconds)

    def begin(self, seconds: float, effect: Callable[[], object], busy: Callable[[], bool]) -> ServicingJob:
        """Work for ``seconds`` and then have ``effect``, whether or not the caller waits. One works after the other."""
        job = ServicingJob(self._sim)
        before = self._jobs[-1] if self._jobs else None
        self._jobs.append(job)
        self._processes.append(self._sim.spawn(self._work(job, before, seconds, effect, busy)))
        return job

    def _work(
        self,
        job: ServicingJob,
        before: ServicingJob | None,
        seconds: float,
        effect: Callable[[], object],
        busy: Callable[[], bool],
    ) -> Steps[None]:
        if before:
            yield from before.wait()
        while busy():
            yield POLL_SECONDS
        yield seconds
        effect()
        self._jobs.remove(job)
        job.end()

    def wait(self) -> Steps[None]:
        """Until all work that was started has ended."""
        while self._jobs:
            yield self._jobs[-1].done

    def power_off(self) -> bool:
        """Everything stops where it is; True when something was cut off."""
        for process in self._processes:
            process.stop()
        cut_off = self.working
        for job in self._jobs:
            job.end()
        self._jobs.clear()
        self._processes.clear()
        self._awake_until = -math.inf
        return cut_off
