# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""EC2: volumes from snapshots, attaching and detaching, and the replacement of a root volume.

Sources: EC2 API reference (CreateVolume, AttachVolume, DetachVolume, CreateReplaceRootVolumeTask), EC2 user guide "Replace the root
volume for an Amazon EC2 instance".
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from lab.aws.ebs import attachment, find_volumes, shown_volume, state_of
from lab.aws.ec2_describe import find_instances
from lab.aws.ec2_power import check_dry_run
from lab.aws.errors import AwsError, invalid_value
from lab.aws.filters import Getter, select
from lab.aws.request import Operation, Request, Result, page
from lab.aws.snapshots import Snapshot, find_snapshot, tags_asked_for
from lab.aws.snapshots import state_of as snapshot_state
from lab.lagged import Lagged
from lab.scenario import Volume
from lab.sim import Steps
from lab.volume import EbsVolume, Speed
from lab.world import ROOT_DEVICE, Host, make_id

BECOMES_READY_SECONDS = 5.0
TASK_STAGES = (("in-progress", 20.0), ("succeeding", 40.0))


@dataclass
class ReplaceTask:
    """A replacement of a root volume, and how far it is."""

    id: str
    host: Host
    snapshot: Snapshot
    token: str
    started_at: datetime
    state: Lagged[str] = field(default_factory=lambda: Lagged("pending"))
    ended_at: datetime | None = None


def _usable(request: Request, identifier: str) -> Snapshot:
    snapshot = find_snapshot(request, identifier)
    if snapshot_state(request, snapshot) != "completed":
        raise AwsError("IncorrectState", f"Snapshot is in invalid state - pending: {identifier}")
    return snapshot


def _owner(request: Request, snapshot: Snapshot) -> Host:
    return request.world.by_volume_id[snapshot.volume_id]


def _new_volume(request: Request, host: Host, snapshot: Snapshot, spec: Volume, size_gib: int) -> EbsVolume:
    account = request.account
    volume_id = make_id(request.sim, "vol", *account.key, "made", account.volumes_made)
    account.volumes_made += 1
    volume = host.new_volume(volume_id, size_gib, spec)
    volume.encrypted = snapshot.encrypted
    volume.copy_from(snapshot.image, snapshot.id, snapshot.origins)
    volume.ready_from = request.sim.now + BECOMES_READY_SECONDS
    for fleet in {id(it): it for it in (request.world, host.fleet)}.values():
        fleet.by_volume_id[volume.id] = host
    return volume


def create_volume(request: Request) -> Result:
    """From a snapshot, in any zone of the region. The client token of an earlier call gives the volume of that call."""
    params = request.params
    snapshot = _usable(request, params["SnapshotId"])
    if not params["AvailabilityZone"].startswith(request.region):
        raise AwsError("InvalidZone.NotFound", f"The zone '{params['AvailabilityZone']}' does not exist.")
    check_dry_run(request)
    host, token = _owner(request, snapshot), params.get("ClientToken")
    made = [volume for volume in host.all_volumes if token and volume.id == request.account.volume_tokens.get(token)]
    if made:
        return shown_volume(request, host, made[0])
    size = params.get("Size", snapshot.size_gib)
    if size < snapshot.size_gib:
        raise invalid_value(
            f"Volume of {size}GiB is smaller than snapshot '{snapshot.id}', expect size >= {snapshot.size_gib}GiB"
        )
    spec = replace(host.spec.volume, type=params.get("VolumeType", "gp2"), modifications_24h=0)
    volume = _new_volume(request, host, snapshot, spec, size)
    volume.az = params["AvailabilityZone"].removeprefix(request.region)
    volume.speed = Speed(params.get("Iops"), params.get("Throughput"))
    volume.tags = Lagged(tags_asked_for(request))
    if token:
        request.account.volume_tokens[token] = volume.id
    return shown_volume(request, host, volume)


def detach_volume(request: Request) -> Result:
    """A root volume only from an instance that is stopped."""
    host, volume = find_volumes(request, [request.params["VolumeId"]])[0]
    if not volume.device:
        raise AwsError("IncorrectState", f"Volume '{volume.id}' is in the 'available' state.")
    if volume is host.root_volume and host.state != "stopped":
        raise AwsError("OperationNotPermitted", f"Unable to detach root volume '{volume.id}' from instance '{host.id}'")
    check_dry_run(request)
    shown = attachment(host, volume, "detaching")
    host.detach(volume)
    volume.ready_from = request.sim.now + BECOMES_READY_SECONDS
    return shown


def attach_volume(request: Request) -> Result:
    """In the zone of the instance, at a device that is free."""
    params = request.params
    owner, volume = find_volumes(request, [params["VolumeId"]])[0]
    (host,) = find_instances(request, [params["InstanceId"]])
    if state_of(request, volume) != "available":
        raise AwsError("IncorrectState" if not volume.device else "VolumeInUse", f"{volume.id} is not 'available'.")
    if volume.az != host.spec.az:
        raise AwsError("InvalidVolume.ZoneMismatch", f"The volume '{volume.id}' is not in the same availability zone.")
    if owner is not host:
        raise invalid_value(f"the lab attaches '{volume.id}' to the instance of its snapshot alone")
    if params["Device"] in [other.device for other in host.volumes]:
        raise invalid_value(f"Invalid value '{params['Device']}' for unixDevice. Attachment point is already in use")
    if params["Device"] == ROOT_DEVICE and host.state != "stopped":
        raise AwsError("IncorrectInstanceState", f"Instance '{host.id}' is not 'stopped'.")
    check_dry_run(request)
    host.attach(volume, params["Device"])
    return attachment(host, volume, "attaching")


def create_replace_root_volume_task(request: Request) -> Result:
    """The instance runs, and the snapshot goes back to its root volume. The same client token is the same task."""
    params, tasks = request.params, request.account.replace_tasks
    (host,) = find_instances(request, [params["InstanceId"]])
    known = [task for task in tasks if params.get("ClientToken") and task.token == params["ClientToken"]]
    if known:
        return {"ReplaceRootVolumeTask": _task(request, known[0])}
    if host.state != "running":
        raise AwsError("IncorrectInstanceState", f"The instance '{host.id}' is not in the 'running' state.")
    snapshot = _usable(request, params["SnapshotId"])
    if host.root_volume is None or not snapshot.origins & host.root_volume.origins:
        raise invalid_value(f"Snapshot '{snapshot.id}' was not created from the root volume of '{host.id}'.")
    check_dry_run(request)
    task_id = make_id(request.sim, "replacevol", *request.account.key, len(tasks))
    task = ReplaceTask(task_id, host, snapshot, params.get("ClientToken", ""), request.sim.time)
    tasks.append(task)
    request.sim.spawn(_replace(request, task))
    return {"ReplaceRootVolumeTask": _task(request, task)}


def _replace(request: Request, task: ReplaceTask) -> Steps[None]:
    host = task.host
    for state, seconds in TASK_STAGES:
        task.state.set(state, request.sim.now)
        yield seconds
    old = host.root_volume
    if host.state != "running" or old is None:
        task.state.set("failed", request.sim.now)
        return

    def exchange() -> None:
        host.detach(old)
        new = _new_volume(request, host, task.snapshot, old.spec, task.snapshot.size_gib)
        new.speed, new.encrypted = old.speed, old.encrypted
        host.attach(new, ROOT_DEVICE)
        new.delete_on_termination = True

    host.guest.replace_system(exchange)
    task.ended_at = request.sim.time
    task.state.set("succeeded", request.sim.now)


def describe_replace_root_volume_tasks(request: Request) -> Result:
    ids = request.params.get("ReplaceRootVolumeTaskIds")
    found = [task for task in request.account.replace_tasks if task.host.spec.region == request.region]
    found = [task for task in found if not ids or task.id in ids]
    getters: dict[str, Getter[ReplaceTask]] = {"instance-id": lambda task: [task.host.id or ""]}
    found = select(found, request.params.get("Filters", []), getters, lambda _task: {})
    shown, next_token = page(request, found, 50)
    return {"ReplaceRootVolumeTasks": [_task(request, task) for task in shown], **next_token}


def _task(request: Request, task: ReplaceTask) -> dict[str, Any]:
    return {
        "ReplaceRootVolumeTaskId": task.id,
        "InstanceId": task.host.id,
        "TaskState": task.state.at(request.as_of),
        "StartTime": f"{task.started_at:%Y-%m-%dT%H:%M:%SZ}",
        **({"CompleteTime": f"{task.ended_at:%Y-%m-%dT%H:%M:%SZ}"} if task.ended_at else {}),
        "SnapshotId": task.snapshot.id,
        "DeleteReplacedRootVolume": False,
        "Tags": [],
    }


OPERATIONS: dict[str, Operation] = {
    "CreateVolume": create_volume,
    "DetachVolume": detach_volume,
    "AttachVolume": attach_volume,
    "CreateReplaceRootVolumeTask": create_replace_root_volume_task,
    "DescribeReplaceRootVolumeTasks": describe_replace_root_volume_tasks,
}
