# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts without EC2 on which a run left services enabled that it had found disabled, or a drained node of a cluster.

They have no power record.
"""

from __future__ import annotations

from functools import partial

from .._ledger import lenient
from .._ledger.earlier import earlier_hosts
from .._ledger.records import Host
from .._operation.context import OperationContext
from .open_host import OpenHost

RUNS_WITH_SERVICES = 10
"""Every row of these runs is read; what was left on a host longer ago was found by its next run, or by a person."""


def entries_of_services(context: OperationContext, known: set[str]) -> list[OpenHost]:
    """Hosts without EC2 on which one of the newest runs left services enabled, each once, in the name of the newest."""
    only, found = context.params["run_id"], dict[str, OpenHost]()
    for run in context.ledger.runs()[:RUNS_WITH_SERVICES]:
        if only not in {None, run.run_id}:
            continue
        for host in context.ledger.hosts(run.run_id):
            if host.kind != "ec2" and _is_left(host) and host.key not in {*known, *found}:
                run_id = _run_for_services(context, host)
                found.update({host.key: _entry_of_services(host, run_id)} if run_id else {})
    return list(found.values())


def _is_left(host: Host) -> bool:
    return bool(host.facts.get("services_found") or host.facts.get("cluster_drained"))


def _run_for_services(context: OperationContext, host: Host) -> str | None:
    """The run in whose name services are set back: the one that took the host over, or its own.

    None while a run works on the host that knows nothing of them.
    """
    holder = context.ledger.holder(host.key)
    if holder is None:
        return host.run_id
    if any(earlier.run_id == host.run_id for earlier in earlier_hosts(context.ledger, [holder], host.key)):
        return holder
    return None if lenient.is_active(partial(context.ledger.run, holder), context.clock.now()) else host.run_id


def _entry_of_services(host: Host, run_id: str) -> OpenHost:
    """Without ``ours``, which says whether a run started the host."""
    return {
        "unreadable": None,
        "kind": host.kind,
        "transport": host.facts.get("transport", "ssm"),
        "key": host.key,
        "name": host.name,
        "instance_id": host.instance_id or host.key,
        "region": host.region,
        "run_id": run_id,
    }
