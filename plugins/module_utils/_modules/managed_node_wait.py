# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module managed_node_wait."""

from __future__ import annotations

from typing import Any

from .._base.errors import Deferred, PatchFleetError
from .._host.nodes import PROBE, PROBE_SECONDS, wait_until_ready
from .._operation.arguments import TRACKING_ARGUMENTS
from .._operation.context import HostConnection, Operation, OperationContext


def wait_for_node(context: OperationContext) -> dict[str, Any]:
    """Wait until the node is ready; returns what nodes.wait_until_ready does, and changed (false)."""
    if context.connection:
        return _reach(context, context.connection)
    context.report_progress("waiting for the SSM agent")
    node = _wait_until_ready(context, str(context.params["instance_id"]))
    context.report_progress("ready")
    return {"changed": False, **node}


def _wait_until_ready(context: OperationContext, instance_id: str) -> dict[str, Any]:
    """Of a node without EC2 nothing was begun when it does not answer, unless tasks of its owner's have started it."""
    try:
        return wait_until_ready(context, instance_id, float(context.params["timeout_seconds"]))
    except PatchFleetError as error:
        if error.code not in {"agent_silent", "no_command_runs"} or _may_boot(context):
            raise
        raise Deferred(
            f"Nothing was begun: {error.reason}", "host_off" if error.code == "agent_silent" else "unreachable"
        ) from error


def _may_boot(context: OperationContext) -> bool:
    """Whether it was off, and is started in this run."""
    if str(context.params["instance_id"]).startswith("i-"):
        return True
    record = context.ledger.power(str(context.host_key)) if context.tracked_host else None
    return record is not None and record.started_by is not None


def _reach(context: OperationContext, connection: HostConnection) -> dict[str, Any]:
    """A host is ready when its own connection carries a script.

    One that was off has time to boot, and a slow one to answer; one whose power is nobody's business of ours is not begun when
    nothing answers at its address.
    """
    context.report_progress("trying its connection")
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
    context.report_progress("ready")
    return {"changed": False}


OPERATION = Operation(
    name="managed_node_wait",
    phase="ready",
    arguments={
        **TRACKING_ARGUMENTS,
        "instance_id": {"type": "str", "required": True},
        "timeout_seconds": {"type": "int", "default": 600},
    },
    work=wait_for_node,
)
