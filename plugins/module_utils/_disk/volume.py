# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Make the root volume of an instance larger.

Sources: EBS user guide "Modify an EBS volume" (four modifications in a rolling 24 hours, each after the last is completed; the
file system can be extended from ``optimizing`` on), EC2 API reference (ModifyVolume: only Size is sent, since naming a type
changes it; limits gp2 16,384 and gp3 65,536 GiB). An MBR boot disk ends at 2,047 GiB.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .._aws.api import Aws
from .._aws.ebs import describe_modifications, describe_volume, modify_volume_size
from .._aws.errors import AwsError, Unanswered
from .._base.errors import Failed
from .._host.instances import existing_instance
from .._model.reasons import Reason
from .._operation.context import OperationContext
from .._operation.results import Result
from .snapshot import take_snapshot

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import VolumeModificationTypeDef, VolumeTypeDef

TYPE_MAX_GIB = {"gp2": 16384, "gp3": 65536, "io1": 16384, "io2": 65536, "st1": 16384, "sc1": 16384, "standard": 1024}
MBR_MAX_GIB = 2047
USABLE = frozenset({"optimizing", "completed"})
"""States of a modification in which the guest has the new size."""
UNSEEN_SECONDS = 90.0
"""A modification that EC2 does not show for this time was not made."""
MODIFY_ATTEMPTS = 3


class NoRootVolume(Failed):
    """The root device of the instance is no EBS volume."""

    def __init__(self, root_device: str | None) -> None:
        super().__init__(f"The instance has no EBS volume at its root device {root_device}.", Reason.NO_ROOT_VOLUME)


@dataclass(frozen=True)
class Growth:
    """How a root volume may grow. Sizes are whole GiB.

    Attributes:
        instance_id: whose root volume it is.
        grow_gib: by how much.
        max_gib: the largest size that it may have.
        minimum_gib: the least growth that helps; less is not started.
        serial: of the disk on which Windows has C:; None where it is not known.
        partition_style: ``gpt`` or ``mbr``.
        snapshot_before: whether a snapshot is taken first.
        timeout_seconds: how long AWS may take until the guest can use the room.
    """

    instance_id: str
    grow_gib: int
    max_gib: int
    minimum_gib: int = 1
    serial: str | None = None
    partition_style: str | None = "gpt"
    snapshot_before: bool = False
    timeout_seconds: float = 1800.0


@dataclass(frozen=True)
class GrownVolume:
    """A volume and its sizes in GiB; snapshot_id is None without one."""

    volume_id: str
    size_gib_before: int
    size_gib: int
    snapshot_id: str | None

    @property
    def grown_gib(self) -> int:
        return self.size_gib - self.size_gib_before


class VolumeResult(Result):
    """Sizes are whole GiB; ``snapshot_id`` is None where none was taken."""

    volume_id: str
    size_gib_before: int
    size_gib: int
    grown_gib: int
    snapshot_id: str | None


def grow_volume(context: OperationContext) -> VolumeResult:
    """The operation ebs_volume_size: grow, with its options.

    Returns:
        changed, volume_id, size_gib_before, size_gib, grown_gib (all GiB, whole), snapshot_id (null without one).

    Raises:
        PatchFleetError: as grow.
    """
    params = context.params
    growth = Growth(
        instance_id=params["instance_id"],
        grow_gib=params["grow_gib"],
        max_gib=params["max_gib"],
        minimum_gib=params["minimum_gib"],
        serial=params["serial"],
        partition_style=params["partition_style"],
        snapshot_before=params["snapshot_before_grow"],
        timeout_seconds=params["modify_timeout_seconds"],
    )
    grown = grow(context, growth)
    return {
        "changed": True,
        "volume_id": grown.volume_id,
        "size_gib_before": grown.size_gib_before,
        "size_gib": grown.size_gib,
        "grown_gib": grown.grown_gib,
        "snapshot_id": grown.snapshot_id,
    }


def grow(context: OperationContext, growth: Growth) -> GrownVolume:
    """Grow the root volume of an instance, and wait until the guest can use the room; in check mode only see what would grow.

    Raises:
        PatchFleetError: ``volume_at_maximum``, ``wrong_volume``, ``snapshot_failed``, what ModifyVolume answered, or
            ``modification_failed``.
    """
    volume = root_volume(context.aws, growth.instance_id)
    volume_id, size = volume["VolumeId"], int(volume["Size"])
    _check_serial(volume_id, growth.serial)
    target = _target_size(volume, growth)
    if target - size < growth.minimum_gib:
        raise Failed(
            f"The volume {volume_id} has {size} GiB and may grow to {max(target, size)} GiB only (patch_grow_gib is "
            f"{growth.grow_gib}, patch_volume_max_gib is {growth.max_gib}), which would not give the room that is wanted; "
            "it is left as it is.",
            Reason.VOLUME_AT_MAXIMUM,
        )
    snapshot_id = None
    if not context.check_mode:
        if growth.snapshot_before:
            snapshot_id = take_snapshot(context, volume, f"before growing from {size} to {target} GiB")
        context.report_progress(f"growing {volume_id} from {size} to {target} GiB")
        target = _modify(context, volume_id, target, growth.timeout_seconds)
        context.update_facts(grown_gib=target - size)
    return GrownVolume(volume_id, size, target, snapshot_id)


def _modify(context: OperationContext, volume_id: str, target: int, timeout_seconds: float) -> int:
    """Ask for the size and wait until the guest can use it; returns the size that the volume has then.

    A modification that is going on already, of a run that died in the middle, is waited for instead. One whose answer was lost
    is known by its size, and by its being another one than the last before.
    """
    last = _newest(context, volume_id)
    for number in range(1, MODIFY_ATTEMPTS + 1):
        target, made = _attempt_to_modify(context, volume_id, target, last, is_last=number == MODIFY_ATTEMPTS)
        if made:
            break
    _wait_until_usable(context, volume_id, target, timeout_seconds)
    return target


def _attempt_to_modify(
    context: OperationContext, volume_id: str, target: int, last: VolumeModificationTypeDef | None, *, is_last: bool
) -> tuple[int, bool]:
    """The size that is being made, and whether it is; False when AWS gave no answer, and shows no such modification."""
    try:
        modify_volume_size(context.aws, volume_id, target)
    except AwsError as error:
        if error.aws_code != "IncorrectModificationState":
            raise
        newest = _newest(context, volume_id)
        if newest is None or newest["ModificationState"] != "modifying":
            raise
        context.report_progress(f"it is already growing to {newest['TargetSize']} GiB")
        return newest["TargetSize"], True
    except Unanswered:
        context.report_progress("AWS gave no answer to the modification: checking whether it was made")
        visible_by = context.clock.now() + UNSEEN_SECONDS
        if not context.wait_until(lambda: _is_new(_newest(context, volume_id), target, last), visible_by):
            if is_last:
                raise
            return target, False
    return target, True


def _newest(context: OperationContext, volume_id: str) -> VolumeModificationTypeDef | None:
    return next(iter(describe_modifications(context.aws, volume_id)), None)


def _is_new(newest: VolumeModificationTypeDef | None, target: int, last: VolumeModificationTypeDef | None) -> bool:
    """Whether it is a modification to this size that was not there before."""
    if newest is None or newest["TargetSize"] != target:
        return False
    return last is None or newest["StartTime"] > last["StartTime"]


def root_volume(aws: Aws, instance_id: str) -> VolumeTypeDef:
    """The root volume as DescribeVolumes gives it: the one at RootDeviceName, at any position of the list.

    Raises:
        InstanceGone: EC2 does not know it.
        NoRootVolume: its root device is no EBS volume.
    """
    instance = existing_instance(aws, instance_id)
    root = instance.get("RootDeviceName")
    mapped = {m["DeviceName"]: m["Ebs"]["VolumeId"] for m in instance.get("BlockDeviceMappings", []) if "Ebs" in m}
    if root not in mapped:
        raise NoRootVolume(root)
    return describe_volume(aws, mapped[root])


def _check_serial(volume_id: str, serial: str | None) -> None:
    """On Nitro the disk's serial number is the volume's id: what Windows calls C: must lie on the volume that grows."""
    if not serial or not serial.lower().startswith("vol"):
        return
    on_disk = serial.lower().partition("_")[0].replace("-", "")
    if on_disk != volume_id.replace("-", ""):
        raise Failed(
            f"Drive C: lies on {serial}, which is not the root volume {volume_id}; nothing is grown.",
            Reason.WRONG_VOLUME,
        )


def _target_size(volume: VolumeTypeDef, growth: Growth) -> int:
    limits = [growth.max_gib, TYPE_MAX_GIB.get(volume.get("VolumeType", ""), 16384)]
    if growth.partition_style == "mbr":
        limits.append(MBR_MAX_GIB)
    return min(int(volume["Size"]) + growth.grow_gib, *limits)


def _wait_until_usable(context: OperationContext, volume_id: str, target: int, timeout_seconds: float) -> None:
    """Wait until the guest can use the size.

    Raises:
        Failed: ``modification_failed``, or ``modify_timeout``.
    """

    def decided_modification() -> VolumeModificationTypeDef | None:
        newest = _modification(context, volume_id, target)
        return newest if newest and newest["ModificationState"] in {*USABLE, "failed"} else None

    decided = context.wait(decided_modification, context.deadline(timeout_seconds))
    if decided is None:
        raise Failed(
            f"The volume {volume_id} was still being modified when the timeout was over.", Reason.MODIFY_TIMEOUT
        )
    if decided["ModificationState"] == "failed":
        raise Failed(
            f"AWS could not grow the volume {volume_id}: {decided.get('StatusMessage') or 'no reason given'}.",
            Reason.MODIFICATION_FAILED,
        )


def _modification(context: OperationContext, volume_id: str, target: int) -> VolumeModificationTypeDef | None:
    """The modification to that size; None while AWS does not show it yet."""
    rows = describe_modifications(context.aws, volume_id)
    return next((row for row in rows if row.get("TargetSize") == target), None)
