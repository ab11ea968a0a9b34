# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of the module windows_update_health."""

from __future__ import annotations

from .._model.phases import Phase
from .._operation.arguments import TRACKING_ARGUMENTS
from .._operation.operation import Operation
from .._plan.variables import module_options
from .._update import health
from .._update.channels import open_channel

OPERATION = Operation(
    name="windows_update_health",
    phase={"inspected": Phase.REPAIR, "repaired": Phase.REPAIR, "restored": Phase.RESTORE},
    arguments={
        **TRACKING_ARGUMENTS,
        "instance_id": {"type": "str", "required": True},
        "state": {"type": "str", "choices": ["inspected", "repaired", "restored"], "default": "repaired"},
        "warn_of_sessions": {"type": "bool", "default": True},
        **module_options("windows_update_health"),
        "scripts": {"type": "dict", "required": True},
    },
    open_channel=open_channel,
    work=health.work,
)
