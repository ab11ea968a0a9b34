# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Several processes write into one ledger at once, as Ansible's workers and two controllers do."""

from __future__ import annotations

import dataclasses
import gc
import multiprocessing
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import PatchFleetError
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.records import PowerRecord, Verdict
from ansible_collections.patchfleet.windows.plugins.module_utils._model.phases import Phase

from .backends import FOR_PROCESSES, Opener
from .fakes import ID, START
from .stage import RUN, a_host, a_run

WRITERS = 8
MANY = 50
ROUNDS = 5
FORK = multiprocessing.get_context("fork")


@pytest.fixture(params=sorted(FOR_PROCESSES))
def opener(request: pytest.FixtureRequest, tmp_path: Path) -> Opener:
    return FOR_PROCESSES[request.param](tmp_path)


def at_once(work: Callable[[int], object], writers: int = WRITERS) -> None:
    """Let ``writers`` processes do this at the same moment, each with its number."""
    gc.collect()  # closes what this process has open: SQLite forbids to fork with an open database
    gate = FORK.Barrier(writers)

    def run(number: int) -> None:
        gate.wait(30)
        work(number)

    processes = [FORK.Process(target=run, args=(number,)) for number in range(writers)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(100)
    assert [process.exitcode for process in processes] == [0] * writers


def test_all_of_them_may_make_the_ledger(opener: Opener) -> None:
    at_once(lambda _number: opener().runs())
    assert opener().runs() == []


def test_nothing_that_was_learned_is_lost(opener: Opener) -> None:
    opener().open_run(a_run(), [a_host()], take_over=False)

    def update_facts(number: int) -> None:
        ledger = opener()
        for turn in range(ROUNDS):
            ledger.update_facts(RUN, ID, {f"fact_{number}_{turn}": turn})
            ledger.begin_phase(RUN, ID, list(Phase)[number], START + turn)

    at_once(update_facts)
    assert len(opener().host(RUN, ID).facts) == WRITERS * ROUNDS
    assert len(opener().phases(RUN)) == WRITERS * ROUNDS


def test_one_of_them_is_first_to_record_the_power(opener: Opener, tmp_path: Path) -> None:
    opener()
    record = PowerRecord(ID, ID, "eu-central-1", "dev-01", "stopped", START, "")

    def find(number: int) -> None:
        state = "stopped" if number % 2 else "running"
        mine = dataclasses.replace(record, run_id=f"run-{number}", original_state=state)
        power = opener().record_power(mine)
        (tmp_path / f"seen-{number}").write_text(f"{power.run_id} {power.original_state}")

    at_once(find)
    first = opener().power(ID)
    assert first is not None
    assert {path.read_text() for path in tmp_path.glob("seen-*")} == {f"{first.run_id} {first.original_state}"}


def test_one_of_them_gets_the_lease(opener: Opener, tmp_path: Path) -> None:
    opener()

    def lease(number: int) -> None:
        run_id = f"run-{number}"
        kept = opener().open_run(a_run(run_id), [a_host(run_id=run_id)], take_over=False)
        (tmp_path / f"kept-{number}").write_text(kept.held.get(ID, "mine"))

    at_once(lease, MANY)
    ledger = opener()
    answers = {path.name.replace("kept", "run"): path.read_text() for path in tmp_path.glob("kept-*")}
    (holder,) = [run_id for run_id, answer in answers.items() if answer == "mine"]
    assert ledger.holds_lease(holder, ID)
    assert {answer for run_id, answer in answers.items() if run_id != holder} == {holder}


def test_one_of_them_concludes(opener: Opener, tmp_path: Path) -> None:
    opener().open_run(a_run(), [a_host()], take_over=False)

    def set_outcome(number: int) -> None:
        if opener().set_outcome(RUN, ID, Verdict("failed", "patch", f"writer_{number}", "It failed.")):
            (tmp_path / f"won-{number}").touch()

    at_once(set_outcome)
    (winner,) = tmp_path.glob("won-*")
    assert opener().host(RUN, ID).reason_code == winner.name.replace("won-", "writer_")


def test_a_start_and_its_closing_never_mix(opener: Opener) -> None:
    """Either the start is noted in the open record, or it is refused because the record is closed."""
    record = PowerRecord(ID, ID, "eu-central-1", "dev-01", "stopped", START, RUN)
    opener().record_power(record)

    def start_or_close(number: int) -> None:
        ledger = opener()
        if number == 0:
            ledger.close_power(ID, "restored", START)
            return
        with suppress(PatchFleetError):  # the record may be closed already
            ledger.note_start(ID, f"run-{number}", START)

    at_once(start_or_close)
    assert opener().power(ID) is None
