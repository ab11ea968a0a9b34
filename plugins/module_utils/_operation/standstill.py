# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A controller that stood still: a laptop that was suspended, a virtual machine that was frozen, a process that was stopped.

When it continues, its hosts may have been taken over, and people may be at work on those that it has not started. So it starts
no other host, and installs nothing on a host that was on before and that it had only admitted. Hosts that it has started, or that
it patches, are finished, if their leases are still its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .._base.clock import Clock, iso
from .._base.errors import Deferred, Failed
from .._ledger.breaker import brake_without_person, keep_brake, standstill_of
from .._ledger.records import LEASE_SECONDS, Run
from .._model.phases import WITHOUT_TIMEOUT, Phase
from .._model.reasons import Reason
from .._model.run_settings import BrakeKind

if TYPE_CHECKING:
    from .context import OperationContext

BUSY_REAL_SECONDS = 30.0
"""A busy machine lets a process wait for this time. It matters only where the clock is scaled: a lease lasts longer otherwise."""
UNTIL_INSTALLATION = frozenset({Phase.START, Phase.READY, Phase.DISK, Phase.REPAIR, Phase.PATCH})
"""The phases in which a host that is not in work yet is given up."""
CHECKED = UNTIL_INSTALLATION | {Phase.ADMIT, Phase.VERIFY}
"""Those of a run whose controller works on it. A restore may be of a run that is dead."""
ENDED_BEFORE_A_CHANGE = frozenset({Phase.START, Phase.READY, Phase.PATCH})
"""Those of them that end in their middle, too. Cleaning and repairs come to their end."""
CHANGES = ("pre_tasks", "rungs", "grown_gib", "snapshot_id", "repaired", "services_found", "cluster_drained")
"""Facts of a host on which something was changed before its installation."""


def standstill_reason(began: float, ended: float) -> str:
    """The sentence about it; times in seconds since 1970."""
    return f"This controller stood still from {iso(began)} to {iso(ended)}, as a suspended computer does."


def stood_still(clock: Clock, gap_seconds: float) -> bool:
    """Whether a gap in what a controller does, in seconds of its clock, is one in which others may have taken its hosts over."""
    return gap_seconds > LEASE_SECONDS and clock.real_seconds(gap_seconds) > BUSY_REAL_SECONDS


class WatchedClock:
    """A clock that notices when more time passes between two calls than what was slept, and more than a lease lasts.

    Attributes:
        stood_still_seconds: how long the process stood still altogether.
    """

    def __init__(self, clock: Clock, report: Callable[[float, float], None]) -> None:
        """``report`` gets begin and end of each standstill, in seconds since 1970."""
        self._clock = clock
        self._report = report
        self._checked_at = clock.now()
        self.stood_still_seconds = 0.0

    def now(self) -> float:
        return self._clock.now()

    def real_seconds(self, seconds: float) -> float:
        return self._clock.real_seconds(seconds)

    def sleep(self, seconds: float) -> None:
        self.check()
        self._clock.sleep(seconds)
        self.check(max(seconds, 0.0))

    def check(self, slept_seconds: float = 0.0) -> None:
        """Report a standstill since the last check; every wait and every change comes by here."""
        now = self._clock.now()
        gap_seconds = now - self._checked_at - slept_seconds
        self._checked_at = now
        if stood_still(self._clock, gap_seconds):
            self.stood_still_seconds += gap_seconds
            self._report(now - gap_seconds, now)

    def awake(self) -> AwakeClock:
        """This clock without what it will have stood still from now on."""
        return AwakeClock(self)


class AwakeClock:
    """The time for deadlines: what a wait has while its process stands still does not count."""

    def __init__(self, clock: WatchedClock) -> None:
        self._clock = clock
        self._before_seconds = clock.stood_still_seconds

    def now(self) -> float:
        return self._clock.now() - (self._clock.stood_still_seconds - self._before_seconds)

    def real_seconds(self, seconds: float) -> float:
        return self._clock.real_seconds(seconds)

    def sleep(self, seconds: float) -> None:
        self._clock.sleep(seconds)


def note_standstill(context: OperationContext, began: float, ended: float) -> None:
    """The run of the operation starts no other host, and the operation's own host gets the time back.

    Raises:
        LeaseLost: another run took the host over.
    """
    reason = standstill_reason(began, ended)
    context.report_progress(reason)
    if not context.tracked_host:
        return
    brake = brake_without_person(BrakeKind.STANDSTILL, ended, reason)
    run_id = context.tracked_host[0]
    if keep_brake(context.ledger, run_id, brake, reason):
        context.on_standstill(run_id, reason)
    deadline_at = context.facts.get("deadline_at")
    if deadline_at is not None and context.phase not in WITHOUT_TIMEOUT:
        context.update_facts(deadline_at=deadline_at + ended - began)


def note_silence(context: OperationContext) -> Run:
    """The run of the operation. Where its last heartbeat is older than a lease, its controller stood still between two operations:
    each of them sends one, and so does the end of the user's tasks.
    """
    run, now = context.recent_run(), context.clock.now()
    if stood_still(context.clock, now - run.heartbeat_at):
        run = context.ledger.run(run.run_id)
    if not stood_still(context.clock, now - run.heartbeat_at):
        return run
    note_standstill(context, run.heartbeat_at, now)
    return context.ledger.run(run.run_id)


def refuse_after_standstill(context: OperationContext) -> None:
    """Give a host up that is not in work yet, where the controller stood still since it admitted the host.

    Raises:
        Deferred: ``stood_still``; nothing was changed on the host.
        Failed: ``stood_still``; something was changed on it, but no update was installed.
    """
    if not context.tracked_host or context.phase not in CHECKED:
        return
    reason = standstill_of(note_silence(context))
    if context.phase not in UNTIL_INSTALLATION or _is_in_work(context) or reason is None:
        return  # the admission checks the breaker
    if any(context.facts.get(name) for name in CHANGES):
        raise Failed(f"No update was installed. {reason}", Reason.STOOD_STILL)
    raise Deferred(
        f"It is not {'started' if context.phase == Phase.START else 'patched'}. {reason}", Reason.STOOD_STILL
    )


def _is_in_work(context: OperationContext) -> bool:
    """Whether this run or tasks of the user within it have started the host, or an installation was sent."""
    facts = context.facts
    is_started = bool(facts.get("started_by_run")) or facts.get("start_tasks") in {"started", "ok"}
    return is_started or facts.get("installing_command_id") is not None
