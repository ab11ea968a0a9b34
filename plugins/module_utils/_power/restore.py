# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Put an instance back into the power state that was recorded: stop it, if and only if its start was ours.

Checked right before the stop: the record says that it was stopped, a run of ours started it, its LaunchTime is still the one
of that start, no tag has claimed it since, and no patch run is active on it, ours or a foreign one.
Sources: EC2 API reference (StopInstances; LaunchTime is new at each start), EC2 user guide "Stop and start your instance".
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING

from .._aws.ec2 import describe_instance, stop_instance, stopped_at, tags_of
from .._aws.errors import AwsError, Unanswered
from .._base.clock import iso
from .._base.errors import NeedsAttention, PatchFleetError
from .._fleet.claims import claim_of
from .._fleet.eligibility import owner_of
from .._host.instances import CONSISTENCY_SECONDS, LaunchWitness
from .._ledger import lenient
from .._ledger.records import PowerRecord
from .._model.reasons import Reason
from .._operation.context import OperationContext
from .._operation.failures import record_failure
from .._operation.polled import polled_instance
from .._operation.results import Result
from .._update.cluster import raise_if_node_is_off, raise_if_node_left, resume_node, resume_node_first
from .._update.services import raise_if_services_left, restore_services_first
from .installations import finish_foreign_runs, finish_installations
from .launch import is_our_start
from .let_go import let_go
from .owner_tag import remove_owner_tag
from .pending_reboot import finish_pending_reboot
from .roll_back import settle_root
from .settle import settle_outcome
from .watchdog import delete_schedule, was_due

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import InstanceTypeDef

STOP_TIMEOUT_SECONDS = 1200.0
STOP_ATTEMPTS = 3
NOT_RUNNING = frozenset({"pending", "stopping", "stopped"})
OFF_FOR_GOOD = frozenset({"stopped", "terminated"})


class RestoreResult(Result):
    """Of an instance: its power state, and a sentence where there is something to say."""

    state: str | None
    note: str | None


def restore(context: OperationContext) -> RestoreResult:
    """Restore the recorded power state, or leave the instance to its new owner, and close the record.

    Returns:
        changed (whether it was stopped), state, note (a sentence where there is something to say, else null).

    Raises:
        Held: it could not or must not be stopped; the record stays open, unless the host belongs to another user now.
    """
    key = context.required_host_key
    record = context.ledger.power(key)
    if record is None:
        return {"changed": False, "state": None, "note": None}
    try:
        settle_root(context)
        return _put_back_with_services(context, record)
    except NeedsAttention as error:
        if error.code.forbids_stop:
            delete_schedule(context, record)  # what we do not dare to stop nothing else of ours may
        raise
    except PatchFleetError as error:
        if record.started_by is None:
            raise
        raise NeedsAttention(f"It may still be on because of us: {error.reason}", error.code, error.facts) from error
    except Exception as error:
        if record.started_by is None:
            raise
        raise NeedsAttention(
            f"It may still be on because of us. An unexpected error ended this operation: {type(error).__name__}: {error}. Check "
            f"the host, then run {context.command('restore')}.",
            Reason.UNEXPECTED_ERROR,
        ) from error


def leave_on(context: OperationContext) -> RestoreResult:
    """Close the record of an instance and leave it as it is, as a person asks for; see let_go."""
    return {"changed": let_go(context), "state": None, "note": None}


def _put_back_with_services(context: OperationContext, record: PowerRecord) -> RestoreResult:
    result = _put_back(context, record)
    raise_if_services_left(context)
    raise_if_node_left(context)
    if result["state"] in NOT_RUNNING:
        raise_if_node_is_off(context)
    return result


def _put_back(context: OperationContext, record: PowerRecord) -> RestoreResult:
    context.write_noted()  # not between the check of the instance and its stop: the controller may stand still in a write
    instance = LaunchWitness(context, record.launch_time).describe(record.instance_id)
    if instance is None or instance["State"]["Name"] in {"terminated", "shutting-down"}:
        return _close(
            context, record, None, "gone", "The instance does not exist any more; there is nothing to put back."
        )
    if record.original_state == "running":
        if instance["State"]["Name"] == "running":
            restore_services_first(context)
            resume_node(context, failback=True, finish=lambda _context: _finish_all(context, record))
        return _close(context, record, instance, instance["State"]["Name"], None)
    return _stop(context, record, instance)


def _finish_all(context: OperationContext, record: PowerRecord) -> bool:
    """Wait for installations of ours, and for patch runs that no row knows; whether there were any."""
    return finish_installations(context, record) or finish_foreign_runs(context, record)


def _stop(context: OperationContext, record: PowerRecord, instance: InstanceTypeDef) -> RestoreResult:
    instance = _settled(context, record, instance)
    state = instance["State"]["Name"]
    if state == "pending":
        until = context.clock.now() + STOP_TIMEOUT_SECONDS
        instance = _wait_for_state(context, instance, {"running", "stopped"}, until) or instance
        state = instance["State"]["Name"]
    if state == "running":
        if record.started_by is None:
            return _close(context, record, instance, state, "Another user started it; it is left running.")
        _refuse_restarted(context, record, instance)
        _note_unwritten_start(context, instance)
        _refuse_owned(context, record, instance)
        if context.check_mode:
            return {"changed": True, "state": state, "note": None}
        if (
            _finish_all(context, record)
            or finish_pending_reboot(context, record)
            or restore_services_first(context)
            or resume_node_first(context)
        ):
            return _put_back(context, record)  # that took a while: check everything again
        if not _request(context, record, instance):
            return _put_back(context, record)
        context.report_progress("stopping")
    until = context.clock.now() + STOP_TIMEOUT_SECONDS
    if state != "stopped":
        ended = _wait_for_state(context, instance, OFF_FOR_GOOD, until)
        if ended is None:
            raise _still_stopping(context, instance)
        if ended["State"]["Name"] not in OFF_FOR_GOOD:
            return _put_back(context, record)  # another user started it meanwhile
    return _close(context, record, instance, "stopped", None, changed=state == "running")


def _still_stopping(context: OperationContext, instance: InstanceTypeDef) -> NeedsAttention:
    """With the last state in the host's row, since the report calls a held host running where it knows none."""
    last = describe_instance(context.aws, instance["InstanceId"]) or instance
    if not context.check_mode:
        context.update_facts(final_state=last["State"]["Name"])
    return NeedsAttention(
        "The instance was asked to stop, but had not stopped when the timeout was over.", Reason.STILL_STOPPING
    )


def _settled(context: OperationContext, record: PowerRecord, instance: InstanceTypeDef) -> InstanceTypeDef:
    """EC2 may still show `stopped` from before a start of ours: then describe it once more, when EC2 must show the start.

    The record has the time before the request, not that of the start: the controller may have been frozen in between.
    """
    if instance["State"]["Name"] != "stopped" or record.launch_time is not None or record.started_by is None:
        return instance
    context.pause(CONSISTENCY_SECONDS)
    return describe_instance(context.aws, record.instance_id) or instance


def _close(
    context: OperationContext,
    record: PowerRecord,
    instance: InstanceTypeDef | None,
    state: str,
    note: str | None,
    changed: bool = False,
) -> RestoreResult:
    if not context.check_mode:
        off_at = _our_end(context, instance if state == "running" else None)  # before the calls that follow
        if instance is not None and state == "stopped" and not changed:
            off_at = _found_off(context, record, instance) or off_at
        context.note_facts(final_state=state, off_at=off_at)
        delete_schedule(context, record)
        left = remove_owner_tag(context, record, instance)
        context.write_noted("final_state")
        if left:
            raise NeedsAttention(f"It is {state}, as it was found. {left}", Reason.MARK_LEFT)
        how, now = note or "restored", context.clock.now()
        context.ledger.close_power(record.host_key, how, now, fence=context.fence, known=record)
        settle_outcome(context)
        if changed:
            context.report_progress("stopped again, as it was found")
    return {"changed": changed, "state": state, "note": note}


def _refuse_restarted(context: OperationContext, record: PowerRecord, instance: InstanceTypeDef) -> None:
    ours = is_our_start(record, instance)
    if ours:
        return
    if ours is None:
        if _has_readable_row(context):
            context.update_facts(final_state=instance["State"]["Name"])
        raise NeedsAttention(_unclear(record, instance, context.command("restore")), Reason.START_UNCLEAR)
    held = NeedsAttention(
        "Another user restarted the instance after our start; it belongs to them now and is left running.",
        Reason.RESTARTED_BY_OTHERS,
    )
    _leave(context, record, instance, held)
    raise held


def _note_unwritten_start(context: OperationContext, instance: InstanceTypeDef) -> None:
    """A controller that died before its start had ended has not written that the host is on because of us; the report says it."""
    if _has_readable_row(context) and context.facts.get("on_since") is None:
        context.update_facts(started_by_run=True, on_since=instance["LaunchTime"].timestamp())


def _has_readable_row(context: OperationContext) -> bool:
    """A damaged row says that Windows may be serviced; the first write would fix it, and hide that."""
    return context.tracked_host is not None and not context.host.unreadable


def _unclear(record: PowerRecord, instance: InstanceTypeDef, command: str) -> str:
    """EC2 does not say who has started an instance. To stop that of another user would do more harm than to leave it on."""
    return (
        f"It was started at {iso(instance['LaunchTime'].timestamp())}. A run asked for its start at "
        f"{iso(record.start_requested_at or 0.0)} and ended before EC2 had shown it, so this start may be another user's. It is "
        f"left running. If it is not needed, stop it and run {command}."
    )


def _refuse_owned(context: OperationContext, record: PowerRecord, instance: InstanceTypeDef) -> None:
    """An Auto Scaling group, for one, would replace a member that stops; a scheduler may want it on.

    The tag "keep" has no end: the record stays open, so that the host can be put back when the tag is gone.
    """
    settings = lenient.settings_of(context.recent_run)
    owner = owner_of(instance) or claim_of(tags_of(instance), settings, context.facts.get("scheduler"))
    if owner is None:
        return
    if owner[0] == "keep_tag":
        _report_remaining_tag(context, record, instance)
        raise NeedsAttention(f"{owner[1]} It is left running; without the tag, restore stops it.", owner[0])
    code, sentence = owner
    held = NeedsAttention(f"{sentence} It did not when we started it; it is left running.", code)
    _leave(context, record, instance, held)
    raise held


def _our_end(context: OperationContext, restarted: InstanceTypeDef | None) -> float:
    """When the host was no longer on because of us: at a start by another user, or when it was first found off."""
    off_at = restarted["LaunchTime"].timestamp() if restarted else context.host.facts.get("off_at")
    return float(off_at or context.clock.now())


def _found_off(context: OperationContext, record: PowerRecord, instance: InstanceTypeDef) -> float | None:
    """When a host that was on because of us went off; EC2 shows when the stop was asked for, so a recent one counts until now."""
    off_at, launched, now = stopped_at(instance), instance["LaunchTime"].timestamp(), context.clock.now()
    if record.started_by is None or off_at is None or off_at < launched:
        return None
    if was_due(context, record, off_at):
        context.update_facts(watchdog_stopped_at=off_at)
        context.report_progress(f"its watchdog schedule was due; it was stopped at {iso(off_at)}")
    return now if now - off_at < STOP_TIMEOUT_SECONDS else max(off_at, context.facts.get("on_since", off_at))


def _leave(context: OperationContext, record: PowerRecord, instance: InstanceTypeDef, held: NeedsAttention) -> None:
    """Close the record of a host that another user or service controls now.

    The host is held first: without an open record and without an outcome nothing would name it, if the controller died here.
    """
    if not context.check_mode:
        delete_schedule(context, record)
        _report_remaining_tag(context, record, instance)
        record_failure(context, held, context.phase)
        # One that another user has not restarted is still on because of our start.
        off_at = _our_end(context, instance) if held.code == Reason.RESTARTED_BY_OTHERS else None
        context.update_facts(final_state=instance["State"]["Name"], off_at=off_at)
        context.ledger.close_power(record.host_key, "others", context.clock.now(), fence=context.fence)


def _report_remaining_tag(context: OperationContext, record: PowerRecord, instance: InstanceTypeDef) -> None:
    """Only report a tag that could not be removed: the host is held for a more important reason."""
    left = remove_owner_tag(context, record, instance)
    if left:
        context.report_progress(left)


def _request(context: OperationContext, record: PowerRecord, instance: InstanceTypeDef) -> bool:
    """StopInstances; False when AWS gave no answer, and the instance is still shown running."""
    context.lease.renew()
    try:
        stop_instance(context.aws, record.instance_id)
    except AwsError as error:
        raise NeedsAttention(f"It is still on because of us: {error.reason}", error.code, error.facts) from error
    except Unanswered as error:
        context.report_progress("AWS gave no answer to the stop: checking whether it was made")
        until = context.clock.now() + CONSISTENCY_SECONDS
        if _wait_for_state(context, instance, {"stopping", "stopped", "terminated"}, until) is None:
            _count_unanswered(context, error)
            return False
    return True


def _count_unanswered(context: OperationContext, error: Unanswered) -> None:
    """Raises the error when it is the last of STOP_ATTEMPTS."""
    context.cache["unanswered_stops"] = context.cache.get("unanswered_stops", 0) + 1
    if context.cache["unanswered_stops"] >= STOP_ATTEMPTS:
        raise NeedsAttention(f"It may still be on because of us: {error.reason}", error.code) from error


def _wait_for_state(
    context: OperationContext, instance: InstanceTypeDef, states: AbstractSet[str], until: float
) -> InstanceTypeDef | None:
    """The instance in one of these states, or after a newer start; views from before the start in which ``instance`` was seen do
    not count.
    """
    witness = LaunchWitness(context, instance["LaunchTime"].timestamp())

    def instance_in_state() -> InstanceTypeDef | None:
        shown = polled_instance(context, instance["InstanceId"])
        if shown is None or witness.is_stale(shown):
            return None
        is_newer = shown["LaunchTime"] > instance["LaunchTime"]
        return shown if is_newer or shown["State"]["Name"] in states else None

    return context.wait(instance_in_state, until, 10.0, 20.0)
