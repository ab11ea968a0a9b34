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
from .dynamodb_changes import Values, absent, exists, update
from .dynamodb_power import PowerRecords
from .dynamodb_table import ConditionFailedError
from .records import DURATIONS_KEPT, Host, HostDurations, PhaseStart, PhaseTime, Run, Verdict

ONE_REGION = (
    "The table of patch_ledger is a global table. Each of its regions grants leases by itself, so two runs could hold one host. "
    "Name the same region on every controller: dynamodb://TABLE?region=REGION."
)


class DynamoDbLedger(PowerRecords):
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

    def change_breaker(
        self, run_id: str, before: str | None, after: str | None, brake: Brake, once: bool = False
    ) -> bool:
        def attempt() -> bool | None:
            item = self._run_item(run_id)
            settings = stored.json_object(item["settings"])
            if brake in settings.get("brakes", []):  # the answer to an earlier attempt was lost
                return True
            if item.get("breaker") != before or (once and stored.has_brake(settings, brake)):
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

    def begin_phase(
        self, run_id: str, key: str, phase: Phase, now: float, fence: int | None = None
    ) -> PhaseStart | None:
        name = items.phase_name(phase, now)
        row = self._change_row(run_id, key, {("steps", name): {"step": phase, "started_at": now}}, fence)
        self._phase_names[(run_id, key, phase)] = name
        return PhaseStart(items.host_of(row), row.get("fence")) if row else None

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
