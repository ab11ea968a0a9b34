# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Power records in an SQLite file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from .._base.errors import NotRecorded
from .records import PowerRecord
from .sqlite_leases import prove_lease
from .sqlite_slots import SqliteSlots
from .stored import MAY_BE_ON, is_readable, json_object

POWER_COLUMNS = (
    "host_key, instance_id, region, name, original_state, recorded_at, run_id, "
    "start_requested_at, started_by, launch_time, account"
)
OPEN = "WHERE host_key = ? AND closed_at IS NULL"


class SqlitePowerRecords(SqliteSlots):
    """The part of the ledger that keeps the power state in which a host was found."""

    def record_power(self, record: PowerRecord, fence: int | None = None) -> PowerRecord:
        with self._checkpointed() as database:
            prove_lease(database, record.host_key, fence)
            database.execute(
                f"INSERT INTO power_record ({POWER_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?,?) "
                "ON CONFLICT (host_key) WHERE closed_at IS NULL DO NOTHING",
                (
                    record.host_key,
                    record.instance_id,
                    record.region,
                    record.name,
                    record.original_state,
                    record.recorded_at,
                    record.run_id,
                    record.start_requested_at,
                    record.started_by,
                    record.launch_time,
                    json.dumps(record.account, allow_nan=False) if record.account else None,
                ),
            )
            row = database.execute(f"SELECT {POWER_COLUMNS} FROM power_record {OPEN}", (record.host_key,)).fetchone()
            return _power_from(row)

    def power(self, host_key: str) -> PowerRecord | None:
        row = self._one(f"SELECT {POWER_COLUMNS} FROM power_record {OPEN}", host_key)
        return _power_from(row) if row else None

    def open_power(self) -> list[PowerRecord]:
        return [record for record in self._open_records() if is_readable(record)]

    def found_stopped(self) -> set[str]:
        sql = "SELECT host_key FROM power_record WHERE closed_at IS NULL AND original_state = 'stopped'"
        return {row[0] for row in self._rows(sql)}

    def unreadable_power(self) -> list[str]:
        return self._damage() + [
            f"The power record of {record.host_key} ({record.name}) is damaged. {MAY_BE_ON}"
            for record in self._open_records()
            if not is_readable(record)
        ]

    def _open_records(self) -> list[PowerRecord]:
        rows = self._rows(f"SELECT {POWER_COLUMNS} FROM power_record WHERE closed_at IS NULL ORDER BY recorded_at")
        return [_power_from(row) for row in rows]

    def note_start(self, host_key: str, run_id: str, requested_at: float, fence: int | None = None) -> None:
        changes = "start_requested_at = ?, started_by = ?, launch_time = NULL"
        if not self._change_power(host_key, fence, changes, requested_at, run_id):
            raise NotRecorded(f"The original power state of {host_key} is not recorded; it is not started.")

    def note_launch(self, host_key: str, launch_time: float | None, fence: int | None = None) -> None:
        if launch_time is None:
            refused = "start_requested_at = NULL, started_by = NULL, launch_time = NULL"
            self._change_power(host_key, fence, refused)
        else:
            self._change_power(host_key, fence, "launch_time = ?", launch_time)

    def close_power(
        self, host_key: str, how: str, now: float, fence: int | None = None, known: PowerRecord | None = None
    ) -> None:
        self._change_power(host_key, fence, "closed_at = ?, closed_how = ?", now, how)

    def _change_power(self, host_key: str, fence: int | None, changes: str, *values: Any) -> bool:
        with self._checkpointed() as database:
            prove_lease(database, host_key, fence)
            return database.execute(f"UPDATE power_record SET {changes} {OPEN}", (*values, host_key)).rowcount == 1


def _power_from(row: Sequence[Any]) -> PowerRecord:
    record, account = PowerRecord(*row[:-1]), row[-1]
    return record if account is None else replace(record, account=json_object(account))
