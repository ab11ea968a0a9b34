# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation instance_power."""

from __future__ import annotations

from .._model.phases import Phase
from .._operation.arguments import TRACKING_REQUIRED
from .._operation.operation import Operation
from .._plan.variables import module_options
from .._power.restore import leave_on, restore
from .._power.start import start
from .._update.channels import open_channel

OPERATION = Operation(
    name="instance_power",
    phase={"started": Phase.START, "restored": Phase.RESTORE, "let_go": Phase.RESTORE},
    arguments={
        **TRACKING_REQUIRED,
        "instance_id": {"type": "str", "required": True},
        "state": {"type": "str", "required": True, "choices": ["started", "restored", "let_go"]},
        "by": {"type": "str"},
        **module_options("instance_power"),
        "scripts": {"type": "dict", "default": {}},
    },
    open_channel=open_channel,
    work={"started": start, "restored": restore, "let_go": leave_on},
)
