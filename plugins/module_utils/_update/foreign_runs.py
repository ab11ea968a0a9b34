# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Foreign patch runs on a host: of a maintenance window, "Patch now", a patch policy, or another user.

Windows and hands use Run Command; patch policies are associations of State Manager, which Run Command does not list. What works
without Systems Manager is seen in the host itself (_update/health.py).
Sources: SSM API reference (ListCommandInvocations, DescribeInstanceAssociationsStatus), Patch Manager user guide ("SSM Command
documents for patching managed nodes", "Patch policy configurations in Quick Setup").
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .._aws.commands import invocations_on
from .._aws.errors import AwsError
from .._aws.ssm import associations_on
from .._base.errors import Failed
from .._host.guest_scripts import has_script
from .._host.servicing import is_quiet
from .._host.update_answers import ServicingState
from .._model.phases import Phase
from .._model.reasons import Reason
from .._operation.context import OperationContext
from .._operation.polled import is_associated
from .documents import PATCHING_DOCUMENTS

if TYPE_CHECKING:
    from mypy_boto3_ssm.type_defs import CommandInvocationTypeDef, InstanceAssociationStatusInfoTypeDef

LOOKBACK_SECONDS = 12 * 3600.0
"""Nothing that started earlier is still active; an agent that died in the middle leaves its association InProgress for ever."""
QUIET_SECONDS = 1800.0
"""A command whose agent was rebooted under it may be InProgress for hours: Windows must install nothing for this time."""
ASK_EVERY_SECONDS = 300.0
STUCK = "others_given_up"
ASKED_WINDOWS = "windows_says_that_it_is_quiet"
STARTED = frozenset({"InProgress", "Cancelling"})
NOT_ENDED = STARTED | {"Pending", "Delayed"}
COMMENT = "patchfleet: {operation} {run}"
"""The beginning of our commands' comments, which identifies them, also when the run died before it recorded their ids."""
COMMENTED_INSTALL = "patchfleet: Install "


class OthersPatching(Failed):
    """Patch runs of others had not ended in the time that was waited for them."""

    def __init__(self, runs: Collection[str]) -> None:
        sentence = f"A foreign patch run was still active when the timeout was over: {', '.join(runs)}."
        super().__init__(sentence, Reason.OTHERS_PATCHING)


@dataclass(frozen=True)
class Own:
    """Which patch runs on a host are our own.

    Attributes:
        runs: ids of runs (or snapshots, of an operation that belongs to none) whose commands these are.
        known_commands: where it is given, an installation of ours whose command is not among them counts like one of others:
            its answer was lost, or its controller died before it could write the id down.
    """

    runs: Collection[str]
    known_commands: Collection[str] | None = None

    def started(self, row: CommandInvocationTypeDef) -> bool:
        """Whether a command is one of these."""
        comment = str(row.get("Comment", ""))
        if set(self.runs).isdisjoint(comment.split()):
            return False
        is_unknown = self.known_commands is not None and row["CommandId"] not in self.known_commands
        return not (is_unknown and comment.startswith(COMMENTED_INSTALL))


@dataclass(frozen=True)
class PatchRun:
    """A patch run on a host; ``started_at`` is seconds since 1970 by AWS's clock."""

    words: str
    started_at: float
    is_going_on: bool

    def __str__(self) -> str:
        return self.words


def all_patch_runs(context: OperationContext, instance_id: str, own: Own) -> set[PatchRun]:
    """The patch runs of others that began in LOOKBACK_SECONDS, those that have ended among them."""
    since = context.clock.now() - LOOKBACK_SECONDS
    runs = {*_commands(context, instance_id, own, since), *_associations(context, instance_id)}
    return {run for run in runs if run.started_at >= since}


def find_foreign_patch_runs(context: OperationContext, instance_id: str, own: Own) -> list[str]:
    """The patch runs of others that are going on, as words for people."""
    stuck = context.cache.get(STUCK, set())
    runs = [run for run in all_patch_runs(context, instance_id, own) if run.is_going_on and run.words not in stuck]
    return [run.words for run in sorted(runs, key=lambda run: run.started_at)]


def _commands(context: OperationContext, instance_id: str, own: Own, since: float) -> Iterator[PatchRun]:
    for row in invocations_on(context.aws, instance_id, since):
        if not _patches(row) or own.started(row):
            continue
        # Who put a command of others into the queue may never run it; one of ours will run once the node takes it.
        going_on = NOT_ENDED if str(row.get("Comment", "")).startswith(COMMENTED_INSTALL) else STARTED
        words = f"{row['DocumentName']} (command {row['CommandId']})"
        yield PatchRun(words, row["RequestedDateTime"].timestamp(), row["Status"] in going_on)


def _patches(row: CommandInvocationTypeDef) -> bool:
    """By its document; a script of ours that installs is one of many scripts, and its comment says it."""
    return row.get("DocumentName") in PATCHING_DOCUMENTS or str(row.get("Comment", "")).startswith(COMMENTED_INSTALL)


def _associations(context: OperationContext, instance_id: str) -> Iterator[PatchRun]:
    for row in _association_rows(context, instance_id):
        if row.get("Name") in PATCHING_DOCUMENTS and row.get("ExecutionDate"):
            named = row.get("AssociationName") or row["AssociationId"]
            words = f"{row['Name']} (association {named})"
            yield PatchRun(words, row["ExecutionDate"].timestamp(), row.get("Status") in STARTED)


def _association_rows(context: OperationContext, instance_id: str) -> list[InstanceAssociationStatusInfoTypeDef]:
    """A right to read them that is missing leaves no host on where Windows itself says that it installs nothing.

    Windows is asked once, and then ``windows_was_asked``: that takes a while, so a stop has to check everything again. Before a
    stop the node's own are always read; else only where an association of the region patches at all.
    """
    if context.phase != Phase.RESTORE and not is_associated(context, instance_id, PATCHING_DOCUMENTS):
        return []
    try:
        return associations_on(context.aws, instance_id)
    except AwsError as error:
        if not error.is_denied or context.phase != Phase.RESTORE:
            raise
        if not windows_was_asked(context) and not is_quiet(context, instance_id):
            raise
        context.cache[ASKED_WINDOWS] = True
        return []


def windows_was_asked(context: OperationContext) -> bool:
    """Whether Windows said that it installs nothing, where associations may not be read."""
    return ASKED_WINDOWS in context.cache


def wait_for_foreign_runs(context: OperationContext, instance_id: str, own: Own, deadline: float) -> bool:
    """Wait until no foreign patch run is active on the host, as Systems Manager or Windows says; returns whether one was.

    Raises:
        PatchFleetError: ``others_patching`` when they had not ended at the deadline.
    """
    there = find_foreign_patch_runs(context, instance_id, own)
    if not there:
        return False
    context.report_progress(f"waiting for a foreign patch run: {', '.join(there)}")

    quiet = _Quietness(context, instance_id)

    def have_ended() -> bool:
        there[:] = find_foreign_patch_runs(context, instance_id, own)
        if there and quiet.for_long():
            context.report_progress("Windows has installed nothing for half an hour: that run counts as ended")
            context.cache.setdefault(STUCK, set()).update(there)
            there.clear()
        return not there

    if not context.wait_until(have_ended, deadline, 30.0, 60.0):
        raise OthersPatching(there)
    return True


class _Quietness:
    """How long Windows has reported that it installs nothing. It is polled every few minutes."""

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
