# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Operations on EBS volumes and snapshots. Sources: EC2 API reference, EBS user guide."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from .api import Aws, pages
from .ec2 import EC2
from .errors import AwsError

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import (
        CreateSnapshotRequestTypeDef,
        FilterTypeDef,
        SnapshotTypeDef,
        VolumeModificationTypeDef,
        VolumeTypeDef,
    )


def describe_volume(aws: Aws, volume_id: str) -> VolumeTypeDef:
    """One volume; AwsError when there is none of that id."""
    return aws.read(EC2, volume_id).describe_volumes(VolumeIds=[volume_id])["Volumes"][0]


def describe_volumes(aws: Aws, filters: Sequence[FilterTypeDef]) -> Iterator[VolumeTypeDef]:
    for page in pages(partial(aws.read(EC2).describe_volumes, Filters=filters)):
        yield from page.get("Volumes", [])


def modify_volume_size(aws: Aws, volume_id: str, size_gib: int) -> None:
    """Only the size is sent: naming a type would change it.

    Raises:
        Unanswered: it may have been modified.
    """
    aws.change(EC2, volume_id).modify_volume(VolumeId=volume_id, Size=size_gib)


def describe_modifications(aws: Aws, volume_id: str) -> list[VolumeModificationTypeDef]:
    """The modifications of a volume that EC2 still knows, the newest first; none for one that was never modified."""
    try:
        rows = [
            row
            for page in pages(partial(aws.read(EC2, volume_id).describe_volumes_modifications, VolumeIds=[volume_id]))
            for row in page.get("VolumesModifications", [])
        ]
    except AwsError as error:
        if error.aws_code != "InvalidVolumeModification.NotFound":
            raise
        return []
    return sorted(rows, key=lambda row: row["StartTime"], reverse=True)


def create_snapshot(aws: Aws, volume_id: str, description: str, tags: Mapping[str, str]) -> str:
    """Begin a snapshot of a volume; returns its id.

    Raises:
        Unanswered: it may have started.
    """
    answer = aws.change(EC2, volume_id).create_snapshot(**_snapshot_request(volume_id, description, tags))
    return answer["SnapshotId"]


def refusal_to_create_snapshot(aws: Aws, volume_id: str, description: str, tags: Mapping[str, str]) -> AwsError | None:
    """What EC2 answers to a snapshot that is not meant (DryRun)."""
    try:
        request = _snapshot_request(volume_id, description, tags)
        request["DryRun"] = True
        aws.read(EC2, volume_id).create_snapshot(**request)
    except AwsError as error:
        return error
    return None


def _snapshot_request(volume_id: str, description: str, tags: Mapping[str, str]) -> CreateSnapshotRequestTypeDef:
    return {
        "VolumeId": volume_id,
        "Description": description,
        "TagSpecifications": [
            {"ResourceType": "snapshot", "Tags": [{"Key": name, "Value": value} for name, value in tags.items()]}
        ],
    }


def describe_snapshot(aws: Aws, snapshot_id: str) -> SnapshotTypeDef | None:
    """One snapshot; None while EC2 does not show it."""
    try:
        shown = aws.read(EC2, snapshot_id).describe_snapshots(SnapshotIds=[snapshot_id])["Snapshots"]
    except AwsError as error:
        if error.aws_code != "InvalidSnapshot.NotFound":
            raise
        return None
    return shown[0] if shown else None


def describe_snapshots_of(aws: Aws, volume_id: str, tag: str, value: str) -> list[SnapshotTypeDef]:
    """The snapshots of a volume that carry a tag with this value."""
    filters: list[FilterTypeDef] = [
        {"Name": "volume-id", "Values": [volume_id]},
        {"Name": f"tag:{tag}", "Values": [value]},
    ]
    operation = partial(aws.read(EC2, volume_id).describe_snapshots, Filters=filters, OwnerIds=["self"])
    return [snapshot for page in pages(operation) for snapshot in page.get("Snapshots", [])]
