# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The SQLite file below the ledger: opened, brought up to date, and written in whole transactions.

Every transaction begins with BEGIN IMMEDIATE; the file is in WAL mode, so that readers never wait for writers. Threads of a process
may share an object: its connection is used by one of them at a time.
"""

from __future__ import annotations

import os
import shlex
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from .._base.commands import in_text, plain_command
from .._base.errors import Failed, InvalidOption
from .._model.reasons import Reason
from .mounts import refuse_without_locks

MIGRATIONS = (
    """
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
CREATE UNIQUE INDEX one_open_record ON power_record (host_key) WHERE closed_at IS NULL
""",
    """
ALTER TABLE lease ADD COLUMN kept_until REAL;
CREATE INDEX lease_of_run ON lease (run_id);
CREATE TABLE way (
    host_key TEXT NOT NULL, run_id TEXT NOT NULL, finished_at REAL NOT NULL, outcome TEXT NOT NULL,
    seconds TEXT NOT NULL, PRIMARY KEY (host_key, run_id))
""",
    "ALTER TABLE power_record ADD COLUMN account TEXT",
    """
CREATE TABLE slot (
    name TEXT NOT NULL, host_key TEXT NOT NULL, run_id TEXT NOT NULL, PRIMARY KEY (name, host_key))
""",
)
"""Number n, from 1, makes a file of version n out of one of the version before."""
SCHEMA_VERSION = len(MIGRATIONS)
APPLICATION_ID = 0x50464C54
"""In the header of each ledger: "PFLT" (sqlite.org, "Database File Format", section 1.3)."""
OUR_TABLES = frozenset({"run", "host", "lease", "power_record"})
SYNCHRONOUS = "FULL"
"""A commit returns when the disk has it, so that it outlasts a power failure (sqlite.org/pragma.html)."""
DAMAGED = frozenset({11, 26})
"""SQLITE_CORRUPT and SQLITE_NOTADB (sqlite.org/rescode.html)."""


class SqliteFile:
    """A file with the ledger's tables, made with its folder when it is not there.

    Raises:
        InvalidOption: it cannot be made, read or written, or is of a newer version.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._before_fork: list[sqlite3.Connection] = []
        self._connect()

    def _connect(self) -> None:
        self._pid = os.getpid()
        self._in_use = threading.RLock()
        try:
            folder = os.path.dirname(self._path) or "."
            os.makedirs(folder, mode=0o700, exist_ok=True)
            refuse_without_locks(self._path, folder)
            self._connection = sqlite3.connect(self._path, timeout=60.0, isolation_level=None, check_same_thread=False)
            self._refuse_foreign()
            self._use_wal()
            self._connection.execute(f"PRAGMA synchronous = {SYNCHRONOUS}")
            self._migrate()
        except (OSError, sqlite3.Error) as error:
            raise InvalidOption(
                "patch_ledger", self._path, f"It must be a file that can be written on this controller ({error})."
            ) from error

    @property
    def _db(self) -> sqlite3.Connection:
        """The connection of this process. One that came through a fork is neither used nor closed ("How To Corrupt An
        SQLite Database File", section 2.6).
        """
        if self._pid != os.getpid():
            self._before_fork.append(self._connection)
            self._connect()
        return self._connection

    def _use_wal(self) -> None:
        """SQLite does not wait for its lock when it turns WAL on. A second process finds it on."""
        for _turn in range(20):
            with suppress(sqlite3.OperationalError):
                self._connection.execute("PRAGMA journal_mode = WAL")
                return
            self._connection.execute("BEGIN EXCLUSIVE")  # waits until others are through
            self._connection.execute("COMMIT")
        raise sqlite3.OperationalError("Other processes keep the file busy.")

    def _version(self) -> int:
        return int(self._connection.execute("PRAGMA user_version").fetchone()[0])

    def _application(self) -> int:
        return int(self._connection.execute("PRAGMA application_id").fetchone()[0])

    def _refuse_foreign(self) -> None:
        """Leave the database of another program as it is. A ledger of an earlier version has our tables and no id yet."""
        application = self._application()
        if application == APPLICATION_ID:
            return
        tables = {row[0] for row in self._connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if application or (tables and not tables >= OUR_TABLES):
            raise InvalidOption(
                "patch_ledger",
                self._path,
                "It is an SQLite file of another program, and no ledger. Name a file of its own for the ledger.",
            )

    def _migrate(self) -> None:
        if self._version() > SCHEMA_VERSION:
            raise InvalidOption(
                "patch_ledger",
                self._path,
                f"It was written by a newer version of this collection (its schema is {self._version()}, this one "
                f"knows {SCHEMA_VERSION}). Update patchfleet.windows on this controller, or name another file.",
            )
        if self._version() == SCHEMA_VERSION and self._application() == APPLICATION_ID:
            return
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            for statement in ";".join(MIGRATIONS[self._version() :]).split(";"):
                self._connection.execute(statement)
            self._connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            self._connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._plainly() as database:
            database.execute("BEGIN IMMEDIATE")
            try:
                yield database
                database.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):  # a full disk has rolled back already
                    database.execute("ROLLBACK")
                raise

    @contextmanager
    def _checkpointed(self) -> Iterator[sqlite3.Connection]:
        """A transaction that is also written from the write-ahead log into the file itself.

        After a kill, or in a copy of the file alone, everything that is only in the log is missing (sqlite.org, "Write-Ahead
        Logging"). What says which hosts are on because of a run must not be.
        """
        with ExitStack() as stack:
            yield stack.enter_context(self._transaction())
        with suppress(sqlite3.Error), self._in_use:  # the log has it: a later checkpoint copies it
            self._db.execute("PRAGMA wal_checkpoint(FULL)").fetchall()

    @contextmanager
    def _plainly(self) -> Iterator[sqlite3.Connection]:
        """The connection, for this thread alone. What fails says what to do."""
        try:
            database = self._db  # first: after a fork it brings a lock that no other thread holds
            with self._in_use:
                yield database
        except (sqlite3.IntegrityError, sqlite3.ProgrammingError):  # a bug of ours: it must not look like a full disk
            raise
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", None) in DAMAGED or "malformed" in str(error):
                rebuilt = os.path.abspath(f"{self._path}.rebuilt")
                rebuild = (
                    f"sqlite3 {shlex.quote(os.path.abspath(self._path))} .recover | sqlite3 {shlex.quote(rebuilt)}"
                )
                raise Failed(
                    f"The ledger {self._path} is damaged ({error}). Copy it with its -wal and -shm files first. Then rebuild it "
                    f"from what can be read: {in_text(rebuild)}. Then run {_restore_command(rebuilt)}. "
                    "Hosts whose record is lost must be checked by hand.",
                    Reason.LEDGER_FAILED,
                ) from error
            raise Failed(
                f"The ledger {self._path} cannot be read or written any more: {error}. What was written before is safe; "
                "fix that (space on the disk, access, the file itself) and run "
                f"{_restore_command(self._path)}.",
                Reason.LEDGER_FAILED,
            ) from error

    def _damage(self) -> list[str]:
        """A sentence where SQLite finds the file damaged: what it lost, no one knows."""
        problems = [str(row[0]) for row in self._rows("PRAGMA quick_check(1)")]
        if problems == ["ok"]:
            return []
        sentence = f"The ledger {self._path} is damaged ({problems[0]}). Copy it with its -wal and -shm files before you repair it."
        return [f"{sentence} Hosts whose record is lost may be on because of a run."]

    def _rows(self, sql: str, *values: Any) -> list[Any]:
        with self._plainly() as database:
            return database.execute(sql, values).fetchall()

    def _one(self, sql: str, *values: Any) -> Any:
        rows = self._rows(sql, *values)
        return rows[0] if rows else None

    def _write(self, sql: str, *values: Any) -> int:
        with self._transaction() as database:
            return database.execute(sql, values).rowcount


def _restore_command(path: str) -> str:
    return in_text(plain_command("restore", {"patch_ledger": os.path.abspath(path)}))
