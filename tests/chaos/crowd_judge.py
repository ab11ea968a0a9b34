# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a crowd called and what came back, and what must be true of it."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.records import (
    LEASE_SECONDS,
    SKEW_SECONDS,
    Ledger,
)
from chaos.crowd_wire import Member
from chaos.night import Night
from chaos.watch import LOST, NOT_ONE, SHARED, TAKEN, TOUCHED, Problem

FENCED = {"record_power": 1, "update_facts": 3, "begin_phase": 4, "note_start": 3, "close_power": 3}
"""Writes that a fencing number protects, and the position of it in their arguments."""
KEYS = {"record_power": 0, "update_facts": 1, "begin_phase": 1, "note_start": 0, "close_power": 0}


@dataclass
class Entry:
    """A call that came back: in the order in which calls began and ended, and when it began."""

    began: int
    ended: int
    at: float
    member: str
    what: str
    args: tuple[Any, ...]
    answer: Any

    @property
    def key(self) -> str:
        key = self.args[KEYS[self.what]]
        return key if isinstance(key, str) else str(key.host_key)


class Diary:
    """``entries`` has the calls that ended in order; what was refused or never came back may have been done or not."""

    def __init__(self, night: Night) -> None:
        self.entries: list[Entry] = []
        self.given: dict[str, list[tuple[Entry, int]]] = defaultdict(list)
        self.ending: dict[
            tuple[Any, ...], int
        ] = {}  # runs and leases that were being ended, also by controllers that were killed meanwhile
        self._night = night
        self._order = itertools.count()

    def of(self, member: Member, ledger: Ledger) -> _Written:
        """The ledger whose calls are written down here."""
        return _Written(self, member, ledger)

    def call(self, member: Member, what: str, method: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if self._night.backend == "sqlite":  # there each call is one transaction
            member.pause()
        began, at = next(self._order), self._night.now()
        if what == "close_run" or (what == "extend_lease" and args[2] is None):
            self.ending.setdefault(args[:-1], began)
        answer = method(*args, **kwargs)
        if "fence" in kwargs:
            args = (*args, kwargs["fence"])
        entry = Entry(began, next(self._order), at, member.name, what, args, answer)
        self.entries.append(entry)
        if what in {"open_run", "take_over"}:
            for key, fence in answer.fences.items():
                self.given[key].append((entry, fence))
        if self._night.backend == "sqlite":
            member.pause()
        return answer


class _Written:
    def __init__(self, diary: Diary, member: Member, ledger: Ledger) -> None:
        self._diary, self._member, self._ledger = diary, member, ledger

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._ledger, name)
        return lambda *args, **kwargs: self._diary.call(self._member, name, method, args, kwargs)


def crowd_problems(diary: Diary, ledger: Ledger) -> list[Problem]:
    """Everything that is wrong."""
    return [*_shared(diary), *_old_numbers(diary), *_robbed(diary), *_lost(diary, ledger)]


def _shared(diary: Diary) -> Iterator[Problem]:
    for key, given in diary.given.items():
        for fence, holders in itertools.groupby(sorted(given, key=lambda it: it[1]), key=lambda it: it[1]):
            if len(list(holders)) > 1:
                yield Problem(SHARED, f"{key}: {fence}")


def _old_numbers(diary: Diary) -> Iterator[Problem]:
    """A write under a number that began after a newer number had been given, and was taken."""
    for entry in diary.entries:
        fence = entry.args[FENCED[entry.what]] if entry.what in FENCED else None
        if fence is None:
            continue
        newer = [new for given, new in diary.given[entry.key] if given.ended < entry.began and new > fence]
        if newer:
            yield Problem(TOUCHED, f"{entry.key}: {entry.what} under {fence} after {max(newer)} had been given")


def _robbed(diary: Diary) -> Iterator[Problem]:
    """Taken without force from a run that had just sent a heartbeat.

    Where a number is missing between two, a controller had the host that was killed before it knew, and it may have used force.
    """
    for key, given in diary.given.items():
        for (before, fence), (taken, next_fence) in itertools.pairwise(sorted(given, key=lambda it: it[1])):
            if next_fence != fence + 1:
                continue
            forced = taken.args[2] if taken.what == "open_run" else taken.args[3]
            ends = [diary.ending.get(end) for end in ((_run_of(before),), (key, fence))]
            if forced or before.member == taken.member or any(end is not None and end < taken.ended for end in ends):
                continue
            signs = [
                entry for entry in diary.entries if _is_sign(entry, before, key, fence) and entry.ended < taken.began
            ]
            last = signs[-1] if signs else before
            if last.ended < taken.began and taken.at - last.at < LEASE_SECONDS - SKEW_SECONDS:
                yield Problem(
                    TAKEN,
                    f"{key}: from {before.member} by {taken.member}, {taken.at - last.at:.0f} s after {last.what}",
                )


def _run_of(entry: Entry) -> str:
    return str(entry.args[0].run_id if entry.what == "open_run" else entry.args[0])


def _is_sign(entry: Entry, before: Entry, key: str, fence: int) -> bool:
    """Of the life of the one that had the number."""
    if entry.member != before.member or entry.began < before.ended:
        return False
    is_beat = entry.what == "heartbeat" and entry.args[0] == _run_of(before)
    return is_beat or (entry.what == "extend_lease" and entry.args[:2] == (key, fence))


def _lost(diary: Diary, ledger: Ledger) -> Iterator[Problem]:
    """What came back as written is there, and the sums are those of the rows."""
    phases = Counter(entry.args[0] for entry in diary.entries if entry.what == "begin_phase")
    listed = {run.run_id for run in ledger.runs()}
    for run_id in (entry.args[0].run_id for entry in diary.entries if entry.what == "open_run"):
        if run_id not in listed:
            yield Problem(LOST, f"{run_id} is not listed")
            continue
        outcomes = Counter(row.outcome for row in ledger.hosts(run_id))
        if ledger.outcome_counts(run_id) != outcomes:
            yield Problem(NOT_ONE, f"{run_id}: {ledger.outcome_counts(run_id)} of {dict(outcomes)}")
        if len(ledger.phases(run_id)) < phases[run_id]:
            yield Problem(LOST, f"{run_id}: {len(ledger.phases(run_id))} of {phases[run_id]} phases")
        yield from _lost_of_hosts(diary, ledger, run_id)


def _lost_of_hosts(diary: Diary, ledger: Ledger, run_id: str) -> Iterator[Problem]:
    facts, won = defaultdict[str, set[str]](set), Counter[str]()
    for entry in diary.entries:
        if entry.what == "update_facts" and entry.args[0] == run_id:
            facts[entry.args[1]] |= set(entry.args[2])
        elif entry.what == "set_outcome" and entry.args[0] == run_id and entry.answer:
            won[entry.args[1]] += 1
    for row in ledger.hosts(run_id):
        missing = facts[row.key] - set(row.facts)
        if missing:
            yield Problem(LOST, f"{run_id} {row.key}: {', '.join(sorted(missing))}")
        if won[row.key] > 1 or (won[row.key] and row.outcome is None):
            yield Problem(NOT_ONE, f"{run_id} {row.key}: {won[row.key]} outcomes written, {row.outcome} is there")
