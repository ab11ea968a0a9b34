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
from typing import TYPE_CHECKING

from .._aws.errors import AwsError
from .._aws.patches import missing_patches, patch_state
from .._aws.ssm import describe_document, describe_node
from .._base.clock import iso
from .._base.errors import CommandTimeout, Failed, PatchFleetError
from .._host.run_command import Command, Invocation, send, wait_for_end
from .._host.servicing import diagnose_overrun
from .._model.reasons import Reason
from .._operation.channel import Scan
from .._operation.context import OperationContext
from .foreign_runs import COMMENT, find_foreign_patch_runs, wait_for_foreign_runs
from .hresults import UNKNOWN, cause_of
from .repair import advice_for

if TYPE_CHECKING:
    from mypy_boto3_ssm.type_defs import InstancePatchStateTypeDef

DOCUMENT = "AWS-RunPatchBaseline"
GAP_SECONDS = 130.0
PAUSES = (15.0, 45.0)
"""An installation takes long; looking more often would cost API calls and save seconds."""
SCAN_TIMEOUT_SECONDS = 3600
STATE_LAG_SECONDS = 180.0
SCANS = 3
"""So often one is repeated because somebody else patched the host meanwhile."""


TIMED_OUT = frozenset({"TimedOut", "ExecutionTimedOut", "DeliveryTimedOut", "Cancelled"})
"""An invocation that ended so says nothing of what Windows does."""


def install_pass(context: OperationContext, instance_id: str) -> None:
    """One installing run of the document.

    Raises:
        PatchFleetError: ``install_timeout``, ``installation_hung`` or ``agent_lost``, when it had not ended in time. SSM gives
            up, Windows goes on, and what restores this host has to ask it.
    """
    timeout_seconds = int(context.params["install_timeout_seconds"])
    try:
        ended = run_baseline(context, instance_id, "Install", str(context.params["snapshot_id"]), timeout_seconds)
        if ended.details not in TIMED_OUT:
            return
        command_id = ended.command_id
    except CommandTimeout as error:
        command_id = str(error.command_id)
    context.update_facts(installation_overdue=True, installing_command_id=command_id)
    agent_silence = _agent_silence(context, instance_id)
    code, how = (Reason.AGENT_LOST, agent_silence) if agent_silence else diagnose_overrun(context)
    raise Failed(
        f"The installation had not ended after {timeout_seconds} s{how}. It is not cut off; look at the host.", code
    )


def _agent_silence(context: OperationContext, instance_id: str) -> str:
    """The rest of a sentence about an agent that has not come back from a reboot; empty when it is there, or nobody knows."""
    try:
        node = describe_node(context.aws, instance_id)
    except Failed:
        return ""
    if node is None or node["PingStatus"] == "Online":
        return ""
    last = iso(node["LastPingDateTime"].timestamp())
    return f", and its SSM agent has been silent since {last}: the host may not have come back from a reboot"


def run_baseline(
    context: OperationContext, instance_id: str, operation: str, snapshot_id: str, timeout_seconds: int
) -> Invocation:
    """One run of the document (``Install`` or ``Scan``), at least GAP_SECONDS after the last one, ours or somebody else's.

    Raises:
        PatchFleetError: it did not end in time (nothing is cancelled), or could not be sent.
    """
    _keep_apart(context)
    run = context.run_id or snapshot_id
    wait_seconds = float(context.params.get("install_timeout_seconds") or timeout_seconds)
    if wait_for_foreign_runs(context, instance_id, {run}, context.deadline(wait_seconds)):
        context.update_facts(baseline_ended_at=context.clock.now())
        _keep_apart(context)
    known = _document_parameters(context)
    wanted = {
        "Operation": operation,
        "SnapshotId": snapshot_id,
        "RebootOption": "RebootIfNeeded" if operation == "Install" else "NoReboot",
        "StepTimeoutSeconds": str(timeout_seconds),
    }
    command = Command(
        DOCUMENT,
        {name: [value] for name, value in wanted.items() if name in known},
        execution_seconds=timeout_seconds,
        comment=COMMENT.format(operation=operation, run=run),
        cloudwatch_log_group=context.params.get("cloudwatch_log_group"),
    )
    command_id = (_send_installing if operation == "Install" else send)(context, instance_id, command)
    # The time is for the work, so the delivery is not added: a node that was ready takes it within seconds.
    deadline = context.deadline(timeout_seconds)
    invocation = wait_for_end(context, instance_id, command_id, deadline, PAUSES, head_start_seconds=PAUSES[0])
    context.update_facts(installing_command_id="", baseline_ended_at=context.clock.now())
    return invocation


def _send_installing(context: OperationContext, instance_id: str, command: Command) -> str:
    """SendCommand, written down before and after: who finds no id asks the host whether Windows installs."""
    context.update_facts(servicing=True)
    try:
        command_id = send(context, instance_id, command)
    except AwsError as error:
        if not error.is_retryable:
            context.update_facts(servicing=False)
        raise
    context.update_facts(installing_command_id=command_id, servicing=False)
    return command_id


def _keep_apart(context: OperationContext) -> None:
    ended = context.updated_facts.get("baseline_ended_at")
    if ended is None and context.tracked_host:
        ended = context.ledger.host(*context.tracked_host).facts.get("baseline_ended_at")
    if ended is not None:
        context.wait(lambda: None, min(float(ended) + GAP_SECONDS, context.clock.now() + GAP_SECONDS))


def _document_parameters(context: OperationContext) -> set[str]:
    """What the document takes, looked up once a step."""
    if DOCUMENT not in context.cache:
        document = describe_document(context.aws, DOCUMENT)
        context.cache[DOCUMENT] = {parameter["Name"] for parameter in document.get("Parameters", [])}
    known: set[str] = context.cache[DOCUMENT]
    return known


def scan(context: OperationContext, instance_id: str, snapshot_id: str) -> Scan:
    """A fresh scan, read at once, during which nobody else has begun to patch the host.

    Raises:
        PatchFleetError: ``others_patching`` when that was so each time, else as _scan_once.
    """
    for _number in range(SCANS):
        requested_at = context.clock.now()
        found = _scan_once(context, instance_id, snapshot_id)
        meanwhile = find_foreign_patch_runs(
            context, instance_id, {context.run_id or snapshot_id}, since=requested_at, ended_too=True
        )
        if not meanwhile:
            return found
        context.report_progress(f"scanning again, since somebody else patched it meanwhile: {', '.join(meanwhile)}")
    raise Failed(
        f"Somebody else patches it again and again, so nothing is proven: {', '.join(meanwhile)}.",
        Reason.OTHERS_PATCHING,
    )


def _scan_once(context: OperationContext, instance_id: str, snapshot_id: str) -> Scan:
    """A fresh scan; its state must be of this snapshot and younger than the command.

    Raises:
        PatchFleetError: ``not_proven`` when no such state appears, ``scan_failed`` when the search failed.
    """
    for attempt in (1, 2):
        requested_at = context.clock.now()
        invocation = run_baseline(context, instance_id, "Scan", snapshot_id, SCAN_TIMEOUT_SECONDS)
        state = _fresh_state(context, instance_id, snapshot_id, requested_at)
        if state is not None and state["MissingCount"] >= 0:
            return _read(context, instance_id, state)
        if attempt == 2 or state is not None:
            break
    if state is None:
        raise Failed(
            f"No fresh scan proves its compliance: the scan ended {invocation.details}, and Patch Manager shows no state of it.",
            Reason.NOT_PROVEN,
        )
    raise search_failed(context, _last_line(invocation))


def search_failed(context: OperationContext, said: str) -> PatchFleetError:
    """The error for a search that Windows ended with these words; the cause is told where they have an HRESULT that names one."""
    hresult = re.search(r"0x[0-9A-Fa-f]{8}", said)
    cause = cause_of(hresult.group() if hresult else None)
    why = "" if cause is UNKNOWN else f" {cause.sentence}. {advice_for(context, cause)}".rstrip()
    return Failed(f"Windows could not search for updates: {said.rstrip('.')}.{why}", Reason.SCAN_FAILED)


def _last_line(invocation: Invocation) -> str:
    text = (invocation.stderr or invocation.stdout).strip()
    return text.splitlines()[-1] if text else f"the scan ended {invocation.details}."


def _fresh_state(
    context: OperationContext, instance_id: str, snapshot_id: str, requested_at: float
) -> InstancePatchStateTypeDef | None:
    def poll() -> InstancePatchStateTypeDef | None:
        state = patch_state(context.aws, instance_id)
        if state is None:
            return None
        failed_search = state.get("MissingCount", 0) < 0  # its times are in 1970
        fresh = failed_search or state["OperationEndTime"].timestamp() >= requested_at
        is_ours = state["Operation"] == "Scan" and state.get("SnapshotId", snapshot_id) == snapshot_id
        return state if fresh and is_ours else None

    return context.wait(poll, context.clock.now() + STATE_LAG_SECONDS)


def _read(context: OperationContext, instance_id: str, state: InstancePatchStateTypeDef) -> Scan:
    missing: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    if state["MissingCount"] or state.get("FailedCount"):
        by_state: dict[str, list[str]] = {"Missing": [], "Failed": []}
        for row in missing_patches(context.aws, instance_id):
            by_state.setdefault(row["State"], []).append(row["KBId"])
        missing, failed = tuple(sorted(by_state["Missing"])), tuple(sorted(by_state["Failed"]))
    found = Scan(
        missing=missing,
        failed=failed,
        pending_reboot=int(state.get("InstalledPendingRebootCount") or 0),
        available_not_approved=int(state.get("AvailableSecurityUpdateCount") or 0),
        verified_at=state["OperationEndTime"].timestamp(),
    )
    context.update_facts(
        missing=sorted({*missing, *failed}),
        verified_at=iso(found.verified_at),
        available_not_approved=found.available_not_approved,
    )
    return found
