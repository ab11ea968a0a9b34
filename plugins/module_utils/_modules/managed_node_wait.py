# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module managed_node_wait."""

from __future__ import annotations

from .._model.phases import Phase
from .._operation.arguments import TRACKING_ARGUMENTS
from .._operation.channel import NodeState
from .._operation.context import OperationContext
from .._operation.operation import Operation
from .._operation.results import Result
from .._update.channels import open_channel


class NodeResult(Result, NodeState, total=False):
    """What is known of the node; nothing of a host without one."""


def wait_for_node(context: OperationContext) -> NodeResult:
    """Wait until the host takes commands; returns what is known of it, and changed (false)."""
    timeout_seconds = context.params["timeout_seconds"]
    node = context.channel.wait_until_ready(timeout_seconds, may_boot=_may_boot(context))
    context.report_progress("ready")
    return {"changed": False, **node}


def _may_boot(context: OperationContext) -> bool:
    """Whether it was off and is started in this run, or tasks of the user put it back, after which it boots."""
    if context.params["instance_id"].startswith("i-") or context.facts.get("roll_back_tasks") == "ok":
        return True
    record = context.ledger.power(context.required_host_key) if context.tracked_host else None
    return record is not None and record.started_by is not None


OPERATION = Operation(
    name="managed_node_wait",
    phase=Phase.READY,
    arguments={
        **TRACKING_ARGUMENTS,
        "instance_id": {"type": "str", "required": True},
        "timeout_seconds": {"type": "int", "default": 600},
    },
    open_channel=open_channel,
    work=wait_for_node,
)
