# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module restore_points: the snapshots that runs took before their installations."""

from __future__ import annotations

from .._operation.operation import Operation, indented_lines
from .._run.restore_points import expire_points, keep_points, list_points

STATES = {"listed": list_points, "expired": expire_points, "kept": keep_points}

OPERATION = Operation(
    name="restore_points",
    arguments={
        "ledger": {"type": "str"},
        "state": {"type": "str", "default": "listed", "choices": list(STATES)},
        "target": {"type": "str"},
        "run_id": {"type": "str"},
    },
    work=STATES,
    lines=indented_lines,
    rules={"required_if": [("state", "kept", ("target", "run_id"), True)]},
)
