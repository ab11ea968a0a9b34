# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of the module system_drive_space."""

from __future__ import annotations

from .._disk.free_space import free_space
from .._operation.context import TRACKING_ARGUMENTS, Operation

OPERATION = Operation(
    name="system_drive_space",
    phase="disk",
    arguments={
        **TRACKING_ARGUMENTS,
        "instance_id": {"type": "str", "required": True},
        "wanted_gib": {"type": "float", "default": 20},
        "grow_gib": {"type": "int", "default": 20},
        "max_gib": {"type": "int", "default": 200},
        "reset_base": {"type": "bool", "default": False},
        "remove_old_windows": {"type": "bool", "default": False},
        "snapshot_before_grow": {"type": "bool", "default": False},
        "allow_shortfall": {"type": "bool", "default": False},
        "modify_timeout_seconds": {"type": "int", "default": 1800},
        "scripts": {"type": "dict", "required": True},
    },
    work=free_space,
)
