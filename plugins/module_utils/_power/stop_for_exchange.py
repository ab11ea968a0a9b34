# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A running instance whose root volume EC2 does not replace is stopped for the exchange of its volumes, and started again.

The stop is written down before it is asked for, so that a restore starts the instance again. One that would lose something by a
stop is left alone.
Source: EC2 user guide ("Stop and start Amazon EC2 instances": data of instance stores and public addresses that are not elastic).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._aws.ec2 import describe_instance_types, start_instance, stop_instance
from .._base.errors import Failed, NeedsAttention
from .._host.instances import existing_instance
from .._model.fact_values import RollBack
from .._operation.context import OperationContext
from .changes import change_until

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import InstanceTypeDef

AMAZON = "amazon"
"""The owner of a public address that is not elastic."""


def lost_by_a_stop(context: OperationContext, instance: InstanceTypeDef) -> list[str]:
    """What the instance would not have any more after a stop and a start, as clauses."""
    lost = [
        f"its public address {association['PublicIp']}"
        for interface in instance.get("NetworkInterfaces", [])
        if (association := interface.get("Association")) and association.get("IpOwnerId") == AMAZON
    ]
    types = list(describe_instance_types(context.aws, [instance["InstanceType"]]))
    if any(found.get("InstanceStorageSupported") for found in types):
        lost.append("the data on its instance store volumes")
    return lost


def stop_for_exchange(context: OperationContext, plan: RollBack) -> RollBack:
    """Stop it, in order and never by force.

    Raises:
        LeaseLost: another run took the host over.
        Failed: EC2 refuses the stop, or does not show its end.
    """
    instance_id = context.params["instance_id"]
    context.report_progress("stopping it for the exchange of its root volume")
    plan = _note(context, {**plan, "is_off_for_exchange": True})
    context.lease.renew()
    change_until(
        context,
        lambda: stop_instance(context.aws, instance_id),
        lambda: _state(context) == "stopped",
        f"{instance_id} is stopped",
    )
    return plan


def start_after_exchange(context: OperationContext, plan: RollBack) -> RollBack:
    """Start an instance again that was stopped for the exchange; does nothing with any other.

    Raises:
        NeedsAttention: it does not start.
    """
    if not plan.get("is_off_for_exchange"):
        return plan
    instance_id = context.params["instance_id"]
    context.report_progress("starting it again")
    context.lease.renew()
    try:
        change_until(
            context,
            lambda: start_instance(context.aws, instance_id),
            lambda: _state(context) == "running",
            f"{instance_id} runs",
        )
    except Failed as error:
        command = (
            f"aws ec2 start-instances --region {context.host.region or context.aws.region} --instance-ids {instance_id}"
        )
        raise NeedsAttention(
            f"It was running, was stopped for the exchange of its root volume, and does not start again: {error.reason} Run "
            f"{context.command('restore')}, or start it: `{command}`.",
            error.code,
            error.facts,
        ) from error
    return _note(context, {**plan, "is_off_for_exchange": False})


def _note(context: OperationContext, plan: RollBack) -> RollBack:
    context.update_facts(roll_back=plan)
    return plan


def _state(context: OperationContext) -> str:
    return existing_instance(context.aws, context.params["instance_id"])["State"]["Name"]
