# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The durations of workflows, and what they predict."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.history import (
    Expected,
    expect,
    seconds_by_phase,
)
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.records import (
    DURATIONS_KEPT,
    HostDurations,
    Ledger,
    PhaseTime,
)
from ansible_collections.patchfleet.windows.plugins.module_utils._plan.durations import install_timeout

from .backends import BACKENDS
from .fakes import ID, START


@pytest.fixture(params=sorted(BACKENDS))
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Ledger:
    return BACKENDS[request.param](tmp_path)()


def durations(number: int, patch: float = 600.0, key: str = ID) -> HostDurations:
    return HostDurations(
        key, f"run-{number}", START + number, "patched", {"admit": 900.0, "start": 60.0, "patch": patch}
    )


def test_durations_are_read_newest_first(ledger: Ledger) -> None:
    for number in (2, 1, 3):
        ledger.save_durations(durations(number))
    assert ledger.history(ID) == [durations(3), durations(2), durations(1)]
    assert ledger.history("i-9") == []


def test_durations_are_kept_once(ledger: Ledger) -> None:
    ledger.save_durations(durations(1))
    ledger.save_durations(durations(1, patch=700.0))
    assert ledger.history(ID) == [durations(1, patch=700.0)]


def test_the_oldest_of_each_host_are_forgotten(ledger: Ledger) -> None:
    ledger.save_durations(durations(0, key="i-9"))
    for number in range(DURATIONS_KEPT + 5):
        ledger.save_durations(durations(number))
    assert [kept.run_id for kept in ledger.history(ID)] == [f"run-{n}" for n in range(DURATIONS_KEPT + 4, 4, -1)]
    assert ledger.histories([ID, "i-9", "i-8"]) == {ID: ledger.history(ID), "i-9": [durations(0, key="i-9")]}


def test_the_wait_for_admission_is_no_part_of_the_duration() -> None:
    assert durations(1).total_seconds == 660.0


def test_a_step_that_is_done_twice_counts_twice_and_an_open_one_not_at_all() -> None:
    steps = [
        PhaseTime(ID, "patch", START, START + 10, True),
        PhaseTime(ID, "verify", START + 10, START + 15, True),
        PhaseTime(ID, "patch", START + 15, START + 35.04, True),
        PhaseTime(ID, "restore", START + 40, None, None),
    ]
    assert seconds_by_phase(steps) == {"patch": 30.0, "verify": 5.0}


def test_a_host_is_expected_to_take_what_it_took() -> None:
    own = [durations(number, patch=100.0 * number) for number in range(1, 11)]
    assert expect(own, [durations(1, patch=9999.0)], 2700.0) == Expected(610.0, 960.0, "host", 1000.0, 1060.0)


def test_a_host_without_history_takes_what_hosts_like_it_took() -> None:
    assert expect([], [durations(1, patch=140.0), durations(2, patch=240.0)], 2700.0) == Expected(250.0, 300.0, "class")


def test_without_any_history_the_default_holds() -> None:
    assert expect([], [], 2700.0) == Expected(2700.0, 2700.0, "default")


@pytest.mark.parametrize(
    ("p99_seconds", "timeout_seconds"),
    [(120.0, 3600), (2400.0, 3600), (4000.0, 6000), (9000.0, 13_500), (30_000.0, 36_000)],
)
def test_an_installation_has_half_as_much_time_again_as_the_host_needed(
    p99_seconds: float, timeout_seconds: int
) -> None:
    assert install_timeout(p99_seconds) == timeout_seconds
