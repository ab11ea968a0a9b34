# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Operations that give an instance another root volume. Source: EC2 API reference.

CreateVolume and CreateReplaceRootVolumeTask take a client token: the same call once more is the same volume, or the same task.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from .api import Aws, pages
from .ec2 import EC2

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import (
        CreateVolumeRequestTypeDef,
        FilterTypeDef,
        ReplaceRootVolumeTaskTypeDef,
        VolumeTypeDef,
    )

WITH_IOPS = frozenset({"gp3", "io1", "io2"})
"""The volume types whose IOPS are chosen; those of gp2 follow from its size."""


def create_volume_like(
    aws: Aws, old: VolumeTypeDef, snapshot_id: str, size_gib: int, tags: Mapping[str, str], token: str
) -> str:
    """Make a volume from a snapshot that has zone, type, IOPS, throughput and key of another one; returns its id."""
    request: CreateVolumeRequestTypeDef = {
        "SnapshotId": snapshot_id,
        "AvailabilityZone": old["AvailabilityZone"],
        "VolumeType": old["VolumeType"],
        "Size": size_gib,
        "ClientToken": token,
        "TagSpecifications": [
            {"ResourceType": "volume", "Tags": [{"Key": name, "Value": value} for name, value in tags.items()]}
        ],
    }
    if old["VolumeType"] in WITH_IOPS and old.get("Iops"):
        request["Iops"] = old["Iops"]
    if old["VolumeType"] == "gp3" and old.get("Throughput"):
        request["Throughput"] = old["Throughput"]
    if old.get("Encrypted"):
        request["Encrypted"] = True
        if old.get("KmsKeyId"):
            request["KmsKeyId"] = old["KmsKeyId"]
    return aws.change(EC2, snapshot_id, idempotent=True).create_volume(**request)["VolumeId"]


def detach_volume(aws: Aws, instance_id: str, volume_id: str) -> None:
    """Never by force.

    Raises:
        Unanswered: it may have been detached.
    """
    aws.change(EC2, volume_id).detach_volume(InstanceId=instance_id, VolumeId=volume_id)


def attach_volume(aws: Aws, instance_id: str, volume_id: str, device: str) -> None:
    """Attach an available volume.

    Raises:
        Unanswered: it may have been attached.
    """
    aws.change(EC2, volume_id).attach_volume(InstanceId=instance_id, VolumeId=volume_id, Device=device)


def replace_root_volume(aws: Aws, instance_id: str, snapshot_id: str, token: str) -> str:
    """Begin to replace the root volume of a running instance; the replaced one is kept. Returns the id of the task."""
    answer = aws.change(EC2, instance_id, idempotent=True).create_replace_root_volume_task(
        InstanceId=instance_id, SnapshotId=snapshot_id, ClientToken=token, DeleteReplacedRootVolume=False
    )
    return answer["ReplaceRootVolumeTask"]["ReplaceRootVolumeTaskId"]


def replacements_of(aws: Aws, instance_id: str) -> list[ReplaceRootVolumeTaskTypeDef]:
    """The replacements of its root volume that EC2 still shows."""
    filters: list[FilterTypeDef] = [{"Name": "instance-id", "Values": [instance_id]}]
    operation = partial(aws.read(EC2, instance_id).describe_replace_root_volume_tasks, Filters=filters)
    return [task for page in pages(operation) for task in page.get("ReplaceRootVolumeTasks", [])]
