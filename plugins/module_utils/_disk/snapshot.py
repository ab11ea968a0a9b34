# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A snapshot of a volume before it is changed.

It is taken as soon as it is `pending`: what is written later is not in it, so no caller waits for `completed`, which can take
hours. Source: EBS user guide, "Create Amazon EBS snapshots" ("You can continue to use the volume during this time without
impacting the snapshot"). Tags at its creation need ec2:CreateTags besides ec2:CreateSnapshot.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._aws.ebs import create_snapshot, describe_snapshot, describe_snapshots_of
from .._aws.ec2 import tags_of
from .._aws.errors import Unanswered
from .._base.errors import Failed
from .._model.reasons import Reason
from .._operation.context import OperationContext

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import VolumeTypeDef

VISIBLE_WITHIN_SECONDS = 120.0
MOST_TAGS = 50


def take_snapshot(context: OperationContext, volume: VolumeTypeDef, why: str) -> str:
    """Take a snapshot and wait until EC2 shows it; returns its id.

    Raises:
        PatchFleetError: it was refused, is not shown in time, or is in the state error.
    """
    volume_id = str(volume["VolumeId"])
    context.report_progress(f"taking a snapshot of {volume_id}")
    snapshot_id = _create(context, volume, why)
    context.update_facts(snapshot_id=snapshot_id)

    def shown_state() -> str | None:
        snapshot = describe_snapshot(context.aws, snapshot_id)
        return snapshot["State"] if snapshot else None

    state = context.wait(shown_state, context.deadline(VISIBLE_WITHIN_SECONDS))
    if state not in {"pending", "completed"}:
        raise Failed(
            f"The snapshot {snapshot_id} of {volume_id} is {state or 'not shown by EC2'}, so the volume is left as it is.",
            Reason.SNAPSHOT_FAILED,
        )
    return snapshot_id


def _create(context: OperationContext, volume: VolumeTypeDef, why: str) -> str:
    """CreateSnapshot; one whose answer was lost is known by its tags, and by its not having been there before."""
    volume_id, tags = volume["VolumeId"], snapshot_tags(context, volume)
    before = _of_volume(context, volume_id)
    try:
        return create_snapshot(context.aws, volume_id, description(why), tags)
    except Unanswered:
        context.report_progress("AWS gave no answer to the snapshot: checking whether it was taken")

        def new_snapshot() -> str | None:
            return next(iter(sorted(_of_volume(context, volume_id) - before)), None)

        found = context.wait(new_snapshot, context.deadline(VISIBLE_WITHIN_SECONDS))
        if found is None:
            raise
        return found


def _of_volume(context: OperationContext, volume_id: str) -> set[str]:
    """The snapshots that runs have taken of it."""
    return {row["SnapshotId"] for row in describe_snapshots_of(context.aws, volume_id, "patchfleet:volume", volume_id)}


def description(why: str) -> str:
    """What EC2 shows of a snapshot of ours."""
    return f"patchfleet: {why}"


def snapshot_tags(context: OperationContext, volume: VolumeTypeDef) -> dict[str, str]:
    """Ours, and the volume's own, so that policies and bills that go by them still fit."""
    ours = {
        "patchfleet:run": context.run_id,
        "patchfleet:host": context.host_key,
        "patchfleet:volume": volume["VolumeId"],
    }
    tags = {name: str(value) for name, value in ours.items() if value}
    for name, value in tags_of(volume).items():
        if not name.startswith("aws:") and len(tags) < MOST_TAGS:
            tags.setdefault(name, value)
    return tags
