# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The switch for dead controllers against the lab's account: the product's own step dies around each call that it makes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._aws.api import Aws
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.records import Host, PowerRecord, Run
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.sqlite import SqliteLedger
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.instance_power import OPERATION
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.context import OperationContext
from conftest import MakeLab
from lab.aws.setup import set_up
from operations import perform
from virtual_lab import REGION, VirtualLab

RUN, HOUR = "20261114T220000Z-0001", 3600.0
CHANGES = ("create_schedule", "start_instances", "update_schedule", "stop_instances", "delete_schedule")


class Killed(BaseException):
    """SIGKILL: nothing of the step runs after it."""


class Controller:
    """A controller's step in the lab. ``dies`` is the operation around which it dies, and when: before or after it."""

    def __init__(self, lab: VirtualLab, ledger: SqliteLedger, dies: tuple[str, str] | None = None) -> None:
        self.region: str | None = REGION
        self.expires_at: float | None = None
        self.operations: list[str] = []
        self._lab, self._ledger, self._dies = lab, ledger, dies

    def renew(self) -> bool:
        return False

    def client(self, service: str, region: str) -> Any:
        return _Client(self, self._lab.client(service, region, "ASIAROLE"))

    def now(self) -> float:
        return self._lab.play.sim.clock.start.timestamp() + self._lab.now

    def sleep(self, seconds: float) -> None:
        self._lab.run_for(seconds)

    def real_seconds(self, seconds: float) -> float:
        return seconds

    def around(self, operation: str, when: str) -> None:
        if self._dies == (operation, when):
            raise Killed

    def power(self, state: str) -> dict[str, Any]:
        """The step instance_power."""
        identifier = self._lab.id("a")
        options = {name: spec.get("default") for name, spec in OPERATION.arguments.items()}
        given = {"run_id": RUN, "host": identifier, "instance_id": identifier, "state": state, "dead_man_switch": True}
        context = OperationContext({**options, **given}, clock=self, aws=Aws(self, self), ledger=self._ledger)
        return perform(OPERATION, context)

    def run_to_the_end(self) -> None:
        """Started, and at once put back."""
        self.power("started")
        self.power("restored")


class _Client:
    """A boto3 client that reports its calls to the controller."""

    def __init__(self, controller: Controller, client: Any) -> None:
        self._controller, self._client = controller, client

    def __getattr__(self, operation: str) -> Any:
        def call(**params: Any) -> Any:
            self._controller.operations.append(operation)
            self._controller.around(operation, "before")
            answer = getattr(self._client, operation)(**params)
            self._controller.around(operation, "after")
            return answer

        return call


def a_night(make_lab: MakeLab, folder: Path) -> tuple[VirtualLab, SqliteLedger]:
    """A host that is off, admitted to a run, in an account that is set up."""
    lab = make_lab({"name": "a", "state": "stopped"})
    role = set_up(lab.play.account.stacks, lab.play.world.scenario, lab.play.sim.time)
    lab.play.account.gate.admit_key("ASIAROLE", role)
    ledger, now, key = SqliteLedger(str(folder / "ledger.sqlite")), Controller.now, lab.id("a")
    began = now(Controller(lab, ledger))
    run = Run(RUN, began, "install", "", {"host_timeout_seconds": 4 * HOUR}, {"host": "elsewhere"}, began)
    ledger.open_run(run, [Host(RUN, key, "a", 0, "ec2", key, REGION, 1)], take_over=False)
    ledger.record_power(PowerRecord(key, key, REGION, "a", "stopped", began, RUN))
    lab.recorded.add(key)
    return lab, ledger


def schedules(lab: VirtualLab) -> list[str]:
    return lab.play.account.schedules.names(REGION, "PatchFleet")


def test_a_normal_workflow_leaves_no_schedule(make_lab: MakeLab, tmp_path: Path) -> None:
    lab, ledger = a_night(make_lab, tmp_path)
    controller = Controller(lab, ledger)
    controller.run_to_the_end()
    assert lab.state("a") == "stopped"
    assert [operation for operation in controller.operations if operation in CHANGES] == list(CHANGES)
    assert schedules(lab) == []
    lab.run_for(9 * HOUR)
    assert lab.play.account.executions == []


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("operation", CHANGES)
def test_whenever_the_controller_dies_the_host_is_off_in_the_end(
    make_lab: MakeLab, tmp_path: Path, operation: str, when: str
) -> None:
    lab, ledger = a_night(make_lab, tmp_path)
    with pytest.raises(Killed):
        Controller(lab, ledger, (operation, when)).run_to_the_end()
    lab.run_for(6 * HOUR)
    assert lab.state("a") == "stopped"
    assert schedules(lab) == []
    assert lab.truth("a")["starts"] <= 1

    # A later run finds it so, and closes it.
    ledger.take_over(RUN, [lab.id("a")], Controller(lab, ledger).now(), force=True)
    later = Controller(lab, ledger)
    assert later.power("restored")["changed"] is False
    assert ledger.open_power() == []


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("operation", CHANGES[2:])
def test_whenever_it_dies_what_a_user_restarts_then_is_theirs(
    make_lab: MakeLab, tmp_path: Path, operation: str, when: str
) -> None:
    lab, ledger = a_night(make_lab, tmp_path)
    with pytest.raises(Killed):
        Controller(lab, ledger, (operation, when)).run_to_the_end()
    lab.run_for(HOUR)
    if lab.state("a") == "running":
        lab.stop("a")
        lab.run_for(300)
    lab.start("a")
    lab.run_for(9 * HOUR)
    assert lab.state("a") == "running"
    assert schedules(lab) == []
