# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation system_drive_space: the means by which room is made on C:, each measured.

In this order: what the disk has unused behind C:, which costs and deletes nothing; rubbish of Windows' own; a larger volume, which
costs for ever, and only if it is enough.
"""

from __future__ import annotations

from .._base.errors import CommandTimeout, Failed, PatchFleetError
from .._host.answers import CleanedDisk, DiskSpace, ExtendedPartition
from .._host.guest_scripts import run_guest_script
from .._model.fact_values import CleanupAction
from .._model.reasons import Reason
from .._operation.context import OperationContext
from .._operation.results import Result
from .growth import grow_for
from .update_sizes import space_for_missing_updates

MEASURE_SECONDS, EXTEND_SECONDS = 300, 600
COMPONENT_STORE_SECONDS = 3600
"""DISM cleans the component store for as long as it takes, and continues by itself after that."""
CLEAN_SECONDS = COMPONENT_STORE_SECONDS + 3600
TEMP_AGE_DAYS = 14
GOES_ON = frozenset({"still_running", "disk_cleanup_still_running"})
"""Why an action was left: it continues in the host."""
VISIBLE_WITHIN_SECONDS = 300.0
"""Windows may take this long to see the new size of a volume that has grown."""
USABLE_GIB = 0.01
"""Less behind C: is alignment."""
PLENTY = 3.0
"""With this many times the least room free, the sizes of the missing updates are not asked for."""


class _SystemDrive:
    """C: while room is made on it. ``minimum_gib`` must be free at the end, ``wanted_gib`` shall be."""

    def __init__(self, context: OperationContext) -> None:
        self.context = context
        self.minimum_gib = self.wanted_gib = context.params["free_gib"]
        self.cleanup_actions: list[CleanupAction] = list(context.facts.get("rungs", []))
        self.grown_gib = 0
        self.not_extended: Failed | None = None
        self.measure()

    @property
    def free_gib(self) -> float:
        return self.space.free_gib

    @property
    def enough(self) -> bool:
        return self.free_gib >= self.wanted_gib

    def measure(self) -> None:
        self.space = run_guest_script(self.context, DiskSpace, MEASURE_SECONDS)
        self.context.note_facts(free_gib_after=self.free_gib)

    def add(self, *cleanup_actions: CleanupAction) -> None:
        self.cleanup_actions += cleanup_actions
        self.context.update_facts(rungs=self.cleanup_actions)

    def make_room(self) -> None:
        """One means after the other, until there is enough.

        Raises:
            PatchFleetError: less than the minimum is free at the end.
        """
        self._ask_for_more()
        trouble: Failed | None = None
        if not self.enough and self.space.extendable_gib >= USABLE_GIB:
            self._use_unused_end()
        if not self.enough:
            self._clean()
        if not self.enough:
            trouble = self._grow()
        self.context.note_facts(grown_gib=self.grown_gib)
        if self.free_gib < self.minimum_gib:
            raise trouble or Failed(
                f"Only {self.free_gib:.1f} GiB are free on C:, {self.minimum_gib:g} are wanted (patch_free_gib).",
                Reason.NO_ROOM,
            )
        if trouble:
            self.context.report_progress(f"{self.free_gib:.1f} GiB are enough: {trouble.reason}")

    def _ask_for_more(self) -> None:
        """The missing updates may need more than free_gib. What an earlier call for this host has found out holds."""
        known = self.context.facts.get("wanted_gib")
        if known is not None:
            self.wanted_gib = max(known, self.minimum_gib)
        elif self.free_gib < PLENTY * self.minimum_gib:
            self.wanted_gib = round(max(self.minimum_gib, space_for_missing_updates(self.context) or 0.0), 1)
        self.context.note_facts(wanted_gib=self.wanted_gib)

    def _use_unused_end(self) -> None:
        """Where Windows refuses, cleaning may still help."""
        before = self.free_gib
        try:
            self._extend()
        except Failed as error:
            self.context.report_progress(f"C: is not extended: {error.reason}")
            self.add(CleanupAction(name="unused_disk_space", won_gib=0.0, skipped=str(error.code)))
            self.not_extended = error
            return
        won = round(max(self.free_gib - before, 0.0), 3)
        self.add(CleanupAction(name="unused_disk_space", won_gib=won, skipped=None))

    def _clean(self) -> None:
        """A clean-up that takes too long is left alone: what still works then is waited for before the installation."""
        self.context.report_progress(f"{self.free_gib:.1f} GiB free, {self.wanted_gib:g} wanted: cleaning")
        params = self.context.params
        try:
            cleaned = run_guest_script(
                self.context,
                CleanedDisk,
                CLEAN_SECONDS,
                user_temp=params["clean_user_temp"],
                reset_base=params["reset_base"],
                old_windows=params["remove_old_windows"],
                temp_age_days=TEMP_AGE_DAYS,
                user_temp_age_days=params["user_temp_age_days"],
                component_store_seconds=COMPONENT_STORE_SECONDS,
            )
        except CommandTimeout as error:
            self.add(CleanupAction(name="clean_disk", won_gib=0.0, skipped=str(error.code)))
        else:
            self.add(*(CleanupAction(name=a.name, won_gib=a.won_gib, skipped=a.skipped) for a in cleaned.actions))
            if any(action.skipped in GOES_ON for action in cleaned.actions):
                self.context.update_facts(servicing=True)
        self.measure()

    def _grow(self) -> Failed | None:
        """Why the volume did not grow, None when it did.

        What the missing updates want is an upper bound: where it cannot be had, the minimum has to do. Where Windows has just
        refused to extend C:, a larger volume would cost for ever and help nothing.
        """
        if self.not_extended:
            return self.not_extended
        before = self.free_gib
        try:
            self.grown_gib = grow_for(self.context, self.space, self.wanted_gib - before, self.minimum_gib)
        except Failed as error:
            self.add(CleanupAction(name="volume_growth", won_gib=0.0, skipped=str(error.code)))
            return error
        try:
            self._extend()
        except Failed as error:
            self.add(CleanupAction(name="volume_growth", won_gib=0.0, skipped=str(error.code)))
            raise
        won = round(max(self.free_gib - before, 0.0), 3)
        self.add(CleanupAction(name="volume_growth", won_gib=won, skipped=None))
        return None

    def _extend(self) -> None:
        extended = _extend(self.context, self.grown_gib)
        self.context.report_progress(f"C: has {extended.partition_gib:.0f} GiB now")
        self.measure()


class SpaceResult(Result):
    """Room on the system drive in GiB, and what each action won (``rungs``)."""

    shortfall_gib: float | None
    free_gib_before: float
    free_gib: float
    wanted_gib: float
    rungs: list[CleanupAction]
    grown_gib: int


def free_space(context: OperationContext) -> SpaceResult:
    """At least wanted_gib are free afterwards, and more where the missing updates want more and it can be had.

    Returns:
        changed, free_gib_before, free_gib, wanted_gib (GiB), rungs (what each action won, or why it was skipped), grown_gib,
        shortfall_gib (None, or with allow_shortfall what is still lacking where nothing here can make more).

    Raises:
        PatchFleetError: ``no_room``, ``recovery_partition``, ``other_partition``, or why the volume cannot grow.
    """
    drive = _SystemDrive(context)
    before = drive.free_gib
    if context.facts.get("free_gib_before") is None:  # else it is measured again
        context.note_facts(free_gib_before=before)
    shortfall_gib = None
    if not context.check_mode:
        try:
            drive.make_room()
        except PatchFleetError as error:
            if error.code != Reason.NO_ROOM or not context.params["allow_shortfall"]:
                raise
            shortfall_gib = round(max(drive.minimum_gib - drive.free_gib, 0.0), 1)
    return {
        "shortfall_gib": shortfall_gib,
        "changed": before < drive.wanted_gib,
        "free_gib_before": before,
        "free_gib": drive.free_gib,
        "wanted_gib": drive.wanted_gib,
        "rungs": drive.cleanup_actions,
        "grown_gib": drive.grown_gib,
    }


def _extend(context: OperationContext, grown_gib: int) -> ExtendedPartition:
    """Extend C:; Windows may see the new size of a volume that has grown a little later."""
    if not grown_gib:
        return run_guest_script(context, ExtendedPartition, EXTEND_SECONDS)
    trouble: list[PatchFleetError] = []

    def extended_partition() -> ExtendedPartition | None:
        try:
            return run_guest_script(context, ExtendedPartition, EXTEND_SECONDS)
        except PatchFleetError as error:
            if error.code != Reason.NO_ROOM:
                raise
            trouble.append(error)
            return None

    extended = context.wait(extended_partition, context.clock.now() + VISIBLE_WITHIN_SECONDS, 15.0, 60.0)
    if extended is None:
        raise Failed(
            f"The volume has grown by {grown_gib} GiB, but Windows does not see it: {trouble[-1].reason} A restart of the host, "
            "or a newer NVMe driver, helps.",
            Reason.SIZE_NOT_SEEN,
        )
    return extended
