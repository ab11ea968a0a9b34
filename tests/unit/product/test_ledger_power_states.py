# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever runs do to power records in whatever order: an open record is never overwritten, and no start goes unrecorded."""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import PatchFleetError
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.records import Ledger, PowerRecord

from .backends import BACKENDS
from .fakes import START

ROUNDS = {"sqlite": 40, "dynamodb": 8}
"""A table over HTTP takes more time than a file."""
HOSTS = st.sampled_from(["i-1", "i-2"])
RUNS = st.sampled_from(["run-1", "run-2"])
STATES = st.sampled_from(["running", "stopped"])
TIMES = st.integers(0, 10_000).map(lambda seconds: START + seconds)


class PowerRecords(RuleBasedStateMachine):
    """The model is what a reader of the design would write down: one open record a host, made by its first writer."""

    backend: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self._ledger: Ledger = BACKENDS[self.backend](Path(self._folder.name))()
        self._open: dict[str, PowerRecord] = {}

    def teardown(self) -> None:
        self._folder.cleanup()

    @rule(key=HOSTS, run=RUNS, state=STATES, at=TIMES)
    def find(self, key: str, run: str, state: str, at: float) -> None:
        found = PowerRecord(key, key, "eu-central-1", key, state, at, run)
        expected = self._open.setdefault(key, found)
        assert self._ledger.record_power(found) == expected

    @rule(key=HOSTS, run=RUNS, at=TIMES)
    def start(self, key: str, run: str, at: float) -> None:
        if key not in self._open:
            with pytest.raises(PatchFleetError):
                self._ledger.note_start(key, run, at)
            return
        self._ledger.note_start(key, run, at)
        self._change(key, start_requested_at=at, started_by=run, launch_time=None)

    @rule(key=HOSTS, at=TIMES)
    def see_it_launched(self, key: str, at: float) -> None:
        self._ledger.note_launch(key, at)
        self._change(key, launch_time=at)

    @rule(key=HOSTS)
    def see_it_refused(self, key: str) -> None:
        self._ledger.note_launch(key, None)
        self._change(key, start_requested_at=None, started_by=None, launch_time=None)

    @rule(key=HOSTS, at=TIMES)
    def put_back(self, key: str, at: float) -> None:
        self._ledger.close_power(key, "restored", at)
        self._open.pop(key, None)

    @invariant()
    def an_open_record_keeps_what_was_found_first(self) -> None:
        assert {record.host_key: record for record in self._ledger.open_power()} == self._open
        assert all(self._ledger.power(key) == self._open.get(key) for key in ("i-1", "i-2"))

    def _change(self, key: str, **facts: object) -> None:
        if key in self._open:
            self._open[key] = dataclasses.replace(self._open[key], **facts)  # type: ignore[arg-type]


@pytest.mark.parametrize("backend", sorted(BACKENDS))
def test_power_records_in_any_order(backend: str) -> None:
    machine = type("Records", (PowerRecords,), {"backend": backend})
    rounds = settings(max_examples=ROUNDS[backend], stateful_step_count=30, deadline=None, database=None)
    run_state_machine_as_test(machine, settings=rounds)
