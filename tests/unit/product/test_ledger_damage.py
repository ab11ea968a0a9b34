# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One damaged or missing row keeps no other host on, and the reader names what it could not read."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.records import (
    LEASE_SECONDS,
    HostDurations,
    Ledger,
    PowerRecord,
)
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.sqlite import SqliteLedger
from ansible_collections.patchfleet.windows.plugins.module_utils._model.outcomes import Outcome
from ansible_collections.patchfleet.windows.plugins.module_utils._model.phases import Phase
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.context import OperationContext
from ansible_collections.patchfleet.windows.plugins.module_utils._run.recovery import close_abandoned_runs, open_hosts

from . import dynamodb_server
from .fakes import START, VirtualClock
from .stage import RUN, a_host, a_run

REGION, ACCOUNT = dynamodb_server.REGION, dynamodb_server.ACCOUNT
KEYS = ("i-0", "i-1", "i-2")
Damage = Callable[[Any], object]


def fill(ledger: Ledger) -> None:
    """A run that has died with three hosts on."""
    ledger.open_run(a_run(), [a_host(key, position=n, name=f"dev-{n}") for n, key in enumerate(KEYS)], take_over=False)
    for n, key in enumerate(KEYS):
        ledger.record_power(PowerRecord(key, key, REGION, f"dev-{n}", "stopped", START, RUN), fence=1)
        ledger.note_start(key, RUN, START, fence=1)


@pytest.fixture
def in_a_file(tmp_path: Path) -> tuple[Callable[[str], None], Callable[[], Ledger]]:
    path = tmp_path / "ledger.sqlite"
    fill(SqliteLedger(str(path)))

    def change(sql: str) -> None:
        with closing(sqlite3.connect(path)) as database, database:
            database.execute("PRAGMA ignore_check_constraints = ON")
            assert database.execute(sql).rowcount >= 1

    return change, lambda: SqliteLedger(str(path))


def context_of(ledger: Ledger, clock: VirtualClock, folder: Path) -> OperationContext:
    clock.sleep(LEASE_SECONDS)
    given = folder / "given.sqlite"
    given.touch()
    params = {"run_id": None, "take_over": False, "ledger": str(given), "from_account": None}
    return OperationContext(params, clock=clock, ledger=ledger)


def found(ledger: Ledger, clock: VirtualClock, folder: Path) -> tuple[set[str], str]:
    """The hosts that restore takes, and what it says."""
    answer = open_hosts(context_of(ledger, clock, folder))
    assert answer["busy"] == []
    assert all(host["fence"] == 2 for host in answer["hosts"])
    return {host["key"] for host in answer["hosts"]}, "\n".join(answer["lines"])


@pytest.mark.parametrize(
    ("sql", "keys", "named"),
    [
        ("DELETE FROM host WHERE host_key = 'i-1'", KEYS, f"dev-1: Run {RUN} has no host i-1."),
        ("UPDATE host SET facts = '{' WHERE host_key = 'i-1'", KEYS, f"dev-1: Run {RUN} cannot read its facts"),
        ("UPDATE host SET outcome = 'patchde' WHERE host_key = 'i-1'", KEYS, "cannot read its outcome ('patchde'"),
        ("UPDATE run SET settings = '{'", KEYS, "dev-1 (i-1)"),
        ("DELETE FROM run", KEYS, "dev-1 (i-1)"),
        (
            "UPDATE power_record SET original_state = 'stoqped' WHERE host_key = 'i-1'",
            ("i-0", "i-2"),
            "The power record of i-1 (dev-1) is damaged. Its host may be on because of a run.",
        ),
    ],
)
def test_a_damaged_row_of_a_file_is_named_and_the_other_hosts_are_put_back(
    in_a_file: tuple[Callable[[str], None], Callable[[], Ledger]],
    clock: VirtualClock,
    tmp_path: Path,
    sql: str,
    keys: tuple[str, ...],
    named: str,
) -> None:
    change, opened = in_a_file
    change(sql)
    taken, lines = found(opened(), clock, tmp_path)
    assert taken == set(keys)
    assert named in lines


def lose(table: str, pk: str, sk: str) -> None:
    dynamodb_server.client().delete_item(TableName=table, Key={"pk": {"S": pk}, "sk": {"S": sk}})


def put(table: str, pk: str, sk: str) -> None:
    dynamodb_server.client().put_item(TableName=table, Item={"pk": {"S": pk}, "sk": {"S": sk}})


@pytest.mark.parametrize(
    ("damage", "keys", "named"),
    [
        (lambda table: lose(table, f"RUN#{RUN}", "HOST#i-1"), KEYS, f"dev-1: Run {RUN} has no host i-1."),
        (lambda table: lose(table, f"RUN#{RUN}", "RUN"), KEYS, "dev-1 (i-1)"),
        (
            lambda table: lose(table, f"HOST#{ACCOUNT}#{REGION}#i-1", "HOST"),
            ("i-0", "i-2"),
            "The power record of i-1 is missing or damaged. Its host may be on because of a run.",
        ),
        (
            lambda table: put(table, f"OPEN#{ACCOUNT}", "zzz"),
            KEYS,
            "The item zzz among the open power records names no host.",
        ),
        (lambda table: put(table, f"RUN#{RUN}", "HOST#zzz"), KEYS, "dev-1 (i-1)"),
    ],
)
def test_a_missing_item_of_a_table_is_named_and_the_other_hosts_are_put_back(
    clock: VirtualClock, tmp_path: Path, damage: Damage, keys: tuple[str, ...], named: str
) -> None:
    table = dynamodb_server.new_table()
    fill(dynamodb_server.ledger(table))
    damage(table)
    taken, lines = found(dynamodb_server.ledger(table), clock, tmp_path)
    assert taken == set(keys)
    assert named in lines


def test_restore_does_not_end_well_while_a_record_cannot_be_read(
    in_a_file: tuple[Callable[[str], None], Callable[[], Ledger]], clock: VirtualClock, tmp_path: Path
) -> None:
    change, opened = in_a_file
    change("UPDATE power_record SET original_state = 'stoqped', started_by = NULL WHERE host_key = 'i-1'")
    ledger = opened()
    for key in ("i-0", "i-2"):
        ledger.close_power(key, "restored", START)
    with pytest.raises(Exception, match=r"The power record of i-1 \(dev-1\) is damaged") as caught:
        close_abandoned_runs(context_of(ledger, clock, tmp_path))
    assert getattr(caught.value, "code", None) == "still_on"


def test_steps_of_a_host_go_on_although_its_row_is_gone() -> None:
    """The lease says who holds it; what would have been written into the row has no other home."""
    table = dynamodb_server.new_table()
    fill(dynamodb_server.ledger(table))
    lose(table, f"RUN#{RUN}", "HOST#i-1")
    ledger = dynamodb_server.ledger(table)
    ledger.begin_phase(RUN, "i-1", "restore", START, fence=1)
    ledger.close_power("i-1", "restored", START, fence=1)
    assert {record.host_key for record in ledger.open_power()} == {"i-0", "i-2"}


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE step SET step = 'pacth' WHERE host_key = 'i-1'",
        "UPDATE way SET seconds = '{' WHERE host_key = 'i-1'",
        "UPDATE way SET outcome = 'pacthed' WHERE host_key = 'i-1'",
        "UPDATE host SET outcome = 'pacthed' WHERE host_key = 'i-1'",
    ],
)
def test_a_damaged_row_of_one_host_ends_neither_plan_nor_report(
    in_a_file: tuple[Callable[[str], None], Callable[[], Ledger]], sql: str
) -> None:
    change, opened = in_a_file
    ledger = opened()
    for key in KEYS:
        ledger.begin_phase(RUN, key, Phase.PATCH, START)
        ledger.save_durations(HostDurations(key, RUN, START, Outcome.PATCHED, {Phase.PATCH: 60.0}))
    change(sql)
    assert {time.host_key for time in ledger.phases(RUN)} >= {"i-0", "i-2"}
    assert set(ledger.histories(KEYS)) >= {"i-0", "i-2"}
    assert ledger.outcome_counts(RUN) == {None: 3}
    assert [host.key for host in ledger.hosts(RUN)] == list(KEYS)


def test_damaged_durations_in_a_table_are_none() -> None:
    table = dynamodb_server.new_table()
    ledger = dynamodb_server.ledger(table)
    ledger.save_durations(HostDurations("i-0", RUN, START, Outcome.PATCHED, {Phase.PATCH: 60.0}))
    key = {"pk": {"S": f"WAYS#{ACCOUNT}"}, "sk": {"S": "i-0"}}
    dynamodb_server.client().put_item(TableName=table, Item={**key, "ways": {"S": "["}})
    assert (ledger.history("i-0"), ledger.histories(["i-0"])) == ([], {"i-0": []})
