# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of the module host_power."""

from __future__ import annotations

from .._operation.context import Operation
from .._power import by_tasks

OPERATION = Operation(
    name="host_power",
    phase={"needed": "start", "started": "ready", "restored": "restore", "stopped": "restore"},
    arguments={
        "ledger": {"type": "str"},
        "run_id": {"type": "str", "required": True},
        "host": {"type": "str", "required": True},
        "fence": {"type": "int"},
        "instance_id": {"type": "str", "required": True},
        "state": {"type": "str", "required": True, "choices": list(by_tasks.STATES)},
        "can_stop": {"type": "bool", "default": False},
        "install_timeout_seconds": {"type": "int", "default": 7200},
        "scripts": {"type": "dict", "default": {}},
    },
    work=by_tasks.work,
)
