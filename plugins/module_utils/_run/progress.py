# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a run stands, read from the ledger alone: hosts that have ended, are at work or wait, and when the run will end."""

from __future__ import annotations

import heapq
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .._ledger.records import Host, Ledger, PhaseTime, Run
from .._model.outcomes import FAILURES, UP_TO_DATE, Outcome
from .._model.phases import Phase

LEAST_LEFT_SECONDS = 60.0
"""A host that is over its expected time is expected to need this time more."""


@dataclass(frozen=True)
class HostAtWork:
    """A host between its admission and the end of its restore; times are seconds since 1970.

    Attributes:
        since: when its phase began.
        admitted_at: when its work began.
    """

    host: Host
    phase: Phase
    since: float
    admitted_at: float


@dataclass(frozen=True)
class Progress:
    """Where a run stands.

    Attributes:
        now: when the ledger was read, seconds since 1970.
        outcomes: the number of hosts that have ended, by outcome; those that are left out are not among them.
        at_work: the host that has been at work for the longest time comes first.
        waiting: the hosts that have not started, in planned order.
        problems: the hosts that failed or are held, the last one at the end.
        on: the number of hosts that are on because of the run.
        ends_at: when the run will end, by what hosts took until now; None where it has ended, or the ledger does not know.
    """

    run: Run
    now: float
    outcomes: Mapping[Outcome, int]
    at_work: Sequence[HostAtWork]
    waiting: Sequence[Host]
    problems: Sequence[Host]
    on: int
    ends_at: float | None

    @property
    def done(self) -> int:
        """How many hosts have ended."""
        return sum(self.outcomes.values())

    @property
    def total(self) -> int:
        """How many hosts the run has, without those that are left out."""
        return self.done + len(self.at_work) + len(self.waiting)

    @property
    def failed(self) -> int:
        """How many hosts failed or are held."""
        return sum(self.outcomes.get(outcome, 0) for outcome in FAILURES)

    @property
    def is_active(self) -> bool:
        """Whether the controller of the run may be at work."""
        return self.run.is_active(self.now)


def read_progress(ledger: Ledger, run_id: str, now: float) -> Progress:
    """Where a run stands.

    Raises:
        PatchFleetError: there is no such run.
    """
    run = ledger.run(run_id)
    times: dict[str, list[PhaseTime]] = {}
    for time in ledger.phases(run_id):
        times.setdefault(time.host_key, []).append(time)
    hosts = [host for host in ledger.hosts(run_id) if host.outcome is not Outcome.EXCLUDED]
    at_work = [work for host in hosts if (work := _work(host, times.get(host.key, [])))]
    busy = {work.host.key for work in at_work}
    ended = [host for host in hosts if host.outcome is not None and host.key not in busy]
    waiting = [host for host in hosts if host.outcome is None and host.key not in busy]
    return Progress(
        run=run,
        now=now,
        outcomes=Counter(host.outcome for host in ended if host.outcome),
        at_work=sorted(at_work, key=lambda work: work.admitted_at),
        waiting=waiting,
        problems=sorted((host for host in hosts if host.outcome in FAILURES), key=lambda host: _last_end(times, host)),
        on=sum("on_since" in host.facts and host.facts.get("off_at") is None for host in hosts),
        ends_at=_end(run, now, at_work, waiting, _usual_seconds(ended, times)),
    )


def _last_end(times: Mapping[str, Sequence[PhaseTime]], host: Host) -> float:
    """When its last phase ended, or started where it did not end; seconds since 1970."""
    return max((time.finished_at or time.started_at for time in times.get(host.key, [])), default=0.0)


def _work(host: Host, times: Sequence[PhaseTime]) -> HostAtWork | None:
    """What a host is doing; None where it has ended or waits."""
    if not times:
        return None
    last = times[-1]
    is_open = last.finished_at is None
    waits = last.phase == Phase.ADMIT and is_open
    waits_for_retry = host.outcome is None and not is_open and not last.ok
    if waits or waits_for_retry or (host.outcome is not None and not is_open):
        return None
    admissions = [time.finished_at for time in times if time.phase == Phase.ADMIT and time.finished_at is not None]
    return HostAtWork(host, last.phase, last.started_at, admissions[-1] if admissions else times[0].started_at)


def _usual_seconds(ended: Sequence[Host], times: Mapping[str, Sequence[PhaseTime]]) -> float | None:
    """What hosts of this run took that came to their end."""
    taken = [
        sum(
            (time.finished_at or time.started_at) - time.started_at
            for time in times[host.key]
            if time.phase != Phase.ADMIT
        )
        for host in ended
        if host.outcome in UP_TO_DATE and host.key in times
    ]
    return statistics.median(taken) if taken else None


def _end(
    run: Run, now: float, at_work: Sequence[HostAtWork], waiting: Sequence[Host], usual_seconds: float | None
) -> float | None:
    """Hosts start in planned order: a wave when the one before has ended, in a sliding window as soon as a slot is free."""
    slots, fallback = run.settings.get("batch_size"), usual_seconds or run.settings.get("expected_seconds")
    if not (at_work or waiting) or slots is None or fallback is None or not run.is_active(now):
        return None

    def expected(host: Host) -> float:
        return host.facts.get("expected_seconds") or fallback

    left = {work.host.key: max(work.admitted_at + expected(work.host) - now, LEAST_LEFT_SECONDS) for work in at_work}
    hosts = [*(work.host for work in at_work), *waiting]
    ends_at = now
    for wave in sorted({host.wave or 1 for host in hosts}):
        of_wave = [left.get(host.key, expected(host)) for host in hosts if (host.wave or 1) == wave]
        ends_at = _window_end(ends_at, of_wave, slots)
    deadline_at = run.settings.get("deadline_at")
    return ends_at if deadline_at is None else min(ends_at, max(deadline_at, now))


def _window_end(started_at: float, seconds: Sequence[float], slots: int) -> float:
    free = [started_at] * max(min(slots, len(seconds)), 1)
    for one in seconds:
        heapq.heapreplace(free, free[0] + one)
    return max(free)
