# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Leases of hosts in an SQLite file, within a transaction of the ledger."""

from __future__ import annotations

import sqlite3

from .._base.errors import LeaseLost
from .records import LEASE_SECONDS


def living_holders(database: sqlite3.Connection, keys: list[str], now: float) -> dict[str, str]:
    """The active run that holds each host, or the run for which a restore puts the host back right now."""
    found = {}
    for key in keys:
        row = database.execute(
            "SELECT run_id FROM lease JOIN run USING (run_id) WHERE host_key = ? "
            "AND (kept_until > ? OR (closed_at IS NULL AND heartbeat_at > ?))",
            (key, now, now - LEASE_SECONDS),
        ).fetchone()
        if row:
            found[key] = row[0]
    return found


def left_open(database: sqlite3.Connection, keys: list[str]) -> dict[str, str]:
    """The last holder of each host whose run was never closed, or left the host's power record open."""
    found = {}
    for key in keys:
        row = database.execute(
            "SELECT lease.run_id FROM lease JOIN run USING (run_id) WHERE host_key = ? AND (run.closed_at IS NULL OR "
            "EXISTS (SELECT 1 FROM power_record WHERE host_key = lease.host_key AND closed_at IS NULL))",
            (key,),
        ).fetchone()
        if row:
            found[key] = row[0]
    return found


def lease_hosts(
    database: sqlite3.Connection, run_id: str, keys: list[str], extended_until: float | None
) -> dict[str, int]:
    """Lease hosts; returns the fencing number of each."""
    fences = {}
    for key in keys:
        database.execute(
            "INSERT INTO lease (host_key, run_id, fence, kept_until) VALUES (?, ?, 1, ?) ON CONFLICT (host_key) DO UPDATE "
            "SET fence = fence + 1, run_id = excluded.run_id, kept_until = excluded.kept_until",
            (key, run_id, extended_until),
        )
        fences[key] = int(database.execute("SELECT fence FROM lease WHERE host_key = ?", (key,)).fetchone()[0])
    return fences


def prove_lease(database: sqlite3.Connection, key: str, fence: int | None) -> None:
    """Raises LeaseLost where the host's lease has another fencing number; None proves nothing."""
    if fence is not None and not holds_lease(database, key, fence):
        raise LeaseLost(key)


def holds_lease(database: sqlite3.Connection, key: str, fence: int) -> bool:
    """Whether the host's lease has this fencing number."""
    row = database.execute("SELECT fence FROM lease WHERE host_key = ?", (key,)).fetchone()
    return row is not None and row[0] == fence
