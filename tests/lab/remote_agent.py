# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An SSM agent that is a program of its own, outside the lab. The lab knows of it what it says, and nothing else."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime

from lab.agent import SILENT_AFTER_SECONDS, Agent, Execution, Job, Link
from lab.guest import Guest
from lab.scenario import HostSpec
from lab.sim import Simulation, Timer


class RemoteAgent(Agent):
    """Takes the place of an emulated agent. Jobs wait until the program fetches them, and it says how they end.

    ``arrived`` is set when there is something to fetch. Its methods are called inside ``Simulation.current``.
    """

    def __init__(
        self,
        sim: Simulation,
        spec: HostSpec,
        guest: Guest,
        announce: Callable[[str], None],
        busy_changed: Callable[[], None],
    ) -> None:
        super().__init__(sim, spec, guest, announce, busy_changed)
        self.begin_unknown()
        self.registered = False
        self.arrived = threading.Event()
        self._heard_at: datetime | None = None
        self._silence: Timer | None = None
        self._given: dict[Job, float] = {}  # jobs that were given to it, and until when they are not given again
        self._unwanted: list[Job] = []

    # ---- what only an emulated agent does

    def begin_online(self) -> None:
        """It comes when it comes."""

    def guest_up(self, after_reboot: bool) -> None:
        """The model of Windows is not what it runs on."""

    def _take_next(self) -> None:
        self.arrived.set()

    # ---- what the service sees

    def last_ping_at(self, at: float) -> datetime | None:
        return self._heard_at

    def enrol(self) -> None:
        """The service knows it from now on."""
        self._known = True

    def ping(self) -> None:
        """It has called. When it does not for ten minutes, its connection counts as lost."""
        self._heard_at = self._sim.time
        if self._silence:
            self._silence.cancel()
        self._silence = self._sim.after(SILENT_AFTER_SECONDS, self._fall_silent)
        if not self.connected:
            self._connect()

    def _fall_silent(self) -> None:
        now = self._sim.now
        self.link.set(Link(False, now, self._heard_at), now)

    # ---- jobs

    def fetch(self, hidden_seconds: float) -> list[Job]:
        """The jobs that wait for it. Until it acknowledges one, it gets that one again after ``hidden_seconds``."""
        self.arrived.clear()
        now = self._sim.now
        found = [job for job in self._waiting if self._given.get(job, now) <= now]
        self._given |= dict.fromkeys(found, now + hidden_seconds)
        return found

    def fetch_cancels(self) -> list[Job]:
        """The jobs that it shall end."""
        unwanted, self._unwanted = self._unwanted, []
        return unwanted

    def acknowledge(self, job: Job) -> None:
        """It has the job, and gets it no more."""
        self.withdraw(job)

    def begin(self, job: Job) -> None:
        """It says that it works on the job; it does so more than once."""
        if self._execution(job) is None:
            self.running.append(Execution(self, job))
            self._busy_changed()
            job.started()

    def end(self, job: Job, report: Callable[[], None]) -> None:
        """It says how the job has ended; ``tell`` hands that on."""
        execution = self._execution(job)
        if execution is not None:
            self._finish(execution)
        self._given.pop(job, None)
        report()

    def cancel(self, job: Job) -> None:
        """It hears of it at its next call."""
        self._unwanted.append(job)
        self.arrived.set()

    def _execution(self, job: Job) -> Execution | None:
        return next((execution for execution in self.running if execution.job is job), None)
