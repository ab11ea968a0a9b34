# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The step system_drive_space: the ladder that makes room on C:, each rung measured.

Clean first, since a larger volume costs for ever; use what the disk already has; grow the volume last, and only if that is
enough. Nothing is deleted that is not Windows' own rubbish.
"""

from __future__ import annotations

import math
from typing import Any

from .._ebs.grow import grow
from .._errors import PatchFleetError
from .._step import TRACKING_ARGUMENTS, Step, StepContext
from .run import run_guest_script

MEASURE_SECONDS, CLEAN_SECONDS, EXTEND_SECONDS = 300, 3600, 600
SCRIPTS = ("measure_disk", "clean_disk", "extend_partition")


def make_room(context: StepContext) -> dict[str, Any]:
    """At least wanted_gib are free afterwards.

    Returns:
        changed, free_gib_before, free_gib (GiB), rungs (what each won), grown_gib.

    Raises:
        PatchFleetError: ``no_room``, ``recovery_partition``, or why the volume cannot grow.
    """
    wanted = float(context.params["wanted_gib"])
    space = _measure(context)
    before = float(space["free_gib"])
    context.learn(free_gib_before=before, free_gib_after=before)
    rungs: list[dict[str, Any]] = []
    grown = 0
    if before < wanted and not context.check_mode:
        context.say(f"{before:.1f} GiB free, {wanted:g} wanted: cleaning")
        rungs = run_guest_script(
            context, "clean_disk", CLEAN_SECONDS, reset_base=context.params["reset_base"], temp_age_days=1
        )["rungs"]
        space = _measure(context)
        if space["free_gib"] < wanted:
            space, grown = _enlarge(context, space, wanted)
    free = float(space["free_gib"])
    context.learn(free_gib_after=free, rungs=rungs)
    if free < wanted and not context.check_mode:
        raise PatchFleetError(f"Only {free:.1f} GiB are free on C:, {wanted:g} are wanted (patch_free_gib).", "no_room")
    return {"changed": before < wanted, "free_gib_before": before, "free_gib": free, "rungs": rungs, "grown_gib": grown}


def _enlarge(context: StepContext, space: dict[str, Any], wanted: float) -> tuple[dict[str, Any], int]:
    """Extend C: over what the disk has behind it; if that is not enough, grow the volume first."""
    lacking = wanted - float(space["free_gib"])
    if space.get("blocked_by"):
        raise PatchFleetError(
            f"{lacking:.1f} GiB are lacking on C:, and a recovery partition behind it is in the way of extending it. It is not "
            "deleted; move it, or make room by hand.",
            "recovery_partition",
        )
    grown = 0
    if float(space["extendable_gib"]) < lacking:
        grown = _grow(context, space, lacking - float(space["extendable_gib"]))
    extended = run_guest_script(context, "extend_partition", EXTEND_SECONDS)
    context.say(f"C: has {extended['partition_gib']:.0f} GiB now")
    return _measure(context), grown


def _grow(context: StepContext, space: dict[str, Any], lacking: float) -> int:
    if not str(context.params["instance_id"]).startswith("i-"):
        raise PatchFleetError(
            f"{lacking:.1f} GiB are lacking on C:, and the host has no EBS volume that could grow.", "no_room"
        )
    context.params.update(
        serial=space.get("serial"), partition_style=space.get("partition_style"), at_least_gib=math.ceil(lacking)
    )
    return int(grow(context)["grown_gib"])


def _measure(context: StepContext) -> dict[str, Any]:
    return run_guest_script(context, "measure_disk", MEASURE_SECONDS)


STEP = Step(
    name="system_drive_space",
    phase="disk",
    arguments={
        **TRACKING_ARGUMENTS,
        "instance_id": {"type": "str", "required": True},
        "wanted_gib": {"type": "float", "default": 20},
        "grow_gib": {"type": "int", "default": 20},
        "max_gib": {"type": "int", "default": 200},
        "reset_base": {"type": "bool", "default": False},
        "modify_timeout_seconds": {"type": "int", "default": 1800},
        "scripts": {"type": "dict", "required": True},
    },
    work=make_room,
)
