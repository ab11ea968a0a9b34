# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The step patch_run: the ledger's runs."""

from __future__ import annotations

from typing import Any

from .._operation.context import Operation, OperationContext
from .._plan.planning import plan_run
from .._run.opening import open_run
from .._run.outcomes import close_run, fail_host, finish_host, lost_hosts
from .._run.recovery import close_abandoned_runs, open_hosts
from .._run.show import export_run, list_runs, show_run
from .._run.user_tasks import PHASES as TASKS
from .._run.user_tasks import begin_tasks, end_tasks, fail_tasks

STATES = {
    "planned": plan_run,
    "opened": open_run,
    "host_failed": fail_host,
    "host_done": finish_host,
    "tasks_begun": begin_tasks,
    "tasks_done": end_tasks,
    "tasks_failed": fail_tasks,
    "lost_hosts": lost_hosts,
    "closed": close_run,
    "open_hosts": open_hosts,
    "settled": close_abandoned_runs,
    "listed": list_runs,
    "shown": show_run,
    "exported": export_run,
}


READS_ONLY = frozenset({"planned", "open_hosts", "listed", "shown", "exported"})


def work(context: OperationContext) -> dict[str, Any]:
    """Do what state asks for; see the functions in STATES. In check mode a run that would be opened is only planned."""
    state = context.params["state"]
    if not context.check_mode or state in READS_ONLY:
        return STATES[state](context)
    return plan_run(context) if state == "opened" else {"changed": state != "settled"}


OPERATION = Operation(
    name="patch_run",
    arguments={
        "ledger": {"type": "str"},
        "state": {"type": "str", "required": True, "choices": list(STATES)},
        "run_id": {"type": "str"},
        "host": {"type": "str"},
        "settings": {"type": "dict"},
        "fleet": {"type": "list", "elements": "dict"},
        "inventory": {"type": "list", "elements": "str", "default": []},
        "forks": {"type": "int", "default": 5},
        "take_over": {"type": "bool", "default": False},
        "tasks": {"type": "str", "choices": list(TASKS)},
        "failed_step": {"type": "str"},
        "reason": {"type": "str"},
        "reason_code": {"type": "str"},
        "dest": {"type": "str"},
    },
    work=work,
    rules={
        "required_if": [
            ("state", "planned", ("settings", "fleet")),
            ("state", "opened", ("settings", "fleet")),
            ("state", "host_failed", ("run_id", "host", "reason")),
            ("state", "host_done", ("run_id", "host")),
            ("state", "tasks_begun", ("run_id", "host", "tasks")),
            ("state", "tasks_done", ("run_id", "host", "tasks")),
            ("state", "tasks_failed", ("run_id", "host", "tasks", "reason")),
            ("state", "lost_hosts", ("run_id",)),
            ("state", "closed", ("run_id",)),
            ("state", "shown", ("run_id",)),
            ("state", "exported", ("run_id",)),
        ]
    },
)
