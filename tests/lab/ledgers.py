# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The power records of a ledger in an SQLite file, read without changing anything."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any


def records_in_file(file: Path) -> list[dict[str, Any]]:
    """instance_id, original_state and closed of each record, oldest first; none where no run was opened."""
    if not file.exists():
        return []
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
        try:
            rows = database.execute(
                "SELECT instance_id, original_state, closed_at IS NOT NULL FROM power_record ORDER BY rowid"
            ).fetchall()
        except sqlite3.DatabaseError:  # no run was opened, or it is no ledger at all
            return []
    return [{"instance_id": row[0], "original_state": row[1], "closed": bool(row[2])} for row in rows]
