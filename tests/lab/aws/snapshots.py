# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""EC2: snapshots of one volume, and of all volumes of an instance at one moment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lab.aws.ebs import find_volumes
from lab.aws.ec2_describe import find_instances
from lab.aws.ec2_power import check_dry_run
from lab.aws.errors import AwsError, invalid_value
from lab.aws.filters import Getter, select
from lab.aws.request import Operation, Request, Result, page
from lab.disk_image import DiskImage
from lab.lagged import Lagged
from lab.volume import EbsVolume
from lab.world import Host, make_id

SNAPSHOT_SECONDS = 300.0


@dataclass
class Snapshot:
    """A snapshot, complete after a while. ``origins`` are those of its volume, ``device`` is where that was attached."""

    id: str
    volume_id: str
    size_gib: int
    description: str
    started_at: datetime
    complete_from: float
    region: str
    encrypted: bool
    device: str | None
    origins: set[str]
    image: DiskImage | None
    tags: Lagged[dict[str, str]]


def create_snapshot(request: Request) -> Result:
    host, volume = find_volumes(request, [request.params["VolumeId"]])[0]
    check_dry_run(request)
    return {**_snapshot(request, _take(request, host, volume)), "Progress": ""}


def create_snapshots(request: Request) -> Result:
    """Of all volumes that are attached to the instance, but for those that the call leaves out."""
    wanted = request.params["InstanceSpecification"]
    (host,) = find_instances(request, [wanted["InstanceId"]])
    left_out = set(wanted.get("ExcludeDataVolumeIds") or ())
    data = {volume.id for volume in host.volumes if volume is not host.root_volume}
    if left_out - data:
        raise invalid_value(f"{sorted(left_out - data)} are no data volumes of '{host.id}'")
    if wanted.get("ExcludeBootVolume") and host.root_volume:
        left_out.add(host.root_volume.id)
    check_dry_run(request)
    taken = [_take(request, host, volume) for volume in host.volumes if volume.id not in left_out]
    return {"Snapshots": [{**_snapshot(request, snapshot), "Progress": ""} for snapshot in taken]}


def tags_asked_for(request: Request) -> dict[str, str]:
    return {
        tag["Key"]: tag.get("Value", "")
        for specification in request.params.get("TagSpecifications", [])
        for tag in specification.get("Tags", [])
    }


def _take(request: Request, host: Host, volume: EbsVolume) -> Snapshot:
    snapshots = request.account.snapshots
    snapshot = Snapshot(
        id=make_id(request.sim, "snap", *request.account.key, request.account.snapshots_taken),
        volume_id=volume.id,
        size_gib=volume.size_gib,
        description=request.params.get("Description", ""),
        started_at=request.sim.time,
        complete_from=request.sim.now + SNAPSHOT_SECONDS,
        region=host.spec.region,
        encrypted=volume.encrypted,
        device=volume.device,
        origins=set(volume.origins),
        image=host.guest.image() if volume is host.root_volume else volume.image,
        tags=Lagged(tags_asked_for(request)),
    )
    request.account.snapshots_taken += 1
    snapshots[snapshot.id] = snapshot
    return snapshot


def find_snapshot(request: Request, identifier: str) -> Snapshot:
    """One of the region; InvalidSnapshot.NotFound."""
    snapshot = request.account.snapshots.get(identifier)
    if snapshot is None or snapshot.region != request.region:
        raise AwsError("InvalidSnapshot.NotFound", f"The snapshot '{identifier}' does not exist.")
    return snapshot


def describe_snapshots(request: Request) -> Result:
    getters: dict[str, Getter[Snapshot]] = {
        "description": lambda snapshot: [snapshot.description],
        "snapshot-id": lambda snapshot: [snapshot.id],
        "status": lambda snapshot: [state_of(request, snapshot)],
        "volume-id": lambda snapshot: [snapshot.volume_id],
    }
    ids = request.params.get("SnapshotIds")
    found = [snapshot for snapshot in request.account.snapshots.values() if snapshot.region == request.region]
    if ids:
        found = [find_snapshot(request, identifier) for identifier in ids]
    found = select(found, request.params.get("Filters", []), getters, lambda snapshot: snapshot.tags.at(request.as_of))
    shown, next_token = page(request, found, 1000)
    return {"Snapshots": [_snapshot(request, snapshot) for snapshot in shown], **next_token}


def delete_snapshot(request: Request) -> Result:
    """Volumes that were made from it stay as they are."""
    snapshot = find_snapshot(request, request.params["SnapshotId"])
    check_dry_run(request)
    del request.account.snapshots[snapshot.id]
    return {}


def state_of(request: Request, snapshot: Snapshot) -> str:
    return "completed" if request.as_of >= snapshot.complete_from else "pending"


def _snapshot(request: Request, snapshot: Snapshot) -> dict[str, Any]:
    state = state_of(request, snapshot)
    return {
        "SnapshotId": snapshot.id,
        "VolumeId": snapshot.volume_id,
        "VolumeSize": snapshot.size_gib,
        "Description": snapshot.description,
        "StartTime": snapshot.started_at,
        "State": state,
        "Progress": "100%" if state == "completed" else "0%",
        "OwnerId": request.arns.account_id,
        "Encrypted": snapshot.encrypted,
        "Tags": [{"Key": key, "Value": value} for key, value in snapshot.tags.at(request.as_of).items()],
    }


OPERATIONS: dict[str, Operation] = {
    "CreateSnapshot": create_snapshot,
    "CreateSnapshots": create_snapshots,
    "DescribeSnapshots": describe_snapshots,
    "DeleteSnapshot": delete_snapshot,
}
