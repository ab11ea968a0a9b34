# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ledger in an SQLite file: for one controller, safe between its processes."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from typing import Any

from .._base.errors import NotRecorded, UnknownRun
from .._model.host_facts import HostFacts
from .._model.outcomes import FAILURES, Outcome
from .._model.phases import Phase
from .._model.run_settings import Brake, RunSettings
from .mounts import refuse_shared
from .records import (
    DURATIONS_KEPT,
    LEASE_SECONDS,
    Host,
    HostDurations,
    Leased,
    PhaseStart,
    PhaseTime,
    Run,
    Verdict,
)
from .sqlite_expiry import delete_old
from .sqlite_file import SCHEMA_VERSION
from .sqlite_leases import holds_lease, lease_hosts, left_open, living_holders, prove_lease
from .sqlite_power import SqlitePowerRecords
from .stored import (
    HOST_FIELDS,
    durations_values,
    has_brake,
    host_from,
    host_values,
    json_object,
    outcome_counts,
    readable_durations,
    readable_phases,
    verdict_values,
    with_brake,
    with_wave,
)

FENCE = "SELECT fence FROM lease WHERE host_key = ? AND run_id = ?"
"""The fencing number under which a run holds a host."""
RUN_COLUMNS = "run_id, opened_at, operation, snapshot_id, settings, controller, heartbeat_at, closed_at, breaker"
HOST_COLUMNS = ", ".join("host_key" if field == "key" else field for field in HOST_FIELDS) + ", facts"
DURATIONS_COLUMNS = ("host_key", "run_id", "finished_at", "outcome")


class SqliteLedger(SqlitePowerRecords):
    """A Ledger (see records.Ledger) in one file."""

    def check(self) -> list[str]:
        refuse_shared(self._path)
        self._one("SELECT count(*) FROM run")
        return self._damage()

    def schema_version(self) -> str:
        return f"{SCHEMA_VERSION}.0.0"

    # Runs and leases

    def open_run(self, run: Run, hosts: list[Host], take_over: bool) -> Leased:
        with self._checkpointed() as database:
            database.execute(
                f"INSERT INTO run ({RUN_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?)",
                (
                    run.run_id,
                    run.opened_at,
                    run.operation,
                    run.snapshot_id,
                    json.dumps(run.settings, allow_nan=False),
                    json.dumps(run.controller, allow_nan=False),
                    run.heartbeat_at,
                    run.closed_at,
                    run.breaker,
                ),
            )
            open_keys = [host.key for host in hosts if host.outcome is None]
            kept = living_holders(database, open_keys, run.opened_at) if not take_over else {}
            leased = [key for key in open_keys if key not in kept]
            adopted = left_open(database, leased)
            database.executemany(
                f"INSERT INTO host ({HOST_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",
                [_host_row(host, adopted.get(host.key)) for host in hosts],
            )
            return Leased(lease_hosts(database, run.run_id, leased, None), kept)

    def take_over(self, run_id: str, keys: list[str], now: float, force: bool) -> Leased:
        with self._transaction() as database:
            kept = living_holders(database, keys, now) if not force else {}
            free = [key for key in keys if key not in kept]
            return Leased(lease_hosts(database, run_id, free, now + LEASE_SECONDS), kept)

    def extend_lease(self, key: str, fence: int, until: float | None) -> None:
        self._write("UPDATE lease SET kept_until = ? WHERE host_key = ? AND fence = ?", until, key, fence)

    def holds_lease(self, run_id: str, key: str) -> bool:
        return self.fence(run_id, key) is not None

    def holder(self, key: str) -> str | None:
        row = self._one("SELECT run_id FROM lease WHERE host_key = ?", key)
        return row[0] if row else None

    def fence(self, run_id: str, key: str) -> int | None:
        row = self._one(FENCE, key, run_id)
        return row[0] if row else None

    def fences(self, run_id: str) -> dict[str, int]:
        return dict(self._rows("SELECT host_key, fence FROM lease WHERE run_id = ?", run_id))

    def some_fences(self, run_id: str, keys: Iterable[str]) -> dict[str, int]:
        held = self.fences(run_id)
        return {key: held[key] for key in keys if key in held}

    def keep_settings(self, run_id: str, settings: RunSettings) -> None:
        self._write("UPDATE run SET settings = ? WHERE run_id = ?", json.dumps(settings, allow_nan=False), run_id)

    def begin_wave(self, run_id: str, wave: int, now: float) -> float:
        with self._transaction() as database:
            row = database.execute("SELECT settings FROM run WHERE run_id = ?", (run_id,)).fetchone()
            if row is None:
                raise UnknownRun(self._path, run_id)
            settings, began_at = with_wave(json_object(row[0]), wave, now)
            text = json.dumps(settings, allow_nan=False)
            database.execute("UPDATE run SET settings = ? WHERE run_id = ?", (text, run_id))
            return began_at

    def heartbeat(self, run_id: str, now: float) -> None:
        self._write("UPDATE run SET heartbeat_at = max(heartbeat_at, ?) WHERE run_id = ?", now, run_id)

    def runs(self) -> list[Run]:
        return [_run(row) for row in self._rows(f"SELECT {RUN_COLUMNS} FROM run ORDER BY opened_at DESC, rowid DESC")]

    def run(self, run_id: str) -> Run:
        row = self._one(f"SELECT {RUN_COLUMNS} FROM run WHERE run_id = ?", run_id)
        if row is None:
            raise UnknownRun(self._path, run_id)
        return _run(row)

    def change_breaker(
        self, run_id: str, before: str | None, after: str | None, brake: Brake, once: bool = False
    ) -> bool:
        with self._transaction() as database:
            row = database.execute("SELECT settings, breaker FROM run WHERE run_id = ?", (run_id,)).fetchone()
            if row is None:
                raise UnknownRun(self._path, run_id)
            settings = json_object(row[0])
            if row[1] != before or (once and has_brake(settings, brake)):
                return False
            text = json.dumps(with_brake(settings, brake), allow_nan=False)
            database.execute("UPDATE run SET breaker = ?, settings = ? WHERE run_id = ?", (after, text, run_id))
            return True

    def close_run(self, run_id: str, now: float) -> None:
        self._write("UPDATE run SET closed_at = coalesce(closed_at, ?) WHERE run_id = ?", now, run_id)

    def delete_old_runs(self, before: float) -> int:
        with self._transaction() as database:
            return delete_old(database, before)

    # Hosts of a run

    def hosts(self, run_id: str) -> list[Host]:
        rows = self._rows(f"SELECT {HOST_COLUMNS} FROM host WHERE run_id = ? ORDER BY position", run_id)
        return [_host(row) for row in rows]

    def some_hosts(self, run_id: str, keys: Iterable[str]) -> list[Host]:
        sql = f"SELECT {HOST_COLUMNS} FROM host WHERE run_id = ? AND host_key = ?"
        found = [_host(row) for key in dict.fromkeys(keys) for row in self._rows(sql, run_id, key)]
        return sorted(found, key=lambda host: host.position)

    def failed_hosts(self, run_id: str) -> list[Host]:
        marks = ", ".join("?" * len(FAILURES))
        sql = f"SELECT {HOST_COLUMNS} FROM host WHERE run_id = ? AND outcome IN ({marks}) ORDER BY position"
        return [_host(row) for row in self._rows(sql, run_id, *map(str, FAILURES))]

    def host(self, run_id: str, key: str) -> Host:
        row = self._one(f"SELECT {HOST_COLUMNS} FROM host WHERE run_id = ? AND host_key = ?", run_id, key)
        if row is None:
            raise NotRecorded(f"Run {run_id} has no host {key}.")
        return _host(row)

    def host_and_phases(self, run_id: str, key: str) -> tuple[Host, list[PhaseTime]]:
        return self.host(run_id, key), self.phases(run_id, key)

    def update_facts(self, run_id: str, key: str, facts: HostFacts, fence: int | None = None) -> None:
        with self._transaction() as database:
            prove_lease(database, key, fence)
            _add_facts(database, run_id, key, facts)

    def set_outcome(
        self, run_id: str, key: str, verdict: Verdict, overwrite: bool = False, has_none: bool = False
    ) -> bool:
        changed = self._write(
            "UPDATE host SET outcome = ?, step = ?, reason_code = ?, reason = ? "
            "WHERE run_id = ? AND host_key = ? AND (outcome IS NULL OR ?)",
            *verdict_values(verdict).values(),
            run_id,
            key,
            overwrite,
        )
        return changed == 1

    def outcome_counts(self, run_id: str) -> dict[Outcome | None, int]:
        return outcome_counts(self._rows("SELECT outcome, count(*) FROM host WHERE run_id = ? GROUP BY 1", run_id))

    def run_and_counts(self, run_id: str) -> tuple[Run, dict[Outcome | None, int]]:
        counts = self.outcome_counts(run_id)
        return self.run(run_id), counts

    # Phases

    def begin_phase(
        self, run_id: str, key: str, phase: Phase, now: float, fence: int | None = None
    ) -> PhaseStart | None:
        with self._transaction() as database:
            prove_lease(database, key, fence)
            database.execute(
                "INSERT INTO step (run_id, host_key, step, started_at) VALUES (?, ?, ?, ?)", (run_id, key, phase, now)
            )
            row = database.execute(
                f"SELECT {HOST_COLUMNS} FROM host WHERE run_id = ? AND host_key = ?", (run_id, key)
            ).fetchone()
            held = database.execute(FENCE, (key, run_id)).fetchone()
            return PhaseStart(_host(row), held[0] if held else None) if row else None

    def end_phase(
        self,
        run_id: str,
        key: str,
        phase: Phase,
        now: float,
        ok: bool,
        facts: HostFacts | None = None,
        fence: int | None = None,
    ) -> bool:
        with self._transaction() as database:
            holds = fence is None or holds_lease(database, key, fence)
            if facts and holds:
                _add_facts(database, run_id, key, facts)
            database.execute(
                "UPDATE step SET finished_at = ?, ok = ? WHERE rowid = (SELECT max(rowid) FROM step "
                "WHERE run_id = ? AND host_key = ? AND step = ?)",
                (now, ok, run_id, key, phase),
            )
            return holds

    def phases(self, run_id: str, key: str | None = None) -> list[PhaseTime]:
        rows = self._rows(
            "SELECT host_key, step, started_at, finished_at, ok FROM step "
            "WHERE run_id = ? AND host_key = coalesce(?, host_key) ORDER BY rowid",
            run_id,
            key,
        )
        names = ("step", "started_at", "finished_at", "ok")
        return readable_phases((key, dict(zip(names, values, strict=True))) for key, *values in rows)

    # History

    def save_durations(self, durations: HostDurations) -> None:
        values = durations_values(durations)
        with self._transaction() as database:
            database.execute(
                "INSERT OR REPLACE INTO way (host_key, run_id, finished_at, outcome, seconds) VALUES (?,?,?,?,?)",
                (*(values[name] for name in DURATIONS_COLUMNS), json.dumps(values["seconds"], allow_nan=False)),
            )
            database.execute(
                "DELETE FROM way WHERE host_key = ? AND run_id NOT IN "
                "(SELECT run_id FROM way WHERE host_key = ? ORDER BY finished_at DESC LIMIT ?)",
                (durations.host_key, durations.host_key, DURATIONS_KEPT),
            )

    def history(self, host_key: str) -> list[HostDurations]:
        rows = self._rows(
            "SELECT host_key, run_id, finished_at, outcome, seconds FROM way WHERE host_key = ? "
            "ORDER BY finished_at DESC",
            host_key,
        )
        return readable_durations(
            {**dict(zip(DURATIONS_COLUMNS, values, strict=True)), "seconds": json_object(text)}
            for *values, text in rows
        )

    def histories(self, host_keys: Iterable[str]) -> dict[str, list[HostDurations]]:
        found = {key: self.history(key) for key in host_keys}
        return {key: durations for key, durations in found.items() if durations}


def _run(row: tuple[Any, ...]) -> Run:
    run_id, opened_at, operation, snapshot_id, settings, controller, heartbeat_at, closed_at, breaker = row
    return Run(
        run_id,
        opened_at,
        operation,
        snapshot_id,
        json_object(settings),
        json_object(controller),
        heartbeat_at,
        closed_at,
        breaker,
    )


def _host(row: tuple[Any, ...]) -> Host:
    *columns, facts = row
    return host_from(dict(zip(HOST_FIELDS, columns, strict=True)), lambda: json.loads(facts))


def _facts_or_text(text: str) -> dict[str, Any]:
    """The facts of a host; the text of damaged ones, so that nothing of it is lost when others are added."""
    return json_object(text) or ({} if text == "{}" else {"damaged_facts": text})


def _host_row(host: Host, adopted_from: str | None) -> tuple[Any, ...]:
    facts: HostFacts = {**host.facts, "adopted_from": adopted_from} if adopted_from else host.facts
    return (*host_values(host).values(), json.dumps(facts, allow_nan=False))


def _add_facts(database: sqlite3.Connection, run_id: str, key: str, facts: HostFacts) -> None:
    for row in database.execute("SELECT facts FROM host WHERE run_id = ? AND host_key = ?", (run_id, key)):
        known = {**_facts_or_text(row[0]), **facts}
        text = json.dumps({name: value for name, value in known.items() if value is not None}, allow_nan=False)
        database.execute("UPDATE host SET facts = ? WHERE run_id = ? AND host_key = ?", (text, run_id, key))
