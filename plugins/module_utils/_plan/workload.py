# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How much there is to do on hosts that have no history yet, by what Patch Manager has recorded of them: a call for 50 hosts.

The order of the first night follows it, so that the hosts that probably take longest start first. Nothing else does.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from .._aws.patches import patch_states
from .._base.errors import PatchFleetError
from .._fleet.hosts import FleetHost, by_location
from .._operation.context import OperationContext


@dataclass(frozen=True)
class Workload:
    """Of the last patch operation on a host: how many updates were missing after it, and when it ended, seconds since 1970."""

    missing: int
    ended_at: float


Recorded: TypeAlias = Callable[[Sequence[FleetHost]], Mapping[str, Workload]]
"""The workloads that are known of hosts, by their keys."""


def nothing_recorded(_hosts: Sequence[FleetHost]) -> dict[str, Workload]:
    return {}


def read_workloads(context: OperationContext, hosts: Sequence[FleetHost]) -> dict[str, Workload]:
    """What Patch Manager has recorded. A region that does not say it has none: only the order depends on it."""
    found = dict[str, Workload]()
    managed = [host for host in hosts if host.instance_id and host.region]
    for location, theirs in by_location(managed).items():
        keys = {str(host.instance_id): host.key for host in theirs}
        aws = context.aws_of(location.account, location.region).without_retries()
        try:
            for state in patch_states(aws, sorted(keys)):
                load = Workload(state.get("MissingCount", 0), state["OperationEndTime"].timestamp())
                if load.ended_at > 0:  # a search that failed says year 1 and counts of -1
                    found[keys[state["InstanceId"]]] = load
        except PatchFleetError as error:
            context.report_progress(f"what is missing on the hosts in {location} is not known: {error.reason}")
    return found


Rank: TypeAlias = tuple[float, float, bool]


def ranks(hosts: Sequence[FleetHost], recorded: Mapping[str, Workload]) -> dict[str, Rank]:
    """A rank of each host, the smallest of that with most to do: most updates missing, last patched longest ago, off.

    A host of which nothing is recorded counts as if it missed as many as most others, and had never been patched.
    """
    usual = statistics.median(load.missing for load in recorded.values()) if recorded else 0.0
    found = dict[str, Rank]()
    for host in hosts:
        load = recorded.get(host.key)
        missing, ended_at = (load.missing, load.ended_at) if load else (usual, 0.0)
        found[host.key] = (-missing, ended_at, host.power != "stopped")
    return found
