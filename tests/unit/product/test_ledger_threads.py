# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Several threads of one process share a ledger."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import LeaseLost
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.records import Ledger, Verdict
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.sqlite import SqliteLedger
from ansible_collections.patchfleet.windows.plugins.module_utils._model.outcomes import Outcome
from ansible_collections.patchfleet.windows.plugins.module_utils._model.phases import Phase

from .backends import BACKENDS
from .fakes import START
from .stage import RUN, a_host, a_run

HOSTS = [f"i-{number}" for number in range(8)]
ROUNDS = 5


@pytest.fixture(params=sorted(BACKENDS))
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Ledger:
    ledger = BACKENDS[request.param](tmp_path)()
    ledger.open_run(a_run(), [a_host(key, position=position) for position, key in enumerate(HOSTS)], take_over=False)
    return ledger


def for_each_host(work: Callable[[str], object]) -> list[Any]:
    """What it returns for each host; all threads start at the same moment."""
    gate = Barrier(len(HOSTS))

    def run(key: str) -> object:
        gate.wait(30)
        return work(key)

    with ThreadPoolExecutor(len(HOSTS)) as threads:
        return list(threads.map(run, HOSTS))


def test_each_thread_writes_what_belongs_to_its_host(shared: Ledger) -> None:
    def patch(key: str) -> None:
        for turn in range(ROUNDS):
            shared.begin_phase(RUN, key, list(Phase)[turn], START + turn)
            facts: Any = {f"fact_{turn}": key}
            shared.update_facts(RUN, key, facts, fence=shared.fence(RUN, key))
        shared.set_outcome(RUN, key, Verdict(Outcome.PATCHED))

    for_each_host(patch)
    assert [list(shared.host(RUN, key).facts.values()) for key in HOSTS] == [[key] * ROUNDS for key in HOSTS]
    assert len(shared.phases(RUN)) == len(HOSTS) * ROUNDS
    assert shared.outcome_counts(RUN) == {"patched": len(HOSTS)}


def test_what_is_refused_to_one_thread_takes_nothing_from_the_rest(shared: Ledger) -> None:
    def write(key: str) -> bool:
        facts: Any = {"fact": key}
        try:
            for _turn in range(ROUNDS):
                fence = shared.fence(RUN, key) or 0
                shared.update_facts(RUN, key, facts, fence=fence + HOSTS.index(key) % 2)
        except LeaseLost:
            return False
        return True

    assert for_each_host(write) == [True, False] * (len(HOSTS) // 2)
    assert [shared.host(RUN, key).facts.get("fact") for key in HOSTS] == [
        key if position % 2 == 0 else None for position, key in enumerate(HOSTS)
    ]


def test_a_child_waits_for_no_thread_of_its_parent(tmp_path: Path) -> None:
    """Only the thread that forks is in the child, so a lock that another one holds is never released there."""
    ledger = SqliteLedger(str(tmp_path / "ledger.sqlite"))
    ledger.open_run(a_run(), [a_host()], take_over=False)
    with ThreadPoolExecutor(1) as threads:
        transaction = ledger._transaction()  # noqa: SLF001 - no act of the ledger waits in its middle
        threads.submit(transaction.__enter__).result()
        child = os.fork()
        if child == 0:
            signal.alarm(30)  # ends a child that waits
            os._exit(len(ledger.runs()))
        threads.submit(transaction.__exit__, None, None, None).result()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
