# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run Command on one managed node: send, wait, read.

Sources: SSM API reference (SendCommand, ListCommandInvocations, GetCommandInvocation), user guide "Understanding command
statuses".
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace

from .._aws.commands import (
    find_command,
    find_invocation,
    find_script_invocation,
    invocations_on,
    send_command,
)
from .._aws.errors import AwsError, Unanswered
from .._base.errors import CommandTimeout, Failed
from .._model.reasons import Reason
from .._operation.context import OperationContext
from .._operation.polled import polled_command
from .instances import LaunchWitness
from .invocations import GOING_ON, Invocation, ended, succeeded

SCRIPT_DOCUMENT = "AWS-RunPowerShellScript"
LAG_SECONDS, LAG_PAUSE_SECONDS = 90.0, 10.0
UNSEEN_SECONDS = 150.0
"""A command that SSM does not list for this time was not sent. The gap between two patch runs is shorter."""
COMMENT_CHARACTERS = 86
"""SSM takes 100; the rest makes it another one at each attempt."""
CLOCKS_DIFFER_SECONDS = 600.0
"""AWS takes requests of clocks that are up to five minutes off; it filters by its own."""
RESEND_PAUSE_SECONDS = (20.0, 60.0)
RESEND_SECONDS = 1800.0
"""A command that was certainly not run is sent again for this time: Run Command cancelled it, or SSM does not list it."""
GRACE_SECONDS = 60.0
FRESH_BEFORE_DEADLINE_SECONDS = 60.0
"""That a command is in progress may have been read a while ago, but not when its time is nearly over."""
HEAD_START_SECONDS = 5.0
"""No command is fetched, run and reported sooner: an earlier poll would cost a call and find nothing."""
INSTANCE_CHECK_SECONDS, INSTANCE_CHECK_AGE_SECONDS = 240.0, 180.0


@dataclass(frozen=True)
class Command:
    """What is to be run on a node.

    Attributes:
        parameters: of the document, name → list of strings.
        execution_seconds: how long it may run; the document's own limit is set separately, where it has one.
        delivery_seconds: TimeoutSeconds: how long the node may take to fetch it (AWS: 30 to 2,592,000).
    """

    document: str
    parameters: dict[str, list[str]]
    execution_seconds: int
    delivery_seconds: int = 600
    comment: str = ""
    cloudwatch_log_group: str | None = None


def refuse_templates(option: str, value: object) -> None:
    """Raises PatchFleetError for a value that SSM or Ansible would resolve: ``{{ssm:name}}`` is read with the node's rights."""
    if isinstance(value, dict):
        for key, part in value.items():
            refuse_templates(f"{option}.{key}", part)
    elif isinstance(value, (list, tuple)):
        for part in value:
            refuse_templates(option, part)
    elif isinstance(value, str) and "{{" in value:
        raise Failed(f"{option}: {value!r} is not valid. It must not hold '{{{{'.", Reason.INVALID_OPTION)


class CommandNotRun(Failed):
    """Run Command cancelled a command as a whole (``Rate Exceeded``): no node ran it."""

    def __init__(self, details: str) -> None:
        super().__init__(
            f"Run Command cancelled the command before the node ran it: {details}.", Reason.COMMAND_CANCELLED
        )


def run_command(context: OperationContext, instance_id: str, command: Command, idempotent: bool = False) -> Invocation:
    """Send a command to one node and wait until it has ended there.

    A command that no node ran, since the account has too many at a time, is sent again. So is, once, an idempotent one that
    was not delivered.

    Raises:
        PatchFleetError: it could not be sent, was denied, or did not end in time; the instance is gone.
    """

    def attempt() -> Invocation:
        return _run_once(context, instance_id, command)

    invocation = repeat_if_not_run(context, instance_id, attempt)
    if idempotent and invocation.details in {"DeliveryTimedOut", "Undeliverable", "Terminated"}:
        invocation = repeat_if_not_run(context, instance_id, attempt)
    return invocation


def repeat_if_not_run(context: OperationContext, instance_id: str, attempt: Callable[[], Invocation]) -> Invocation:
    """Send a command again, after a pause that is drawn at random, while Run Command cancels it as a whole.

    Raises:
        CommandNotRun: it still did so after RESEND_SECONDS, or when the host's time was over.
        PatchFleetError: ``access_denied`` or ``not_windows``, see _refuse_denied.
    """
    give_up_at = context.deadline(RESEND_SECONDS)
    while isinstance(ended := _result_of(attempt), CommandNotRun):
        if context.clock.now() >= give_up_at:
            raise ended
        context.report_progress(f"sending the command again later: {ended.reason}")
        context.pause(random.uniform(*RESEND_PAUSE_SECONDS))
    _refuse_denied(ended, instance_id)
    return ended


def _result_of(attempt: Callable[[], Invocation]) -> Invocation | CommandNotRun:
    try:
        return attempt()
    except CommandNotRun as error:
        return error


def _refuse_denied(invocation: Invocation, instance_id: str) -> None:
    """Raises PatchFleetError for a command that was accepted and ended without having run: repeating it changes nothing."""
    if invocation.details == "AccessDenied":
        raise Failed(
            f"The credentials lack the right ssm:SendCommand on {instance_id}: Run Command ended the command with AccessDenied. "
            "Their policy may ask for a tag that the host does not have.",
            Reason.ACCESS_DENIED,
            {"denied_action": "ssm:SendCommand"},
        )
    if invocation.details == "InvalidPlatform":
        raise Failed(
            f"The document of the command does not run on the platform of {instance_id}: Run Command ended the command with "
            "InvalidPlatform.",
            Reason.NOT_WINDOWS,
        )


def _run_once(context: OperationContext, instance_id: str, command: Command) -> Invocation:
    command_id = send(context, instance_id, command)
    deadline = context.deadline(command.delivery_seconds + command.execution_seconds + GRACE_SECONDS)
    try:
        invocation = wait_for_end(
            context,
            instance_id,
            command_id,
            deadline,
            head_start_seconds=HEAD_START_SECONDS,
            runs_script=command.document == SCRIPT_DOCUMENT,
        )
    except CommandTimeout:
        context.add_work(None)
        raise
    context.add_work(invocation.worked_seconds)
    return invocation


def run_lines(context: OperationContext, instance_id: str, lines: list[str], timeout_seconds: int) -> Invocation:
    """Run the lines of a script (scripts.compose), whose first is a comment that names it."""
    command = Command(
        SCRIPT_DOCUMENT,
        {"commands": lines, "executionTimeout": [str(timeout_seconds)]},
        execution_seconds=timeout_seconds,
        comment=f"patchfleet: {lines[0].partition(': ')[2]}",
    )
    return run_command(context, instance_id, command, idempotent=True)


def send(context: OperationContext, instance_id: str, command: Command) -> str:
    """SendCommand; returns the command's id.

    Its comment is another one at each attempt: where no answer comes, the code searches a command with that comment, and it is sent
    again only when SSM lists none, for RESEND_SECONDS or as long as the host has time.

    Raises:
        AwsError: it was refused; ``after_unanswered`` says that an earlier attempt may have been made.
        Unanswered: it is unknown whether it was sent.
    """
    give_up_at = context.deadline(RESEND_SECONDS)
    number, command_id = 0, None
    while command_id is None:
        number += 1
        command_id = _send_or_find(context, instance_id, command, number, give_up_at)
    return command_id


def _send_or_find(
    context: OperationContext, instance_id: str, command: Command, number: int, give_up_at: float
) -> str | None:
    """One attempt, the ``number``-th; None when it was not answered, and SSM does not list the command."""
    comment = f"{command.comment[:COMMENT_CHARACTERS]} {uuid.uuid4().hex[:12]}".strip()
    sent_at = context.clock.now()
    try:
        return _send_to_known_node(context, instance_id, replace(command, comment=comment))
    except AwsError as error:
        error.after_unanswered = number > 1
        raise
    except Unanswered as error:
        context.report_progress("AWS gave no answer to a command: checking whether it was sent")
        command_id = _find_sent(context, instance_id, comment, sent_at)
        if command_id is None and context.clock.now() >= give_up_at:
            raise
        if command_id is None:
            context.report_progress(f"sending it again: {error.reason}")
        return command_id


def _find_sent(context: OperationContext, instance_id: str, comment: str, sent_at: float) -> str | None:
    """The id of the command with this comment; None when SSM lists none in UNSEEN_SECONDS."""

    def listed_command() -> str | None:
        rows = invocations_on(context.aws, instance_id, sent_at - CLOCKS_DIFFER_SECONDS)
        return next((row["CommandId"] for row in rows if row.get("Comment") == comment), None)

    return context.wait(listed_command, context.clock.now() + UNSEEN_SECONDS)


def _send_to_known_node(context: OperationContext, instance_id: str, command: Command) -> str:
    """A node that registered a moment ago may be unknown to SSM yet: that is waited for.

    Not by ``context.wait``: that time is short, and throttling gets its own.
    """
    give_up_at: float | None = None
    while True:
        try:
            return send_command(
                context.aws,
                instance_id,
                command.document,
                command.parameters,
                delivery_seconds=max(command.delivery_seconds, 30),
                comment=command.comment,
                cloudwatch_log_group=command.cloudwatch_log_group,
            )
        except AwsError as error:
            give_up_at = give_up_at or context.deadline(LAG_SECONDS)
            if error.aws_code != "InvalidInstanceId" or context.clock.now() >= give_up_at:
                raise
        context.pause(LAG_PAUSE_SECONDS)


def wait_for_end(
    context: OperationContext,
    instance_id: str,
    command_id: str,
    deadline: float,
    pauses: tuple[float, float] = (5.0, 30.0),
    head_start_seconds: float = 0.0,
    runs_script: bool = False,
) -> Invocation:
    """Wait until a command has ended on a node; ``pauses`` are the first and the longest between two looks, in seconds, and
    the first look comes after the head start. ``runs_script``: its document has one plugin, that of a script.

    Raises:
        PatchFleetError: ``command_timeout`` when it is still going on at the deadline (nothing is cancelled).
    """
    sent_at = context.clock.now()
    watch = _InstanceWatch(context, instance_id)
    context.pause(min(head_start_seconds, max(deadline - sent_at, 0.0)))

    def ended_invocation() -> Invocation | None:
        is_urgent = context.clock.now() >= deadline - FRESH_BEFORE_DEADLINE_SECONDS
        polled = polled_command(context, command_id, 0.0 if is_urgent else pauses[0] * 2)
        if polled is not None and polled.worked is not None and polled.worked["InstanceId"] == instance_id:
            return ended(context, instance_id, polled.worked)
        in_progress = polled is not None and polled.is_in_progress
        script = (
            find_script_invocation(context.aws, command_id, instance_id)
            if polled is not None and not in_progress and runs_script
            else None
        )
        if in_progress or (script is not None and script["Status"] in GOING_ON):
            watch.refuse_ended()
            return None
        if script is not None and script["Status"] == "Success":
            return succeeded(command_id, script)
        row = find_invocation(context.aws, command_id, instance_id)
        if row is not None:
            watch.refuse_ended()
            return ended(context, instance_id, row)
        if context.clock.now() > sent_at + LAG_SECONDS:
            _refuse_cancelled(context, command_id)
        return None

    invocation = context.wait(ended_invocation, deadline, *pauses)
    if invocation is None:
        raise CommandTimeout(f"The command {command_id} had not ended on {instance_id} in its time.", command_id)
    return invocation


class _InstanceWatch:
    """Checks now and then whether the instance on which a command runs still exists: its invocation never shows it."""

    def __init__(self, context: OperationContext, instance_id: str) -> None:
        self._context, self._instance_id = context, instance_id
        self._witness = LaunchWitness(context)
        self._next = context.clock.now() + INSTANCE_CHECK_SECONDS

    def refuse_ended(self) -> None:
        """Raises Failed (``instance_stopped`` and the like) when another user has ended the instance."""
        if not self._instance_id.startswith("i-") or self._context.clock.now() < self._next:
            return
        self._next = self._context.clock.now() + INSTANCE_CHECK_SECONDS
        instance = self._witness.awaited(self._instance_id, INSTANCE_CHECK_AGE_SECONDS)
        state = instance["State"]["Name"] if instance else "gone"
        if state not in {"pending", "running"}:
            raise Failed(
                f"The instance is {state}: another user ended it while a command was running on it.",
                Reason(f"instance_{state.replace('-', '_')}"),
            )


def _refuse_cancelled(context: OperationContext, command_id: str) -> None:
    """A command without invocations that has ended was cancelled whole (``Rate Exceeded``): no node ran it."""
    command = find_command(context.aws, command_id)
    if command is not None and command["Status"] not in GOING_ON:
        details = command.get("StatusDetails", command["Status"])
        raise CommandNotRun(details)
