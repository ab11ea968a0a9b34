# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An AWS account with hosts, and how its role is assumed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypedDict

ROLE_ARN = re.compile(r"arn:(aws|aws-cn|aws-us-gov):iam::(\d{12}):role/[\w+=,.@/-]{1,512}")
"""IAM user guide, "IAM ARNs": the path and the name of the role follow the account's id."""


PARTITIONS = {"cn": "aws-cn", "eusc": "aws-eusc"}
"""By the first part of a region's name; that of AWS GovCloud (US) is in the middle."""


class AccountOption(TypedDict, total=False):
    """What reaches an account, as tasks and the ledger have it; without a role the credentials are of the account."""

    id: str
    name: str
    role_arn: str
    external_id: str


@dataclass(frozen=True)
class Account:
    """An account.

    Attributes:
        id: twelve digits.
        name: of patch_accounts; empty for the account of the credentials.
        role_arn: the role that is assumed in it. None: the credentials are of this account.
        external_id: what the role's trust policy asks for, if it does.
        regions: where to search for hosts; none: in those of patch_regions.
    """

    id: str
    name: str = ""
    role_arn: str | None = None
    external_id: str | None = None
    regions: tuple[str, ...] = ()

    def as_option(self) -> AccountOption:
        """What reaches the account. An account without a role has its id alone."""
        option: AccountOption = {"id": self.id}
        if self.role_arn:
            option |= {"name": self.name, "role_arn": self.role_arn}
        if self.external_id:
            option["external_id"] = self.external_id
        return option

    def __str__(self) -> str:
        return f"{self.name} ({self.id})" if self.name else self.id


class AccountSetting(TypedDict):
    """An account of patch_accounts as settings hold it.

    Without regions it is searched in those of patch_regions, without a window that of patch_maintenance_window holds.
    """

    name: str
    id: str
    role_arn: str
    external_id: str | None
    regions: list[str]
    maintenance_window: str | None


class StackSetSetting(TypedDict):
    """The variable patch_stack_set, without the parameters of its stacks.

    Attributes:
        units: ids of the root or of organizational units.
        auto_deployment: whether accounts that come into the units later get a stack, and those that leave them lose it.
        role_name: by which teardown_aws reads the schedules of an account.
    """

    units: list[str]
    regions: list[str]
    auto_deployment: bool
    role_name: str


class OrganizationSetting(TypedDict):
    """The variable patch_organization as settings hold it. Without regions its accounts are searched in those of patch_regions."""

    role_name: str
    units: list[str]
    regions: list[str]
    exclude: list[str]


def account_from(option: Mapping[str, object] | None) -> Account | None:
    """The account of an option or a setting."""
    if not option:
        return None
    texts = {key: str(option.get(key) or "") for key in ("id", "name", "role_arn", "external_id")}
    regions = option.get("regions")
    return Account(
        texts["id"],
        texts["name"],
        texts["role_arn"] or None,
        texts["external_id"] or None,
        tuple(regions) if isinstance(regions, (list, tuple)) else (),
    )


def account_of_arn(arn: str) -> str:
    """The account of an ARN; empty where it names none (AWS General Reference, "ARN format")."""
    parts = arn.split(":", 5)
    return parts[4] if len(parts) > 4 else ""


def partition_of_arn(arn: str) -> str:
    """The partition of an ARN."""
    return arn.split(":", 2)[1] if ":" in arn else ""


def partition_of_region(region: str) -> str:
    """The partition in which a region is (botocore, endpoints.json)."""
    start = region.partition("-")[0]
    if start == "us" and "-gov-" in region:
        return "aws-us-gov"
    return PARTITIONS.get(start, "aws")


def id_of_role(role_arn: str) -> str:
    """The account of a role.

    Raises:
        ValueError: the text is no ARN of a role.
    """
    found = ROLE_ARN.fullmatch(role_arn)
    if found is None:
        raise ValueError(role_arn)
    return found.group(2)
