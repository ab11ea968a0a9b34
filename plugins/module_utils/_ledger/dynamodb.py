# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ledger in a DynamoDB table: for several controllers, and for jobs whose disk is thrown away.

Every write is conditional. Where a host changes hands, its lease, its row of the new run and its row of the last one change in
one transaction, so the rows can be fenced by themselves: a write about a host is one conditional update of one item.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from dataclasses import asdict
from functools import partial
from typing import Any

from .._aws.errors import AwsError
from .._base.errors import InvalidOption, LeaseLost, NotRecorded
from .._model.host_facts import HostFacts
from .._model.outcomes import FAILURES, Outcome
from .._model.phases import Phase
from .._model.run_settings import Brake, RunSettings
from . import dynamodb_items as items
from . import stored
from .dynamodb_changes import Condition, Values, absent, delete, exists, holds, put, update
from .dynamodb_slots import Slots
from .dynamodb_table import ConditionFailedError, Item, Key
from .records import DURATIONS_KEPT, Host, HostDurations, PhaseTime, PowerRecord, Run, Verdict

RECORD_CHANGES = 2
"""The items of an open power record: that of the host, and the one by which it is found."""
ONE_REGION = (
    "The table of patch_ledger is a global table. Each of its regions grants leases by itself, so two runs could hold one host. "
    "Name the same region on every controller: dynamodb://TABLE?region=REGION."
)


class DynamoDbLedger(Slots):
    """A Ledger (see records.Ledger) in one table, which many accounts and regions may share."""

    def check(self) -> list[str]:
        description = self._table.describe()
        replicas = description.get("Replicas")
        schema = self._table.get(items.SCHEMA_KEY)
        if schema and schema["version"] > items.SCHEMA_VERSION:
            raise InvalidOption(
                "patch_ledger",
                self._table.where.url,
                f"It was written by a newer version of this collection (its schema is {schema['version']}, this one "
                f"knows {items.SCHEMA_VERSION}). Update patchfleet.windows on this controller, or name another table.",
            )
        try:
            missing = self._table.missing_items(description)
        except AwsError:  # good to know, and no more: who may use a table may not look at all of it
            missing = []
        return [
            *([f"The table of patch_ledger lacks {' and '.join(missing)}; see docs/ledger.md."] if missing else []),
            *([ONE_REGION] if replicas else []),
        ]

    def schema_version(self) -> str:
        return f"{items.SCHEMA_VERSION}.0.0"

    # Runs

    def keep_settings(self, run_id: str, settings: RunSettings) -> None:
        text = json.dumps(settings, allow_nan=False)
        self._change_if(update(items.run_key(run_id), {("settings",): text}, [exists("pk")]))

    def begin_wave(self, run_id: str, wave: int, now: float) -> float:
        def attempt() -> float | None:
            item = self._run_item(run_id)
            before = stored.json_object(item["settings"])
            settings, began_at = stored.with_wave(before, wave, now)
            if settings == before:
                return began_at
            text, unchanged = json.dumps(settings, allow_nan=False), ("=", ("settings",), item["settings"])
            written = self._change_if(update(items.run_key(run_id), {("settings",): text}, [unchanged]))
            return began_at if written else None  # None: another host of the wave was faster

        return self._table.repeat(attempt, f"the start of wave {wave} of run {run_id}")

    def heartbeat(self, run_id: str, now: float) -> None:
        later = [exists("pk"), ("<", ("heartbeat_at",), now)]
        self._change_if(update(items.run_key(run_id), {("heartbeat_at",): now}, later))

    def runs(self) -> list[Run]:
        listed = [item["run_id"] for item in self._table.query(f"RUNS#{self._account}")]
        found = self._table.get_many(items.run_key(run_id) for run_id in listed)
        known = (found.get(items.run_key(run_id)) for run_id in reversed(listed))
        return [items.run_of(item) for item in known if item]

    def change_breaker(self, run_id: str, before: str | None, after: str | None, brake: Brake) -> bool:
        def attempt() -> bool | None:
            item = self._run_item(run_id)
            settings = stored.json_object(item["settings"])
            if brake in settings.get("brakes", []):  # the answer to an earlier attempt was lost
                return True
            if item.get("breaker") != before:
                return False
            values = {
                ("settings",): json.dumps(stored.with_brake(settings, brake), allow_nan=False),
                ("breaker",): after,
            }
            as_before = absent("breaker") if before is None else ("=", ("breaker",), before)
            unchanged = [as_before, ("=", ("settings",), item["settings"])]
            return self._change_if(update(items.run_key(run_id), values, unchanged)) or None

        return self._table.repeat(attempt, f"the breaker of run {run_id}")

    def close_run(self, run_id: str, now: float) -> None:
        self._change_if(update(items.run_key(run_id), {}, [exists("pk")], first={("closed_at",): now}))
        run = self._table.get(items.run_key(run_id))
        if run and not self._keep_open_hosts(run_id):
            self._expire(items.run_key(run_id), run, now)

    def delete_old_runs(self, before: float) -> int:
        return 0  # by its time to live

    # Hosts of a run

    def hosts(self, run_id: str) -> list[Host]:
        rows = [items.host_of(row) for row in self._rows(run_id)]
        return sorted(rows, key=lambda host: host.position)

    def some_hosts(self, run_id: str, keys: Iterable[str]) -> list[Host]:
        found = self._table.get_many(items.row_key(run_id, key) for key in keys)
        return sorted(map(items.host_of, found.values()), key=lambda host: host.position)

    def failed_hosts(self, run_id: str) -> list[Host]:
        run = self._table.get(items.run_key(run_id)) or {}
        keys = items.failed_keys(run)
        # A run that an earlier version opened, or whose item is missing, names none or only some of them.
        counted = sum(items.counts_of(run).get(outcome, 0) for outcome in FAILURES)
        found = self.some_hosts(run_id, keys) if run and counted == len(keys) else self.hosts(run_id)
        return [host for host in found if host.outcome in FAILURES]

    def host(self, run_id: str, key: str) -> Host:
        return self.host_and_phases(run_id, key)[0]

    def host_and_phases(self, run_id: str, key: str) -> tuple[Host, list[PhaseTime]]:
        row = self._row(run_id, key)
        if row is None:
            raise NotRecorded(f"Run {run_id} has no host {key}.")
        return items.host_of(row), items.phases_of(row)

    def update_facts(self, run_id: str, key: str, facts: HostFacts, fence: int | None = None) -> None:
        if facts:
            self._change_row(run_id, key, items.facts_values(facts), fence)

    def set_outcome(
        self, run_id: str, key: str, verdict: Verdict, overwrite: bool = False, has_none: bool = False
    ) -> bool:
        mark = uuid.uuid4().hex
        if has_none and self._outcome_after(None, run_id, key, verdict, mark):
            return True
        return self._table.repeat(
            partial(self._try_outcome, run_id, key, verdict, overwrite, mark), f"the outcome of {key}"
        )

    def _try_outcome(self, run_id: str, key: str, verdict: Verdict, overwrite: bool, mark: str) -> bool | None:
        """None: another process gave it an outcome in this moment. ``mark`` stays in the row, so that the writer finds its own."""
        row = self._row(run_id, key)
        if row and row.get("outcome_by") == mark:
            return True
        if row is None or (row.get("outcome") and not overwrite):
            return False
        return self._outcome_after(row.get("outcome"), run_id, key, verdict, mark)

    def _outcome_after(self, before: str | None, run_id: str, key: str, verdict: Verdict, mark: str) -> bool | None:
        """Replace this outcome; None where the host has another one."""
        values = {**items.verdict_values(verdict), ("outcome_by",): mark}
        unchanged = ("=", ("outcome",), before) if before else absent("outcome")
        counts: dict[str, int | set[str]] = {
            f"{items.COUNT}{before or ''}": -1,
            f"{items.COUNT}{verdict.outcome or ''}": 1,
        }
        failed_before, failed = before in FAILURES, verdict.outcome in FAILURES
        if failed:
            counts[items.FAILED_KEYS] = {key}
        taken = {items.FAILED_KEYS: {key}} if failed_before and not failed else None
        changes = [update(items.row_key(run_id, key), values, [exists("pk"), unchanged])]
        if before != verdict.outcome:
            changes.append(update(items.run_key(run_id), {}, [exists("pk")], add=counts, take=taken))
        try:
            self._table.transact(changes)
        except ConditionFailedError as error:
            if error.failed == {1}:  # the item of the run is gone: the outcome stands without a count
                return self._outcome_alone(changes[0])
            return None
        return True

    def _outcome_alone(self, change: dict[str, Any]) -> bool | None:
        return True if self._change_if(change) else None

    def outcome_counts(self, run_id: str) -> dict[Outcome | None, int]:
        item = self._table.get(items.run_key(run_id))
        return items.counts_of(item) if item else {}

    def run_and_counts(self, run_id: str) -> tuple[Run, dict[Outcome | None, int]]:
        item = self._run_item(run_id)
        return items.run_of(item), items.counts_of(item)

    # Phases

    def begin_phase(self, run_id: str, key: str, phase: Phase, now: float, fence: int | None = None) -> Host | None:
        name = items.phase_name(phase, now)
        row = self._change_row(run_id, key, {("steps", name): {"step": phase, "started_at": now}}, fence)
        self._phase_names[(run_id, key, phase)] = name
        return items.host_of(row) if row else None

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
        name = self._phase_names.get((run_id, key, phase)) or self._last_beginning(run_id, key, phase)
        ended: Values = {("steps", name, "finished_at"): now, ("steps", name, "ok"): ok} if name else {}
        added: Values = items.facts_values(facts or HostFacts())
        try:
            if added:
                self._change_row(run_id, key, {**added, **ended}, fence)
        except LeaseLost:
            added = {}
        if ended and not added:
            self._change_row(run_id, key, ended, None)
        return bool(added) or not facts

    def _last_beginning(self, run_id: str, key: str, phase: Phase) -> str | None:
        row = self._row(run_id, key)
        started_at = (
            {name: time["started_at"] for name, time in row["steps"].items() if time["step"] == phase} if row else {}
        )
        return max(started_at, key=lambda name: started_at[name], default=None)

    def phases(self, run_id: str, key: str | None = None) -> list[PhaseTime]:
        rows = self._rows(run_id) if key is None else filter(None, [self._row(run_id, key)])
        found = [phase for row in rows for phase in items.phases_of(row)]
        return sorted(found, key=lambda phase: phase.started_at)

    # Power

    def record_power(self, record: PowerRecord, fence: int | None = None) -> PowerRecord:
        home = f"{self._account}#{record.region}"
        self._homes[record.host_key] = home
        key, pointer = items.host_key(home, record.host_key), items.open_key(home, record.host_key)
        row = items.row_key(record.run_id, record.host_key)
        power = {name: value for name, value in asdict(record).items() if value is not None}
        changes = [
            update(key, {("power",): power, ("host_key",): record.host_key}, [absent("power"), *holds(fence)]),
            put(
                pointer, {"host_key": record.host_key, "home": home, "found": record.original_state}
            ),  # found_stopped reads no more than this
            update(row, {("expires_at",): None}, [exists("pk")]),
        ]

        def attempt() -> PowerRecord | None:
            try:
                self._table.transact(changes)
            except ConditionFailedError as error:
                if (
                    error.failed == {len(changes) - 1} and len(changes) > RECORD_CHANGES
                ):  # the run has lost the host's row
                    del changes[RECORD_CHANGES:]
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

    # History

    def save_durations(self, durations: HostDurations) -> None:
        kept = {kept.run_id: kept for kept in [*self.history(durations.host_key), durations]}
        newest = sorted(kept.values(), key=lambda kept: kept.finished_at, reverse=True)[:DURATIONS_KEPT]
        item = {("ways",): json.dumps([stored.durations_values(kept) for kept in newest], allow_nan=False)}
        self._table.update(update(items.durations_key(self._account, durations.host_key), item))

    def history(self, host_key: str) -> list[HostDurations]:
        return items.durations_of(self._table.get(items.durations_key(self._account, host_key)))

    def histories(self, host_keys: Iterable[str]) -> dict[str, list[HostDurations]]:
        found = self._table.get_many(items.durations_key(self._account, key) for key in host_keys)
        return {item["sk"]: items.durations_of(item) for item in found.values()}


def _closing(home: str, power: Item, how: str, now: float, conditions: list[Condition]) -> list[dict[str, Any]]:
    """The changes that close a power record."""
    closed = {**power, "closed_at": now, "closed_how": how, "expires_at": items.expiry({}, now)}
    return [
        update(items.host_key(home, power["host_key"]), {("power",): None}, conditions),
        delete(items.open_key(home, power["host_key"])),
        put(items.closed_key(home, power), closed),
    ]
