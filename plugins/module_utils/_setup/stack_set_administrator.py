# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the credentials may roll the template out to the organization: asked before anything is changed.

Source: CloudFormation user guide, "Activate trusted access for StackSets with AWS Organizations", "Register a delegated
administrator". API references: DescribeOrganizationsAccess, DescribeOrganization.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .._aws.api import Aws
from .._aws.ec2 import enabled_regions
from .._aws.errors import AwsError
from .._aws.iam import caller_account, caller_arn, doubts_about, simulate_policy
from .._aws.stack_sets import StackSetCalls, management_account, organizations_access
from .._base.errors import Failed, InvalidOption
from .._base.text import clean_text, join_sentences
from .._fleet.organization import ACTIVE, accounts_below
from .._model.reasons import Reason
from .._plan.permissions import policy_source_arn
from .._plan.stack_set import OPTION

UNCHANGED = "Nothing was changed."
MUST_BE = (
    "The credentials must be of the management account of the organization, or of a delegated administrator of "
    "CloudFormation StackSets (member.org.stacksets.cloudformation.amazonaws.com)."
)
NOT_TRUSTED = (
    "Trusted access of CloudFormation StackSets to AWS Organizations is not activated. Activate it in the management "
    "account (CloudFormation console, StackSets, or aws cloudformation activate-organizations-access)."
)
RIGHTS = {
    "present": (
        "cloudformation:CreateStackSet",
        "cloudformation:UpdateStackSet",
        "cloudformation:CreateStackInstances",
        "cloudformation:DescribeStackSetOperation",
        "cloudformation:ListStackSetOperationResults",
    ),
    "absent": (
        "cloudformation:DeleteStackInstances",
        "cloudformation:DeleteStackSet",
        "cloudformation:DescribeStackSetOperation",
        "cloudformation:ListStackSetOperationResults",
    ),
}
"""What the later calls need; the reads before them are refused by AWS itself."""


@dataclass(frozen=True)
class TargetAccount:
    """An account of the units. ``is_active`` is what Organizations says of it."""

    id: str
    name: str
    is_active: bool

    def __str__(self) -> str:
        return f"{self.name} ({self.id})" if self.name else self.id


@dataclass(frozen=True)
class Administrator:
    """Who rolls out: the account of the credentials, and the management account, which no stack set reaches."""

    account: str
    management: str
    calls: StackSetCalls

    @property
    def without_stack(self) -> set[str]:
        """Accounts that the stack set leaves out: they have a stack of their own."""
        return {self.account, self.management}


def administrator(aws: Aws, name: str, state: str) -> Administrator:
    """The caller as an administrator of stack sets.

    Args:
        name: of the stack set.
        state: ``present`` or ``absent``, for the rights that it needs.

    Raises:
        Failed: the account may not, trusted access is not activated, or a right is missing.
    """
    own = caller_account(aws)
    try:
        management = management_account(aws)
    except AwsError as error:
        raise Failed(join_sentences(f"{OPTION} needs an organization.", error.reason, UNCHANGED), error.code) from error
    calls = StackSetCalls(aws, name, "SELF" if own == management else "DELEGATED_ADMIN")
    try:
        access = organizations_access(aws, calls.call_as)
    except AwsError as error:
        raise Failed(join_sentences(error.reason, MUST_BE, UNCHANGED), error.code) from error
    if access != "ENABLED":
        raise Failed(join_sentences(NOT_TRUSTED, UNCHANGED), Reason.INVALID_OPTION)
    _refuse_missing_rights(aws, name, state)
    return Administrator(own, management, calls)


def _refuse_missing_rights(aws: Aws, name: str, state: str) -> None:
    """By a simulation. Credentials that may not ask for one, and users that IAM does not know, find out by the calls themselves."""
    try:
        caller = caller_arn(aws)
        partition, account = caller.split(":")[1], caller.split(":")[4]
        resource = f"arn:{partition}:cloudformation:{aws.region}:{account}:stackset/{name}:*"
        results = list(simulate_policy(aws, policy_source_arn(caller), RIGHTS[state], resource))
    except AwsError:
        return
    missing = sorted(
        result["EvalActionName"]
        for result in results
        if result["EvalDecision"] != "allowed" and not doubts_about(result)
    )
    if missing:
        sentence = f"The credentials ({caller}) lack the rights {', '.join(missing)} on {resource}."
        raise Failed(join_sentences(sentence, UNCHANGED), Reason.ACCESS_DENIED)


def refuse_regions(aws: Aws, regions: Sequence[str]) -> None:
    """Stack sets need a region to be enabled in the administrator's account, too.

    Raises:
        InvalidOption: one that is not.
    """
    enabled = enabled_regions(aws)
    for region in regions:
        if region not in enabled:
            right = f"This region is not enabled in the account of the credentials. {UNCHANGED}"
            raise InvalidOption(f"{OPTION}.regions", region, right)


def accounts_of_units(aws: Aws, units: Sequence[str]) -> Mapping[str, TargetAccount]:
    """The accounts of the units and of all units below them, by id.

    Raises:
        InvalidOption: there is no such unit.
    """
    rows = (row for unit in units for row in accounts_below(aws, unit, OPTION))
    return {
        row["Id"]: TargetAccount(
            row["Id"], clean_text(row.get("Name", "")), (row.get("State") or row.get("Status")) == ACTIVE
        )
        for row in rows
    }
