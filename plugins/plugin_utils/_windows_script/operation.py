# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The base of action plugins whose operation runs scripts in the host."""

from __future__ import annotations

from typing import Any

from ansible_collections.patchfleet.windows.plugins.plugin_utils._controller_operation import ControllerOperation
from ansible_collections.patchfleet.windows.plugins.plugin_utils._windows_script.files import script_text


class ScriptedOperation(ControllerOperation):
    """Reads the files that the option scripts names."""

    def prepare(self, params: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        scripts = params.get("scripts") or {}
        return {**params, "scripts": {name: script_text(self, file) for name, file in scripts.items()}}
