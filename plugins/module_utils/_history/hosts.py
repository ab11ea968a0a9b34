# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the runs say of each host together: its last proof, its failures, and whether runs still reach it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .._model.outcomes import FAILURES
from .visits import Visit

ABSENT_DAYS = 35.0
"""A month, and some days for a window that moved."""
ABSENT_SECONDS = ABSENT_DAYS * 86400
ATTEMPTS = 5
REPEATED = 2
"""The number of the last ATTEMPTS that must have failed, the last one among them."""


@dataclass(frozen=True)
class HostSummary:
    """A host over all runs. Times are seconds since 1970; ``visits`` are in the order of time, at least one."""

    key: str
    visits: Sequence[Visit]

    @property
    def last(self) -> Visit:
        return self.visits[-1]

    @property
    def attempts(self) -> list[Visit]:
        return [visit for visit in self.visits if visit.is_attempt]

    @property
    def proven(self) -> Visit | None:
        """The last visit with a scan that speaks of all updates; None where the host was rolled back since."""
        last = next((visit for visit in reversed(self.visits) if visit.is_full_proof or visit.is_rolled_back), None)
        return last if last and last.is_full_proof else None

    @property
    def lacks_named_update(self) -> bool:
        """Whether a run after that one found an update missing that it was to install (patch_kbs)."""
        for visit in reversed(self.visits):
            if visit.is_full_proof:
                return False
            if visit.missing:
                return True
        return False

    @property
    def failures(self) -> int:
        return sum(visit.outcome in FAILURES for visit in self.attempts)

    @property
    def failures_in_a_row(self) -> int:
        """How many of the last attempts failed, one after the other."""
        number = 0
        for visit in reversed(self.attempts):
            if visit.outcome not in FAILURES:
                break
            number += 1
        return number

    @property
    def last_failure_code(self) -> str | None:
        """The reason of the last failure; None without one."""
        return next((visit.reason_code for visit in reversed(self.attempts) if visit.outcome in FAILURES), None)

    @property
    def fails_again(self) -> bool:
        """Whether it fails again and again: the last attempt and at least one more of the last five."""
        recent = [visit.outcome in FAILURES for visit in self.attempts[-ATTEMPTS:]]
        return bool(recent) and recent[-1] and sum(recent) >= REPEATED

    def is_absent(self, now: float) -> bool:
        """Whether no run has had it for a while: it is gone, or the selection does not find it any more."""
        return now - self.last.opened_at > ABSENT_SECONDS

    def is_unproven(self, now: float) -> bool:
        """Whether no scan has proven anything of it for a while, or ever."""
        return _is_old(self.proven, now) and now - self.visits[0].opened_at > ABSENT_SECONDS

    def state(self, now: float) -> str:
        """``complete``, ``incomplete``, or ``not_proven`` where no scan says it or the last one is too old."""
        proven = self.proven
        if proven is None or _is_old(proven, now):
            return "not_proven"
        return "complete" if proven.is_complete and not self.lacks_named_update else "incomplete"


def _is_old(proven: Visit | None, now: float) -> bool:
    return proven is None or proven.verified_at is None or now - proven.verified_at > ABSENT_SECONDS


def summaries(visits_by_host: dict[str, list[Visit]]) -> list[HostSummary]:
    """A summary of each host, by name."""
    found = [HostSummary(key, visits) for key, visits in visits_by_host.items()]
    return sorted(found, key=lambda host: (host.last.name.casefold(), host.key))
