# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

from ansible.utils.display import Display

from ansible_collections.patchfleet.windows.plugins.module_utils._base.text import clean_text
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.patch_report import OPERATION
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.context import OperationContext
from ansible_collections.patchfleet.windows.plugins.plugin_utils._controller_operation import ControllerOperation


class ActionModule(ControllerOperation):
    """The module of the same name, inside the controller; it prints the table."""

    operation = OPERATION

    def perform(self, context: OperationContext, task_vars: dict[str, Any]) -> dict[str, Any]:
        result = super().perform(context, task_vars)
        written = [*result["files"].items(), *result["objects"].items()]
        for line in [*result["table"], "", *(f"{name}: {path}" for name, path in written)]:
            Display().display(clean_text(line))
        return result
