# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""The module patch_run: the runs of the ledger."""

from __future__ import annotations

from .._operation.operation import Operation, indented_lines, would_change, would_not_change
from .._plan.variables import module_options
from .._report.watch import watch_runs
from .._run.closing import close_run
from .._run.held_hosts import plan_free_hosts
from .._run.opening import open_run
from .._run.show import export_run, list_runs, show_run
from .._run.stopping import resume_runs, stop_runs
from .._run.taken_over import take_over_slices

STATES = {
    "planned": plan_free_hosts,
    "opened": open_run,
    "taken_over": take_over_slices,
    "closed": close_run,
    "stopped": stop_runs,
    "resumed": resume_runs,
    "listed": list_runs,
    "shown": show_run,
    "watched": watch_runs,
    "exported": export_run,
}


OPERATION = Operation(
    name="patch_run",
    arguments={
        "ledger": {"type": "str"},
        "state": {"type": "str", "required": True, "choices": list(STATES)},
        "run_id": {"type": "str"},
        "settings": {"type": "dict"},
        "fleet": {"type": "list", "elements": "dict"},
        "missing_accounts": {"type": "list", "elements": "dict", "default": []},
        "left_out_accounts": {"type": "list", "elements": "str", "default": []},
        "inventory": {"type": "list", "elements": "str", "default": []},
        "groups": {"type": "list", "elements": "str", "default": []},
        "forks": {"type": "int", "default": 5},
        "started_with": {"type": "str"},
        "dest": {"type": "str"},
        "reason": {"type": "str"},
        "by": {"type": "str"},
        "job_id": {"type": "str"},
        **module_options("patch_run"),
    },
    work=STATES,
    lines=indented_lines,
    in_check_mode={"opened": plan_free_hosts, "taken_over": would_not_change, "closed": would_change},
    rules={
        "required_if": [
            ("state", "planned", ("settings", "fleet")),
            ("state", "opened", ("settings", "fleet")),
            ("state", "taken_over", ("run_id", "settings", "fleet")),
            ("state", "closed", ("run_id",)),
            ("state", "shown", ("run_id",)),
            ("state", "exported", ("run_id",)),
        ]
    },
)
