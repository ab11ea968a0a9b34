# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""The module user_tasks_result: what becomes of the user's own tasks for a host of a run."""

from __future__ import annotations

from .._operation.arguments import TRACKING_REQUIRED
from .._operation.operation import Operation, would_change
from .._run.user_tasks import PHASES, fail_tasks, finish_tasks, start_tasks

STATES = {"started": start_tasks, "succeeded": finish_tasks, "failed": fail_tasks}


OPERATION = Operation(
    name="user_tasks_result",
    arguments={
        **TRACKING_REQUIRED,
        "state": {"type": "str", "required": True, "choices": list(STATES)},
        "tasks": {"type": "str", "required": True, "choices": list(PHASES)},
        "reason": {"type": "str"},
        "failure": {"type": "dict"},
    },
    work=STATES,
    in_check_mode=dict.fromkeys(STATES, would_change),
    rules={"required_if": [("state", "failed", ("reason", "failure"))]},
)
