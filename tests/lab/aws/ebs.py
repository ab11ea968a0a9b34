# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""EC2: volumes and their modifications."""

from __future__ import annotations

from typing import Any

from lab.aws.ec2_describe import find_instance, instances_in
from lab.aws.ec2_power import check_dry_run
from lab.aws.errors import AwsError, invalid_value
from lab.aws.filters import Getter, select
from lab.aws.request import Operation, Request, Result, page
from lab.aws.right_parts import key_arn
from lab.volume import PROGRESS, EbsVolume, Modification
from lab.world import Host

MODIFICATIONS_A_DAY = 4
MAX_GIB = {"gp2": 16384, "gp3": 65536, "io1": 16384, "io2": 65536, "st1": 16384, "sc1": 16384, "standard": 1024}
MAX_RESULTS = 500
# Of the image that the root volumes were made from.
IMAGE_SNAPSHOT = "snap-0a1b2c3d4e5f60718"


Attached = tuple[Host, EbsVolume]


def _volumes(request: Request) -> list[Attached]:
    pairs = [
        (host, volume) for host in instances_in(request) for volume in host.all_volumes if not _is_gone(host, volume)
    ]
    return sorted(pairs, key=lambda pair: pair[1].id)


def _is_gone(host: Host, volume: EbsVolume) -> bool:
    """The root volume is deleted on termination."""
    return volume is host.root_volume and host.state == "terminated"


def find_volumes(request: Request, ids: list[str]) -> list[Attached]:
    found = []
    for identifier in dict.fromkeys(ids):
        host = request.world.by_volume_id.get(identifier)
        if host is None or find_instance(request, host.id) is None:
            raise AwsError("InvalidVolume.NotFound", f"The volume '{identifier}' does not exist.")
        found += [(host, volume) for volume in host.all_volumes if volume.id == identifier]
    return found


def describe_volumes(request: Request) -> Result:
    now = request.as_of
    getters: dict[str, Getter[Attached]] = {
        "attachment.device": lambda pair: [pair[1].device] if pair[1].device else [],
        "attachment.instance-id": lambda pair: [pair[0].id or ""] if pair[1].device else [],
        "attachment.status": lambda pair: ["attached"] if pair[1].device else [],
        "availability-zone": lambda pair: [pair[0].spec.region + pair[0].spec.az],
        "encrypted": lambda pair: [str(pair[1].encrypted).lower()],
        "size": lambda pair: [str(pair[1].sizes.at(now))],
        "status": lambda pair: [state_of(request, pair[1])],
        "volume-id": lambda pair: [pair[1].id],
        "volume-type": lambda pair: [pair[1].spec.type],
    }
    ids = request.params.get("VolumeIds")
    pairs = find_volumes(request, ids) if ids else _volumes(request)
    pairs = select(pairs, request.params.get("Filters", []), getters, lambda pair: pair[1].tags.at(now))
    shown, next_token = page(request, pairs, MAX_RESULTS)
    return {"Volumes": [shown_volume(request, *pair) for pair in shown], **next_token}


def state_of(request: Request, volume: EbsVolume) -> str:
    """What DescribeVolumes calls its state."""
    if volume.device:
        return "in-use"
    if request.as_of < volume.ready_from:
        return "creating" if volume.is_new else "in-use"
    return "available"


def shown_volume(request: Request, host: Host, volume: EbsVolume) -> dict[str, Any]:
    """A volume as DescribeVolumes and CreateVolume show it."""
    now = request.as_of
    key = {"KmsKeyId": key_arn(request.arns, host.spec.region)}
    return {
        "VolumeId": volume.id,
        "Size": volume.sizes.at(now),
        "SnapshotId": volume.source or (IMAGE_SNAPSHOT if volume is host.root_volume else ""),
        "VolumeType": volume.spec.type,
        **_iops("Iops", volume, volume.sizes.at(now)),
        **({"Throughput": volume.speed.throughput or 125} if volume.spec.type == "gp3" else {}),
        "State": state_of(request, volume),
        "AvailabilityZone": host.spec.region + volume.az,
        "CreateTime": volume.created_at,
        "Encrypted": volume.encrypted,
        **(key if volume.encrypted else {}),
        "Attachments": [attachment(host, volume, "attached")] if volume.device else [],
        "Tags": [{"Key": tag, "Value": value} for tag, value in volume.tags.at(now).items()],
    }


def attachment(host: Host, volume: EbsVolume, state: str) -> dict[str, Any]:
    """As DescribeVolumes and AttachVolume show it."""
    return {
        "VolumeId": volume.id,
        "InstanceId": host.id,
        "Device": volume.device,
        "State": state,
        "AttachTime": volume.created_at,
        "DeleteOnTermination": volume.delete_on_termination,
    }


def _iops(key: str, volume: EbsVolume, size_gib: int) -> dict[str, int]:
    """gp2's follow from the size; the types on disks have none (EBS user guide, "Amazon EBS volume types")."""
    if volume.spec.type in ("standard", "st1", "sc1"):
        return {}
    if volume.speed.iops:
        return {key: volume.speed.iops}
    return {key: min(16_000, max(100, 3 * size_gib)) if volume.spec.type == "gp2" else 3000}


def modify_volume(request: Request) -> Result:
    """At most four in 24 hours, each after the last one completed; never smaller."""
    params = request.params
    _host, volume = find_volumes(request, [params["VolumeId"]])[0]
    check_dry_run(request)
    size = params.get("Size", volume.size_gib)
    if size < volume.size_gib:
        raise invalid_value(f"New size cannot be smaller than existing size ({volume.size_gib} GiB)")
    limit = MAX_GIB.get(volume.spec.type, 16384)
    if size > limit:
        raise invalid_value(
            f"Volume of {size}GiB is too large for volume type {volume.spec.type}; maximum is {limit}GiB"
        )
    if volume.modification_in_progress or volume.spec.result == "incorrect_state":
        state = volume.modification_in_progress.state if volume.modification_in_progress else "optimizing"
        raise AwsError(
            "IncorrectModificationState",
            f"Cannot modify volume {volume.id} while its previous modification is {state}",
        )
    if volume.modified_in_last_day() >= MODIFICATIONS_A_DAY:
        raise AwsError(
            "VolumeModificationRateExceeded",
            "You've reached the maximum modification rate per volume limit. Wait before you modify the volume "
            f"{volume.id} again.",
        )
    return {"VolumeModification": _modification(request.sim.now, volume, volume.modify(size))}


def describe_volumes_modifications(request: Request) -> Result:
    """The latest modification of each volume; asked for volumes without one: NotFound."""
    ids = request.params.get("VolumeIds")
    pairs = find_volumes(request, ids) if ids else _volumes(request)
    found = []
    for _host, volume in pairs:
        visible = [entry for entry in volume.modifications if entry.visible_at <= request.as_of]
        if visible:
            found.append((volume, visible[-1]))
        elif ids:
            raise AwsError(
                "InvalidVolumeModification.NotFound", f"Modification for volume '{volume.id}' does not exist."
            )
    getters: dict[str, Getter[tuple[EbsVolume, Modification]]] = {
        "modification-state": lambda entry: [entry[1].stages.at(request.as_of).state],
        "volume-id": lambda entry: [entry[0].id],
        "target-size": lambda entry: [str(entry[1].target_gib)],
        "original-size": lambda entry: [str(entry[1].original_gib)],
    }
    found = select(found, request.params.get("Filters", []), getters, lambda entry: {})
    shown, next_token = page(request, found, MAX_RESULTS)
    return {"VolumesModifications": [_modification(request.as_of, *entry) for entry in shown], **next_token}


def _modification(at: float, volume: EbsVolume, modification: Modification) -> dict[str, Any]:
    stage = modification.stages.at(at)
    ended = {"EndTime": stage.ended_at} if stage.ended_at else {}
    failed = {"StatusMessage": "The modification failed."} if stage.state == "failed" else {}
    return {
        "VolumeId": volume.id,
        "ModificationState": stage.state,
        "OriginalSize": modification.original_gib,
        "TargetSize": modification.target_gib,
        "OriginalVolumeType": volume.spec.type,
        "TargetVolumeType": volume.spec.type,
        **_iops("OriginalIops", volume, modification.original_gib),
        **_iops("TargetIops", volume, modification.target_gib),
        "Progress": PROGRESS[stage.state],
        "StartTime": modification.started_at,
        **ended,
        **failed,
    }


OPERATIONS: dict[str, Operation] = {
    "DescribeVolumes": describe_volumes,
    "ModifyVolume": modify_volume,
    "DescribeVolumesModifications": describe_volumes_modifications,
}
