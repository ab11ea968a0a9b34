# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run Command: a command, its invocations on the nodes, and how their states follow from what the agents tell."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from lab.agent import Execution, Outcome
from lab.aws.faults import RATE_EXCEEDED
from lab.aws.ssm_documents import Document
from lab.aws.ssm_output import with_failure
from lab.lagged import Lag, Lagged
from lab.sim import Simulation, Steps, Timer

if TYPE_CHECKING:
    from lab.world import Host

DONE = ("Success", "Failed", "TimedOut", "Cancelled")
# These do not count against MaxErrors (Systems Manager user guide, "Understanding command statuses").
NOT_AN_ERROR = ("Success", "DeliveryTimedOut", "Undeliverable", "Terminated", "Cancelled")
# These make the command a failed one, but MaxErrors does not count them (user guide, "Understanding command statuses").
NEVER_RAN = ("AccessDenied", "InvalidPlatform")
# An invocation ends so, after a moment, where a fault of the scenario says it.
ENDS_AT_ONCE = (*NEVER_RAN, "Undeliverable")
RUNS_ALL_THE_SAME = "DeliveryTimedOutButRuns"
LATE_DELIVERY_SECONDS = 120.0
NO_RESPONSE_CODE = -1
KILLED_EXIT_CODE = 137
# This long after SendCommand the service says that a node which it does not reach is being tried again.
DELAYED_AFTER_SECONDS = 30.0

Work = Callable[["Invocation", Execution], Steps[Outcome]]


@dataclass(frozen=True)
class Order:
    """What SendCommand asked for; times in lab seconds, ``timeout_seconds`` for delivery."""

    document: Document
    parameters: dict[str, list[str]]
    comment: str
    timeout_seconds: float
    execution_seconds: float
    max_concurrency: int
    max_errors: int
    cloudwatch: dict[str, Any]
    region: str


@dataclass(frozen=True)
class Progress:
    """How far an invocation is; times by the node's clock."""

    status: str = "Pending"
    details: str = "Pending"
    exit_code: int = NO_RESPONSE_CODE
    stdout: str = ""
    stderr: str = ""
    started_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def done(self) -> bool:
        return self.status in DONE


class Invocation:
    """One command on one node, as the service knows it."""

    def __init__(self, command: Command, host: Host) -> None:
        self.command = command
        self.host = host
        self.progress = Lagged(Progress())
        self.sent = False
        self._delivery: Timer | None = None

    @property
    def now(self) -> Progress:
        return self.progress.latest

    @property
    def done(self) -> bool:
        return self.now.done

    def _become(self, **changes: Any) -> None:
        """Readers see it a little later."""
        self.progress.set(dataclasses.replace(self.now, **changes), self.command.lag.visible_at())

    @property
    def timeout_seconds(self) -> float:
        """The agent ends the program after this time."""
        return self.command.order.execution_seconds

    def send(self) -> None:
        self.sent = True
        sim, order = self.command.sim, self.command.order
        fault = self.command.faults.get(self.host.id or "")
        if self.host.spec.platform not in [platform.lower() for platform in order.document.platforms]:
            fault = "InvalidPlatform"
        if fault in ENDS_AT_ONCE:
            sim.after(1.0, lambda: self._fail(fault))
            return
        given_up_at = self.command.requested_at + order.timeout_seconds
        if fault == RUNS_ALL_THE_SAME:
            self._delivery = sim.at(given_up_at, self._deliver_late)
            return
        self._delivery = sim.at(given_up_at, self._not_delivered)
        sim.at(self.command.expires_at, self._expire)
        sim.after(DELAYED_AFTER_SECONDS, self._delay)
        self.host.agent.submit(self)

    def _delay(self) -> None:
        if self.now.status == "Pending" and not self.host.agent.connected:
            self._become(status="Delayed", details="Delayed")

    def _fail(self, details: str) -> None:
        if not self.done:
            self._end("Failed", details)

    def _deliver_late(self) -> None:
        """The service gives the delivery up, and the node has the command all the same, unless it is off by then."""
        self._end("TimedOut", "DeliveryTimedOut")
        self.command.sim.after(LATE_DELIVERY_SECONDS, self._submit_late)

    def _submit_late(self) -> None:
        if self.host.state == "running":
            self.host.agent.submit(self)

    def _not_delivered(self) -> None:
        if self.now.started_at is None and not self.done:
            self.host.agent.withdraw(self)
            there = self.host.instance is None or self.host.instance.state == "running"
            if there:
                self._end("TimedOut", "DeliveryTimedOut")
            else:
                self._end("Failed", "Undeliverable")

    def _expire(self) -> None:
        """The agent never reported how it ended."""
        if not self.done:
            self._end("TimedOut", "ExecutionTimedOut")

    def terminate(self) -> None:
        """MaxErrors was passed before the node took the command."""
        self.host.agent.withdraw(self)
        self._end("Failed", "Terminated")

    def cancel(self) -> None:
        if self.done:
            return
        if self.now.started_at is None:
            self.host.agent.withdraw(self)
            self._end("Cancelled", "Cancelled")
        else:
            self._become(status="Cancelling", details="Cancelling")
            self.host.agent.cancel(self)

    # ---- what the agent does and reports

    def steps(self, execution: Execution) -> Steps[Outcome]:
        return self.command.work(self, execution)

    def started(self) -> None:
        if self.done:  # given up by the service, which hears nothing more of it
            return
        if self._delivery:
            self._delivery.cancel()
        self._become(status="InProgress", details="InProgress", started_at=self._by_its_clock())

    def ended(self, outcome: Outcome) -> None:
        if self.done:
            return
        code = outcome.exit_code
        status = "Failed" if code else "Success"
        stderr = with_failure(outcome.stderr, code) if code else outcome.stderr
        self._end(status, status, exit_code=code, stdout=outcome.stdout, stderr=stderr)
        self.command.output(self)

    def worker_died(self) -> None:
        """The agent's document worker is gone: a failure without output, whatever became of the program."""
        if not self.done:
            self._end("Failed", "Failed", exit_code=1)

    def timed_out(self, printed: str) -> None:
        self._killed("TimedOut", "ExecutionTimedOut", printed)

    def cancelled(self, printed: str) -> None:
        self._killed("Cancelled", "Cancelled", printed)

    def _killed(self, status: str, details: str, printed: str) -> None:
        """What the program had printed is there."""
        if not self.done:
            self._end(status, details, exit_code=KILLED_EXIT_CODE, stdout=printed)
            self.command.output(self)

    def _end(self, status: str, details: str, **output: Any) -> None:
        if self._delivery:
            self._delivery.cancel()
        ended_at = self._by_its_clock() if self.now.started_at else None
        self._become(status=status, details=details, ended_at=ended_at, **output)
        self.command.go_on()

    def _by_its_clock(self) -> datetime:
        """The agent reports when it began and ended, by the node's clock."""
        return self.host.guest.by_its_clock(self.command.sim.time)


class Command:
    """A command: sends its invocations as MaxConcurrency and MaxErrors allow, and sums up their states.

    ``work`` makes the steps of an invocation, ``output`` is given each one that has output.
    """

    def __init__(
        self,
        sim: Simulation,
        identifier: str,
        order: Order,
        hosts: list[Host],
        lag: Lag,
        work: Work,
        output: Callable[[Invocation], None],
    ) -> None:
        self.sim = sim
        self.id = identifier
        self.order = order
        self.lag = lag
        self.visible_at = lag.visible_at()
        self.work = work
        self.output = output
        self.requested_at = sim.now
        self.requested_time = sim.time
        self.expires_at = sim.now + order.timeout_seconds + order.execution_seconds
        self.cancelling = False
        self.hosts = hosts
        self.faults: dict[str, str] = {}  # by instance id
        self.rate_exceeded = False
        self.invocations = {host.id: Invocation(self, host) for host in hosts}

    def meet(self, faults: dict[str, str]) -> None:
        """Faults of the scenario, by instance id. With too many pending invocations in the account there will be none."""
        self.faults = faults
        self.rate_exceeded = RATE_EXCEEDED in faults.values()
        if self.rate_exceeded:
            self.invocations.clear()

    def go_on(self) -> None:
        """Send what may be sent now; after too many errors, end what no node has taken yet."""
        invocations = list(self.invocations.values())
        errors = sum(one.done and one.now.details not in (*NOT_AN_ERROR, *NEVER_RAN) for one in invocations)
        waiting = [one for one in invocations if one.now.started_at is None and not one.done]
        if errors > self.order.max_errors:
            if waiting:
                waiting[0].terminate()  # which comes back here for the next
            return
        running = sum(one.sent and not one.done for one in invocations)
        for one in [one for one in waiting if not one.sent][: max(0, self.order.max_concurrency - running)]:
            one.send()

    def cancel(self, ids: list[str]) -> None:
        self.cancelling = True
        for identifier, invocation in self.invocations.items():
            if not ids or identifier in ids:
                invocation.cancel()

    def status_at(self, at: float) -> str:
        """Success also when a node could not be reached: each invocation has to be judged by itself."""
        if self.rate_exceeded:
            return "Cancelled"
        shown = self._shown(at)
        states = [one.status for one in shown]
        if set(states) <= {"Pending", "Delayed"}:
            return "Pending"
        if not set(states) <= set(DONE):
            return "Cancelling" if self.cancelling else "InProgress"
        if "Cancelled" in states:
            return "Cancelled"
        failures = [one for one in shown if one.details not in NOT_AN_ERROR]
        if failures:
            return "TimedOut" if all(one.status == "TimedOut" for one in failures) else "Failed"
        return "Success" if "Success" in states else states[0]

    def details_at(self, at: float) -> str:
        return "Rate Exceeded" if self.rate_exceeded else self.status_at(at)

    def _shown(self, at: float) -> list[Progress]:
        return [one.progress.at(at) for one in self.invocations.values()]

    def counts_at(self, at: float) -> dict[str, int]:
        invocations = self._shown(at)
        return {
            "TargetCount": len(self.hosts),
            "CompletedCount": sum(one.done for one in invocations),
            "ErrorCount": sum(one.details in ("Failed", "ExecutionTimedOut", *NEVER_RAN) for one in invocations),
            "DeliveryTimedOutCount": sum(one.details == "DeliveryTimedOut" for one in invocations),
        }


def limit(text: str, targets: int) -> int:
    """MaxConcurrency or MaxErrors: a number, or a percentage of the targets, rounded up."""
    return math.ceil(targets * int(text[:-1]) / 100) if text.endswith("%") else int(text)
