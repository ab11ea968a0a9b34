# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Power records in DynamoDB: an item of the host while the record is open, one by which it is found, and one once it is closed."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from .._base.errors import LeaseLost, NotRecorded
from .._model.run_settings import RunSettings
from . import dynamodb_items as items
from . import stored
from .dynamodb_changes import Condition, absent, delete, exists, holds, put, update
from .dynamodb_slots import Slots
from .dynamodb_table import ConditionFailedError, Item, Key
from .records import PowerRecord


class PowerRecords(Slots):
    """The part of the ledger that keeps the power state in which a host was found."""

    def record_power(self, record: PowerRecord, fence: int | None = None) -> PowerRecord:
        home = f"{self._account}#{record.region}"
        self._homes[record.host_key] = home
        key, pointer = items.host_key(home, record.host_key), items.open_key(home, record.host_key)
        row = items.row_key(record.run_id, record.host_key)
        power = {name: value for name, value in asdict(record).items() if value is not None}
        of_record = [
            update(key, {("power",): power, ("host_key",): record.host_key}, [absent("power"), *holds(fence)]),
            # found_stopped reads no more than this
            put(pointer, {"host_key": record.host_key, "home": home, "found": record.original_state}),
        ]
        changes = [*of_record, update(row, {("expires_at",): None}, [exists("pk")])]

        def attempt() -> PowerRecord | None:
            try:
                self._table.transact(changes)
            except ConditionFailedError as error:
                if error.failed == {len(of_record)}:  # the run has lost the host's row
                    changes.pop()
                    return None
                known = items.power_of(self._fenced_item(key, record.host_key, fence))
                if known:
                    self._remove_expiry(row)
                return known  # None: it was closed in this moment
            return record

        return self._table.repeat(attempt, f"the power record of {record.host_key}")

    def power(self, host_key: str) -> PowerRecord | None:
        home = self._home(host_key)
        return items.power_of(self._table.get(items.host_key(home, host_key))) if home else None

    def open_power(self) -> list[PowerRecord]:
        return sorted(self._open_records()[0], key=lambda record: record.recorded_at)

    def found_stopped(self) -> set[str]:
        pointers = [pointer for pointer in self._table.query(f"OPEN#{self._account}") if "host_key" in pointer]
        stopped = {pointer["host_key"] for pointer in pointers if pointer.get("found") == "stopped"}
        if all("found" in pointer for pointer in pointers):
            return stopped
        return stopped | {record.host_key for record in self.open_power() if record.original_state == "stopped"}

    def unreadable_power(self) -> list[str]:
        return self._open_records()[1]

    def _open_records(self) -> tuple[list[PowerRecord], list[str]]:
        """The open records of the account, and a sentence for each that cannot be read."""
        records, unreadable, keys = list[PowerRecord](), list[str](), dict[str, Key]()
        for pointer in self._table.query(f"OPEN#{self._account}"):
            if "host_key" in pointer and "home" in pointer:
                self._homes[pointer["host_key"]] = pointer["home"]
                keys[pointer["host_key"]] = items.host_key(pointer["home"], pointer["host_key"])
            else:
                unreadable.append(
                    f"The item {pointer['sk']} among the open power records names no host. {stored.MAY_BE_ON}"
                )
        found = self._table.get_many(keys.values())
        for key, item_key in keys.items():
            record = items.power_of(found.get(item_key))
            if record and stored.is_readable(record):
                records.append(record)
            else:
                unreadable.append(f"The power record of {key} is missing or damaged. {stored.MAY_BE_ON}")
        return records, unreadable

    def note_start(self, host_key: str, run_id: str, requested_at: float, fence: int | None = None) -> None:
        start = {"start_requested_at": requested_at, "started_by": run_id, "launch_time": None}
        if not self._change_power(host_key, start, fence):
            raise NotRecorded(f"The original power state of {host_key} is not recorded; it is not started.")

    def note_launch(self, host_key: str, launch_time: float | None, fence: int | None = None) -> None:
        refused = {"start_requested_at": None, "started_by": None, "launch_time": None}
        self._change_power(host_key, refused if launch_time is None else {"launch_time": launch_time}, fence)

    def _change_power(self, host_key: str, facts: dict[str, Any], fence: int | None) -> bool:
        home = self._home(host_key)
        if home is None:
            if fence is not None:
                raise LeaseLost(host_key)
            return False
        key = items.host_key(home, host_key)
        values = {("power", name): value for name, value in facts.items()}
        if self._change_if(update(key, values, [exists("power"), *holds(fence)])):
            return True
        self._fenced_item(key, host_key, fence)
        return False

    def close_power(
        self, host_key: str, how: str, now: float, fence: int | None = None, known: PowerRecord | None = None
    ) -> None:
        home = self._home(host_key)
        if home is None:
            return
        key = items.host_key(home, host_key)
        item = self._try_close_known(home, known, how, now, fence) if known and fence is not None else None
        if item is None:
            item = self._fenced_item(key, host_key, fence)
            if item is None or not item.get("power"):
                return
            try:
                self._table.transact(_closing(home, item["power"], how, now, [exists("power"), *holds(fence)]))
            except ConditionFailedError:
                self._fenced_item(key, host_key, fence)  # else it was closed in this moment
        for run_id in items.runs_of_record(item):
            run = self._table.get(items.run_key(run_id))
            self._expire(items.row_key(run_id, host_key), run, now)
            if run and run.get("closed_at") and not self._keep_open_hosts(run_id):
                self._expire(items.run_key(run_id), run, now)

    def _try_close_known(self, home: str, known: PowerRecord, how: str, now: float, fence: int) -> Item | None:
        """The host's item, where the record is as the caller has read it, and its run holds the host still."""
        power = {name: value for name, value in asdict(known).items() if value is not None}
        unchanged = [("=", ("power",), power), ("=", ("run_id",), known.run_id), *holds(fence)]
        try:
            self._table.transact(_closing(home, power, how, now, unchanged))
        except ConditionFailedError:
            return None
        return {"power": power, "run_id": known.run_id}

    # Expiry: what restore needs for an open record stays as long as the record, however old its run is

    def _keep_open_hosts(self, run_id: str) -> bool:
        """Keep the rows of hosts whose open record the run opened, used or took over; whether there is one."""
        pointers = [pointer for pointer in self._table.query(f"OPEN#{self._account}") if "home" in pointer]
        found = self._table.get_many(items.host_key(pointer["home"], pointer["host_key"]) for pointer in pointers)
        kept = [item["host_key"] for item in found.values() if run_id in items.runs_of_record(item)]
        for key in kept:
            self._remove_expiry(items.row_key(run_id, key))
        return bool(kept)

    def _remove_expiry(self, item_key: Key) -> None:
        self._change_if(update(item_key, {("expires_at",): None}, [exists("pk")]))

    def _expire(self, item_key: Key, run: Item | None, now: float) -> None:
        """Of an item of this run; of a run whose own item is missing, after the usual time."""
        settings = items.run_of(run).settings if run else RunSettings()
        expiring = {("expires_at",): items.expiry(settings, now)}
        self._change_if(update(item_key, {}, [exists("pk")], first=expiring))


def _closing(home: str, power: Item, how: str, now: float, conditions: list[Condition]) -> list[dict[str, Any]]:
    """The changes that close a power record."""
    closed = {**power, "closed_at": now, "closed_how": how, "expires_at": items.expiry({}, now)}
    return [
        update(items.host_key(home, power["host_key"]), {("power",): None}, conditions),
        delete(items.open_key(home, power["host_key"])),
        put(items.closed_key(home, power), closed),
    ]
