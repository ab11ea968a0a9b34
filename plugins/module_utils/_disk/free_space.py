# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The step system_drive_space: the cleanup actions that free space on C:, each measured.

Clean first, since a larger volume costs for ever; use what the disk already has; grow the volume last, and only if that is
enough. Nothing is deleted that is not Windows' own rubbish.
"""

from __future__ import annotations

import math
from typing import Any

from .._base.errors import Failed, PatchFleetError
from .._host.answers import CleanedDisk, DiskSpace, ExtendedPartition
from .._host.guest_scripts import run_guest_script
from .._host.servicing import servicing
from .._model.host_facts import CleanupAction
from .._model.reasons import Reason
from .._operation.context import OperationContext
from .update_sizes import space_for_missing_updates
from .volume import grow

MEASURE_SECONDS, CLEAN_SECONDS, EXTEND_SECONDS = 300, 5400, 600
VISIBLE_WITHIN_SECONDS = 300.0
"""Windows may take this time to show the new size of a volume that has grown."""
PLENTY = 3.0
"""With this many times the minimum free, the sizes of the missing updates do not matter."""

BLOCKED = {
    "recovery_partition": "a recovery partition behind it is in the way of extending it. It is not deleted; move it, or make "
    "room by hand.",
    "other_partition": "another partition behind it is in the way of extending it. Nothing is deleted; make room by hand.",
}


class _Cleanup:
    """The rungs as they are climbed. ``least_gib`` must be free at the end, ``wanted_gib`` shall be."""

    def __init__(self, context: OperationContext) -> None:
        self.context = context
        self.minimum_gib = self.wanted_gib = float(context.params["wanted_gib"])
        self.cleanup_actions: list[CleanupAction] = list(context.facts.get("rungs", []))
        self.grown_gib = 0

    @property
    def free_gib(self) -> float:
        return self.space.free_gib

    @property
    def enough(self) -> bool:
        return self.free_gib >= self.wanted_gib

    def measure(self) -> None:
        self.space = run_guest_script(self.context, DiskSpace, MEASURE_SECONDS)
        self.context.update_facts(free_gib_after=self.free_gib)

    def add(self, *cleanup_actions: CleanupAction) -> None:
        self.cleanup_actions += cleanup_actions
        self.context.update_facts(rungs=self.cleanup_actions)

    def ask_for_more(self) -> None:
        """What is missing may want more than the least."""
        if self.free_gib < PLENTY * self.minimum_gib:
            self.wanted_gib = round(max(self.minimum_gib, space_for_missing_updates(self.context) or 0.0), 1)
        self.context.update_facts(wanted_gib=self.wanted_gib)

    def run(self) -> None:
        """One cleanup action after the other, until enough space is free."""
        self.ask_for_more()
        if not self.enough:
            self.clean()
        if not self.enough:
            self.enlarge()
        self.context.update_facts(grown_gib=self.grown_gib)
        if self.free_gib < self.minimum_gib:
            raise Failed(
                f"Only {self.free_gib:.1f} GiB are free on C:, {self.minimum_gib:g} are wanted (patch_free_gib).",
                Reason.NO_ROOM,
            )

    def clean(self) -> None:
        self.context.report_progress(f"{self.free_gib:.1f} GiB free, {self.wanted_gib:g} wanted: cleaning")
        params = self.context.params
        with servicing(self.context):
            cleaned = run_guest_script(
                self.context,
                CleanedDisk,
                CLEAN_SECONDS,
                user_temp=params["clean_user_temp"],
                reset_base=params["reset_base"],
                old_windows=params["remove_old_windows"],
                temp_age_days=1,
            )
        self.add(*(CleanupAction(name=a.name, won_gib=a.won_gib, skipped=a.skipped) for a in cleaned.actions))
        self.measure()

    def enlarge(self) -> None:
        """Extend C: over what the disk has behind it; if that is not enough, grow the volume first.

        What the missing updates want is an upper bound: where it cannot be had, the least has to do.
        """
        before, slack = self.free_gib, self.space.extendable_gib
        trouble = None
        try:
            self._make_larger(self.wanted_gib - before, slack)
        except Failed as error:
            trouble = error
            self.add({"name": "volume_growth", "won_gib": 0.0, "skipped": error.code})
        if slack or self.grown_gib:
            self._extend(before, slack)
        if trouble and self.free_gib < self.minimum_gib:
            raise trouble
        if trouble:
            self.context.report_progress(f"{self.free_gib:.1f} GiB have to do: {trouble.reason}")

    def _make_larger(self, shortfall_gib: float, slack: float) -> None:
        if slack < shortfall_gib:
            self._refuse_blocked(shortfall_gib)
            self.grown_gib = self._grow(shortfall_gib, slack)

    def _extend(self, before: float, slack: float) -> None:
        extended = _extend(self.context, self.grown_gib)
        self.context.report_progress(f"C: has {extended.partition_gib:.0f} GiB now")
        self.measure()
        won = self.free_gib - before
        if slack:
            self.add({"name": "unused_disk_space", "won_gib": round(min(slack, won), 3), "skipped": None})
        if self.grown_gib:
            self.add({"name": "volume_growth", "won_gib": round(max(won - slack, 0.0), 3), "skipped": None})

    def _refuse_blocked(self, shortfall_gib: float) -> None:
        blocked_by = self.space.blocked_by
        if blocked_by:
            raise Failed(
                f"{shortfall_gib:.1f} GiB are lacking on C:, and {BLOCKED.get(blocked_by, BLOCKED['other_partition'])}",
                Reason(blocked_by),
            )

    def _grow(self, shortfall_gib: float, slack: float) -> int:
        context = self.context
        if not str(context.params["instance_id"]).startswith("i-"):
            raise Failed(
                f"{shortfall_gib:.1f} GiB are lacking on C:, and the host has no EBS volume that could grow.",
                Reason.NO_ROOM,
            )
        # A growth that leaves less than the minimum costs for ever and helps no update.
        minimum = max(math.ceil(self.minimum_gib - self.free_gib - slack), 1)
        context.params.update(
            serial=self.space.serial,
            partition_style=self.space.partition_style,
            minimum_gib=minimum,
        )
        return int(grow(context)["grown_gib"])


def free_space(context: OperationContext) -> dict[str, Any]:
    """At least wanted_gib are free afterwards, and more where the missing updates want more and it can be had.

    Returns:
        changed, free_gib_before, free_gib, wanted_gib (GiB), rungs (what each won, or why it was skipped), grown_gib,
        shortfall_gib (None, or with allow_shortfall what is still lacking where nothing here can make more).

    Raises:
        PatchFleetError: ``no_room``, ``recovery_partition``, ``other_partition``, or why the volume cannot grow.
    """
    cleanup = _Cleanup(context)
    cleanup.measure()
    before = cleanup.free_gib
    if context.facts.get("free_gib_before") is None:  # else it is measured again
        context.update_facts(free_gib_before=before)
    shortfall_gib = None
    if not context.check_mode:
        try:
            cleanup.run()
        except PatchFleetError as error:
            if error.code != Reason.NO_ROOM or not context.params["allow_shortfall"]:
                raise
            shortfall_gib = round(max(cleanup.minimum_gib - cleanup.free_gib, 0.0), 1)
    return {
        "shortfall_gib": shortfall_gib,
        "changed": before < cleanup.wanted_gib,
        "free_gib_before": before,
        "free_gib": cleanup.free_gib,
        "wanted_gib": cleanup.wanted_gib,
        "rungs": cleanup.cleanup_actions,
        "grown_gib": cleanup.grown_gib,
    }


def _extend(context: OperationContext, grown_gib: int) -> ExtendedPartition:
    """Extend C:; Windows may see the new size of a volume that has grown a little later."""
    trouble: list[PatchFleetError] = []

    def poll() -> ExtendedPartition | None:
        try:
            return run_guest_script(context, ExtendedPartition, EXTEND_SECONDS)
        except PatchFleetError as error:
            if error.code != Reason.NO_ROOM or not grown_gib:
                raise
            trouble.append(error)
            return None

    extended = context.wait(poll, context.clock.now() + VISIBLE_WITHIN_SECONDS, first_pause_seconds=15.0, longest=60.0)
    if extended is None:
        raise Failed(
            f"The volume has grown by {grown_gib} GiB, but Windows does not see it: {trouble[-1].reason} A restart of the host, "
            "or a newer NVMe driver, helps.",
            Reason.SIZE_NOT_SEEN,
        )
    return extended
