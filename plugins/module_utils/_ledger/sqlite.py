# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ledger in an SQLite file: for one controller, safe between its processes.

Every method opens its transaction with BEGIN IMMEDIATE and has committed when it returns; the file is in WAL mode, so that
readers never wait for writers.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any

from .._errors import InvalidOption, PatchFleetError
from .records import LEASE_SECONDS, Host, PowerRecord, Run, StepTime, Verdict

SCHEMA_VERSION = 1
SCHEMA = """
CREATE TABLE run (
    run_id TEXT PRIMARY KEY, opened_at REAL NOT NULL, operation TEXT NOT NULL, snapshot_id TEXT NOT NULL,
    settings TEXT NOT NULL, controller TEXT NOT NULL, heartbeat_at REAL NOT NULL, closed_at REAL, breaker TEXT);
CREATE TABLE host (
    run_id TEXT NOT NULL REFERENCES run (run_id), host_key TEXT NOT NULL, name TEXT NOT NULL, position INTEGER NOT NULL,
    kind TEXT NOT NULL, instance_id TEXT, region TEXT, wave INTEGER, outcome TEXT, step TEXT, reason_code TEXT,
    reason TEXT, facts TEXT NOT NULL, PRIMARY KEY (run_id, host_key));
CREATE TABLE lease (
    host_key TEXT PRIMARY KEY, run_id TEXT NOT NULL REFERENCES run (run_id), fence INTEGER NOT NULL);
CREATE TABLE step (
    run_id TEXT NOT NULL, host_key TEXT NOT NULL, step TEXT NOT NULL, started_at REAL NOT NULL, finished_at REAL,
    ok INTEGER);
CREATE INDEX step_of_host ON step (run_id, host_key);
CREATE TABLE power_record (
    host_key TEXT NOT NULL, instance_id TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL,
    original_state TEXT NOT NULL CHECK (original_state IN ('running', 'stopped')), recorded_at REAL NOT NULL,
    run_id TEXT NOT NULL, start_requested_at REAL, started_by TEXT, launch_time REAL, closed_at REAL, closed_how TEXT);
CREATE UNIQUE INDEX one_open_record ON power_record (host_key) WHERE closed_at IS NULL;
"""
RUN_COLUMNS = "run_id, opened_at, operation, snapshot_id, settings, controller, heartbeat_at, closed_at, breaker"
HOST_COLUMNS = (
    "run_id, host_key, name, position, kind, instance_id, region, wave, outcome, step, reason_code, reason, facts"
)
POWER_COLUMNS = (
    "host_key, instance_id, region, name, original_state, recorded_at, run_id, "
    "start_requested_at, started_by, launch_time"
)


class SqliteLedger:
    """A Ledger (see records.Ledger) in one file, made with its folder when it is not there.

    Raises:
        InvalidOption: the file cannot be made, read or written, or is of a newer version.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        try:
            os.makedirs(os.path.dirname(path) or ".", mode=0o700, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=60.0, isolation_level=None)
            self._use_wal()
            self._db.execute("PRAGMA synchronous = FULL")
            self._migrate()
        except (OSError, sqlite3.Error) as error:
            raise InvalidOption(
                "patch_ledger", path, f"It must be a file that can be written on this controller ({error})."
            ) from error

    def _use_wal(self) -> None:
        """Turning WAL on is the one thing for which SQLite does not wait its turn; who comes second finds it on."""
        for _turn in range(20):
            with suppress(sqlite3.OperationalError):
                self._db.execute("PRAGMA journal_mode = WAL")
                return
            self._db.execute("BEGIN EXCLUSIVE")  # waits until others are through
            self._db.execute("COMMIT")
        raise sqlite3.OperationalError("other processes keep it busy")

    def _migrate(self) -> None:
        version = self._one("PRAGMA user_version")[0]
        if version > SCHEMA_VERSION:
            raise InvalidOption("patch_ledger", self._path, "It was written by a newer version of this collection.")
        if version == SCHEMA_VERSION:
            return
        with self._transaction():
            if self._one("PRAGMA user_version")[0] == 0:
                for statement in SCHEMA.split(";"):
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def _one(self, sql: str, *values: Any) -> Any:
        with closing(self._db.execute(sql, values)) as cursor:
            return cursor.fetchone()

    def _write(self, sql: str, *values: Any) -> int:
        with self._transaction():
            return self._db.execute(sql, values).rowcount

    # Runs and leases

    def open_run(self, run: Run, hosts: list[Host], take_over: bool) -> dict[str, str]:
        with self._transaction():
            self._db.execute(
                f"INSERT INTO run ({RUN_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?)",
                (
                    *(run.run_id, run.opened_at, run.operation, run.snapshot_id, json.dumps(run.settings)),
                    *(json.dumps(run.controller), run.heartbeat_at, run.closed_at, run.breaker),
                ),
            )
            self._db.executemany(
                f"INSERT INTO host ({HOST_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",
                [_host_row(host) for host in hosts],
            )
            begun = [host.key for host in hosts if host.outcome is None]
            return self._lease(run.run_id, begun, run.opened_at, take_over)

    def _lease(self, run_id: str, keys: list[str], now: float, force: bool) -> dict[str, str]:
        kept = {}
        for key in keys:
            held = self._one(
                "SELECT run_id FROM lease JOIN run USING (run_id) WHERE host_key = ? AND run_id <> ? "
                "AND closed_at IS NULL AND heartbeat_at > ?",
                *(key, run_id, now - LEASE_SECONDS),
            )
            if held and not force:
                kept[key] = held[0]
                continue
            self._db.execute(
                "INSERT INTO lease (host_key, run_id, fence) VALUES (?, ?, 1) ON CONFLICT (host_key) DO UPDATE "
                "SET fence = fence + (run_id <> excluded.run_id), run_id = excluded.run_id",
                (key, run_id),
            )
        return kept

    def take_over(self, run_id: str, keys: list[str], now: float, force: bool) -> dict[str, str]:
        with self._transaction():
            return self._lease(run_id, keys, now, force)

    def holds_lease(self, run_id: str, key: str) -> bool:
        return self._one("SELECT 1 FROM lease WHERE host_key = ? AND run_id = ?", key, run_id) is not None

    def heartbeat(self, run_id: str, now: float) -> None:
        self._write("UPDATE run SET heartbeat_at = max(heartbeat_at, ?) WHERE run_id = ?", now, run_id)

    def runs(self) -> list[Run]:
        rows = self._db.execute(f"SELECT {RUN_COLUMNS} FROM run ORDER BY opened_at DESC, rowid DESC")
        return [_run(row) for row in rows]

    def run(self, run_id: str) -> Run:
        row = self._one(f"SELECT {RUN_COLUMNS} FROM run WHERE run_id = ?", run_id)
        if row is None:
            raise PatchFleetError(f"The ledger {self._path} knows no run {run_id!r}.", "unknown_run")
        return _run(row)

    def open_breaker(self, run_id: str, reason: str) -> None:
        self._write("UPDATE run SET breaker = coalesce(breaker, ?) WHERE run_id = ?", reason, run_id)

    def close_run(self, run_id: str, now: float) -> None:
        self._write("UPDATE run SET closed_at = coalesce(closed_at, ?) WHERE run_id = ?", now, run_id)

    # Hosts of a run

    def hosts(self, run_id: str) -> list[Host]:
        rows = self._db.execute(f"SELECT {HOST_COLUMNS} FROM host WHERE run_id = ? ORDER BY position", (run_id,))
        return [_host(row) for row in rows]

    def host(self, run_id: str, key: str) -> Host:
        row = self._one(f"SELECT {HOST_COLUMNS} FROM host WHERE run_id = ? AND host_key = ?", run_id, key)
        if row is None:
            raise PatchFleetError(f"Run {run_id} has no host {key}.", "not_recorded")
        return _host(row)

    def learn(self, run_id: str, key: str, facts: dict[str, Any]) -> None:
        self._write(
            "UPDATE host SET facts = json_patch(facts, ?) WHERE run_id = ? AND host_key = ?",
            json.dumps(facts),
            run_id,
            key,
        )

    def conclude(self, run_id: str, key: str, verdict: Verdict, overwrite: bool = False) -> bool:
        changed = self._write(
            "UPDATE host SET outcome = ?, step = ?, reason_code = ?, reason = ? "
            "WHERE run_id = ? AND host_key = ? AND (outcome IS NULL OR ?)",
            *(verdict.outcome, verdict.step, verdict.reason_code, verdict.reason, run_id, key, overwrite),
        )
        return changed == 1

    def outcome_counts(self, run_id: str) -> dict[str, int]:
        rows = self._db.execute(
            "SELECT coalesce(outcome, ''), count(*) FROM host WHERE run_id = ? GROUP BY 1", (run_id,)
        )
        return dict(rows)

    # Steps

    def begin_step(self, run_id: str, key: str, step: str, now: float) -> None:
        self._write("INSERT INTO step (run_id, host_key, step, started_at) VALUES (?, ?, ?, ?)", run_id, key, step, now)

    def end_step(self, run_id: str, key: str, step: str, now: float, ok: bool) -> None:
        self._write(
            "UPDATE step SET finished_at = ?, ok = ? WHERE rowid = (SELECT max(rowid) FROM step "
            "WHERE run_id = ? AND host_key = ? AND step = ?)",
            *(now, ok, run_id, key, step),
        )

    def steps(self, run_id: str) -> list[StepTime]:
        rows = self._db.execute(
            "SELECT host_key, step, started_at, finished_at, ok FROM step WHERE run_id = ? ORDER BY rowid", (run_id,)
        )
        return [
            StepTime(key, step, began, ended, None if ok is None else bool(ok)) for key, step, began, ended, ok in rows
        ]

    # Power

    def record_power(self, record: PowerRecord) -> PowerRecord:
        self._write(
            f"INSERT INTO power_record ({POWER_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?) "
            "ON CONFLICT (host_key) WHERE closed_at IS NULL DO NOTHING",
            *(record.host_key, record.instance_id, record.region, record.name, record.original_state),
            *(record.recorded_at, record.run_id, record.start_requested_at, record.started_by, record.launch_time),
        )
        found = self.power(record.host_key)
        if found is None:
            raise PatchFleetError(f"The record of {record.name} was closed by another run just now.", "leased")
        return found

    def power(self, host_key: str) -> PowerRecord | None:
        row = self._one(f"SELECT {POWER_COLUMNS} FROM power_record WHERE host_key = ? AND closed_at IS NULL", host_key)
        return PowerRecord(*row) if row else None

    def open_power(self) -> list[PowerRecord]:
        rows = self._db.execute(
            f"SELECT {POWER_COLUMNS} FROM power_record WHERE closed_at IS NULL ORDER BY recorded_at"
        )
        return [PowerRecord(*row) for row in rows]

    def note_start(self, host_key: str, run_id: str, requested_at: float) -> None:
        changed = self._write(
            "UPDATE power_record SET start_requested_at = ?, started_by = ?, launch_time = NULL "
            "WHERE host_key = ? AND closed_at IS NULL",
            *(requested_at, run_id, host_key),
        )
        if not changed:
            raise PatchFleetError(
                f"The original power state of {host_key} is not recorded; it is not started.", "not_recorded"
            )

    def note_launch(self, host_key: str, launch_time: float | None) -> None:
        if launch_time is None:
            sql = "UPDATE power_record SET start_requested_at = NULL, started_by = NULL, launch_time = NULL"
            self._write(f"{sql} WHERE host_key = ? AND closed_at IS NULL", host_key)
            return
        self._write(
            "UPDATE power_record SET launch_time = ? WHERE host_key = ? AND closed_at IS NULL", launch_time, host_key
        )

    def close_power(self, host_key: str, how: str, now: float) -> None:
        self._write(
            "UPDATE power_record SET closed_at = ?, closed_how = ? WHERE host_key = ? AND closed_at IS NULL",
            *(now, how, host_key),
        )


def _run(row: tuple[Any, ...]) -> Run:
    run_id, opened_at, operation, snapshot_id, settings, controller, heartbeat_at, closed_at, breaker = row
    return Run(
        *(run_id, opened_at, operation, snapshot_id, json.loads(settings), json.loads(controller)),
        *(heartbeat_at, closed_at, breaker),
    )


def _host(row: tuple[Any, ...]) -> Host:
    *columns, facts = row
    return Host(*columns, facts=json.loads(facts))  # type: ignore[misc]  # the columns are those before facts


def _host_row(host: Host) -> tuple[Any, ...]:
    return (
        *(host.run_id, host.key, host.name, host.position, host.kind, host.instance_id, host.region, host.wave),
        *(host.outcome, host.step, host.reason_code, host.reason, json.dumps(host.facts)),
    )
