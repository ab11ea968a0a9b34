# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of the module patch_baseline."""

from __future__ import annotations

from .._operation.context import TRACKING_ARGUMENTS, Operation
from .._update.install import install

OPERATION = Operation(
    name="patch_baseline",
    phase="patch",
    arguments={
        **TRACKING_ARGUMENTS,
        "instance_id": {"type": "str", "required": True},
        "snapshot_id": {"type": "str", "required": True},
        "max_passes": {"type": "int", "default": 3, "no_log": False},
        "install_timeout_seconds": {"type": "int", "default": 7200},
        "history_script": {"type": "str", "required": True},
        "boot_script": {"type": "str"},
        "scripts": {"type": "dict", "default": {}},
        "agent_timeout_seconds": {"type": "int", "default": 600},
        "ignore_services": {"type": "list", "elements": "str", "default": []},
        "cloudwatch_log_group": {"type": "str"},
    },
    work=install,
)
