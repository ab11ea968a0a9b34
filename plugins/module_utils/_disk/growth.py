# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the volume of C: may grow for more room, and the growth itself: the last means, since a larger volume costs for ever."""

from __future__ import annotations

import math

from .._base.errors import Failed, NotRecorded
from .._base.text import join_sentences
from .._host.answers import DiskSpace
from .._model.reasons import Reason
from .._operation.context import OperationContext
from .volume import Growth, grow

EFFECT_GIB = 1.0
"""A growth that won less free room than this has not helped."""
MOST_RUNS = 20
TRIED = frozenset({None, str(Reason.SIZE_NOT_SEEN)})
"""What is said of the action where the volume did grow."""

BLOCKED = {
    "recovery_partition": "A recovery partition behind C: blocks its extension. It is not deleted; move it, or free disk "
    "space by hand.",
    "other_partition": "Another partition behind C: blocks its extension. Nothing is deleted; free disk space by hand.",
    "unknown_layout": "Windows does not show how its disk is divided, as with dynamic disks. Free disk space by hand.",
}
"""What keeps C: from being extended, as sentences."""
NO_VOLUME = "The host has no EBS volume that could grow."


def grow_for(context: OperationContext, space: DiskSpace, shortfall_gib: float, minimum_gib: float) -> int:
    """Grow the volume; returns by how many GiB.

    Args:
        context: of the operation, with its options grow_gib, max_gib, snapshot_before_grow and modify_timeout_seconds.
        space: as it was measured last.
        shortfall_gib: what is wanted more than is free.
        minimum_gib: what has to be free at least. A growth that leaves less is not started.

    Raises:
        PatchFleetError: the partition's surroundings, ``no_room`` where there is no EBS volume, ``growth_without_effect``, or why
            the volume cannot grow.
    """
    params = context.params
    missing = f"{shortfall_gib:.1f} GiB are missing on C:."
    if space.blocked_by:
        raise Failed(join_sentences(missing, BLOCKED[space.blocked_by]), Reason(space.blocked_by))
    if not params["instance_id"].startswith("i-"):
        raise Failed(join_sentences(missing, NO_VOLUME), Reason.NO_ROOM)
    _refuse_growth_without_effect(context)
    growth = Growth(
        instance_id=params["instance_id"],
        grow_gib=params["grow_gib"],
        max_gib=params["volume_max_gib"],
        minimum_gib=max(math.ceil(minimum_gib - space.free_gib), 1),
        serial=space.serial,
        partition_style=space.partition_style,
        snapshot_before=params["snapshot_before_grow"],
        timeout_seconds=params["modify_timeout_seconds"],
    )
    return grow(context, growth).grown_gib


def _refuse_growth_without_effect(context: OperationContext) -> None:
    """A host that is full again after each growth, or says so, would grow every night."""
    if not context.tracked_host:
        return
    _run_id, key = context.tracked_host
    for run in context.ledger.runs()[:MOST_RUNS]:
        won = _won_by_growth(context, run.run_id, key)
        if won is None:
            continue
        if won < EFFECT_GIB:
            raise Failed(
                f"The last growth of its volume, in the run {run.run_id}, gave only {won:.1f} GiB of free room on C:, so it is "
                "not grown again. Check what fills C:, and whether Windows uses the whole volume.",
                Reason.GROWTH_WITHOUT_EFFECT,
            )
        return


def _won_by_growth(context: OperationContext, run_id: str, key: str) -> float | None:
    """GiB of free room that a larger volume gave in a run, then or when its unused end was taken; None without one."""
    try:
        actions = context.ledger.host(run_id, key).facts.get("rungs") or []
    except NotRecorded:
        return None
    grown = [
        action["won_gib"] for action in actions if action["name"] == "volume_growth" and action["skipped"] in TRIED
    ]
    used = [action["won_gib"] for action in actions if action["name"] == "unused_disk_space"]
    if grown:
        return sum(grown)
    return sum(used) if sum(used) >= EFFECT_GIB else None
