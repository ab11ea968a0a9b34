# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation ebs_volume_size."""

from __future__ import annotations

from .._disk.volume import grow_volume
from .._model.phases import Phase
from .._operation.arguments import TRACKING_ARGUMENTS
from .._operation.operation import Operation

OPERATION = Operation(
    name="ebs_volume_size",
    phase=Phase.DISK,
    arguments={
        **TRACKING_ARGUMENTS,
        "instance_id": {"type": "str", "required": True},
        "grow_gib": {"type": "int", "default": 20},
        "max_gib": {"type": "int", "default": 200},
        "minimum_gib": {"type": "int", "default": 1},
        "serial": {"type": "str"},
        "partition_style": {"type": "str", "choices": ["gpt", "mbr"], "default": "gpt"},
        "snapshot_before_grow": {"type": "bool", "default": False},
        "modify_timeout_seconds": {"type": "int", "default": 1800},
    },
    work=grow_volume,
)
