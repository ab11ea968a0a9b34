# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AWS Organizations: the estate as an organization, of which the first account is the management account.

Source: Organizations API reference (ListAccountsForParent, ListOrganizationalUnitsForParent: at most 20 a page).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lab.aws.errors import AwsError
from lab.aws.request import Operation, Request, Result, page

if TYPE_CHECKING:
    from lab.aws.account import Account

PAGE = 20
ROOT, SERVERS, WINDOWS = "r-lab1", "ou-lab1-servers0", "ou-lab1-windows0"
"""The further accounts of a scenario are in the last unit, which is in the unit before it, which is in the root."""
PARENT_ID = re.compile(r"r-[0-9a-z]{4,32}|ou-[0-9a-z]{4,32}-[a-z0-9]{8,32}")


@dataclass
class OrganizationAccount:
    """An account and the root or unit that it is in. ``state`` None: AWS gives the account's Status alone."""

    id: str
    name: str
    parent: str
    state: str | None = "ACTIVE"
    status: str = "ACTIVE"


@dataclass
class Organization:
    """Units by their parents, and accounts. ``administrators`` may list them: the management account, and delegated ones.

    ``drifted`` are the ids of accounts in which another user changed a resource of a stack set's stack.
    """

    administrators: set[str]
    accounts: list[OrganizationAccount]
    units: dict[str, str] = field(default_factory=lambda: {SERVERS: ROOT, WINDOWS: SERVERS})
    id: str = "o-lab1234567"
    stack_sets_trusted: bool = True
    drifted: set[str] = field(default_factory=set)
    stack_sets: dict[tuple[str, str], Any] = field(default_factory=dict)  # CloudFormation's, by region and name


def organization_of(estate: Iterable[tuple[str, str]]) -> Organization | None:
    """An organization of these accounts (id and name), the first of which is the management account; None of one alone."""
    (first, name), *further = estate
    if not further:
        return None
    members = [OrganizationAccount(account, its_name, WINDOWS) for account, its_name in further]
    return Organization({first}, [OrganizationAccount(first, name, ROOT), *members])


def organization_id(account: Account) -> str | None:
    """Of the organization that an account is in."""
    organization = account.estate[0].organization
    return organization.id if organization else None


def describe_organization(request: Request) -> Result:
    """Every account of an organization may ask for it (API reference, DescribeOrganization)."""
    organization = request.account.estate[0].organization
    if organization is None:
        raise _not_in_use()
    management = organization.accounts[0].id
    arn = f"{_arn(request, organization)}:organization/{organization.id}"
    return {"Organization": {"Id": organization.id, "Arn": arn, "FeatureSet": "ALL", "MasterAccountId": management}}


def _not_in_use() -> AwsError:
    return AwsError("AWSOrganizationsNotInUseException", "Your account is not a member of an organization.")


def list_accounts_for_parent(request: Request) -> Result:
    organization, parent = _organization(request), request.params["ParentId"]
    found = [account for account in organization.accounts if account.parent == parent]
    return _page(request, "Accounts", [_row(request, organization, account) for account in found])


def list_organizational_units_for_parent(request: Request) -> Result:
    organization, parent = _organization(request), request.params["ParentId"]
    found = [unit for unit, its_parent in organization.units.items() if its_parent == parent]
    arn = f"{_arn(request, organization)}:ou/{organization.id}"
    return _page(request, "OrganizationalUnits", [{"Id": unit, "Arn": f"{arn}/{unit}", "Name": unit} for unit in found])


def _organization(request: Request) -> Organization:
    organization = request.account.estate[0].organization
    if organization is None:
        raise _not_in_use()
    if request.arns.account_id not in organization.administrators:
        raise AwsError("AccessDeniedException", "You don't have permissions to access this resource.")
    parent = request.params["ParentId"]
    if not PARENT_ID.fullmatch(parent):
        raise AwsError("InvalidInputException", "You specified an invalid value.")
    if parent not in {ROOT, *organization.units}:
        raise AwsError("ParentNotFoundException", "You specified a parent that doesn't exist.")
    return organization


def _row(request: Request, organization: Organization, account: OrganizationAccount) -> dict[str, Any]:
    arn = f"{_arn(request, organization)}:account/{organization.id}/{account.id}"
    state = {} if account.state is None else {"State": account.state}
    return {"Id": account.id, "Arn": arn, "Name": account.name, "Status": account.status, **state}


def _arn(request: Request, organization: Organization) -> str:
    return f"arn:{request.arns.partition}:organizations::{organization.accounts[0].id}"


def _page(request: Request, name: str, rows: list[dict[str, Any]]) -> Result:
    listed, more = page(request, rows, PAGE)
    return {name: listed, **more}


OPERATIONS: dict[str, Operation] = {
    "DescribeOrganization": describe_organization,
    "ListAccountsForParent": list_accounts_for_parent,
    "ListOrganizationalUnitsForParent": list_organizational_units_for_parent,
}
