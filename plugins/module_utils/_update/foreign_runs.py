# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Patch runs of others on a host: of a maintenance window, "Patch now", a patch policy, or somebody's hand.

Windows and hands use Run Command; patch policies are associations of State Manager, which Run Command does not list. What works
without Systems Manager is seen in the host itself (_update/health.py).
Sources: SSM API reference (ListCommandInvocations, DescribeInstanceAssociationsStatus), Patch Manager user guide ("SSM Command
documents for patching managed nodes", "Patch policy configurations in Quick Setup").
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from .._aws.commands import invocations_on
from .._aws.ssm import associations_on
from .._base.errors import Failed
from .._host.guest_scripts import has_script
from .._host.servicing import is_quiet
from .._host.update_answers import ServicingState
from .._model.reasons import Reason
from .._operation.context import OperationContext
from .documents import PATCHING_DOCUMENTS

LOOKBACK_SECONDS = 12 * 3600.0
"""Nothing that began earlier goes on still; an agent that died in the middle leaves its association InProgress for ever."""
QUIET_SECONDS = 1800.0
"""A command whose agent was rebooted under it may be InProgress for hours: so long Windows has to install nothing."""
ASK_EVERY_SECONDS = 300.0
STUCK = "others_given_up"
STARTED = frozenset({"InProgress", "Cancelling"})
COMMENT = "patchfleet: {operation} {run}"
"""What tells our own commands from others', also when nobody had the time to write their ids down."""


class OthersPatching(Failed):
    """Patch runs of others had not ended in the time that was waited for them."""

    def __init__(self, runs: Collection[str]) -> None:
        sentence = f"Somebody else was still patching it when the time was over: {', '.join(runs)}."
        super().__init__(sentence, Reason.OTHERS_PATCHING)


def find_foreign_patch_runs(
    context: OperationContext,
    instance_id: str,
    ours: Collection[str],
    since: float | None = None,
    ended_too: bool = False,
) -> list[str]:
    """The patch runs of others that are going on, as words for people.

    Args:
        ours: runs (or snapshots, of a step that belongs to none) whose commands are not others'.
        since: only those that began after it, in seconds since 1970.
        ended_too: also those that have ended.
    """
    started_at = since if since is not None else context.clock.now() - LOOKBACK_SECONDS
    stuck = context.cache.get(STUCK, set())
    return [
        words
        for words, at, status in (
            *_commands(context, instance_id, ours, started_at),
            *_associations(context, instance_id),
        )
        if at >= started_at and (ended_too or status in STARTED) and words not in stuck
    ]


def _commands(
    context: OperationContext, instance_id: str, ours: Collection[str], since: float
) -> Iterator[tuple[str, float, str]]:
    for row in invocations_on(context.aws, instance_id, since):
        if row.get("DocumentName") in PATCHING_DOCUMENTS and str(row.get("Comment", "")).rpartition(" ")[2] not in ours:
            words = f"{row['DocumentName']} (command {row['CommandId']})"
            yield words, row["RequestedDateTime"].timestamp(), row["Status"]


def _associations(context: OperationContext, instance_id: str) -> Iterator[tuple[str, float, str]]:
    for row in associations_on(context.aws, instance_id):
        if row.get("Name") in PATCHING_DOCUMENTS and row.get("ExecutionDate"):
            named = row.get("AssociationName") or row["AssociationId"]
            yield f"{row['Name']} (association {named})", row["ExecutionDate"].timestamp(), str(row.get("Status"))


def wait_for_foreign_runs(context: OperationContext, instance_id: str, ours: Collection[str], deadline: float) -> bool:
    """Wait until nobody else patches the host, by Systems Manager's word or by Windows' own; whether there was somebody.

    Raises:
        PatchFleetError: ``others_patching`` when they had not ended at the deadline.
    """
    there = find_foreign_patch_runs(context, instance_id, ours)
    if not there:
        return False
    context.report_progress(f"somebody else patches it, waiting: {', '.join(there)}")

    quiet = _Quietness(context, instance_id)

    def poll() -> bool | None:
        there[:] = find_foreign_patch_runs(context, instance_id, ours)
        if there and quiet.for_long():
            context.report_progress("Windows has installed nothing for long: theirs is not going on any more")
            context.cache.setdefault(STUCK, set()).update(there)
            there.clear()
        return None if there else True

    if context.wait(poll, deadline, first_pause_seconds=30.0, longest=60.0) is None:
        raise OthersPatching(there)
    return True


class _Quietness:
    """How long Windows has installed nothing, by its own word; it is asked now and then."""

    def __init__(self, context: OperationContext, instance_id: str) -> None:
        self._context, self._instance_id = context, instance_id
        self._since = self._requested_at = context.clock.now()

    def for_long(self) -> bool:
        """False also where it cannot be asked."""
        now = self._context.clock.now()
        if now < self._requested_at + ASK_EVERY_SECONDS or not has_script(self._context, ServicingState):
            return False
        self._requested_at = now
        try:
            quiet = is_quiet(self._context, self._instance_id)
        except Failed:
            quiet = False
        if not quiet:
            self._since = now
        return now - self._since >= QUIET_SECONDS
