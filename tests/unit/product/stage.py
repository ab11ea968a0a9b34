# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clock, account, guest, ledger and one host of a run, ready for a step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible_collections.patchfleet.windows.plugins.module_utils._aws import api
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.breaker import keep_brake
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.records import Host, PowerRecord, Run
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.sqlite import SqliteLedger
from ansible_collections.patchfleet.windows.plugins.module_utils._model.run_settings import Brake
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.context import OperationContext
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.operation import Operation, make_context

from .fakes import ID, START, FakeAccount, FakeGuest, VirtualClock

CALLER = {
    "UserId": "AROA:run",
    "Account": "123456789012",
    "Arn": "arn:aws:sts::123456789012:assumed-role/controller/run",
}
RUN = "20261114T220000Z-0001"
SETTINGS: dict[str, Any] = {
    "canary": 0,
    "pause_seconds": 0,
    "expected_seconds": 2700,
    "deadline_at": None,
    "host_timeout_seconds": 14400,
    "failure_budget_hosts": 1,
    "tag_key": "PatchGroup",
    "tag_value": "Windows",
    "keep_tag": "patchfleet:keep",
    "scheduler_tag": "Schedule",
}


def a_run(run_id: str = RUN, opened_at: float = START, **settings: Any) -> Run:
    return Run(
        run_id=run_id,
        opened_at=opened_at,
        operation="install",
        snapshot_id="11111111-2222-4333-8444-555555555555",
        settings={**SETTINGS, **settings},
        controller={"host": "controller", "pid": 1, "user": "somebody"},
        heartbeat_at=opened_at,
    )


def a_host(key: str = ID, run_id: str = RUN, position: int = 0, **more: Any) -> Host:
    values: dict[str, Any] = {"name": "dev-01", "kind": "ec2", "instance_id": key, "region": "eu-central-1", "wave": 1}
    return Host(run_id=run_id, key=key, position=position, **{**values, **more})


class Stage:
    """Everything that a step works with. ``message`` holds its progress messages."""

    def __init__(self, folder: Path) -> None:
        self.clock = VirtualClock()
        self.account = FakeAccount(self.clock)
        self.account.on("list_associations", {"Associations": []})
        self.account.on("get_caller_identity", CALLER)
        self.guest = FakeGuest(self.account, self.clock)
        self.aws = api.Aws(self.account, self.clock)
        self.folder = folder
        self.ledger = SqliteLedger(str(folder / "ledger.sqlite"))
        self.message: list[str] = []

    def context(self, step: Operation, *, check_mode: bool = False, **params: Any) -> OperationContext:
        """A context for the step as Ansible would fill its options: defaults first, and none that it does not have."""
        assert set(params) <= set(step.arguments), set(params) - set(step.arguments)
        options = {name: spec.get("default") for name, spec in step.arguments.items()}
        return make_context(
            step,
            {**options, **params},
            check_mode=check_mode,
            clock=self.clock,
            aws=self.aws,
            ledger=self.ledger,
            report_progress=self.message.append,
        )

    def open_run(self, *hosts: Host, run_id: str = RUN, **settings: Any) -> None:
        """A run with these hosts (by default the one host of the tests), which it leases."""
        kept = self.ledger.open_run(
            a_run(run_id, self.clock.now(), **settings), list(hosts or [a_host(run_id=run_id)]), take_over=False
        )
        assert kept.held == {}

    def open_breaker(self, reason: str) -> None:
        """For failures."""
        brake: Brake = {"kind": "failures", "at": self.clock.now(), "by": None, "machine": None, "reason": reason}
        keep_brake(self.ledger, RUN, brake, reason)

    def record(self, original_state: str = "stopped", run_id: str = RUN) -> None:
        """The power state in which the host was found."""
        record = PowerRecord(ID, ID, "eu-central-1", "dev-01", original_state, self.clock.now(), run_id)
        self.ledger.record_power(record)

    def facts(self, run_id: str = RUN) -> dict[str, Any]:
        """What the ledger knows about the host."""
        return self.ledger.host(run_id, ID).facts
