# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Watchdog schedules that are pending in the accounts of a stack set, which teardown must not take the rights from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from .._aws.errors import AwsError
from .._aws.iam import caller_arn
from .._aws.schedule_groups import list_schedules
from .._aws.scheduler import NOT_FOUND
from .._model.account import Account, StackSetSetting, partition_of_arn
from .._operation.context import OperationContext
from .._plan.stack_set import OPTION
from .stack_set_administrator import TargetAccount

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.type_defs import StackInstanceSummaryTypeDef, StackSetTypeDef


def pending_schedules(
    context: OperationContext,
    setting: StackSetSetting,
    found: StackSetTypeDef,
    instances: Sequence[StackInstanceSummaryTypeDef],
    accounts: Mapping[str, TargetAccount],
) -> list[str]:
    """A sentence for each schedule, and for each account whose schedules cannot be read. Without the watchdog there are none."""
    parameters = {one.get("ParameterKey"): one.get("ParameterValue") for one in found.get("Parameters", [])}
    if parameters.get("DeadManSwitch") != "true":
        return []
    group, partition = str(parameters.get("Prefix") or "PatchFleet"), partition_of_arn(caller_arn(context.aws))
    uses: list[str] = []
    for row in instances:
        if not row.get("StackId"):
            continue
        account = accounts.get(row.get("Account", "")) or TargetAccount(row.get("Account", ""), "", is_active=True)
        role = f"arn:{partition}:iam::{account.id}:role/{setting['role_name']}"
        where = Account(account.id, account.name, role, None, ())
        uses += _of_one(context, where, row.get("Region", ""), group)
    return uses


def _of_one(context: OperationContext, account: Account, region: str, group: str) -> list[str]:
    try:
        names = list_schedules(context.aws_of(account, region), group)
    except AwsError as error:
        if error.aws_code == NOT_FOUND:
            return []
        return [
            f"The schedules of {account} in {region} cannot be read: {error.reason} {OPTION}.role_name must be a role that may."
        ]
    return [f"The watchdog schedule {name} is pending in {account} in {region}." for name in names]
