# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an earlier release wrote is read, finished and reported by this one."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._ledger import open_ledger
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.records import Ledger, Verdict
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.sqlite_file import SCHEMA_VERSION
from ansible_collections.patchfleet.windows.plugins.module_utils._model.outcomes import Outcome
from ansible_collections.patchfleet.windows.plugins.module_utils._model.phases import Phase
from ansible_collections.patchfleet.windows.plugins.module_utils._report.build import build_report

EARLIER = sorted((Path(__file__).parent / "earlier_ledgers").glob("*.sql"))
LATER = 1794700000.0  # an hour and a half after the controller of the stored run had died


@pytest.fixture(params=EARLIER, ids=lambda path: path.stem)
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The file of an earlier release."""
    file = tmp_path / "ledger.sqlite"
    with closing(sqlite3.connect(file)) as database:
        database.executescript(request.param.read_text(encoding="utf-8"))
    return file


@pytest.fixture
def ledger(path: Path) -> Ledger:
    return open_ledger(str(path))


def test_there_is_a_ledger_of_an_earlier_release() -> None:
    assert len(EARLIER) > 0


def test_opening_it_brings_it_to_the_schema_of_today(path: Path) -> None:
    open_ledger(str(path))
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)


def test_what_is_on_because_of_the_earlier_release_is_known(ledger: Ledger) -> None:
    assert ledger.check() == []
    assert ledger.unreadable_power() == []
    assert {record.name: record.original_state for record in ledger.open_power()} == {
        "off-1": "stopped",
        "off-2": "stopped",
    }
    (run,) = ledger.runs()
    assert not run.is_active(LATER)
    cut_off = {
        time.host_key for time in ledger.phases(run.run_id) if time.phase == Phase.PATCH and not time.finished_at
    }
    assert cut_off == {record.host_key for record in ledger.open_power()}


def test_its_hosts_can_be_put_back_and_its_run_be_closed(ledger: Ledger) -> None:
    (run,) = ledger.runs()
    for record in ledger.open_power():
        ledger.close_power(record.host_key, "stopped", LATER)
    for host in ledger.hosts(run.run_id):
        ledger.set_outcome(run.run_id, host.key, Verdict(Outcome.FAILED, Phase.PATCH, None, "The controller ended."))
    ledger.close_run(run.run_id, LATER)
    assert ledger.open_power() == []
    report = build_report(ledger, run.run_id, LATER)
    assert [host["host"] for host in report["hosts"]] == ["off-1", "off-2", "off-3", "on-1"]
    assert report["totals"] == {"failed": 4}
    assert report["finished_at"] == "2026-11-14T23:46:40Z"
