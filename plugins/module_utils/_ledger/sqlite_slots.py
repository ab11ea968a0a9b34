# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Slots of hosts among their peers, in an SQLite file: counted and taken in one transaction."""

from __future__ import annotations

from collections.abc import Mapping

from .records import Slot
from .sqlite_file import SqliteFile


class SqliteSlots(SqliteFile):
    """The part of the ledger that limits how many peers are at work at the same time."""

    def take_slots(self, run_id: str, host_key: str, limits: Mapping[str, int]) -> list[Slot]:
        with self._transaction() as database:
            blocking = list[Slot]()
            for name, limit in limits.items():
                rows = database.execute(
                    "SELECT name, host_key, run_id FROM slot WHERE name = ? AND host_key != ?", (name, host_key)
                )
                holders = [Slot(*row) for row in rows]
                if len(holders) >= limit:
                    blocking += holders
            if not blocking:
                database.executemany(
                    "INSERT OR REPLACE INTO slot (name, host_key, run_id) VALUES (?,?,?)",
                    [(name, host_key, run_id) for name in limits],
                )
            return blocking

    def free_slots(self, run_id: str, host_key: str) -> None:
        self._write("DELETE FROM slot WHERE host_key = ? AND run_id = ?", host_key, run_id)

    def slots(self) -> list[Slot]:
        return [Slot(*row) for row in self._rows("SELECT name, host_key, run_id FROM slot ORDER BY name, host_key")]
