# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps managed_node_wait and ssm_command."""

from __future__ import annotations

from typing import Any

from .._errors import Deferred, PatchFleetError
from .._step import TRACKING_ARGUMENTS, HostConnection, Step, StepContext
from .commands import Command, refuse_templates, run_command
from .nodes import PROBE, PROBE_SECONDS, wait_until_ready


def wait_for_node(context: StepContext) -> dict[str, Any]:
    """Wait until the node is ready; returns what nodes.wait_until_ready does, and changed (false)."""
    if context.connection:
        return _reach(context, context.connection)
    context.say("waiting for the SSM agent")
    node = _wait_until_ready(context, str(context.params["instance_id"]))
    context.say("ready")
    return {"changed": False, **node}


def _wait_until_ready(context: StepContext, instance_id: str) -> dict[str, Any]:
    """Of a node without EC2 nothing was begun when it does not answer, unless tasks of its owner's have started it."""
    try:
        return wait_until_ready(context, instance_id, float(context.params["timeout_seconds"]))
    except PatchFleetError as error:
        if error.code not in {"agent_silent", "no_command_runs"} or _may_boot(context):
            raise
        raise Deferred(
            f"Nothing was begun: {error.reason}", "host_off" if error.code == "agent_silent" else "unreachable"
        ) from error


def _may_boot(context: StepContext) -> bool:
    """Whether it was off, and is started in this run."""
    if str(context.params["instance_id"]).startswith("i-"):
        return True
    record = context.ledger.power(str(context.host_key)) if context.place else None
    return record is not None and record.started_by is not None


def _reach(context: StepContext, connection: HostConnection) -> dict[str, Any]:
    """A host is ready when its own connection carries a script.

    One that was off has time to boot, and a slow one to answer; one whose power is nobody's business of ours is not begun when
    nothing answers at its address.
    """
    context.say("trying its connection")
    may_boot = _may_boot(context)
    trouble: list[PatchFleetError] = []

    def answers() -> bool | None:
        try:
            connection.run_script("\n".join(PROBE[:-1]), PROBE_SECONDS)
        except PatchFleetError as error:
            if error.code not in {"unreachable", "command_timeout"}:
                raise
            if error.code == "unreachable" and not may_boot:
                raise Deferred(f"Nothing was begun: {error.reason}", "unreachable") from error
            trouble.append(error)
            return None
        return True

    deadline = context.deadline(float(context.params["timeout_seconds"]))
    if context.wait(answers, deadline, longest=15.0) is None:
        if may_boot:
            raise PatchFleetError(f"It did not answer in time. {trouble[-1].reason}", "unreachable")
        raise Deferred(f"Nothing was begun: {trouble[-1].reason}", "unreachable")
    context.say("ready")
    return {"changed": False}


WAIT = Step(
    name="managed_node_wait",
    phase="ready",
    arguments={
        **TRACKING_ARGUMENTS,
        "instance_id": {"type": "str", "required": True},
        "timeout_seconds": {"type": "int", "default": 600},
    },
    work=wait_for_node,
)


def run_document(context: StepContext) -> dict[str, Any]:
    """Run a document on one node.

    Returns:
        changed, command_id, status, status_details, response_code, stdout, stderr.

    Raises:
        PatchFleetError: ``command_failed`` when it ended other than Success.
    """
    params = context.params
    parameters = {name: _strings(value) for name, value in params["parameters"].items()}
    refuse_templates("parameters", parameters)
    refuse_templates("comment", params["comment"])
    if context.check_mode:
        return {"changed": True}
    command = Command(
        document=params["document"],
        parameters=parameters,
        execution_seconds=params["timeout_seconds"],
        delivery_seconds=params["delivery_timeout_seconds"],
        comment=params["comment"],
        cloudwatch_log_group=params["cloudwatch_log_group"],
    )
    ended = run_command(context, params["instance_id"], command)
    result = {
        "changed": True,
        "command_id": ended.command_id,
        "status": ended.status,
        "status_details": ended.details,
        "response_code": ended.response_code,
        "stdout": ended.stdout,
        "stderr": ended.stderr,
    }
    if ended.status != "Success":
        raise PatchFleetError(f"The command {ended.command_id} ended {ended.details}.", "command_failed", result)
    return result


def _strings(value: object) -> list[str]:
    return [str(part) for part in value] if isinstance(value, list) else [str(value)]


COMMAND = Step(
    name="ssm_command",
    arguments={
        **TRACKING_ARGUMENTS,
        "instance_id": {"type": "str", "required": True},
        "document": {"type": "str", "default": "AWS-RunPowerShellScript"},
        "parameters": {"type": "dict", "default": {}},
        "timeout_seconds": {"type": "int", "default": 3600},
        "delivery_timeout_seconds": {"type": "int", "default": 600},
        "comment": {"type": "str", "default": ""},
        "cloudwatch_log_group": {"type": "str"},
        "step": {"type": "str"},
    },
    work=run_document,
)
