# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Opening runs and leasing hosts in DynamoDB, and what all of its ledger stands on."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from .._base.errors import Failed, LeaseLost, UnknownRun
from .._model.host_facts import HostFacts
from .._model.outcomes import FAILURES
from .._model.reasons import Reason
from . import dynamodb_items as items
from .dynamodb_changes import Condition, Values, absent, exists, holds, put, update
from .dynamodb_table import ConditionFailedError, Item, Key, Table
from .records import LEASE_SECONDS, Host, Leased, Run

HOSTS_AT_ONCE = 33
"""A host that changes hands is three items, the run that counts it is one more, and a transaction has at most 100."""


@dataclass(frozen=True)
class _Taker:
    """Who leases a host. By its mark a process knows its own take-over from that of a rival for the same run."""

    run_id: str
    fence: int
    extended_until: float | None = None
    mark: str | None = None


class Leases:
    """The part of the ledger that says who holds a host."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._homes: dict[str, str] = {}
        self._phase_names: dict[tuple[str, str, str], str] = {}
        self._known_account = ""

    @property
    def _account(self) -> str:
        """The credentials' account: of what was read already, else asked for once.

        Not a functools.cached_property, which before Python 3.12 holds a lock of all ledgers of a process while AWS is asked.
        """
        if not self._known_account:
            read = next((home.partition("#")[0] for home in self._homes.values()), "")
            self._known_account = read or self._table.account()
        return self._known_account

    # What everything else stands on

    def _change_if(self, change: dict[str, Any]) -> bool:
        try:
            self._table.update(change)
        except ConditionFailedError:
            return False
        return True

    def _run_item(self, run_id: str) -> Item:
        item = self._table.get(items.run_key(run_id))
        if item is None:
            raise UnknownRun(self._table.where.url, run_id)
        return item

    def run(self, run_id: str) -> Run:
        return items.run_of(self._run_item(run_id))

    def _row(self, run_id: str, key: str) -> Item | None:
        row = self._table.get(items.row_key(run_id, key))
        if row and "home" in row:
            self._homes[key] = row["home"]
        return row

    def _rows(self, run_id: str) -> Iterator[Item]:
        for row in self._table.query(f"RUN#{run_id}", "HOST#"):
            if "key" in row and "home" in row:  # else it is no row of the ledger
                self._homes[row["key"]] = row["home"]
                yield row

    def _change_row(self, run_id: str, key: str, values: Values, fence: int | None) -> Item | None:
        """The row as it is then; None where it is missing."""
        try:
            row = self._table.update(update(items.row_key(run_id, key), values, [exists("pk"), *holds(fence)]))
        except ConditionFailedError:
            self._refuse_without_lease(run_id, key, fence)
            return None
        if "home" in row:
            self._homes[key] = row["home"]
        return row

    def _refuse_without_lease(self, run_id: str, key: str, fence: int | None) -> None:
        """After a write that its condition refused; raises LeaseLost where another fencing number holds the host."""
        if fence is None:
            return
        home = self._home(key)
        if self._row(run_id, key) or home is None:
            raise LeaseLost(key)
        self._fenced_item(items.host_key(home, key), key, fence)  # the row alone is missing: the host is still held

    def _home(self, key: str, run_id: str | None = None) -> str | None:
        """Account and region of a host; None for one of which nothing is known."""
        if key not in self._homes and run_id:
            self._row(run_id, key)
        if key not in self._homes:
            for pointer in self._table.query(f"OPEN#{self._account}", f"{key}#"):
                if pointer.get("host_key") == key and "home" in pointer:  # a name may hold a "#" itself
                    self._homes[key] = pointer["home"]
        return self._homes.get(key)

    def _fenced_item(self, item_key: Key, key: str, fence: int | None) -> Item | None:
        """The item of a host; raises LeaseLost when another fencing number holds it."""
        item = self._table.get(item_key)
        if fence is not None and (item or {}).get("fence") != fence:
            raise LeaseLost(key)
        return item

    # Leases

    def open_run(self, run: Run, hosts: list[Host], take_over: bool) -> Leased:
        index = {"run_id": run.run_id, "expires_at": items.expiry(run.settings, run.opened_at)}
        changes = [
            put(items.run_key(run.run_id), items.run_item(run, self._account), [absent("pk")]),
            put(items.index_key(self._account, run), index),
            update(items.SCHEMA_KEY, {}, first={("version",): items.SCHEMA_VERSION}),
        ]
        try:
            self._table.transact(changes)
        except ConditionFailedError:
            written = self.run(run.run_id)  # by an attempt whose answer was lost, if it is the same
            if written.snapshot_id != run.snapshot_id:
                raise Failed(
                    f"The ledger {self._table.where.url} has a run {run.run_id} already.", Reason.LEDGER_FAILED
                ) from None
        self._homes.update({host.key: f"{self._account}#{host.region or ''}" for host in hosts})
        fences, held = dict[str, int](), dict[str, str]()
        for start in range(0, len(hosts), HOSTS_AT_ONCE):
            some = hosts[start : start + HOSTS_AT_ONCE]
            leased = self._table.repeat(partial(self._lease_rows, run, some, take_over), f"opening run {run.run_id}")
            fences.update(leased.fences)
            held.update(leased.held)
        return Leased(fences, held)

    def _lease_rows(self, run: Run, hosts: list[Host], take_over: bool) -> Leased | None:
        """Write and count the rows of some hosts, and lease those without an outcome that are free; all of it at once.

        None: another run was faster with one of them.
        """
        counts: dict[str, int | set[str]] = {**Counter(f"{items.COUNT}{host.outcome or ''}" for host in hosts)}
        failed = {host.key for host in hosts if host.outcome in FAILURES}
        if failed:
            counts[items.FAILED_KEYS] = failed
        leases = self._leases([host.key for host in hosts if host.outcome is None])
        holders = self._holders(leases)
        held = {} if take_over else _living(leases, holders, run.opened_at)
        rows = self._last_rows(leases, run.run_id)
        changes = [update(items.run_key(run.run_id), {}, [exists("pk"), absent("closed_at")], add=counts)]
        fences = {key: lease.get("fence", 0) + 1 for key, lease in leases.items() if key not in held}
        for host in hosts:
            facts = HostFacts()
            if host.key in fences:
                lease = leases[host.key]
                changes += self._take(host.key, lease, _Taker(run.run_id, fences[host.key]), rows)
                facts = _adopting(lease, holders)
            row = items.row_item(
                replace(host, facts={**host.facts, **facts}),
                self._homes[host.key],
                fences.get(host.key),
                items.expiry(run.settings, run.opened_at),
            )
            changes.append(put(items.row_key(run.run_id, host.key), row, [absent("pk")]))
        try:
            self._table.transact(changes)
        except ConditionFailedError as error:
            return self._rows_written(run.run_id, hosts, held, run_ended=0 in error.failed)
        return Leased(fences, held)

    def _rows_written(self, run_id: str, hosts: list[Host], held: dict[str, str], *, run_ended: bool) -> Leased | None:
        """What an attempt of ours whose answer was lost has decided; None where there was none.

        Raises:
            UnknownRun: the run is gone.
            Failed: ``run_interrupted``: a restore closed it while this controller stood still.
        """
        keys = {host.key: items.row_key(run_id, host.key) for host in hosts}
        found = self._table.get_many(keys.values())
        if found:
            fences = {key: found[row_key].get("fence") for key, row_key in keys.items()}
            return Leased({key: fence for key, fence in fences.items() if fence is not None}, held)
        if run_ended and self._run_item(run_id).get("closed_at"):
            raise Failed(
                f"Another controller closed run {run_id} before its hosts were leased. This controller stood still, so nothing is "
                "started.",
                Reason.RUN_INTERRUPTED,
            )
        return None

    def _leases(self, keys: list[str]) -> dict[str, Item]:
        item_keys = {key: items.host_key(str(self._homes[key]), key) for key in keys}
        found = self._table.get_many(item_keys.values())
        return {key: found.get(item_key, {}) for key, item_key in item_keys.items()}

    def _holders(self, leases: dict[str, Item]) -> dict[str, Item]:
        """The runs that hold these hosts."""
        run_ids = {lease["run_id"] for lease in leases.values() if lease.get("run_id")}
        return {item["run_id"]: item for item in self._table.get_many(map(items.run_key, run_ids)).values()}

    def _last_rows(self, leases: dict[str, Item], run_id: str) -> dict[Key, Item]:
        """The rows of the runs that held these hosts last."""
        last = {items.row_key(lease["run_id"], key) for key, lease in leases.items() if lease.get("run_id")}
        return self._table.get_many(row for row in last if row[0] != f"RUN#{run_id}")

    def _take(self, key: str, lease: Item, taker: _Taker, rows: dict[Key, Item]) -> list[dict[str, Any]]:
        """The changes that lease a host: its lease, and the row of the run that loses it."""
        values: Values = {
            ("run_id",): taker.run_id,
            ("fence",): taker.fence,
            ("kept_until",): taker.extended_until,
            ("taken_by",): taker.mark,
            ("host_key",): key,
        }
        unchanged: Condition = ("=", ("fence",), lease["fence"]) if "fence" in lease else absent("fence")
        changes = [update(items.host_key(str(self._homes[key]), key), values, [unchanged])]
        last = items.row_key(lease.get("run_id", ""), key)
        if last in rows:
            changes.append(update(last, {("fence",): None}))
        return changes

    def take_over(self, run_id: str, keys: list[str], now: float, force: bool) -> Leased:
        fences, held = dict[str, int](), dict[str, str]()
        for key in keys:
            self._home(key, run_id)
            taken = self._table.repeat(partial(self._take_one, run_id, key, now, force), f"taking {key} over")
            fences.update(taken.fences)
            held.update(taken.held)
        return Leased(fences, held)

    def _take_one(self, run_id: str, key: str, now: float, force: bool) -> Leased | None:
        lease = self._leases([key])
        living = {} if force else _living(lease, self._holders(lease), now)
        if living:
            return Leased({}, living)
        taker = _Taker(run_id, lease[key].get("fence", 0) + 1, now + LEASE_SECONDS, uuid.uuid4().hex)
        changes = self._take(key, lease[key], taker, self._last_rows(lease, run_id))
        if self._row(run_id, key):
            changes.append(update(items.row_key(run_id, key), {("fence",): taker.fence}))
        try:
            self._table.transact(changes)
        except ConditionFailedError:
            if self._leases([key])[key].get("taken_by") != taker.mark:
                return None
        return Leased({key: taker.fence}, {})

    def extend_lease(self, key: str, fence: int, until: float | None) -> None:
        home = self._home(key)
        if home:
            self._change_if(update(items.host_key(home, key), {("kept_until",): until}, holds(fence)))

    def holds_lease(self, run_id: str, key: str) -> bool:
        return self.fence(run_id, key) is not None

    def holder(self, key: str) -> str | None:
        home = self._home(key)
        item = self._table.get(items.host_key(home, key)) if home else None
        return item.get("run_id") if item else None

    def fence(self, run_id: str, key: str) -> int | None:
        home = self._home(key, run_id)
        item = self._table.get(items.host_key(home, key)) if home else None
        return item.get("fence") if item and item.get("run_id") == run_id else None

    def fences(self, run_id: str) -> dict[str, int]:
        return {row["key"]: row["fence"] for row in self._rows(run_id) if row.get("fence") is not None}

    def some_fences(self, run_id: str, keys: Iterable[str]) -> dict[str, int]:
        rows = self._table.get_many(items.row_key(run_id, key) for key in keys)
        return {row["key"]: row["fence"] for row in rows.values() if row.get("fence") is not None}


def _living(leases: dict[str, Item], holders: dict[str, Item], now: float) -> dict[str, str]:
    """The active run that holds each host, or the run for which a restore puts the host back right now."""
    active = {run_id for run_id, item in holders.items() if items.run_of(item).is_active(now)}
    return {
        key: lease["run_id"]
        for key, lease in leases.items()
        if lease.get("run_id") in active or (lease.get("kept_until") or 0.0) > now
    }


def _adopting(lease: Item, holders: dict[str, Item]) -> HostFacts:
    """What a host knows that was left open: from which run it was taken."""
    last = holders.get(lease.get("run_id", ""))
    if last is None or (last.get("closed_at") and not lease.get("power")):
        return {}
    return {"adopted_from": last["run_id"]}
