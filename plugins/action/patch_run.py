# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

from ansible_collections.patchfleet.windows.plugins.module_utils._modules.patch_run import OPERATION
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.context import OperationContext
from ansible_collections.patchfleet.windows.plugins.module_utils._report.status import Line
from ansible_collections.patchfleet.windows.plugins.module_utils._report.watch import (
    NO_RUN,
    display_of,
    read_watched,
    result_of,
)
from ansible_collections.patchfleet.windows.plugins.module_utils._run.progress import Progress
from ansible_collections.patchfleet.windows.plugins.plugin_utils import _run_poller
from ansible_collections.patchfleet.windows.plugins.plugin_utils._controller_operation import ControllerOperation
from ansible_collections.patchfleet.windows.plugins.plugin_utils._exit_notice import store_run_id
from ansible_collections.patchfleet.windows.plugins.plugin_utils._live_display import (
    LiveDisplay,
    open_display,
    redraw,
)
from ansible_collections.patchfleet.windows.plugins.plugin_utils._started_with import started_with

PAUSE_SECONDS = 5.0
ROWS_OF_THE_REST = 16
"""Of a display: title, bar, sums, headings, and some problems."""
FEWEST_ROWS = 4


class ActionModule(ControllerOperation):
    """The module of the same name, inside the controller; the run that it opened is remembered for the end."""

    operation = OPERATION

    def prepare(self, params: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        groups = task_vars.get("groups", {})
        known: dict[str, Any] = {
            "inventory": groups.get("all", params["inventory"]),
            "groups": list(groups) or params["groups"],
        }
        known["started_with"] = started_with()
        return {**params, "forks": task_vars.get("ansible_forks", params["forks"]), **known}

    def perform(self, context: OperationContext, task_vars: dict[str, Any]) -> dict[str, Any]:
        if context.params["state"] == "watched" and (display := open_display()):
            return self._watch(context, display)
        result = super().perform(context, task_vars)
        if context.params["state"] == "opened" and result["run_id"]:
            store_run_id(context.params["ledger"], result["run_id"])
            in_aws = sum(bool(host["included"] and host["instance_id"]) for host in result.get("hosts", ()))
            _run_poller.start(context, result["run_id"], in_aws)
        if context.params["state"] == "closed":
            _run_poller.end(context, str(context.run_id))
        return result

    def _watch(self, context: OperationContext, display: LiveDisplay) -> dict[str, Any]:
        """Draw where the runs stand until none of them is at work."""
        watched: list[Progress] = []

        def lines(columns: int, rows: int) -> list[Line]:
            watched[:] = read_watched(context, watched)
            at_work = (rows - ROWS_OF_THE_REST) // max(len(watched), 1)
            return display_of(context, watched, columns, max(at_work, FEWEST_ROWS)) or [Line(NO_RUN)]

        def wait() -> bool:
            if not any(progress.is_active for progress in watched):
                return False
            context.end_if_orphaned()
            context.clock.sleep(PAUSE_SECONDS)
            return True

        redraw(display, lines, wait)
        return dict(result_of(context, watched))
