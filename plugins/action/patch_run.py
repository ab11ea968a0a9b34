# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

from ansible.utils.display import Display

from ansible_collections.patchfleet.windows.plugins.module_utils._run.step import STEP
from ansible_collections.patchfleet.windows.plugins.module_utils._step import StepContext
from ansible_collections.patchfleet.windows.plugins.plugin_utils._controller_step import ControllerStep
from ansible_collections.patchfleet.windows.plugins.plugin_utils._last_words import remember_run


class ActionModule(ControllerStep):
    """The module of the same name, inside the controller; it prints the plan, and what it opened is remembered for the end."""

    step = STEP

    def prepare(self, params: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        return {**params, "forks": task_vars.get("ansible_forks", params["forks"])}

    def perform(self, context: StepContext, task_vars: dict[str, Any]) -> dict[str, Any]:
        result = super().perform(context, task_vars)
        for line in result.get("lines", []):
            Display().display(f"  {line}".rstrip())
        if context.params["state"] == "opened" and result["run_id"]:
            remember_run(context.params["ledger"], result["run_id"])
        return result
