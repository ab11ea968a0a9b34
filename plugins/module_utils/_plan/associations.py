# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who else patches hosts on a schedule: associations of State Manager, those of Quick Setup's patch policies among them.

Only what is certain is reported: members of resource groups are not read. Sources: Systems Manager API reference (ListAssociations,
Target), user guide ("Patch policy configurations in Quick Setup"; "SSM command documents for patching managed nodes").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .._aws.api import Aws
from .._aws.errors import AwsError
from .._aws.ssm import list_associations
from .._fleet.hosts import FleetHost
from .._update.documents import PATCHING_DOCUMENTS

if TYPE_CHECKING:
    from mypy_boto3_ssm.type_defs import AssociationTypeDef

OF_A_POLICY = "AWS-QuickSetup-PatchPolicy-"
SCANS_ONLY = "AWS-QuickSetup-SSMHostMgmt-ScanForPatches"
"""Quick Setup's host management scans hosts daily, which disturbs no run."""


@dataclass(frozen=True)
class Association:
    """One that patches; ``policy`` is the id of the patch policy that made it, None for others."""

    name: str
    document: str
    schedule: str | None
    targets: tuple[tuple[str, tuple[str, ...]], ...]
    policy: str | None

    def reaches(self, host: FleetHost) -> bool:
        """Whether the host is for certain among its targets, all of which have to fit."""
        return bool(self.targets) and all(_fits(host, key, values) for key, values in self.targets)


def _fits(host: FleetHost, key: str, values: tuple[str, ...]) -> bool:
    if key == "InstanceIds":
        return "*" in values or host.instance_id in values
    if key == "tag-key":
        return any(value in host.tags for value in values)
    kind, _separator, name = key.partition(":")
    return kind == "tag" and host.tags.get(name) in values


def patching_associations(aws: Aws) -> list[Association]:
    """Those of a region; none where the credentials may not read them."""
    try:
        return [_read(row) for row in list_associations(aws) if _patches(row)]
    except AwsError:
        return []


def _patches(row: AssociationTypeDef) -> bool:
    name = row.get("AssociationName", "")
    return name.startswith(OF_A_POLICY) or (row.get("Name") in PATCHING_DOCUMENTS and not name.startswith(SCANS_ONLY))


def _read(row: AssociationTypeDef) -> Association:
    name = str(row.get("AssociationName") or row.get("AssociationId"))
    return Association(
        name=name,
        document=str(row.get("Name")),
        schedule=row.get("ScheduleExpression"),
        targets=tuple((target["Key"], tuple(target["Values"])) for target in row.get("Targets", ())),
        policy=name.rpartition("-")[2] if name.startswith(OF_A_POLICY) else None,
    )
