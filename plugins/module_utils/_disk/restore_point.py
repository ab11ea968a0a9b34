# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A restore point: snapshots of a host's volumes, taken at one moment before the first installation.

CreateSnapshots takes all volumes of an instance at one moment, and has no client token: what was asked for is written down before,
and found again by its tags after a crash or a lost answer. The snapshots are crash-consistent; nothing waits for their end, since
what is written later is not in them.
Sources: EC2 API reference (CreateSnapshots), EBS user guide ("Create Amazon EBS snapshots").
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from .._aws.api import Aws
from .._aws.ebs import create_snapshots, describe_snapshots
from .._aws.ec2 import tags_of
from .._aws.errors import Unanswered
from .._base.clock import iso
from .._base.errors import Failed
from .._host.instances import existing_instance
from .._ledger.earlier import earlier_hosts
from .._model.fact_values import RestorePoint, SnapshotOfVolume
from .._model.reasons import Reason
from .._operation.context import OperationContext
from .snapshot import MOST_TAGS, VISIBLE_WITHIN_SECONDS, description

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import InstanceTypeDef, SnapshotTypeDef

MARK, HOST, RUN, EXPIRES = "patchfleet:restore-point", "patchfleet:host", "patchfleet:run", "patchfleet:expires"
"""Tags of the snapshots. Without MARK nothing of ours deletes a snapshot; EXPIRES is ISO 8601, or KEPT."""
KEPT = "never"
DESCRIPTION = description("restore point")
DAY_SECONDS = 86400.0
COMPLETE_WITHIN_SECONDS = 14400.0
"""The first snapshot of a large volume takes hours."""


def make_restore_point(context: OperationContext) -> RestorePoint:
    """Take the restore point of an EC2 host, unless it has one; with restore_point_wait also wait until it is complete.

    A host that was taken over from a run that died keeps the point of that run: what is on its disk now is partly installed.

    Raises:
        LeaseLost: another run took the host over.
        Failed: ``restore_point_failed``, whatever kept it from being taken.
    """
    try:
        point = _own_point(context) or _earlier_point(context) or _take(context)
        return _shown(context, point)
    except Failed as error:
        sentence = f"There is no restore point, so nothing was installed: {error.reason}"
        raise Failed(sentence, Reason.RESTORE_POINT_FAILED, error.facts) from error


def _own_point(context: OperationContext) -> RestorePoint | None:
    """The one of this run, completed by its tags where AWS's answer is not known."""
    point = context.facts.get("restore_point")
    return complete_point(context.aws, _key_of(context), point) if point else None


def _key_of(context: OperationContext) -> str:
    return context.host_key or str(context.params["instance_id"])


def _earlier_point(context: OperationContext) -> RestorePoint | None:
    """That of the run from which the host was taken over, while it has not expired."""
    if not context.tracked_host:
        return None
    for host in earlier_hosts(context.ledger, [context.facts.get("adopted_from")], context.tracked_host[1]):
        point = host.facts.get("restore_point")
        found = complete_point(context.aws, host.key, point) if point else None
        if found and found["expires_at"] > context.clock.now():
            context.report_progress(f"it keeps the restore point of the run {found['run_id']}")
            context.update_facts(restore_point=found)
            return found
    return None


def complete_point(aws: Aws, key: str, point: RestorePoint) -> RestorePoint | None:
    """A point as it is; one whose answer is not known as its tags show it, or None where nothing was made."""
    if point["made_at"] is not None:
        return point
    return _with_volumes(point, _found_by_tags(aws, key, point["run_id"]))


def _take(context: OperationContext) -> RestorePoint:
    instance = existing_instance(context.aws, context.params["instance_id"])
    now = context.clock.now()
    expires_at = now + context.params["restore_point_days"] * DAY_SECONDS
    left_out, wanted = chosen_volumes(instance, context.params["restore_point"])
    point = RestorePoint(
        run_id=context.run_id or "",
        asked_at=now,
        made_at=None,
        expires_at=expires_at,
        root_volume_id=wanted[0],
        volumes=[],
    )
    context.report_progress("taking a restore point")
    context.update_facts(restore_point=point)
    key, tags = _key_of(context), point_tags(context, instance, expires_at)
    try:
        made: Iterable[Mapping[str, Any]] = create_snapshots(
            context.aws, instance["InstanceId"], left_out, DESCRIPTION, tags
        )
    except Unanswered:
        context.report_progress("AWS gave no answer to the restore point: checking whether it was taken")

        def shown_snapshots() -> list[SnapshotTypeDef] | None:
            found = _found_by_tags(context.aws, key, point["run_id"])
            return found if len(found) == len(wanted) else None

        shown = context.wait(shown_snapshots, context.deadline(VISIBLE_WITHIN_SECONDS))
        if shown is None:
            raise
        made = shown
    taken = _with_volumes(point, made)
    if taken is None:
        raise Failed("EC2 took no snapshot of the host.", Reason.SNAPSHOT_FAILED)
    context.update_facts(restore_point=taken)
    return taken


def root_of(instance: InstanceTypeDef) -> str | None:
    """The id of its root volume; None where that is no EBS volume."""
    return _volumes_of(instance).get(instance.get("RootDeviceName", ""))


def _volumes_of(instance: InstanceTypeDef) -> dict[str, str]:
    """Volume ids by device."""
    return {m["DeviceName"]: m["Ebs"]["VolumeId"] for m in instance.get("BlockDeviceMappings", []) if "Ebs" in m}


def chosen_volumes(instance: InstanceTypeDef, which: str) -> tuple[list[str], list[str]]:
    """The data volumes that are left out, and the volumes of which there will be snapshots.

    Raises:
        Failed: ``no_root_volume``.
    """
    root = root_of(instance)
    if root is None:
        raise Failed("The instance has no EBS volume as its root device.", Reason.NO_ROOT_VOLUME)
    data = sorted(set(_volumes_of(instance).values()) - {root})
    return ([], [root, *data]) if which == "all" else (data, [root])


def point_tags(context: OperationContext, instance: InstanceTypeDef, expires_at: float) -> dict[str, str]:
    """Ours, and the instance's own, so that policies and bills that go by them still fit."""
    tags = {
        MARK: "true",
        EXPIRES: str(iso(expires_at)),
        HOST: context.host_key or instance["InstanceId"],
        RUN: context.run_id or "",
    }
    for name, value in tags_of(instance).items():
        if not name.startswith("aws:") and len(tags) < MOST_TAGS:
            tags.setdefault(name, value)
    return tags


def _found_by_tags(aws: Aws, key: str, run_id: str) -> list[SnapshotTypeDef]:
    found = describe_snapshots(aws, {f"tag:{MARK}": "true", f"tag:{HOST}": key, f"tag:{RUN}": run_id})
    return sorted(found, key=lambda snapshot: snapshot["SnapshotId"])


def _with_volumes(point: RestorePoint, made: Iterable[Mapping[str, Any]]) -> RestorePoint | None:
    """The point with its snapshots; None where there are none."""
    rows = list(made)
    if not rows:
        return None
    volumes = [
        SnapshotOfVolume(snapshot_id=row["SnapshotId"], volume_id=row["VolumeId"], gib=int(row["VolumeSize"]))
        for row in rows
    ]
    return {**point, "made_at": min(row["StartTime"].timestamp() for row in rows), "volumes": volumes}


def _shown(context: OperationContext, point: RestorePoint) -> RestorePoint:
    """Wait until EC2 shows the snapshots; with restore_point_wait until they are complete.

    Raises:
        Failed: ``snapshot_failed``.
    """
    ids, wait = sorted(volume["snapshot_id"] for volume in point["volumes"]), context.params["restore_point_wait"]
    if wait:
        context.report_progress("waiting until its restore point is complete")
    last: dict[str, str] = {}

    def decided() -> bool:
        last.clear()
        for snapshot in _found_by_tags(context.aws, _key_of(context), point["run_id"]):
            if snapshot["SnapshotId"] in ids:
                last[snapshot["SnapshotId"]] = snapshot["State"]
        states = set(last.values())
        return "error" in states or (len(last) == len(ids) and (not wait or states == {"completed"}))

    deadline = context.deadline(COMPLETE_WITHIN_SECONDS if wait else VISIBLE_WITHIN_SECONDS)
    if not context.wait_until(decided, deadline) or "error" in last.values():
        words = ", ".join(f"{each}: {last.get(each, 'not shown by EC2')}" for each in ids)
        raise Failed(f"The snapshots are not as they should be ({words}).", Reason.SNAPSHOT_FAILED)
    return point
