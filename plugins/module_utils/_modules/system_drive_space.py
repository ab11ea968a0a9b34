# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of the module system_drive_space."""

from __future__ import annotations

from .._disk.free_space import free_space
from .._model.phases import Phase
from .._operation.arguments import TRACKING_ARGUMENTS
from .._operation.operation import Operation
from .._plan.variables import module_options
from .._update.channels import open_channel

OPERATION = Operation(
    name="system_drive_space",
    phase=Phase.DISK,
    arguments={
        **TRACKING_ARGUMENTS,
        "instance_id": {"type": "str", "required": True},
        **module_options("system_drive_space"),
        "allow_shortfall": {"type": "bool", "default": False},
        "modify_timeout_seconds": {"type": "int", "default": 1800},
        "scripts": {"type": "dict", "required": True},
    },
    open_channel=open_channel,
    work=free_space,
)
