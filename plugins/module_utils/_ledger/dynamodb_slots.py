# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Slots of hosts among their peers, in DynamoDB: one item for each group of peers, which changes as a whole."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial

from . import dynamodb_items as items
from .dynamodb_changes import absent, update
from .dynamodb_leases import Leases
from .dynamodb_table import Item
from .records import Slot
from .stored import json_object


class Slots(Leases):
    """The part of the ledger that limits how many peers are at work at the same time."""

    def take_slots(self, run_id: str, host_key: str, limits: Mapping[str, int]) -> list[Slot]:
        """In the order of the names: a host that takes several groups releases the first where the next has no room."""
        before = {slot.name for slot in self.slots() if slot.host_key == host_key} if len(limits) > 1 else set[str]()
        taken = list[str]()
        for name in sorted(limits):
            blocking = self._table.repeat(
                partial(self._try_slot, Slot(name, host_key, run_id), limits[name]), f"the slot of {host_key} in {name}"
            )
            if blocking:
                for other in taken:
                    self._table.repeat(partial(self._try_free, Slot(other, host_key, run_id)), f"the slots of {other}")
                return blocking
            if name not in before:
                taken.append(name)
        return []

    def _try_slot(self, slot: Slot, limit: int) -> list[Slot] | None:
        """The slots of the group that are in the way; None: another process changed the group in this moment."""
        item = self._table.get(items.slots_key(self._account, slot.name))
        holders = _holders(item)
        other_slots = [Slot(slot.name, key, run_id) for key, run_id in holders.items() if key != slot.host_key]
        if len(other_slots) >= limit:
            return other_slots
        return [] if self._write_holders(slot.name, item, {**holders, slot.host_key: slot.run_id}) else None

    def _try_free(self, slot: Slot) -> bool | None:
        item = self._table.get(items.slots_key(self._account, slot.name))
        holders = _holders(item)
        if holders.get(slot.host_key) != slot.run_id:
            return True
        left = {key: run_id for key, run_id in holders.items() if key != slot.host_key}
        return self._write_holders(slot.name, item, left) or None

    def _write_holders(self, name: str, item: Item | None, holders: Mapping[str, str]) -> bool:
        unchanged = ("=", ("holders",), item["holders"]) if item else absent("holders")
        text = json.dumps(holders, allow_nan=False)
        return self._change_if(update(items.slots_key(self._account, name), {("holders",): text}, [unchanged]))

    def free_slots(self, run_id: str, host_key: str) -> None:
        for slot in self.slots():
            if (slot.host_key, slot.run_id) == (host_key, run_id):
                self._table.repeat(partial(self._try_free, slot), f"the slots of {slot.name}")

    def slots(self) -> list[Slot]:
        return [
            Slot(item["sk"], key, run_id)
            for item in self._table.query(items.slots_key(self._account, "")[0])
            for key, run_id in _holders(item).items()
        ]


def _holders(item: Item | None) -> dict[str, str]:
    """Keys of hosts and their runs. What cannot be read holds nothing: a limit is no reason to stop all runs."""
    return json_object(item["holders"]) if item and "holders" in item else {}
