# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""AWS-RunPatchBaseline on one node: install in passes, and believe only a scan that came after.

Sources: Patch Manager user guide ("About the AWS-RunPatchBaseline SSM document", "Reboot options", "Patch compliance state
values"), SSM API reference (DescribeInstancePatchStates, DescribeInstancePatches). Two runs of the document on one node
within about two minutes can fail silently, so they are kept apart.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from .._aws.errors import AwsError
from .._aws.ssm import describe_node
from .._base.clock import iso
from .._base.errors import CommandTimeout, Failed
from .._host.invocations import Invocation
from .._host.run_command import SCRIPT_DOCUMENT, Command, CommandNotRun, repeat_if_not_run, send, wait_for_end
from .._host.servicing import LATE_DELIVERY_SECONDS, Overrun, diagnose_overrun, wait_until_quiet
from .._model.host_facts import HostFacts
from .._model.reasons import Reason
from .._operation.channel import Scan
from .._operation.context import OperationContext
from .._operation.polled import parameters_of
from . import messages
from .causes import Cause
from .foreign_runs import COMMENT, Own, all_patch_runs, wait_for_foreign_runs
from .hresults import cause_of
from .patch_verdict import read_verdict, store_state, wait_for_state

DOCUMENT = "AWS-RunPatchBaseline"
GAP_SECONDS = 130.0
PAUSES = (15.0, 45.0)
"""An installation takes long; looking more often would cost API calls and save seconds."""
SCAN_TIMEOUT_SECONDS = 3600
SCANS = 3
"""The number of repetitions because a foreign patch run was active meanwhile."""


TIMED_OUT = frozenset({"TimedOut", "ExecutionTimedOut", "DeliveryTimedOut", "Cancelled"})
"""An invocation that ended so says nothing of what Windows does."""


def install_pass(context: OperationContext, instance_id: str, *, may_reboot: bool = True) -> None:
    """One installing run of the document.

    Raises:
        PatchFleetError: as finish_pass.
    """
    snapshot_id, timeout_seconds = context.params["snapshot_id"], context.install_timeout_seconds
    finish_pass(
        context,
        instance_id,
        lambda: run_baseline(context, instance_id, "Install", snapshot_id, timeout_seconds, may_reboot=may_reboot),
    )


def finish_pass(context: OperationContext, instance_id: str, run: Callable[[], Invocation]) -> None:
    """Perform ``run``, which sends the command of an installation and waits until it has ended.

    Raises:
        PatchFleetError: ``install_timeout``, ``installation_hung`` or ``agent_lost``, when it had not ended in time. SSM gives
            up, Windows continues, and a restore of this host has to ask it.
    """
    timeout_seconds = context.install_timeout_seconds
    try:
        ended = run()
        if ended.details not in TIMED_OUT or _came_too_late(context, instance_id, ended, timeout_seconds):
            return
        command_id = ended.command_id
    except CommandTimeout as error:
        command_id = str(error.command_id)
    context.update_facts(installation_overdue=True, installing_command_id=command_id)
    silent_since = _agent_silent_since(context, instance_id)
    overrun = Overrun(Reason.AGENT_LOST, agent_silent_since=silent_since) if silent_since else diagnose_overrun(context)
    if silent_since:
        context.add_work(None)
    raise Failed(messages.installation_overdue(timeout_seconds, overrun), overrun.code)


def _came_too_late(context: OperationContext, instance_id: str, ended: Invocation, timeout_seconds: int) -> bool:
    """Whether an installation whose delivery timed out has ended, or never began: a node may take it all the same.

    False where the host cannot be asked.
    """
    if ended.details != "DeliveryTimedOut":
        return False
    context.report_progress(
        "the installation was not delivered in time: checking whether Windows installs all the same"
    )
    context.update_facts(servicing=True)
    try:
        quiet = wait_until_quiet(context, instance_id, context.deadline(timeout_seconds), LATE_DELIVERY_SECONDS)
    except Failed:
        return False
    if quiet:
        context.add_work(None)  # whether it ran, and for how long, is never shown
        context.update_facts(servicing=False, working_since=None)
    return quiet


def _agent_silent_since(context: OperationContext, instance_id: str) -> str | None:
    """The last ping of an agent that is offline; None when it is online, or its state is unknown."""
    try:
        node = describe_node(context.aws, instance_id)
    except Failed:
        return None
    if node is None or node["PingStatus"] == "Online":
        return None
    return iso(node["LastPingDateTime"].timestamp())


def run_baseline(
    context: OperationContext,
    instance_id: str,
    operation: str,
    snapshot_id: str,
    timeout_seconds: int,
    *,
    may_reboot: bool = False,
) -> Invocation:
    """One run of the document (``Install`` or ``Scan``), at least GAP_SECONDS after the last one, ours or a foreign one.

    Raises:
        PatchFleetError: it did not end in time (nothing is cancelled), or could not be sent.
    """
    _keep_apart(context)
    run = context.run_id or snapshot_id
    installs = "install_timeout_seconds" in context.params
    wait_seconds = float(context.install_timeout_seconds if installs else timeout_seconds)
    if wait_for_foreign_runs(context, instance_id, Own({run}), context.deadline(wait_seconds)):
        context.update_facts(baseline_ended_at=context.clock.now())
        _keep_apart(context)
    known = _document_parameters(context)
    wanted = {
        "Operation": operation,
        "SnapshotId": snapshot_id,
        "RebootOption": "RebootIfNeeded" if may_reboot else "NoReboot",
        "StepTimeoutSeconds": str(timeout_seconds),
    }
    command = Command(
        DOCUMENT,
        {name: [value] for name, value in wanted.items() if name in known},
        execution_seconds=timeout_seconds,
        comment=COMMENT.format(operation=operation, run=run),
        cloudwatch_log_group=context.params.get("cloudwatch_log_group"),
    )

    def attempt() -> Invocation:
        return run_once(context, instance_id, command, installs=operation == "Install")

    return repeat_if_not_run(context, instance_id, attempt)


def run_once(context: OperationContext, instance_id: str, command: Command, *, installs: bool) -> Invocation:
    """Send a command that may install updates and wait until it has ended; what is known of it is written down.

    Raises:
        CommandTimeout: it had not ended in its time. Nothing is cancelled.
        CommandNotRun: Run Command cancelled it as a whole.
    """
    command_id = (_send_installing if installs else send)(context, instance_id, command)
    # The time is for the work, so the delivery is not added: a node that was ready takes it within seconds.
    deadline = context.deadline(command.execution_seconds)
    try:
        invocation = wait_for_end(
            context,
            instance_id,
            command_id,
            deadline,
            PAUSES,
            head_start_seconds=PAUSES[0],
            runs_script=command.document == SCRIPT_DOCUMENT,
        )
    except CommandNotRun:
        if installs:
            context.update_facts(installing_command_id=None, working_since=None)
        raise
    ended = HostFacts(patch_commands=_commands_with(context, command_id))
    if installs:
        ended["installing_command_id"] = ""
    if command.document == DOCUMENT:
        ended["baseline_ended_at"] = context.clock.now()
    if not installs or invocation.details not in TIMED_OUT:  # Windows may go on when SSM has given up
        context.add_work(invocation.worked_seconds)
        ended["working_since"] = None
    if installs:
        context.update_facts(**ended)
    else:
        context.note_facts(**ended)
    return invocation


def _send_installing(context: OperationContext, instance_id: str, command: Command) -> str:
    """SendCommand, recorded before and after. A later run that finds no id asks the host whether Windows installs."""
    context.update_facts_and_work(servicing=True)
    try:
        command_id = send(context, instance_id, command)
    except AwsError as error:
        if not error.after_unanswered:
            context.update_facts(servicing=False)
        raise
    context.update_facts(
        installing_command_id=command_id,
        servicing=False,
        working_since=context.clock.now(),
        patch_commands=_commands_with(context, command_id),
    )
    return command_id


def _commands_with(context: OperationContext, command_id: str) -> list[str]:
    """The commands that scanned or installed, with this one; it may be there already."""
    known = context.facts.get("patch_commands", [])
    return known if command_id in known else [*known, command_id]


def _keep_apart(context: OperationContext) -> None:
    ended = context.facts.get("baseline_ended_at")
    if ended is not None:
        context.pause_until(min(ended + GAP_SECONDS, context.clock.now() + GAP_SECONDS))


def _document_parameters(context: OperationContext) -> set[str]:
    """What the document takes, looked up once an operation."""
    if DOCUMENT not in context.cache:
        context.cache[DOCUMENT] = parameters_of(context, DOCUMENT)
    known: set[str] = context.cache[DOCUMENT]
    return known


def scan(context: OperationContext, instance_id: str, snapshot_id: str) -> Scan:
    """A fresh scan, read at once, during which no foreign patch run has started on the host.

    Raises:
        PatchFleetError: ``others_patching`` when that was so each time, else as _scan_once.
    """
    own = Own({context.run_id or snapshot_id})
    for _number in range(SCANS):
        before = all_patch_runs(context, instance_id, own)
        found = _scan_once(context, instance_id, snapshot_id)
        started = {(run.words, run.started_at) for run in before}
        runs = all_patch_runs(context, instance_id, own)
        meanwhile = sorted(run.words for run in runs if (run.words, run.started_at) not in started)
        if not meanwhile:
            return found
        context.report_progress(
            f"scanning again, since a foreign patch run was active meanwhile: {', '.join(meanwhile)}"
        )
    raise Failed(
        f"Foreign patch runs start on it again and again, so nothing is proven: {', '.join(meanwhile)}.",
        Reason.OTHERS_PATCHING,
    )


def _scan_once(context: OperationContext, instance_id: str, snapshot_id: str) -> Scan:
    """A fresh scan, tried once more where Patch Manager shows no state of it.

    Raises:
        PatchFleetError: ``not_proven`` when no such state appears, ``scan_failed`` when the search failed.
    """
    for _attempt in (1, 2):
        store_state(context, instance_id)
        invocation = run_baseline(context, instance_id, "Scan", snapshot_id, SCAN_TIMEOUT_SECONDS)
        state = wait_for_state(context, instance_id, snapshot_id, invocation)
        if state is not None and state["MissingCount"] < 0:
            raise search_failed(context, _last_line(invocation))
        if state is not None:
            return read_verdict(context, instance_id, state, invocation)
    raise Failed(
        f"No fresh scan proves its compliance: the scan ended {invocation.details}, and Patch Manager shows no state of it.",
        Reason.NOT_PROVEN,
    )


class SearchFailed(Failed):
    """Windows could not search for updates.

    Attributes:
        cause: by the HRESULT that Windows named.
    """

    def __init__(self, reason: str, cause: Cause) -> None:
        super().__init__(reason, Reason.SCAN_FAILED)
        self.cause = cause


def search_failed(context: OperationContext, error: str) -> SearchFailed:
    """The failure of a search that Windows ended with this error; with the cause where an HRESULT names one."""
    hresult = re.search(r"0x[0-9A-Fa-f]{8}", error)
    cause = cause_of(hresult.group() if hresult else None)
    return SearchFailed(messages.search_failed(error, cause, context.facts.get("update_source")), cause)


def _last_line(invocation: Invocation) -> str:
    text = (invocation.stderr or invocation.stdout).strip()
    return text.splitlines()[-1] if text else f"the scan ended {invocation.details}."
