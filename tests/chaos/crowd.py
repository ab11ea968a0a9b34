# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many controllers at one ledger, without hosts: killed, frozen, with clocks apart, and DynamoDB loses answers and throttles.

One runs at a time, in the order of the virtual clock: in SQLite they change between two calls of the ledger, in DynamoDB between
two requests. So a crowd is the same for the same seed.
"""

from __future__ import annotations

import random
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import PatchFleetError
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.records import (
    LEASE_SECONDS,
    Host,
    PowerRecord,
    Run,
    Verdict,
)
from ansible_collections.patchfleet.windows.plugins.module_utils._model.outcomes import Outcome
from ansible_collections.patchfleet.windows.plugins.module_utils._model.phases import Phase
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.context import OperationContext
from ansible_collections.patchfleet.windows.plugins.module_utils._run.slots import confirm_slot, wait_for_slot
from chaos.crowd_judge import Diary, crowd_problems
from chaos.crowd_wire import Faults, Member
from chaos.draw import Streams
from chaos.night import BACKENDS, REGION, Night
from chaos.outside import Killed
from chaos.play import MEMORY, Ended, play
from chaos.turns import Turns
from chaos.watch import RAISED, TOO_MANY, Problem

MARK = "/crowd/"
"""In the seeds of crowds."""
MEMBERS, HOSTS, SLOTS = 6, 7, 3
WORKS_SECONDS = {"sqlite": 10_800.0, "dynamodb": 2700.0}
"""New work begins in this time. moto copies its table with each transaction, so a crowd in DynamoDB has fewer of them."""
BREAK_SECONDS = {"sqlite": (30.0, 120.0), "dynamodb": (150.0, 500.0)}
"""Between two heartbeats."""


def crowds_of(seed: str, nights: int) -> list[str]:
    """The seeds of the crowds that are played beside this number of nights."""
    return [f"{seed}{MARK}{number}" for number in range(max(2, nights // 100))]


def play_any(seed: str) -> Ended:
    """The night or the crowd of this seed."""
    return play_crowd(seed) if MARK in seed else play(seed)


def play_crowd(seed: str, backend: str | None = None) -> Ended:
    """A crowd to its end; those with an even number have SQLite."""
    ended = Ended(seed)
    backend = backend or BACKENDS[int(seed.rpartition("/")[2]) % len(BACKENDS)]
    with (
        tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder,
        Night(Path(folder), backend, hosts=[{"name": "a"}], account={"lag_seconds": 0}) as night,
    ):
        crowd = Crowd(night, seed)
        try:
            crowd.play()
        except Exception as error:  # noqa: BLE001 - whatever the product raises here is a finding
            crowd.problems.append(Problem(RAISED, f"{type(error).__name__}: {error}"))
        ended.problems = [*crowd.problems, *crowd_problems(crowd.diary, night.ledger)]
    ended.counts.update({f"crowds with {backend}": 1, "crowds: ledger calls": len(crowd.diary.entries)})
    taken = sum(len(given) for given in crowd.diary.given.values())
    ended.counts.update({f"crowds: {name}": count for name, count in crowd.faults.counts.items()})
    ended.counts["crowds: leases given"] = taken
    return ended


class Crowd:
    """``problems`` is what was seen while it happened; the rest is in the diary."""

    def __init__(self, night: Night, seed: str) -> None:
        self.night = night
        self.turns = Turns(night)
        self.diary = Diary(night)
        self.faults = Faults(Streams(seed).of("faults"))
        self.problems: list[Problem] = []
        self._streams = Streams(seed)
        self._on: set[str] = set()
        self._ends_at = night.now() + WORKS_SECONDS[night.backend]

    def play(self) -> None:
        """All members to their end."""
        self.turns.run(*((float(number), partial(self._live, number)) for number in range(MEMBERS)))

    def _live(self, number: int) -> None:
        """One process after another, each when the one before was killed."""
        generation = 0
        while self.night.now() < self._ends_at:
            generation += 1
            chance = self._streams.of("member", str(number), str(generation))
            member = Member(self.night, self.turns, self.faults, f"{number}.{generation}", chance)
            try:
                _Life(self, member, chance).live(self._ends_at)
            except Killed:
                self.faults.counts["controllers killed"] += 1

    def is_on(self, key: str) -> None:
        """A start would come now."""
        self._on.add(key)
        if len(self._on) > SLOTS:
            self.problems.append(Problem(TOO_MANY, f"{len(self._on)} of {SLOTS}"))

    def goes_off(self, key: str) -> None:
        self._on.discard(key)


class _Life:
    """What a controller does from its birth on."""

    def __init__(self, crowd: Crowd, member: Member, chance: random.Random) -> None:
        self._crowd, self._member, self._chance = crowd, member, chance
        self._ledger: Any = crowd.diary.of(member, crowd.night.open_ledger(member, member))

    def live(self, ends_at: float) -> None:
        turn = 0
        while self._member.night.now() < ends_at:
            turn += 1
            try:
                if self._chance.random() < 0.3:
                    self._restore()
                else:
                    self._patch(f"run-{self._member.name}-{turn}")
            except PatchFleetError:
                continue  # refused: a lease that was lost, a ledger that could not be asked

    def _patch(self, run_id: str) -> None:
        now, keys = self._member.now(), self._chance.sample([f"i-{number}" for number in range(HOSTS)], 3)
        run = Run(run_id, now, "install", "s", {"max_running": SLOTS}, {"host": "c", "pid": 1, "user": "u"}, now)
        hosts = [Host(run_id, key, key, at, "ec2", key, REGION, 1) for at, key in enumerate(keys)]
        fences = self._ledger.open_run(run, hosts, self._chance.random() < 0.05).fences
        for key, fence in fences.items():
            try:
                self._work(run_id, key, fence)
            except PatchFleetError:
                continue
        if self._chance.random() < 0.7:
            self._ledger.close_run(run_id, self._member.now())

    def _work(self, run_id: str, key: str, fence: int) -> None:
        was = self._chance.choice(("stopped", "stopped", "running"))
        record = PowerRecord(key, key, REGION, key, was, self._member.now(), run_id)
        if not self._has_slot(record, fence):
            return
        for number in range(self._chance.randrange(1, 4)):
            self._ledger.update_facts(run_id, key, {f"fact_{fence}_{number}": number}, fence)
            self._ledger.begin_phase(run_id, key, Phase.PATCH, self._member.now(), fence)
            self._ledger.heartbeat(run_id, self._member.now())
            frozen = self._chance.random() < 0.06
            self._member.sleep(self._chance.uniform(0.5, 2.0) * LEASE_SECONDS if frozen else self._break_seconds())
            self._ledger.end_phase(run_id, key, Phase.PATCH, self._member.now(), True)
        if self._chance.random() < 0.85:
            self._close(key, fence)
        self._ledger.set_outcome(run_id, key, Verdict(self._chance.choice((Outcome.PATCHED, Outcome.FAILED))))

    def _has_slot(self, record: PowerRecord, fence: int) -> bool:
        """Whether the host may be started, and is; as the admission does it."""
        if record.original_state != "stopped":
            return bool(self._ledger.record_power(record, fence))
        params: Any = {"run_id": record.run_id, "host": record.host_key, "fence": fence}
        context = OperationContext(params, clock=self._member, ledger=self._ledger)
        if wait_for_slot(context, record.host_key, SLOTS, 0.0):
            return False
        found = self._ledger.record_power(record, fence)
        if found.run_id != record.run_id or not confirm_slot(context, record, SLOTS):
            return False
        self._ledger.note_start(record.host_key, record.run_id, self._member.now(), fence)
        self._crowd.is_on(record.host_key)
        return True

    def _close(self, key: str, fence: int) -> None:
        if self._ledger.fence(self._ledger.holder(key) or "", key) == fence:  # it would be stopped now
            self._crowd.goes_off(key)
        self._ledger.close_power(key, "restored", self._member.now(), fence)

    def _restore(self) -> None:
        for record in self._ledger.open_power()[:3]:
            holder = self._ledger.holder(record.host_key)
            if holder is None:
                continue
            force = self._chance.random() < 0.2
            leased = self._ledger.take_over(holder, [record.host_key], self._member.now(), force)
            for key, fence in leased.fences.items():
                if self._chance.random() < 0.2:
                    self._member.sleep(self._chance.uniform(0.2, 1.5) * LEASE_SECONDS)
                self._ledger.extend_lease(key, fence, self._member.now() + LEASE_SECONDS)
                self._close(key, fence)
                self._ledger.extend_lease(key, fence, None)
        self._member.sleep(self._break_seconds())

    def _break_seconds(self) -> float:
        return self._chance.uniform(*BREAK_SECONDS[self._member.night.backend])
