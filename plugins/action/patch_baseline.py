# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

from ansible_collections.patchfleet.windows.plugins.module_utils._modules.patch_baseline import OPERATION
from ansible_collections.patchfleet.windows.plugins.plugin_utils._check_scripts import checks_of_host
from ansible_collections.patchfleet.windows.plugins.plugin_utils._controller_operation import ControllerOperation
from ansible_collections.patchfleet.windows.plugins.plugin_utils._windows_script.files import script_text


class ActionModule(ControllerOperation):
    """The module of the same name, inside the controller; scripts may be files of the role here."""

    operation = OPERATION

    def prepare(self, params: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        for option in ("history_script", "boot_script"):
            if params.get(option):
                params[option] = script_text(self, params[option])
        params["checks"] = checks_of_host(params["checks"], task_vars)
        return super().prepare(params, task_vars)
