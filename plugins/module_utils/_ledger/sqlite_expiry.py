# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How an SQLite file stays bounded: what is old goes, within a transaction of the ledger."""

from __future__ import annotations

import sqlite3

OLD_RUNS = """
SELECT run_id FROM run WHERE closed_at < :before AND opened_at < :before
AND NOT EXISTS (SELECT 1 FROM host JOIN power_record USING (host_key)
    WHERE host.run_id = run.run_id AND power_record.closed_at IS NULL)
AND run_id NOT IN (SELECT run_id FROM power_record WHERE closed_at IS NULL)
AND run_id NOT IN (SELECT started_by FROM power_record WHERE closed_at IS NULL AND started_by IS NOT NULL)
AND run_id NOT IN (SELECT run_id FROM lease WHERE kept_until IS NOT NULL)
"""
"""Runs of none of whose hosts a power record is open: a restore of such a host reads the rows of all runs that had it."""

DELETIONS = (
    "DELETE FROM step WHERE run_id = ?",
    "DELETE FROM host WHERE run_id = ?",
    "DELETE FROM run WHERE run_id = ?",
)


def delete_old(database: sqlite3.Connection, before: float) -> int:
    """Delete the runs that were closed before then, with their rows, and closed power records and durations as old as that.

    A lease stays, because its fencing number must never start again from 1.
    """
    run_ids = [row[0] for row in database.execute(OLD_RUNS, {"before": before})]
    for statement in DELETIONS:
        database.executemany(statement, [(run_id,) for run_id in run_ids])
    database.execute("DELETE FROM power_record WHERE closed_at < ?", (before,))
    database.execute("DELETE FROM way WHERE finished_at < ?", (before,))
    return len(run_ids)
