# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An EC2 instance: the power of a host, its states and how long each lasts."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from lab.lagged import Lag, Lagged
from lab.scenario import HostSpec
from lab.sim import Process, Simulation, Steps

# EC2 says `pending` for the first third of the boot, at most this long.
PENDING_AT_MOST_SECONDS = 20.0
TERMINATING_SECONDS = 10.0
# What runs at the start was started this long before; and a stopped host was stopped a while ago.
RUNNING_SINCE = timedelta(days=9)
STATE_CODES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80}

USER_SHUTDOWN = ("Client.UserInitiatedShutdown", "Client.UserInitiatedShutdown: User initiated shutdown")
USER_HIBERNATE = ("Client.UserInitiatedHibernate", "Client.UserInitiatedHibernate: User initiated hibernate")
KEY_NOT_USABLE = ("Client.InternalError", "Client.InternalError: Client error on launch")
FELL_BACK = ("Client.VolumeLimitExceeded", "Client.VolumeLimitExceeded: Volume limit exceeded")


@dataclass(frozen=True)
class PowerView:
    """The power state as DescribeInstances shows it."""

    state: str
    launch_time: datetime
    reason: tuple[str, str] | None = None
    transition_reason: str = ""

    @property
    def on(self) -> bool:
        return self.state in ("pending", "running", "stopping")


class Powered(Protocol):
    """What the instance gives power to."""

    def power_on(self) -> None: ...

    def power_off(self, by_us: bool) -> None: ...


class Instance:
    """The power state machine. It carries out what is asked; whether AWS would allow it is for the caller to know.

    ``changed`` is called after each change of state, ``announce`` with the words for the scenario's events.
    """

    def __init__(
        self,
        sim: Simulation,
        spec: HostSpec,
        host: Powered,
        lag: Lag,
        announce: Callable[[str], None],
        changed: Callable[[], None],
    ) -> None:
        self.spec = spec
        self._sim = sim
        self._host = host
        self._lag = lag
        self._announce = announce
        self._changed = changed
        self._process: Process | None = None
        self.starts = 0
        self.stops = 0
        self.started_by_us = False
        self._ran_before_us = False  # we stopped it, and others had it on
        self.terminated_at: float | None = None
        self.view = Lagged(self._first_view())

    def _first_view(self) -> PowerView:
        if self.spec.state == "pending":
            return PowerView("pending", self._sim.time)
        reason = USER_HIBERNATE if self.spec.hibernated else USER_SHUTDOWN
        launched = self._sim.time - RUNNING_SINCE
        if self.spec.state == "running":
            return PowerView("running", launched)
        return PowerView(self.spec.state, launched, reason, self._user_initiated())

    def begin(self) -> None:
        """Go on from the state in which the scenario finds it."""
        if self.spec.state == "pending":
            self._come_up()
        elif self.spec.state == "stopping":
            self._process = self._sim.spawn(self._become("stopped", self.spec.stop_seconds))

    @property
    def state(self) -> str:
        return self.view.latest.state

    @property
    def on(self) -> bool:
        return self.view.latest.on

    def start(self, by_us: bool) -> None:
        """From ``stopped``."""
        self.starts += 1
        self.started_by_us = by_us and not self._ran_before_us
        self._ran_before_us = False
        self._set(PowerView("pending", self._sim.time))
        self._announce("starting")
        self._come_up()

    def stop(self, by_us: bool) -> None:
        """From ``running``. Windows goes at once, the instance some time later."""
        self.stops += 1
        self._ran_before_us = by_us and not self.started_by_us
        self._halt()
        self._set(PowerView("stopping", self.view.latest.launch_time, USER_SHUTDOWN, self._user_initiated()))
        self._announce("stopping")
        self._host.power_off(by_us)
        self._process = self._sim.spawn(self._become("stopped", self.spec.stop_seconds))

    def terminate(self, by_us: bool) -> None:
        """From any state but ``terminated``."""
        self._halt()
        self._set(PowerView("shutting-down", self.view.latest.launch_time, USER_SHUTDOWN, self._user_initiated()))
        self._host.power_off(by_us)
        self._process = self._sim.spawn(self._become("terminated", TERMINATING_SECONDS))

    def _come_up(self) -> None:
        if self.spec.kms == "denied":
            self._process = self._sim.spawn(self._fall_back(KEY_NOT_USABLE))
        elif self.spec.boots == "falls_back":
            self._process = self._sim.spawn(self._fall_back(FELL_BACK))
        else:
            self._host.power_on()
            self._process = self._sim.spawn(self._become_running())

    def _become_running(self) -> Steps[None]:
        yield min(self.spec.boot_seconds / 3, PENDING_AT_MOST_SECONDS)
        self._set(PowerView("running", self.view.latest.launch_time))

    def _become(self, state: str, after_seconds: float) -> Steps[None]:
        yield after_seconds
        self._set(dataclasses.replace(self.view.latest, state=state))
        if state == "terminated":
            self.terminated_at = self._sim.now

    def _fall_back(self, reason: tuple[str, str]) -> Steps[None]:
        yield min(self.spec.boot_seconds / 3, PENDING_AT_MOST_SECONDS)
        self.started_by_us = False
        self._set(PowerView("stopped", self.view.latest.launch_time, reason, reason[0]))

    def _halt(self) -> None:
        if self._process:
            self._process.stop()

    def _set(self, view: PowerView) -> None:
        self.view.set(view, self._lag.visible_at())
        self._changed()

    def _user_initiated(self) -> str:
        return f"User initiated ({self._sim.time:%Y-%m-%d %H:%M:%S} GMT)"
