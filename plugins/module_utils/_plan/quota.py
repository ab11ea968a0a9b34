# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the account's vCPU quota has room for what a run starts at once. Part of plan.

Only the quota of the Standard families is read, in which nearly all Windows servers are. Stopped instances do not count
for it. What the credentials may not see is not said.
Sources: EC2 user guide ("On-Demand Instance quotas": counted in vCPUs, by families), Service Quotas API (GetServiceQuota).
"""

from __future__ import annotations

import re
from collections import Counter

from .._aws.api import Aws
from .._aws.ec2 import describe_instance_types, describe_instances
from .._aws.quotas import quota_of
from .._base.errors import PatchFleetError
from .._base.text import join_sentences
from .._fleet.hosts import FleetHost, Location, by_location
from .._model.settings import Settings
from .._operation.context import OperationContext
from .order import Plan

QUOTA_CODE = "L-1216C47A"
STANDARD = re.compile(r"(?:[acdhimrtz]|im|is)\d[a-z0-9-]*\.")
"""A, C, D, H, I, M, R, T and Z, with all that their names may have behind the generation; not HPC, Inf, Mac, U or X."""
COUNTED = ["pending", "running"]
TYPES_A_CALL = 100
TOO_SMALL = (
    "That does not fit: hosts wait for each other, and those that wait too long are deferred (no_headroom). Raise the quota, or "
    "set a smaller patch_batch_size or patch_max_running."
)


def headroom_lines(context: OperationContext, plan: Plan, settings: Settings) -> list[str]:
    """A sentence for each region of an account in which hosts will be started.

    Costs a page of running instances a thousand, and two calls.
    """
    locations = by_location(planned.host for planned in plan.included if _is_started(planned.host))
    return [line for location in locations if (line := _line(context, plan, settings, location))]


def _line(context: OperationContext, plan: Plan, settings: Settings, location: Location) -> str | None:
    aws = context.aws_of(location.account, location.region).without_retries()
    try:
        return _headroom(aws, plan, settings, location)
    except PatchFleetError as error:
        context.report_progress(f"the vCPU quota in {location} is not known: {error.reason}")
        return None


def _is_started(host: FleetHost) -> bool:
    return host.kind == "ec2" and host.power == "stopped" and bool(STANDARD.match(host.type or ""))


def _headroom(aws: Aws, plan: Plan, settings: Settings, location: Location) -> str:
    quota = quota_of(aws, "ec2", QUOTA_CODE)
    running = _running(aws)
    vcpus = _vcpus(aws, {*running, *(str(p.host.type) for p in plan.included if _is_started(p.host))})
    used = sum(vcpus.get(name, 0) * number for name, number in running.items())
    wanted = _wanted(plan, settings, location, vcpus)
    found = (
        f"vCPU quota of {location} ({QUOTA_CODE}): {quota:.0f}, {used} in use; "
        f"this run starts up to {wanted} vCPUs more at once."
    )
    return join_sentences(found, TOO_SMALL if used + wanted > quota else None)


def vcpus_running(aws: Aws) -> int:
    """How much of the quota is in use."""
    running = _running(aws)
    vcpus = _vcpus(aws, set(running))
    return sum(vcpus.get(name, 0) * number for name, number in running.items())


def _running(aws: Aws) -> Counter[str]:
    """The types of the instances that count for the quota."""
    return Counter(
        str(instance["InstanceType"])
        for instance in describe_instances(aws, [{"Name": "instance-state-name", "Values": COUNTED}])
        if STANDARD.match(str(instance["InstanceType"])) and not instance.get("InstanceLifecycle")
    )


def _vcpus(aws: Aws, types: set[str]) -> dict[str, int]:
    names, found = sorted(types), {}
    for at in range(0, len(names), TYPES_A_CALL):
        for row in describe_instance_types(aws, names[at : at + TYPES_A_CALL]):
            found[str(row["InstanceType"])] = row["VCpuInfo"]["DefaultVCpus"]
    return found


def _wanted(plan: Plan, settings: Settings, location: Location, vcpus: dict[str, int]) -> int:
    """The most vCPUs that are started at once: of a wave, or of the largest hosts that fit into the window."""
    waves: dict[int, list[int]] = {}
    for planned in plan.included:
        if _is_started(planned.host) and planned.host.location == location:
            waves.setdefault(planned.wave or 0, []).append(vcpus.get(str(planned.host.type), 0))
    most = min(plan.batch_size, settings["max_running"] or plan.batch_size)
    return max(sum(sorted(sizes, reverse=True)[:most]) for sizes in waves.values())
