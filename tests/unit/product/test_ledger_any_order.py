# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever runs do to each other in whatever order: leases, fencing numbers and outcomes are those of a simple model."""

from __future__ import annotations

import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import NeedsAttention
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.breaker import keep_brake
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.records import LEASE_SECONDS, Ledger, Verdict
from ansible_collections.patchfleet.windows.plugins.module_utils._model.run_settings import Brake

from .backends import BACKENDS
from .fakes import START
from .stage import a_host, a_run

ROUNDS = {"sqlite": (40, 40), "dynamodb": (5, 25)}
"""Examples and steps of each; a table over HTTP takes more time than a file."""
KEYS = ("i-1", "i-2")
ONE = st.sampled_from(KEYS)
OUTCOMES = st.sampled_from(["patched", "failed", "held"])
SKEWS = st.sampled_from([-300.0, 0.0, 300.0])


@dataclass
class RunModel:
    """A run as a person would write it on paper; ``outcomes`` has its hosts, ``adopted`` from whom it took them."""

    heartbeat_at: float
    outcomes: dict[str, str | None]
    adopted: dict[str, str] = field(default_factory=dict)
    closed: bool = False
    breaker: str | None = None
    steps: Counter[str] = field(default_factory=Counter)

    def is_active(self, now: float) -> bool:
        return not self.closed and now < self.heartbeat_at + LEASE_SECONDS


@dataclass
class LeaseModel:
    """Who has a host."""

    run_id: str
    fence: int
    extended_until: float = 0.0


class AnyOrder(RuleBasedStateMachine):
    """Each rule does the same to the ledger and to the model, at a time that only grows, give or take a controller's skew."""

    backend: ClassVar[str]

    @initialize()
    def begin(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._ledger: Ledger = BACKENDS[self.backend](Path(self._folder.name))()
        self._now = START
        self._runs: dict[str, RunModel] = {}
        self._leases: dict[str, LeaseModel] = {}

    def teardown(self) -> None:
        if hasattr(self, "_folder"):
            self.poll()
            self._folder.cleanup()

    def _a_run(self, number: int) -> str:
        return sorted(self._runs)[number % len(self._runs)]

    def _holder_lives(self, key: str, now: float) -> bool:
        lease = self._leases.get(key)
        return lease is not None and (lease.extended_until > now or self._runs[lease.run_id].is_active(now))

    def _lease(self, key: str, run_id: str, extended_until: float) -> None:
        fence = self._leases[key].fence + 1 if key in self._leases else 1
        self._leases[key] = LeaseModel(run_id, fence, extended_until)

    @rule(seconds=st.sampled_from([1.0, 300.0, 700.0, 1000.0]))
    def time_passes(self, seconds: float) -> None:
        self._now += seconds

    @rule(skew=SKEWS, force=st.booleans(), excluded=st.sampled_from([None, "i-1"]))
    def open(self, skew: float, force: bool, excluded: str | None) -> None:
        run_id, now = f"run-{len(self._runs):03}", self._now + skew
        outcomes = {key: "excluded" if key == excluded else None for key in KEYS}
        hosts = [a_host(key, run_id, number, outcome=outcomes[key]) for number, key in enumerate(KEYS)]
        wanted = [key for key in KEYS if key != excluded]
        kept = {key: self._leases[key].run_id for key in wanted if not force and self._holder_lives(key, now)}
        assert self._ledger.open_run(a_run(run_id, now), hosts, take_over=force).held == kept
        model = self._runs[run_id] = RunModel(now, dict(outcomes))
        for key in set(wanted) - set(kept):
            if key in self._leases and not self._runs[self._leases[key].run_id].closed:
                model.adopted[key] = self._leases[key].run_id
            self._lease(key, run_id, 0.0)

    @precondition(lambda self: self._runs)
    @rule(number=st.integers(0, 9), skew=SKEWS)
    def give_a_sign_of_life(self, number: int, skew: float) -> None:
        run_id = self._a_run(number)
        self._ledger.heartbeat(run_id, self._now + skew)
        self._runs[run_id].heartbeat_at = max(self._runs[run_id].heartbeat_at, self._now + skew)

    @precondition(lambda self: self._leases)
    @rule(key=ONE, skew=SKEWS, force=st.booleans())
    def take_over(self, key: str, skew: float, force: bool) -> None:
        if key not in self._leases:
            return
        run_id, now = self._leases[key].run_id, self._now + skew
        kept = {key: run_id} if not force and self._holder_lives(key, now) else {}
        taken = self._ledger.take_over(run_id, [key], now, force)
        assert taken.held == kept
        if not kept:
            self._lease(key, run_id, now + LEASE_SECONDS)
            assert taken.fences == {key: self._leases[key].fence}

    @precondition(lambda self: self._leases)
    @rule(key=ONE, behind=st.integers(0, 1), release_lease=st.booleans())
    def keep(self, key: str, behind: int, release_lease: bool) -> None:
        """A run that lost the host keeps nothing."""
        if key not in self._leases:
            return
        lease, until = self._leases[key], self._now + LEASE_SECONDS
        self._ledger.extend_lease(key, lease.fence - behind, None if release_lease else until)
        if not behind:
            lease.extended_until = 0.0 if release_lease else until

    @precondition(lambda self: self._runs)
    @rule(number=st.integers(0, 9))
    def close(self, number: int) -> None:
        run_id = self._a_run(number)
        self._ledger.close_run(run_id, self._now)
        self._runs[run_id].closed = True

    @precondition(lambda self: self._runs)
    @rule(number=st.integers(0, 9), reason=st.sampled_from(["first", "second"]))
    def open_breaker(self, number: int, reason: str) -> None:
        run_id = self._a_run(number)
        keep_brake(
            self._ledger, run_id, Brake(kind="failures", at=self._now, by=None, machine=None, reason=reason), reason
        )
        self._runs[run_id].breaker = self._runs[run_id].breaker or reason

    @precondition(lambda self: self._runs)
    @rule(number=st.integers(0, 9), key=ONE, outcome=OUTCOMES, overwrite=st.booleans())
    def set_outcome(self, number: int, key: str, outcome: str, overwrite: bool) -> None:
        run_id = self._a_run(number)
        outcomes = self._runs[run_id].outcomes
        changes = outcomes[key] is None or overwrite
        assert self._ledger.set_outcome(run_id, key, Verdict(outcome), overwrite) is changes
        outcomes[key] = outcome if changes else outcomes[key]

    @precondition(lambda self: self._leases)
    @rule(key=ONE, behind=st.integers(0, 1))
    def begin_a_step(self, key: str, behind: int) -> None:
        if key not in self._leases:
            return
        lease = self._leases[key]
        self._now += 0.001  # what begins twice in one moment counts once
        if behind:
            with pytest.raises(NeedsAttention, match="taken"):
                self._ledger.begin_phase(lease.run_id, key, "start", self._now, fence=lease.fence - 1)
            return
        self._ledger.begin_phase(lease.run_id, key, "start", self._now, fence=lease.fence)
        self._runs[lease.run_id].steps[key] += 1

    @invariant()
    def a_fencing_number_is_of_one_run(self) -> None:
        for key, lease in getattr(self, "_leases", {}).items():
            assert self._ledger.fence(lease.run_id, key) == lease.fence

    @precondition(lambda self: self._runs)
    @rule()
    def poll(self) -> None:
        """At everything."""
        assert {run.run_id for run in self._ledger.runs()} == set(self._runs)
        for key, lease in self._leases.items():
            assert self._ledger.holder(key) == lease.run_id
        for run_id, model in self._runs.items():
            held = {key: lease.fence for key, lease in self._leases.items() if lease.run_id == run_id}
            run, hosts = self._ledger.run(run_id), self._ledger.hosts(run_id)
            assert self._ledger.fences(run_id) == held
            assert (run.heartbeat_at, run.closed_at is not None, run.breaker) == (
                model.heartbeat_at,
                model.closed,
                model.breaker,
            )
            assert {host.key: host.outcome for host in hosts} == model.outcomes
            assert {host.key: host.facts["adopted_from"] for host in hosts if host.facts} == model.adopted
            assert self._ledger.outcome_counts(run_id) == Counter(model.outcomes.values())
            assert Counter(step.host_key for step in self._ledger.phases(run_id)) == model.steps


@pytest.mark.parametrize("backend", sorted(BACKENDS))
def test_leases_and_outcomes_in_any_order(backend: str) -> None:
    machine = type("Leases", (AnyOrder,), {"backend": backend})
    examples, steps = ROUNDS[backend]
    rounds = settings(max_examples=examples, stateful_step_count=steps, deadline=None, database=None, derandomize=True)
    run_state_machine_as_test(machine, settings=rounds)
