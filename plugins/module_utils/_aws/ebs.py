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
        CreateSnapshotsRequestTypeDef,
        FilterTypeDef,
        SnapshotInfoTypeDef,
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
    return list(describe_snapshots(aws, {f"tag:{tag}": value, "volume-id": volume_id}))


def describe_snapshots(aws: Aws, filters: Mapping[str, str]) -> Iterator[SnapshotTypeDef]:
    """The account's own snapshots that pass all of the filters."""
    chosen: list[FilterTypeDef] = [{"Name": name, "Values": [value]} for name, value in filters.items()]
    for page in pages(partial(aws.read(EC2).describe_snapshots, Filters=chosen, OwnerIds=["self"])):
        yield from page.get("Snapshots", [])


def create_snapshots(
    aws: Aws, instance_id: str, left_out: Sequence[str], description: str, tags: Mapping[str, str]
) -> list[SnapshotInfoTypeDef]:
    """Begin snapshots of the volumes of an instance at one moment, but for the data volumes that are left out.

    Raises:
        Unanswered: they may have started.
    """
    request = _snapshots_request(instance_id, left_out, description, tags)
    return aws.change(EC2, instance_id).create_snapshots(**request)["Snapshots"]


def refusal_to_create_snapshots(
    aws: Aws, instance_id: str, left_out: Sequence[str], description: str, tags: Mapping[str, str]
) -> AwsError | None:
    """What EC2 answers to snapshots that are not meant (DryRun)."""
    try:
        request = _snapshots_request(instance_id, left_out, description, tags)
        request["DryRun"] = True
        aws.read(EC2, instance_id).create_snapshots(**request)
    except AwsError as error:
        return error
    return None


def _snapshots_request(
    instance_id: str, left_out: Sequence[str], description: str, tags: Mapping[str, str]
) -> CreateSnapshotsRequestTypeDef:
    request: CreateSnapshotsRequestTypeDef = {
        "InstanceSpecification": {"InstanceId": instance_id},
        "Description": description,
        "TagSpecifications": [
            {"ResourceType": "snapshot", "Tags": [{"Key": name, "Value": value} for name, value in tags.items()]}
        ],
    }
    if left_out:
        request["InstanceSpecification"] = {"InstanceId": instance_id, "ExcludeDataVolumeIds": list(left_out)}
    return request


def delete_snapshot(aws: Aws, snapshot_id: str) -> None:
    """Delete a snapshot; one that is gone is no error. Volumes that were made from it stay."""
    try:
        aws.change(EC2, snapshot_id, idempotent=True).delete_snapshot(SnapshotId=snapshot_id)
    except AwsError as error:
        if error.aws_code != "InvalidSnapshot.NotFound":
            raise
