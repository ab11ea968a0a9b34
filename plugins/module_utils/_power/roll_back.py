# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The root volume of an instance back to its restore point. The old volume is kept, and nothing is deleted.

A running instance gets EC2's root volume replacement, which keeps its attributes and its power state. Of one that is off the
volumes are exchanged: detach, make, attach. A running one that EC2 refuses is stopped for that, and started again. What is done is
written down before, so that a restore finishes or undoes what a dead controller left.
Sources: EC2 API reference (CreateReplaceRootVolumeTask, CreateVolume, DetachVolume, AttachVolume), EC2 user guide ("Replace the
root volume for an EC2 instance").
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._aws.ebs import describe_snapshot, describe_volume
from .._aws.ec2 import create_tags, tags_of
from .._aws.errors import EXPIRED, GONE, AwsError
from .._aws.root_volumes import (
    attach_volume,
    create_volume_like,
    detach_volume,
    replace_root_volume,
    replacements_of,
)
from .._base.clock import iso
from .._base.errors import Excluded, Failed, InstanceGone, NeedsAttention, NotRecorded, PatchFleetError
from .._disk.restore_point import root_of
from .._fleet.claims import claim_of
from .._fleet.eligibility import exclusion_of
from .._host.instances import existing_instance
from .._ledger import lenient
from .._ledger.records import PowerRecord
from .._model.fact_values import RollBack
from .._model.reasons import Reason
from .._operation.context import OperationContext
from .._operation.results import Result
from .changes import change_until
from .stop_for_exchange import lost_by_a_stop, start_after_exchange, stop_for_exchange

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import InstanceTypeDef, ReplaceRootVolumeTaskTypeDef, VolumeTypeDef

ROLL_BACK, REPLACED_AT = "patchfleet:roll-back", "patchfleet:replaced-at"
"""Tags: the run that rolled back, on both volumes; when it was replaced, on the old one."""
SETTLED = frozenset({"running", "stopped"})
TASK_ENDED = frozenset({"succeeded", "failed", "failed-detached"})
SETTLE_SECONDS, SHOWN_SECONDS, TASK_SECONDS, SNAPSHOT_SECONDS = 1200.0, 300.0, 7200.0, 14400.0
LONGEST_NAME = 255
MOST_COPIED_TAGS = 48


class SwapResult(Result):
    """The volumes: what is the root volume now, and what was before and is kept."""

    new_volume_id: str
    old_volume_id: str


def swap_root(context: OperationContext) -> SwapResult:
    """Put the root volume back to the restore point, and wait until the instance has it.

    Raises:
        InstanceGone: EC2 does not know the instance any more.
        Excluded: it may not be touched.
        Failed: ``root_not_replaced``, or what EC2 answered.
    """
    plan = _planned(context)
    instance = _settled_instance(context)
    _refuse_claimed(context, instance)
    _record_power(context, instance)
    _wait_for_snapshot(context, plan)
    root = root_of(instance)
    if plan["old_volume_id"] is None:
        if root is None:
            raise Failed("The instance has no EBS volume as its root device.", Reason.NO_ROOT_VOLUME)
        plan = _note(context, {**plan, "device": instance["RootDeviceName"], "old_volume_id": root})
    if instance["State"]["Name"] != "running":
        plan = _exchange(context, plan)
    elif refusal := _replace(context, plan):
        plan = _exchange_of_running(context, plan, instance, refusal)
    return _finish(context, plan)


def _exchange_of_running(
    context: OperationContext, plan: RollBack, instance: InstanceTypeDef, refusal: AwsError
) -> RollBack:
    """Exchange the volumes of an instance that EC2 gives no replacement, unless it would lose something by the stop."""
    lost = lost_by_a_stop(context, instance)
    if lost:
        sentence = (
            f"{refusal.reason} Of an instance that is off the volumes are exchanged instead. A stop would take "
            f"{' and '.join(lost)} from it, so it was not stopped. Stop it, and run "
            f"{context.command('roll_back', {'patch_host': context.params['instance_id']})}."
        )
        raise Failed(sentence, refusal.code, refusal.facts) from refusal
    context.report_progress(refusal.reason)
    return start_after_exchange(context, _exchange(context, stop_for_exchange(context, plan)))


def settle_root(context: OperationContext) -> None:
    """Finish, or undo, what a controller that died has left of a roll-back; does nothing without one.

    Raises:
        NeedsAttention: the instance may be without a root volume.
    """
    plan = context.facts.get("roll_back")
    if plan is None or not is_unfinished(plan) or context.check_mode:
        return
    try:
        _settle(context, plan)
    except NeedsAttention:
        raise
    except PatchFleetError as error:
        raise NeedsAttention(_root_may_be_missing(context, plan, error.reason), error.code, error.facts) from error


def is_unfinished(plan: RollBack) -> bool:
    """Whether the root volume may have been touched, and the roll-back has not come to its end."""
    return plan["old_volume_id"] is not None and not plan["is_made"]


def _root_may_be_missing(context: OperationContext, plan: RollBack, reason: str) -> str:
    command = (
        f"aws ec2 attach-volume --region {context.host.region or context.aws.region} --instance-id "
        f"{context.params['instance_id']} --volume-id {plan['old_volume_id']} --device {plan['device']}"
    )
    return f"{reason} It may have no root volume. Run {context.command('restore')}, or attach the old one: `{command}`."


def _settle(context: OperationContext, plan: RollBack) -> None:
    try:
        instance = _settled_instance(context)
    except InstanceGone:
        return
    root = root_of(instance)
    if root is None:
        plan = _exchange_or_undo(context, plan)
        root = plan["new_volume_id"] if plan["is_made"] else plan["old_volume_id"]
    elif _is_being_replaced(context):
        _wait_for_task(context, plan)
        root = root_of(existing_instance(context.aws, context.params["instance_id"]))
    plan = start_after_exchange(context, plan)
    if root == plan["old_volume_id"]:
        context.report_progress(f"the roll-back was not made: its root volume is {root}, as before")
        return
    _finish(context, plan)


def _planned(context: OperationContext) -> RollBack:
    plan = context.facts.get("roll_back")
    if plan is None:
        raise NotRecorded("The run has no roll-back of this host.")
    return plan


def _note(context: OperationContext, plan: RollBack) -> RollBack:
    context.update_facts(roll_back=plan)
    return plan


def _settled_instance(context: OperationContext) -> InstanceTypeDef:
    """Wait while it is between two power states.

    Raises:
        InstanceGone: it is terminated, or EC2 does not know it any more.
        Failed: ``not_settled``.
    """

    def settled_instance() -> InstanceTypeDef | None:
        instance = existing_instance(context.aws, context.params["instance_id"])
        if instance["State"]["Name"] in {"terminated", "shutting-down"}:
            raise InstanceGone
        return instance if instance["State"]["Name"] in SETTLED else None

    instance = context.wait(settled_instance, context.deadline(SETTLE_SECONDS))
    if instance is None:
        raise Failed("The instance stayed between two power states.", Reason.NOT_SETTLED)
    return instance


def _refuse_claimed(context: OperationContext, instance: InstanceTypeDef) -> None:
    settings = lenient.settings_of(context.recent_run)
    claim = exclusion_of(instance) or claim_of(tags_of(instance), settings, context.facts.get("scheduler"))
    if claim is not None:
        raise Excluded(f"{claim[1]} It is not rolled back.", claim[0])


def _record_power(context: OperationContext, instance: InstanceTypeDef) -> None:
    """The state in which it is found, before anything is changed: without an open record no restore would find the host."""
    host, state = context.host, instance["State"]["Name"]
    account = context.facts.get("account")
    context.ledger.record_power(
        PowerRecord(
            host_key=host.key,
            instance_id=instance["InstanceId"],
            region=host.region or context.aws.region,
            name=host.name,
            original_state=state,
            recorded_at=context.clock.now(),
            run_id=context.required_run_id,
            account=account if account and account.get("role_arn") else None,
        ),
        fence=context.fence,
    )
    context.update_facts(original_state=state)


def _wait_for_snapshot(context: OperationContext, plan: RollBack) -> None:
    """A volume is made of a snapshot that is complete.

    Raises:
        Failed: ``no_restore_point``, ``snapshot_failed``.
    """
    shown: list[str] = []

    def is_decided() -> bool:
        snapshot = describe_snapshot(context.aws, plan["snapshot_id"])
        shown[:] = [snapshot["State"] if snapshot else "gone"]
        return shown[0] != "pending"

    context.wait_until(is_decided, context.deadline(SNAPSHOT_SECONDS))
    if shown[0] == "gone":
        raise Failed(f"The snapshot {plan['snapshot_id']} does not exist any more.", Reason.NO_RESTORE_POINT)
    if shown[0] != "completed":
        raise Failed(f"The snapshot {plan['snapshot_id']} is {shown[0]}.", Reason.SNAPSHOT_FAILED)


# ---- a running instance


def _replace(context: OperationContext, plan: RollBack) -> AwsError | None:
    """Replace it; what EC2 answered where it does not do so for this instance.

    Raises:
        AwsError: the credentials lack the right, or the instance is gone.
    """
    instance_id = context.params["instance_id"]
    context.report_progress(f"replacing the root volume by the snapshot {plan['snapshot_id']}")
    try:
        replace_root_volume(context.aws, instance_id, plan["snapshot_id"], plan["token"])
    except AwsError as error:
        if error.is_denied or error.is_retryable or error.aws_code in GONE | EXPIRED:
            raise
        return error
    _wait_for_task(context, plan)
    return None


def _wait_for_task(context: OperationContext, plan: RollBack) -> None:
    """Until the replacement has ended.

    Raises:
        Failed: ``root_not_replaced``.
    """

    def ended_task() -> ReplaceRootVolumeTaskTypeDef | None:
        tasks = _tasks(context, plan)
        return next((task for task in tasks if task["TaskState"] in TASK_ENDED), None)

    task = context.wait(ended_task, context.deadline(TASK_SECONDS))
    if task is None or task["TaskState"] != "succeeded":
        state = task["TaskState"] if task else "not at its end yet"
        raise Failed(f"EC2's replacement of the root volume is {state}.", Reason.ROOT_NOT_REPLACED)


def _tasks(context: OperationContext, plan: RollBack) -> list[ReplaceRootVolumeTaskTypeDef]:
    """The newest first."""
    tasks = [
        task
        for task in replacements_of(context.aws, context.params["instance_id"])
        if task.get("SnapshotId") == plan["snapshot_id"]
    ]
    return sorted(tasks, key=lambda task: task["StartTime"], reverse=True)[:1]


def _is_being_replaced(context: OperationContext) -> bool:
    return any(
        task["TaskState"] not in TASK_ENDED for task in replacements_of(context.aws, context.params["instance_id"])
    )


# ---- an instance that is off


def _exchange(context: OperationContext, plan: RollBack) -> RollBack:
    """Make the new volume, and attach it in the place of the old one. Each part is left out where it is done."""
    old_id, instance_id, device = str(plan["old_volume_id"]), context.params["instance_id"], str(plan["device"])
    old = describe_volume(context.aws, old_id)
    create_tags(context.aws, old_id, {ROLL_BACK: context.required_run_id})
    if plan["new_volume_id"] is None:
        context.report_progress(f"making a root volume of the snapshot {plan['snapshot_id']}")
        new_id = create_volume_like(
            context.aws, old, plan["snapshot_id"], int(old["Size"]), _copied_tags(context, old), plan["token"]
        )
        plan = _note(context, {**plan, "new_volume_id": new_id})
    new_id = str(plan["new_volume_id"])
    change_until(context, lambda: None, lambda: _state(context, new_id) in {"available", "in-use"}, f"{new_id} is made")
    context.report_progress(f"exchanging {old_id} for {new_id}")
    change_until(
        context,
        lambda: detach_volume(context.aws, instance_id, old_id),
        lambda: _state(context, old_id) == "available",
        f"{old_id} is detached",
    )
    _attach(context, new_id, device)
    return plan


def _exchange_or_undo(context: OperationContext, plan: RollBack) -> RollBack:
    """Finish an exchange that left the instance without a root volume; where that fails, the old volume comes back."""
    try:
        return {**_exchange(context, plan), "is_made": True}
    except Failed as error:
        context.report_progress(f"{error.reason} The old root volume is attached again")
        _attach(context, str(plan["old_volume_id"]), str(plan["device"]))
        return plan


def _attach(context: OperationContext, volume_id: str, device: str) -> None:
    instance_id = context.params["instance_id"]
    change_until(
        context,
        lambda: attach_volume(context.aws, instance_id, volume_id, device),
        lambda: root_of(existing_instance(context.aws, instance_id)) == volume_id,
        f"{volume_id} is attached",
    )


def _state(context: OperationContext, volume_id: str) -> str:
    return describe_volume(context.aws, volume_id)["State"]


# ---- what both end with


def _copied_tags(context: OperationContext, old: VolumeTypeDef) -> dict[str, str]:
    """The tags of the old volume, for the new one."""
    tags = {ROLL_BACK: context.required_run_id}
    for name, value in tags_of(old).items():
        if not name.startswith("aws:") and name not in {ROLL_BACK, REPLACED_AT} and len(tags) < MOST_COPIED_TAGS:
            tags[name] = value
    return tags


def _finish(context: OperationContext, plan: RollBack) -> SwapResult:
    """The new root volume gets the tags of the old one, which gets a name that says what it is."""
    old_id, run_id = str(plan["old_volume_id"]), context.required_run_id

    def new_root() -> str | None:
        root = root_of(existing_instance(context.aws, context.params["instance_id"]))
        return root if root != old_id else None

    new_id = context.wait(new_root, context.deadline(SHOWN_SECONDS))
    if new_id is None:
        raise Failed("EC2 does not show the new root volume in time.", Reason.ROOT_NOT_REPLACED)
    old = describe_volume(context.aws, old_id)
    if REPLACED_AT not in tags_of(old):
        create_tags(context.aws, new_id, _copied_tags(context, old))
        name = f"{tags_of(old).get('Name') or context.host.name} (before the roll-back {run_id})"
        replaced = {ROLL_BACK: run_id, REPLACED_AT: str(iso(context.clock.now())), "Name": name[:LONGEST_NAME]}
        create_tags(context.aws, old_id, replaced)
    _note(context, {**plan, "new_volume_id": new_id, "is_made": True})
    context.report_progress(f"its root volume is {new_id}; {old_id} is kept")
    return {"changed": True, "new_volume_id": new_id, "old_volume_id": old_id}
