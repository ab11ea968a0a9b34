# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The step instance_power."""

from __future__ import annotations

from typing import Any

from .._operation.context import Operation, OperationContext
from .._power.restore import restore
from .._power.start import start


def work(context: OperationContext) -> dict[str, Any]:
    """Start, or put back; see start.start and restore.restore."""
    return start(context) if context.params["state"] == "started" else restore(context)


OPERATION = Operation(
    name="instance_power",
    phase={"started": "start", "restored": "restore"},
    arguments={
        "ledger": {"type": "str"},
        "run_id": {"type": "str", "required": True},
        "host": {"type": "str", "required": True},
        "fence": {"type": "int"},
        "instance_id": {"type": "str", "required": True},
        "state": {"type": "str", "required": True, "choices": ["started", "restored"]},
        "mark_tag": {"type": "str", "no_log": False},
        "start_timeout_seconds": {"type": "int", "default": 900},
        "install_timeout_seconds": {"type": "int", "default": 7200},
        "dead_man_switch": {"type": "bool", "default": False},
        "dead_man_switch_margin_seconds": {"type": "int", "default": 3600},
        "setup_prefix": {"type": "str", "default": "PatchFleet"},
        "scripts": {"type": "dict", "default": {}},
    },
    work=work,
)
