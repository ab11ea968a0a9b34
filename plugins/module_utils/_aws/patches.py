# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Patch Manager shows of a node. Source: Systems Manager API reference."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from .api import Aws, pages
from .ssm import SSM

if TYPE_CHECKING:
    from mypy_boto3_ssm.type_defs import (
        ComplianceItemTypeDef,
        InstancePatchStateTypeDef,
        PatchComplianceDataTypeDef,
        PatchOrchestratorFilterTypeDef,
    )


MOST_NODES = 50
"""In a call of DescribeInstancePatchStates."""
MOST_VALUES = 20
"""Of one filter in a call."""


def patch_state(aws: Aws, node_id: str) -> InstancePatchStateTypeDef | None:
    """The counts of a node's last operation; None for one that was never scanned."""
    answer = aws.read(SSM, node_id).describe_instance_patch_states(InstanceIds=[node_id])
    return next(iter(answer.get("InstancePatchStates", [])), None)


def patch_states(aws: Aws, node_ids: Sequence[str]) -> Iterator[InstancePatchStateTypeDef]:
    """The same of many nodes; those that were never scanned are left out."""
    for at in range(0, len(node_ids), MOST_NODES):
        ids = list(node_ids[at : at + MOST_NODES])
        for page in pages(partial(aws.read(SSM).describe_instance_patch_states, InstanceIds=ids)):
            yield from page.get("InstancePatchStates", [])


def missing_patches(aws: Aws, node_id: str) -> list[PatchComplianceDataTypeDef]:
    """The rows of a node's updates that are missing or failed."""
    operation = partial(
        aws.read(SSM, node_id).describe_instance_patches,
        InstanceId=node_id,
        Filters=[{"Key": "State", "Values": ["Missing", "Failed"]}],
    )
    return [row for page in pages(operation) for row in page.get("Patches", [])]


def recorded_patches(aws: Aws, node_id: str, kbs: Sequence[str]) -> list[PatchComplianceDataTypeDef]:
    """What Patch Manager's last operation on a node found of these updates, of all where none is named. The node may be off."""
    filters: list[PatchOrchestratorFilterTypeDef] = [{"Key": "KBId", "Values": list(kbs)}] if kbs else []
    operation = partial(aws.read(SSM, node_id).describe_instance_patches, InstanceId=node_id, Filters=filters)
    return [row for page in pages(operation) for row in page.get("Patches", [])]


def available_patches(aws: Aws, kbs: Sequence[str]) -> set[str]:
    """Those of these KBs that AWS lists as available, for any Windows."""
    found: set[str] = set()
    for at in range(0, len(kbs), MOST_VALUES):
        values = kbs[at : at + MOST_VALUES]
        operation = partial(
            aws.read(SSM).describe_available_patches, Filters=[{"Key": "PATCH_ID", "Values": values}], MaxResults=100
        )
        found |= {patch.get("KbNumber", "") for page in pages(operation) for patch in page.get("Patches", [])}
    return found & set(kbs)


def patch_items(aws: Aws, node_id: str) -> list[ComplianceItemTypeDef]:
    """The compliance items of type Patch of a node; each names the command that wrote it."""
    operation = partial(
        aws.read(SSM, node_id).list_compliance_items,
        Filters=[{"Key": "ComplianceType", "Values": ["Patch"], "Type": "EQUAL"}],
        ResourceIds=[node_id],
        ResourceTypes=["ManagedInstance"],
    )
    return [row for page in pages(operation) for row in page.get("ComplianceItems", [])]
