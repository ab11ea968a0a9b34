# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Operations of AWS Organizations. Source: Organizations API reference.

They need credentials of the management account, or of a delegated administrator.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Protocol, TypedDict

from .api import Aws, Service, pages


class AccountRow(TypedDict, total=False):
    """An account. ``State`` takes the place of ``Status``, which AWS stops to give."""

    Id: str
    Name: str
    State: str
    Status: str


class AccountsPage(TypedDict, total=False):
    """One page of accounts."""

    Accounts: list[AccountRow]
    NextToken: str


class UnitRow(TypedDict):
    """An organizational unit, as far as it is read here."""

    Id: str


class UnitsPage(TypedDict, total=False):
    """One page of organizational units."""

    OrganizationalUnits: list[UnitRow]
    NextToken: str


class OrganizationRow(TypedDict):
    """The organization, as far as it is read here."""

    MasterAccountId: str


class OrganizationAnswer(TypedDict):
    """The answer that describes the organization."""

    Organization: OrganizationRow


class OrganizationsClient(Protocol):
    """What is used of boto3's client."""

    def describe_organization(self) -> OrganizationAnswer:
        """The organization of the caller's account."""

    def list_accounts_for_parent(self, *, ParentId: str, NextToken: str = ...) -> AccountsPage:  # noqa: N803 - boto3's names
        """The accounts in a unit, one page."""

    def list_organizational_units_for_parent(self, *, ParentId: str, NextToken: str = ...) -> UnitsPage:  # noqa: N803
        """The units in a unit, one page."""


ORGANIZATIONS: Service[OrganizationsClient] = Service("organizations")


def accounts_of_parent(aws: Aws, parent: str) -> Iterator[AccountRow]:
    """The accounts right below a root or unit. A page may be empty and not the last one."""
    operation = aws.read(ORGANIZATIONS, parent).list_accounts_for_parent
    for page in pages(partial(operation, ParentId=parent)):
        yield from page.get("Accounts", ())


def units_of_parent(aws: Aws, parent: str) -> Iterator[str]:
    """The ids of the units right below a root or unit."""
    operation = aws.read(ORGANIZATIONS, parent).list_organizational_units_for_parent
    for page in pages(partial(operation, ParentId=parent)):
        yield from (unit["Id"] for unit in page.get("OrganizationalUnits", ()))
