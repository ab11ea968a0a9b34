# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module ssm_command."""

from __future__ import annotations

from .._base.errors import Failed
from .._host.run_command import Command, refuse_templates, run_command
from .._model.phases import Phase
from .._model.reasons import Reason
from .._operation.arguments import TRACKING_ARGUMENTS
from .._operation.context import OperationContext
from .._operation.operation import Operation
from .._operation.results import Result


class CommandResult(Result, total=False):
    """How the command ended; in check mode none is sent."""

    command_id: str
    status: str
    status_details: str
    response_code: int | None
    stdout: str
    stderr: str


def run_document(context: OperationContext) -> CommandResult:
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
    result: CommandResult = {
        "changed": True,
        "command_id": ended.command_id,
        "status": ended.status,
        "status_details": ended.details,
        "response_code": ended.response_code,
        "stdout": ended.stdout,
        "stderr": ended.stderr,
    }
    if ended.status != "Success":
        raise Failed(f"The command {ended.command_id} ended {ended.details}.", Reason.COMMAND_FAILED, dict(result))
    return result


def _strings(value: object) -> list[str]:
    return [str(part) for part in value] if isinstance(value, list) else [str(value)]


OPERATION = Operation(
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
        "step": {"type": "str", "choices": [str(phase) for phase in Phase]},
    },
    work=run_document,
)
