# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Start an instance whose original state is recorded, and see it run.

Sources: EC2 API reference (StartInstances), EC2 error codes, aws re:Post "insufficient capacity". One instance a call: a call
with several is all or nothing, and one bad id would fail the others.
"""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

from .._aws.ec2 import Start, describe_instance, start_instance, state_reason
from .._aws.errors import NO_CAPACITY, AwsError, NotReached, Unanswered
from .._base.errors import Deferred, Failed, InstanceGone, NotRecorded
from .._host.instances import CONSISTENCY_SECONDS, awaited_instance, existing_instance
from .._ledger.records import PowerRecord
from .._model.reasons import Reason
from .._operation.context import OperationContext
from .._operation.results import Result
from .launch import is_our_start, launch_window
from .owner_tag import set_owner_tag, show_start
from .watchdog import create_schedule, delete_schedule, take_over, update_schedule

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import InstanceTypeDef

NO_HEADROOM = frozenset({"VcpuLimitExceeded", "InstanceLimitExceeded", "MaxIOPSLimitExceeded"})
STANDSTILL_SECONDS = 60.0
"""A start that took longer was throttled, or its controller stood still: it is recorded again, with its own LaunchTime."""
OFF_AGAIN = frozenset({"stopped", "stopping", "terminated"})
LAUNCH_STEP_SECONDS = 1.0
"""LaunchTime is in whole seconds."""
RETRY_PAUSE_SECONDS, LONGEST_RETRY_PAUSE_SECONDS = 30.0, 120.0


class StartResult(Result):
    """Of an instance that runs: ``launch_time`` is in seconds since 1970, None where check mode starts nothing."""

    state: str
    started: bool
    launch_time: float | None


def start(context: OperationContext) -> StartResult:
    """The instance runs afterwards; it is started only if it is stopped and was recorded as that.

    Returns:
        changed, state, started (whether by this operation), launch_time (seconds since 1970).

    Raises:
        PatchFleetError: it is not recorded, gone, stopped by others, fell back, or did not run in time.
        Deferred: no capacity or no quota in all that time, or the controller stood still; nothing was changed.
    """
    instance_id = context.params["instance_id"]
    deadline = context.deadline(context.params["start_timeout_seconds"])
    record = context.ledger.power(context.host_key or instance_id)
    if record is None:
        raise NotRecorded(
            f"The original power state of {instance_id} is not recorded in the ledger; it is not started.",
        )
    before = _wait_until_consistent(context, instance_id, deadline)
    set_owner_tag(context, record, before)
    if before["State"]["Name"] == "running":
        take_over(context, record)
        if is_our_start(record, before):  # of a run that was killed: it is on because of us
            context.update_facts(started_by_run=True, on_since=before["LaunchTime"].timestamp())
            show_start(context, record, before)
        return _result(before, started=False)
    if record.original_state != "stopped":
        raise Failed(
            "Another user stopped the instance, which was running when it was found.", Reason.STOPPED_BY_OTHERS
        )
    if context.check_mode:
        return {"changed": True, "state": "stopped", "started": True, "launch_time": None}
    launched_by = _request(context, record, before, deadline)
    context.report_progress("starting" if launched_by else "another user has started it meanwhile")
    running = _wait_until_running(context, record, before["LaunchTime"], launched_by, deadline)
    if launched_by is None:
        return _result(running, started=False)
    show_start(context, record, running)
    context.report_progress("running")
    return _result(running, started=True)


def _result(instance: InstanceTypeDef, started: bool) -> StartResult:
    return {
        "changed": started,
        "state": "running",
        "started": started,
        "launch_time": instance["LaunchTime"].timestamp(),
    }


def _wait_until_consistent(context: OperationContext, instance_id: str, deadline: float) -> InstanceTypeDef:
    """Wait while it is stopping or pending: a start of the one, or a stop of the other, is an error.

    Raises:
        InstanceGone: it is terminated, or EC2 does not know it any more.
        Failed: ``not_settled``.
    """

    def settled_instance() -> InstanceTypeDef | None:
        instance = existing_instance(context.aws, instance_id)
        return instance if instance["State"]["Name"] not in {"pending", "stopping"} else None

    instance = context.wait(settled_instance, deadline)
    if instance is None:
        raise Failed(
            "The instance stayed between two power states until the time for its start was over.", Reason.NOT_SETTLED
        )
    if instance["State"]["Name"] not in {"running", "stopped"}:
        raise InstanceGone
    return instance


def _request(context: OperationContext, record: PowerRecord, before: InstanceTypeDef, deadline: float) -> float | None:
    """StartInstances, repeated while there is no room for it, or no answer and no start is to be seen.

    Returns:
        The latest LaunchTime that can be of this start, by AWS's time; None where another user had started it before.
    """
    pause, unanswered = RETRY_PAUSE_SECONDS, False
    while True:
        context.lease.renew()
        create_schedule(context, record)
        requested_at = _note(context, record)
        try:
            answer = _attempt(context, record, deadline, unanswered=unanswered)
        except Unanswered:
            unanswered = True
            if _was_made(context, record, before, requested_at):
                return _started(context, launch_window(requested_at)[1])
            if context.clock.now() >= deadline:
                raise
        else:
            if answer is not None:
                break
        context.pause_until(min(context.clock.now() + pause, deadline))
        pause = min(pause * 1.5, LONGEST_RETRY_PAUSE_SECONDS)
    if answer.state_before != "stopped" and not unanswered:
        _forget(context, record)
        return None
    if answer.answered_at > requested_at + STANDSTILL_SECONDS and not unanswered:
        _note(context, record, answer.answered_at)
    return _started(context, answer.answered_at + STANDSTILL_SECONDS)


def _started(context: OperationContext, launched_by: float) -> float:
    # A first try, before a capacity retry, may have recorded when the host was found off.
    context.update_facts(started_by_run=True, on_since=context.clock.now(), off_at=None)
    return launched_by


def _attempt(context: OperationContext, record: PowerRecord, deadline: float, *, unanswered: bool) -> Start | None:
    """One StartInstances; None where there is no room yet.

    ``unanswered`` is whether an earlier attempt may have been made, whatever AWS says of this one.
    """
    try:
        return start_instance(context.aws, record.instance_id)
    except (Deferred, NotReached):
        if not unanswered:
            _forget(context, record)
        raise
    except AwsError as error:
        if not unanswered:
            _forget(context, record)
        _refuse_for_good(context, error, deadline, unanswered=unanswered)
    return None


def _forget(context: OperationContext, record: PowerRecord) -> None:
    """Nothing was started by this attempt: the record says again what it said before it."""
    context.ledger.note_launch(record.host_key, None, fence=context.fence)
    if record.started_by is None:
        delete_schedule(context, record)
        return
    # A run that died had started it: EC2 may have shown a state from before that.
    context.ledger.note_start(record.host_key, record.started_by, record.start_requested_at or 0.0, fence=context.fence)
    if record.launch_time is not None:
        context.ledger.note_launch(record.host_key, record.launch_time, fence=context.fence)


def _refuse_for_good(context: OperationContext, error: AwsError, deadline: float, *, unanswered: bool) -> None:
    """Raises what a refused start ends with, unless there may be room for it later."""
    if error.aws_code not in NO_CAPACITY | NO_HEADROOM:
        raise error
    if context.clock.now() >= deadline:
        if unanswered:
            raise error  # it may be on, so nothing is deferred
        raise _capacity_deferral(error) from error
    context.report_progress(f"no capacity yet: {error.aws_code}")


def _was_made(context: OperationContext, record: PowerRecord, before: InstanceTypeDef, requested_at: float) -> bool:
    """Whether EC2 shows a start that it has not answered, by its LaunchTime."""
    earliest, _latest = launch_window(requested_at)
    context.report_progress("AWS gave no answer to the start: checking whether it was made")

    def has_launched() -> bool:
        instance = describe_instance(context.aws, record.instance_id)
        launched = instance["LaunchTime"] if instance else before["LaunchTime"]
        return launched > before["LaunchTime"] and launched.timestamp() >= earliest

    if context.wait_until(has_launched, context.clock.now() + CONSISTENCY_SECONDS):
        return True
    context.report_progress("it was not made: trying again")
    return False


def _note(context: OperationContext, record: PowerRecord, at: float | None = None) -> float:
    """Record the request of a start; returns its time by AWS's clock: now, where ``at`` is not given."""
    now = context.aws.now() if at is None else at
    context.ledger.note_start(record.host_key, context.run_id or record.run_id, now, fence=context.fence)
    return now


def _capacity_deferral(error: AwsError) -> Deferred:
    if error.aws_code in NO_CAPACITY:
        return Deferred(
            f"AWS had no capacity for this instance type in its zone ({error.aws_code}).", Reason.NO_CAPACITY
        )
    return Deferred(f"The account's quota does not allow to start it ({error.aws_code}).", Reason.NO_HEADROOM)


class _RequestedStart:
    """A start that EC2 has accepted, as DescribeInstances shows it.

    Args:
        launched_before: the LaunchTime before it.
    """

    def __init__(self, context: OperationContext, instance_id: str, launched_before: datetime.datetime) -> None:
        self._context, self._instance_id = context, instance_id
        self._launched_before = launched_before
        self._accepted_at = context.clock.now()

    def is_new(self, instance: InstanceTypeDef) -> bool:
        """Whether it is shown as it is since this start; for CONSISTENCY_SECONDS EC2 may show it as it was before."""
        return instance["LaunchTime"] > self._launched_before

    def launched_instance(self) -> InstanceTypeDef | None:
        """The instance once its new LaunchTime is shown, or that it is off again."""
        instance = awaited_instance(self._context, self._instance_id)
        return instance if self.is_new(instance) or self.fell_back(instance) else None

    def ended_instance(self) -> InstanceTypeDef | None:
        """The instance once it runs, or is off again."""
        instance = awaited_instance(self._context, self._instance_id)
        runs = self.is_new(instance) and instance["State"]["Name"] == "running"
        return instance if runs or self.fell_back(instance) else None

    def fell_back(self, instance: InstanceTypeDef) -> bool:
        """Whether it is off again."""
        overdue = self._context.clock.now() > self._accepted_at + CONSISTENCY_SECONDS
        return instance["State"]["Name"] in OFF_AGAIN and (self.is_new(instance) or overdue)


def _refuse_later_start(instance: InstanceTypeDef, launched_by: float) -> None:
    if instance["LaunchTime"].timestamp() > launched_by:
        raise Failed("Another user restarted the instance while it was starting.", Reason.RESTARTED_BY_OTHERS)


def _wait_until_running(
    context: OperationContext,
    record: PowerRecord,
    launched_before: datetime.datetime,
    launched_by: float | None,
    deadline: float,
) -> InstanceTypeDef:
    """The running instance. Its LaunchTime is recorded as soon as EC2 shows it, since that makes the start ours, and the watchdog
    covers that start alone from then on: another user may restart the instance before it runs.

    Args:
        launched_by: the latest LaunchTime that can be of our start; None where the start is another user's.

    Raises:
        InstanceGone: EC2 does not know it any more.
        Failed: ``fell_back``, ``start_timeout``, or ``restarted_by_others``.
    """
    start = _RequestedStart(context, record.instance_id, launched_before)
    launched = context.wait(start.launched_instance, deadline)
    if launched is not None and start.is_new(launched) and launched_by is not None:
        launch_time = launched["LaunchTime"].timestamp()
        # Of another user's start the record gets no time of that start: a restore and the watchdog leave it on then. Without a time
        # they take each start soon after the request for ours.
        own_launch_time = launch_time if launch_time <= launched_by else launched_by - LAUNCH_STEP_SECONDS
        context.ledger.note_launch(record.host_key, own_launch_time, fence=context.fence)
        update_schedule(context, record, own_launch_time)
        _refuse_later_start(launched, launched_by)
        context.note_facts(launched_at=launch_time)
        launched_by = launch_time + LAUNCH_STEP_SECONDS
    instance = context.wait(start.ended_instance, deadline) if launched else None
    if instance is not None and launched_by is not None and start.is_new(instance):
        _refuse_later_start(instance, launched_by)
    if instance is None:
        raise Failed("The instance was not running when the timeout of its start was over.", Reason.START_TIMEOUT)
    if start.fell_back(instance):
        context.update_facts(off_at=context.clock.now())
        state = instance["State"]["Name"]
        raise Failed(
            f"The start was accepted, but the instance is {state}: {state_reason(instance)}.", Reason.FELL_BACK
        )
    return instance
