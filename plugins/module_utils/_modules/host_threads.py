# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation host_threads. Its work is in the action plugin, since the steps of hosts are files of the controller."""

from __future__ import annotations

from typing import cast

from .._base.errors import Failed
from .._model.reasons import Reason
from .._operation.context import OperationContext
from .._operation.operation import Operation, would_not_change
from .._operation.results import Result


def refuse(context: OperationContext) -> Result:
    """Of a module on another machine."""
    raise Failed(
        "host_threads works inside the controller only. Its task must not be delegated.", Reason.INVALID_OPTION
    )


class HostThread(Result, total=False):
    """The result of a host, as that of one task; of one that failed see failures.failure_result.

    Attributes:
        ignored: it failed before it was admitted, where the playbook ignores that a task failed.
    """

    failed: bool
    msg: str
    reason_code: str
    step: str
    outcome: str
    retry_later: bool
    ignored: bool


def show(context: OperationContext) -> HostThread:
    """The result of the task's own host."""
    return {"changed": False, **cast("HostThread", context.params["result"])}


STATES = {"patched": refuse, "shown": show}


OPERATION = Operation(
    name="host_threads",
    arguments={
        "state": {"type": "str", "required": True, "choices": list(STATES)},
        "names": {"type": "list", "elements": "str"},
        "at_once": {"type": "int", "default": 1},
        "result": {"type": "dict"},
    },
    work=STATES,
    in_check_mode=dict.fromkeys(STATES, would_not_change),
    uses_aws=False,
    rules={"required_if": [("state", "patched", ("names",)), ("state", "shown", ("result",))]},
)
