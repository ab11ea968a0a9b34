# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a command ended on a node, and its output, from what Run Command answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .._aws.commands import get_output
from .._base.clock import parse_iso
from .._operation.context import OperationContext

if TYPE_CHECKING:
    from mypy_boto3_ssm.type_defs import (
        CommandInvocationTypeDef,
        CommandPluginTypeDef,
        GetCommandInvocationResultTypeDef,
    )

GOING_ON = frozenset({"Pending", "InProgress", "Delayed", "Cancelling"})
OUTPUT_IN_LIST_BYTES = 2500
TRUNCATED = "--output truncated--"
"""The agent cuts what is longer in the middle and writes this there; GetCommandInvocation has up to 24,000 bytes.
Source: amazon-ssm-agent, TruncateOutput.
"""


@dataclass(frozen=True)
class Invocation:
    """How a command ended on a node. ``details`` is AWS's StatusDetails without blanks.

    ``worked_seconds`` is how long it ran there, by the times that the service shows of its plugins; None is unknown.
    """

    command_id: str
    status: str
    details: str
    response_code: int | None
    stdout: str
    stderr: str
    worked_seconds: float | None = 0.0


def succeeded(command_id: str, shown: GetCommandInvocationResultTypeDef) -> Invocation:
    """A script that ended well, with its whole output. Of every other the lists have more to say."""
    times = [shown.get("ExecutionStartDateTime"), shown.get("ExecutionEndDateTime")]
    began, ended = (parse_iso(time) if time else None for time in times)
    return Invocation(
        command_id=command_id,
        status="Success",
        details="Success",
        response_code=shown.get("ResponseCode"),
        stdout=shown.get("StandardOutputContent", ""),
        stderr=shown.get("StandardErrorContent", ""),
        worked_seconds=None if began is None or ended is None else ended - began,
    )


def ended(context: OperationContext, instance_id: str, row: CommandInvocationTypeDef) -> Invocation | None:
    """A row of ListCommandInvocations, with its whole output; None while the command is in progress."""
    if row["Status"] in GOING_ON:
        return None
    plugins: list[CommandPluginTypeDef] = row.get("CommandPlugins") or [{}]
    plugin = next((p for p in plugins if p.get("Status") not in {None, "Pending"} and p.get("Output")), plugins[0])
    stdout, stderr = str(plugin.get("Output", "")), ""
    if row["Status"] != "Success" or len(stdout.encode()) >= OUTPUT_IN_LIST_BYTES or TRUNCATED in stdout:
        stdout, stderr = get_output(context.aws, row["CommandId"], instance_id, plugin.get("Name"))
    return Invocation(
        command_id=row["CommandId"],
        status=row["Status"],
        details=str(row.get("StatusDetails") or row["Status"]).replace(" ", ""),
        response_code=plugin.get("ResponseCode"),
        stdout=stdout,
        stderr=stderr,
        worked_seconds=_worked_seconds(plugins),
    )


def _worked_seconds(plugins: list[CommandPluginTypeDef]) -> float | None:
    """From the start of the first plugin to the end of the last; an agent that was lost never sends the end."""
    starts = [plugin["ResponseStartDateTime"].timestamp() for plugin in plugins if "ResponseStartDateTime" in plugin]
    ends = [plugin["ResponseFinishDateTime"].timestamp() for plugin in plugins if "ResponseFinishDateTime" in plugin]
    if not starts:
        return 0.0
    return max(ends) - min(starts) if ends else None
