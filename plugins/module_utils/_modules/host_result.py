# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""The module host_result: how a host of a run ends."""

from __future__ import annotations

from .._operation.arguments import TRACKING_REQUIRED
from .._operation.operation import Operation, would_change
from .._run.host_result import fail_host, finish_host

STATES = {"failed": fail_host, "finished": finish_host}


OPERATION = Operation(
    name="host_result",
    arguments={
        **TRACKING_REQUIRED,
        "state": {"type": "str", "required": True, "choices": list(STATES)},
        "failure": {"type": "dict"},
    },
    work=STATES,
    in_check_mode=dict.fromkeys(STATES, would_change),
    rules={"required_if": [("state", "failed", ("failure",))]},
)
