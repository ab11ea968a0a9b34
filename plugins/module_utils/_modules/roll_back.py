# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module roll_back: one host back to its restore point."""

from __future__ import annotations

from .._model.phases import Phase
from .._operation.arguments import TRACKING_ARGUMENTS
from .._operation.operation import Operation, indented_lines, would_change, would_not_change
from .._power.roll_back import swap_root
from .._run.roll_back import close_roll_back, open_roll_back, verify_roll_back

STATES = {"opened": open_roll_back, "swapped": swap_root, "verified": verify_roll_back, "closed": close_roll_back}

OPERATION = Operation(
    name="roll_back",
    phase={"swapped": Phase.START, "verified": Phase.VERIFY},
    arguments={
        **TRACKING_ARGUMENTS,
        "state": {"type": "str", "required": True, "choices": list(STATES)},
        "target": {"type": "str"},
        "instance_id": {"type": "str"},
        "take_over": {"type": "bool", "default": False},
        "by": {"type": "str"},
        "job_id": {"type": "str"},
    },
    work=STATES,
    lines=indented_lines,
    in_check_mode={"swapped": would_change, "verified": would_not_change, "closed": would_not_change},
    rules={
        "required_if": [
            ("state", "opened", ("target",)),
            ("state", "swapped", ("run_id", "host", "instance_id")),
            ("state", "verified", ("run_id", "host")),
            ("state", "closed", ("run_id",)),
        ]
    },
)
