# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The SSM agent on a host: when it pings, what it lets run, what it reports to the service and when."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

from lab.guest import Guest
from lab.lagged import Lagged
from lab.scenario import HostSpec
from lab.sim import Process, Signal, Simulation, Steps

PING_EVERY_SECONDS = 300.0
# The service calls a node lost after two pings that did not come.
SILENT_AFTER_SECONDS = 600.0
# Before it hears of a command, the agent's next look at the message service has to come.
DELIVERY_SECONDS = (0.5, 2.0)
# An agent that found no credentials tries again, at first soon, later every half an hour (amazon-ssm-agent#544).
NEXT_TRY_SECONDS = 300.0
CANCEL_SECONDS = 1.0
COMMANDS_AT_ONCE = 5
REBOOT_EXIT_CODE = 3010
# The last ping of a "stale" agent lies this long before the scenario began.
STALE_PING = timedelta(hours=7)


@dataclass(frozen=True)
class Outcome:
    """How a program on the host ended."""

    exit_code: int
    stdout: str = ""
    stderr: str = ""


class Job(Protocol):
    """A command for one node, as the agent sees it. The agent calls ``started`` and ``ended`` when it can talk.

    ``printed`` is what a program had written when it was killed.
    """

    @property
    def timeout_seconds(self) -> float: ...

    def steps(self, execution: Execution) -> Steps[Outcome]: ...

    def started(self) -> None: ...

    def ended(self, outcome: Outcome) -> None: ...

    def worker_died(self) -> None: ...

    def timed_out(self, printed: str) -> None: ...

    def cancelled(self, printed: str) -> None: ...


@dataclass(frozen=True)
class Link:
    """The agent's connection with the service: since when (lab seconds), or when the last one was heard of."""

    connected: bool
    connected_at: float
    last_ping: datetime | None


class Execution:
    """One job under way on the host; a reboot that it asked for itself does not end it."""

    def __init__(self, agent: Agent, job: Job) -> None:
        self.agent = agent
        self.job = job
        self.rebooting = False
        self.process: Process | None = None
        self.printed = ""  # by its program so far

    def reboot(self) -> Steps[None]:
        """Exit code 3010: the agent reboots the host and continues with the document when it is back.

        Where its document worker is gone, the exit code is lost.
        """
        if self not in self.agent.running:
            return
        self.rebooting = True
        self.agent.guest.reboot()
        yield self.agent.came_online
        self.rebooting = False


class Agent:
    """The agent of one host. ``busy_changed`` is called when what runs on the host has changed."""

    def __init__(
        self,
        sim: Simulation,
        spec: HostSpec,
        guest: Guest,
        announce: Callable[[str], None],
        busy_changed: Callable[[], None],
    ) -> None:
        self.spec = spec
        self.guest = guest
        self.came_online = Signal(sim)
        self.running: list[Execution] = []
        self._sim = sim
        self._random = sim.random(spec.name, "agent")
        self._announce = announce
        self._busy_changed = busy_changed
        self._lost = spec.agent in ("never", "no_role", "stale")
        # A hybrid node has its id from its registration, and stays in the list until someone deregisters it.
        self._known = spec.agent not in ("never", "no_role") or spec.kind == "hybrid"
        self.registered = spec.agent == "stale"  # with the service, since the last power-on
        self.link = Lagged(Link(False, 0.0, sim.time - STALE_PING if self._known else None))
        self._waiting: list[Job] = []
        self._unreported: list[Callable[[], None]] = []
        self._orphans: list[Process] = []  # programs whose document worker is gone
        self._coming: Process | None = None
        guest.add_listener(self)

    # ---- what the service sees

    @property
    def known(self) -> bool:
        """Whether the service has ever heard of this node."""
        return self._known

    @property
    def connected(self) -> bool:
        return self.link.latest.connected

    def last_ping_at(self, at: float) -> datetime | None:
        """The last ping before that lab second."""
        link = self.link.at(at)
        if not link.connected:
            return link.last_ping
        pings = int((at - link.connected_at) // PING_EVERY_SECONDS)
        return self._date(link.connected_at + pings * PING_EVERY_SECONDS)

    def ping_status_at(self, at: float) -> str:
        """What the service calls the node at that lab second."""
        if self.spec.agent == "stale":
            return "Online"
        ping = self.last_ping_at(at)
        silent = ping is None or (self._date(at) - ping).total_seconds() >= SILENT_AFTER_SECONDS
        return "ConnectionLost" if silent else "Online"

    def _date(self, seconds: float) -> datetime:
        return self._sim.clock.start + timedelta(seconds=seconds)

    @property
    def busy(self) -> bool:
        """Whether a command works on the host; one that waits for a lost agent after its own reboot does not."""
        return any(not (execution.rebooting and self._lost) for execution in self.running)

    # ---- coming and going

    def begin_online(self) -> None:
        """It has been running since before the scenario began."""
        if self._lost or not self.guest.up:
            return
        self._link_up(-self._random.uniform(0, PING_EVERY_SECONDS))
        self.registered = True

    def begin_unknown(self) -> None:
        """The service has never heard of it."""
        self._known = False
        self.link = Lagged(Link(False, self._sim.now, None))

    def guest_up(self, after_reboot: bool) -> None:
        if after_reboot and self.spec.agent == "lost_after_reboot":
            self._lost = True
        self._busy_changed()
        if not self._lost:
            self._coming = self._sim.spawn(self._come_online())

    def _come_online(self) -> Steps[None]:
        yield self.spec.agent_seconds
        self._connect()

    def _connect(self) -> None:
        self._link_up(self._sim.now)
        self.registered = self._known = True
        self._announce("online")
        untold, self._unreported = self._unreported, []
        for report in untold:
            report()
        self.came_online.fire()
        self._take_next()

    def guest_down(self) -> None:
        """The operating system goes: what ran is lost, unless it asked for the reboot."""
        self.disconnect()
        self._stop_orphans()
        for execution in self.running:
            if not execution.rebooting and execution.process:
                execution.process.stop()
        self.running = [execution for execution in self.running if execution.rebooting]
        self._busy_changed()

    def power_lost(self) -> None:
        """Not a reboot: nothing comes back to where it was, and the agent has to register with the service again."""
        self._stop_orphans()
        for execution in self.running:
            if execution.process:
                execution.process.stop()
        self.running.clear()
        self._busy_changed()
        self._unreported.clear()
        self.registered = self.spec.agent == "stale"

    def disconnect(self) -> None:
        """The agent's process ends; programs that it has started go on."""
        if self._coming:
            self._coming.stop()
        now = self._sim.now
        self.link.set(Link(False, now, self.last_ping_at(now)), now)

    def _link_up(self, since: float) -> None:
        self.link.set(Link(True, since, None), since)

    def reconnect(self) -> None:
        """A user starts the agent again."""
        if self.guest.up and not self._lost and not self.connected:
            self._connect()

    def gets_role(self) -> None:
        """The instance has an instance profile now; the agent finds it at its next try."""
        if self.spec.agent in ("ok", "no_role", "lost_after_reboot"):
            self._lost = False
            self._sim.after(NEXT_TRY_SECONDS, self.reconnect)

    def loses_role(self) -> None:
        """It has none any more; the credentials that the agent holds are good for hours, but not after a boot."""
        self._lost = True

    # ---- commands

    def submit(self, job: Job) -> None:
        """The service has a command for this node."""
        self._waiting.append(job)
        self._take_next()

    def withdraw(self, job: Job) -> None:
        """The service does not wait any more for this command to be delivered."""
        if job in self._waiting:
            self._waiting.remove(job)

    def _take_next(self) -> None:
        """Run what waits, as long as there is room; a job leaves the queue only when it is delivered."""
        if self.connected and self._waiting:
            low, high = DELIVERY_SECONDS
            self._sim.after(self._random.uniform(low, high), self._deliver)

    def _deliver(self) -> None:
        while self.connected and self._waiting and len(self.running) < COMMANDS_AT_ONCE:
            job = self._waiting.pop(0)
            execution = Execution(self, job)
            self.running.append(execution)
            self._busy_changed()
            job.started()
            execution.process = self._sim.spawn(self._execute(execution))
            self._sim.after(job.timeout_seconds, partial(self._time_out, execution))

    def _execute(self, execution: Execution) -> Steps[None]:
        outcome = yield from execution.job.steps(execution)
        if execution in self.running:
            self._finish(execution)
            self._report(lambda: execution.job.ended(outcome))

    def lose_workers(self) -> None:
        """The processes that carry out documents are killed. Their programs continue, and no result is reported for them."""
        for execution in list(self.running):
            if execution.process:
                self._orphans.append(execution.process)
            self._finish(execution)
            self._report(execution.job.worker_died)

    def _stop_orphans(self) -> None:
        for process in self._orphans:
            process.stop()
        self._orphans.clear()

    def _time_out(self, execution: Execution) -> None:
        if self._kill(execution):
            self._report(lambda: execution.job.timed_out(execution.printed))

    def cancel(self, job: Job) -> None:
        """CancelCommand reaches the agent and it kills the program, if it can be reached at all."""
        for execution in [execution for execution in self.running if execution.job is job]:
            self._sim.after(CANCEL_SECONDS, partial(self._cancel, execution))

    def _cancel(self, execution: Execution) -> None:
        if self.connected and self._kill(execution):
            self._report(lambda: execution.job.cancelled(execution.printed))

    def _kill(self, execution: Execution) -> bool:
        if execution not in self.running:
            return False
        if execution.process:
            execution.process.stop()
        self._finish(execution)
        return True

    def _finish(self, execution: Execution) -> None:
        self.running.remove(execution)
        self._busy_changed()
        self._take_next()

    def _report(self, report: Callable[[], None]) -> None:
        """Report to the service now, or as soon as the agent can."""
        if self.connected:
            report()
        else:
            self._unreported.append(report)
