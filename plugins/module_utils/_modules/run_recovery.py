# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""The module run_recovery: hosts that runs lost or left open."""

from __future__ import annotations

from .._ledger import lenient
from .._operation.operation import Operation, indented_lines, would_change, would_not_change
from .._run.account_use import account_use
from .._run.recovery import close_abandoned_runs, lost_hosts, open_hosts

STATES = {"lost_hosts": lost_hosts, "open_hosts": open_hosts, "closed": close_abandoned_runs, "used": account_use}
FROM_ACCOUNT = ("check", "rebuild")


OPERATION = Operation(
    name="run_recovery",
    arguments={
        "ledger": {"type": "str"},
        "state": {"type": "str", "required": True, "choices": list(STATES)},
        "run_id": {"type": "str"},
        "hosts": {"type": "list", "elements": "dict", "default": []},
        "let_go": {"type": "str"},
        "take_over": {"type": "bool", "default": False},
        "from_account": {"type": "str", "choices": list(FROM_ACCOUNT)},
        "mark_tag": {"type": "str"},
        "keep_tag": {"type": "str", "default": lenient.DEFAULT_KEEP_TAG},
        "accounts": {"type": "list", "elements": "dict", "default": []},
        "organization": {"type": "dict"},
        "regions": {"type": "list", "elements": "str", "default": []},
        "setup_prefix": {"type": "str", "default": "PatchFleet"},
    },
    work=STATES,
    lines=indented_lines,
    in_check_mode={"lost_hosts": would_change, "closed": would_not_change},
    rules={"required_if": [("state", "lost_hosts", ("run_id",))]},
)
