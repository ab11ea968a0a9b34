# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many controllers at one ledger: what they saw holds together, and a broken ledger is noticed."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._ledger import sqlite, sqlite_leases
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.records import Leased
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.sqlite import SqliteLedger
from chaos import crowd
from chaos.crowd import crowds_of, play_any, play_crowd
from chaos.night import BACKENDS
from chaos.watch import LOST, NOT_ONE, RAISED, SHARED, TAKEN, TOO_MANY, TOUCHED


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowd, "WORKS_SECONDS", {"sqlite": 3600.0, "dynamodb": 600.0})


def kinds(number: int = 0) -> set[str]:
    """Of the problems of a crowd with SQLite."""
    return {problem.kind for problem in play_crowd(f"unit/crowd/{number}", "sqlite").problems}


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_crowd_at_a_sound_ledger_is_in_order(backend: str) -> None:
    ended = play_crowd("unit/crowd/0", backend)
    assert ended.problems == []
    assert ended.counts["crowds: leases given"] > 5
    assert backend == "sqlite" or ended.counts["crowds: answers lost"] > 0


def test_a_crowd_is_the_same_for_the_same_seed() -> None:
    (first, _second) = crowds_of("unit", 200)
    assert play_any(first) == play_any(first)


def test_a_write_under_an_old_number_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "prove_lease", lambda *_: None)
    assert TOUCHED in kinds()


def test_leases_that_are_too_short_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "LEASE_SECONDS", 30.0)
    monkeypatch.setattr(sqlite_leases, "LEASE_SECONDS", 30.0)
    monkeypatch.setattr(
        "ansible_collections.patchfleet.windows.plugins.module_utils._ledger.records.LEASE_SECONDS", 30.0
    )
    assert TAKEN in kinds()


def test_a_number_that_is_given_twice_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def one_less(self: SqliteLedger, *args: Any) -> Leased:
        leased = taken(self, *args)
        return dataclasses.replace(leased, fences={key: max(fence - 1, 1) for key, fence in leased.fences.items()})

    taken = SqliteLedger.take_over
    monkeypatch.setattr(SqliteLedger, "take_over", one_less)
    assert SHARED in kinds()


def test_more_than_the_slots_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowd, "wait_for_slot", lambda *_: False)
    monkeypatch.setattr(crowd, "confirm_slot", lambda *_: True)
    assert TOO_MANY in kinds()


@pytest.mark.parametrize(("write", "kind"), [("update_facts", LOST), ("begin_phase", LOST)])
def test_a_write_that_is_lost_is_noticed(monkeypatch: pytest.MonkeyPatch, write: str, kind: str) -> None:
    monkeypatch.setattr(SqliteLedger, write, lambda *_: None)
    assert kind in kinds()


def test_wrong_sums_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SqliteLedger, "outcome_counts", lambda *_: {})
    assert NOT_ONE in kinds()


def test_whatever_else_is_raised_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SqliteLedger, "open_power", lambda *_: 1 / 0)
    assert RAISED in kinds()
