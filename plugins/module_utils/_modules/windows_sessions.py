# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of the module windows_sessions."""

from __future__ import annotations

from .._model.phases import Phase
from .._operation.arguments import TRACKING_ARGUMENTS
from .._operation.operation import Operation
from .._plan.variables import module_options
from .._update import sessions
from .._update.channels import open_channel

OPERATION = Operation(
    name="windows_sessions",
    phase={"checked": Phase.READY, "notified": Phase.PATCH},
    arguments={
        **TRACKING_ARGUMENTS,
        "instance_id": {"type": "str", "required": True},
        "state": {"type": "str", "choices": ["checked", "notified"], "default": "checked"},
        "policy": {"type": "str", "choices": ["warn", "ignore", "defer", "wait"], "default": "warn"},
        "timeout_seconds": {"type": "int", "default": 3600},
        "text": {"type": "str"},
        **module_options("windows_sessions"),
        "scripts": {"type": "dict", "required": True},
    },
    open_channel=open_channel,
    work=sessions.work,
)
