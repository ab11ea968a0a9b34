# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What earlier runs left going on in a host that was taken over from them."""

from __future__ import annotations

from collections.abc import Iterable

from .lenient import host_of, stored_host, substitute
from .records import Host, Ledger


def earlier_hosts(ledger: Ledger, run_ids: Iterable[str | None], key: str, known: Host | None = None) -> list[Host]:
    """The host in these runs and in all from which they, one after the other, took it over. ``known`` is its row in one of them."""
    waiting, found = [run_id for run_id in run_ids if run_id], dict[str, Host]()
    if not waiting:
        return []
    while waiting:
        run_id = waiting.pop(0)
        if run_id in found:
            continue
        host = known if known and known.run_id == run_id else stored_host(ledger, run_id, key)
        if host is None:
            continue
        found[run_id] = host_of(ledger, run_id, key) if host.unreadable else host
        waiting += filter(None, [found[run_id].facts.get("adopted_from")])
    record = None if found else ledger.power(key)
    return [substitute(record, record.run_id)] if record else list(found.values())
