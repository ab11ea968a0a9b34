# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of the module host_power."""

from __future__ import annotations

from .._model.phases import Phase
from .._operation.arguments import TRACKING_REQUIRED
from .._operation.operation import Operation
from .._plan.variables import module_options
from .._power import by_tasks
from .._update.channels import open_channel

OPERATION = Operation(
    name="host_power",
    phase={
        "needed": Phase.START,
        "started": Phase.READY,
        "restored": Phase.RESTORE,
        "stopped": Phase.RESTORE,
        "let_go": Phase.RESTORE,
    },
    arguments={
        **TRACKING_REQUIRED,
        "instance_id": {"type": "str", "required": True},
        "state": {"type": "str", "required": True, "choices": list(by_tasks.STATES)},
        "by": {"type": "str"},
        "can_stop": {"type": "bool", "default": False},
        **module_options("host_power"),
        "scripts": {"type": "dict", "default": {}},
    },
    open_channel=open_channel,
    work=by_tasks.work,
)
