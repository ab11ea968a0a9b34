# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The watchdog: a one-time schedule for each host that we start. Its runbook stops the host if no run has.

It is made before the start, for a start that happens about then; once AWS has shown the LaunchTime, for that one alone. So there
is no moment at which the host is on because of us without it. A schedule too many does no harm: the runbook finds a host that
is off, or another LaunchTime, and ends. Source: EventBridge Scheduler API reference and user guide ("Using universal targets").
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from .._aws import scheduler
from .._aws.errors import DENIED, AwsError
from .._aws.iam import caller_arn, get_role
from .._aws.ssm import describe_document
from .._base.commands import in_text, plain_command
from .._base.errors import Failed, NeedsAttention, PatchFleetError
from .._fleet.hosts import Location
from .._ledger.records import Host, PowerRecord
from .._model.fact_values import WatchdogSchedule
from .._model.reasons import Reason
from .._operation.context import OperationContext
from .launch import launch_window
from .rows import rows_of_record

DEFAULT_PREFIX = "PatchFleet"
"""The parameter Prefix of the set-up, where no one names another."""


def runbook_of(prefix: str) -> str:
    """The runbook that the account's set-up (parameter Prefix) has made; its schedule group is called as the prefix itself."""
    return f"{prefix}-stop-host"


def role_arn_of(caller_arn: str, prefix: str, region: str) -> str:
    """The role that its schedules start the runbook with."""
    _arn, partition, _sts, _region, account, _caller = caller_arn.split(":", 5)
    return f"arn:{partition}:iam::{account}:role/{prefix}-scheduler-{region}"


def create_schedule(context: OperationContext, record: PowerRecord) -> None:
    """Make the schedule, before the start; written down before it is made.

    Raises:
        PatchFleetError: it could not be made; then nothing may be started.
    """
    if not context.params["dead_man_switch"] or not context.tracked_host:
        return
    region, prefix = context.aws.region, context.params["setup_prefix"]
    margin = context.params["dead_man_switch_margin_seconds"]
    caller = caller_arn(context.aws)
    first, last = launch_window(context.aws.now())
    switch: WatchdogSchedule = {
        "name": f"{record.instance_id}-{context.run_id}",
        "group": prefix,
        "role_arn": role_arn_of(caller, prefix, region),
        "due_at": _deadline(context) + margin,
        "margin_seconds": margin,
        "launched": [int(first), int(last)],
        "keep_tag": context.ledger.run(context.required_run_id).settings.get("keep_tag"),
    }
    _make(context, record, switch)


def _make(context: OperationContext, record: PowerRecord, switch: WatchdogSchedule) -> None:
    context.update_facts(switch=switch)
    aws, schedule = context.aws.in_region(record.region), schedule_of(record.instance_id, switch)
    try:
        scheduler.create_schedule(aws, schedule)
    except AwsError as error:
        if error.aws_code != "ConflictException":  # an earlier try of this run has made it
            raise
        scheduler.update_schedule(aws, schedule)


def _deadline(context: OperationContext) -> float:
    """When the host's whole time is over."""
    of_run = context.ledger.run(context.required_run_id).settings["host_timeout_seconds"]
    timeout_seconds = context.facts.get("timeout_seconds", of_run)
    return context.facts.get("deadline_at") or context.clock.now() + timeout_seconds


def schedule_of(instance_id: str, switch: WatchdogSchedule) -> scheduler.Schedule:
    """The schedule for an instance: it starts the runbook once."""
    partition = switch["role_arn"].split(":")[1]
    parameters = {
        "InstanceId": [instance_id],
        "Group": [switch["group"]],
        "Schedule": [switch["name"]],
        "LaunchedFrom": [str(switch["launched"][0])],
        "LaunchedUntil": [str(switch["launched"][1])],
    }
    if switch["keep_tag"]:
        parameters["KeepTag"] = [switch["keep_tag"]]
    return scheduler.Schedule(
        name=switch["name"],
        group=switch["group"],
        description=f"Stops {instance_id} if the run of Patch Fleet that started it is dead.",
        due_at=switch["due_at"],
        target_arn=f"arn:{partition}:scheduler:::aws-sdk:ssm:startAutomationExecution",
        role_arn=switch["role_arn"],
        request={"DocumentName": runbook_of(switch["group"]), "Parameters": parameters},
        about=instance_id,
    )


def take_over(context: OperationContext, record: PowerRecord) -> None:
    """The host is on because of a run that died: its switch gives way to one of this run, for the same start.

    A runbook that has started already finds the new schedule, and ends; it would take a pause between two steps for the end.

    Raises:
        PatchFleetError: it could not be made; then nothing may be done in the host.
    """
    earlier = [(host, switch) for host, switch in _set(context, record) if host.run_id != context.run_id]
    if not earlier or not context.tracked_host:
        return
    if record.started_by is None:  # that run never started the host, so another user did
        delete_schedule(context, record)
        return
    switch = earlier[0][1]
    own: WatchdogSchedule = {
        **switch,
        "name": f"{record.instance_id}-{context.run_id}",
        "due_at": _deadline(context) + switch["margin_seconds"],
    }
    _make(context, record, own)
    for host, theirs in earlier:
        _try(context, partial(_delete, context, record, host, theirs))


def update_schedule(context: OperationContext, record: PowerRecord, launch_time: float) -> None:
    """From now on it is for this LaunchTime alone."""
    for host, switch in _set(context, record):
        if host.run_id == context.run_id:
            _change(context, record, host, {**switch, "launched": [int(launch_time)] * 2})


def postpone(context: OperationContext, record: PowerRecord, seconds: float) -> None:
    """An active controller waits this time for an installation that SSM may not know."""
    for host, switch in _set(context, record):
        due_at = max(switch["due_at"], context.clock.now() + seconds + switch["margin_seconds"])
        _change(context, record, host, {**switch, "due_at": due_at})


def _change(context: OperationContext, record: PowerRecord, host: Host, switch: WatchdogSchedule) -> None:
    def update() -> None:
        aws = context.aws.in_region(record.region)
        try:
            scheduler.update_schedule(aws, schedule_of(record.instance_id, switch))
        except AwsError as error:
            if error.aws_code != scheduler.NOT_FOUND:
                raise
            switch["name"] += "-2"  # its runbook has started, and ends when it finds another schedule
            scheduler.create_schedule(aws, schedule_of(record.instance_id, switch))
        context.update_facts_in(host, {"switch": switch})

    _try(context, update)


def delete_schedule(context: OperationContext, record: PowerRecord) -> None:
    """The host is as it was found, or must not be stopped: the schedules of all runs that had it are deleted."""
    for host, switch in _set(context, record):
        _try(context, partial(_delete, context, record, host, switch))


def _delete(context: OperationContext, record: PowerRecord, host: Host, switch: WatchdogSchedule) -> None:
    aws = context.aws.in_region(record.region)
    scheduler.delete_schedule(aws, switch["group"], switch["name"], record.instance_id)
    context.update_facts_in(host, {"switch": None})


def was_due(context: OperationContext, record: PowerRecord, at: float) -> bool:
    """Whether a schedule of the host was due at that time, in seconds since 1970."""
    return any(switch["due_at"] <= at for _host, switch in _set(context, record))


def _try(context: OperationContext, change: Callable[[], None]) -> None:
    """A schedule that could not be changed does no harm: see above."""
    try:
        change()
    except NeedsAttention:
        raise
    except PatchFleetError as error:
        context.report_progress(f"its watchdog schedule stays as it is: {error.reason}")


def _set(context: OperationContext, record: PowerRecord) -> list[tuple[Host, WatchdogSchedule]]:
    """The switches that the runs know which had the host, with its row in each."""
    if context.check_mode:
        return []
    hosts = rows_of_record(context, record)
    return [(host, switch) for host in hosts if (switch := host.facts.get("switch"))]


def _setup_command(prefix: str, region: str) -> str:
    """The command that adds the watchdog to the set-up. An existing stack keeps its other parameters."""
    parameters = {"DeadManSwitch": True, **({} if prefix == DEFAULT_PREFIX else {"Prefix": prefix})}
    return plain_command(
        "setup_aws",
        {"aws_prerequisites_region": region, "aws_prerequisites_parameters": parameters},
    )


def refuse_without_setup(context: OperationContext, prefix: str, locations: Iterable[Location]) -> None:
    """Check in each region of each account what the schedule needs, before anything is touched.

    Raises:
        PatchFleetError: ``no_switch``, with what is missing and how it is made.
    """
    for location in locations:
        aws = context.aws_of(location.account, location.region)
        role = role_arn_of(caller_arn(aws), prefix, location.region).rpartition("/")[2]
        try:
            scheduler.get_schedule_group(aws, prefix)
            describe_document(aws, runbook_of(prefix))
            get_role(aws, role)
        except AwsError as error:
            if error.aws_code not in DENIED | {scheduler.NOT_FOUND, "InvalidDocument", "NoSuchEntity"}:
                raise
            raise Failed(
                f"patch_dead_man_switch needs a schedule group {prefix}, a runbook and roles in {location}, and the right to use "
                f"them: {error.reason} Make them: {in_text(_setup_command(prefix, location.region))}. Nothing was touched.",
                Reason.NO_SWITCH,
            ) from error
