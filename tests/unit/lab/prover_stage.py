# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module account_proof against a lab that is set up, both on one virtual clock."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible_collections.patchfleet.windows.plugins.module_utils._modules.account_proof import OPERATION
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.context import OperationContext
from lab.aws.setup import set_up
from operations import perform
from virtual_lab import REGION, VirtualLab

SUBNET = "subnet-0a1b2c3d4e5f6071b"
SCRIPTS = ("extend_partition", "inspect_boot", "mark_pending", "measure_disk", "servicing_state", "shift_clock")


class LabsTime:
    """The product's clock is the lab's: who waits lets the lab go on."""

    def __init__(self, lab: VirtualLab) -> None:
        self._lab = lab

    def now(self) -> float:
        return self._lab.play.sim.clock.start.timestamp() + self._lab.now

    def sleep(self, seconds: float) -> None:
        self._lab.run_for(seconds)

    def real_seconds(self, seconds: float) -> float:
        return seconds


class ProverStage:
    """``folder`` is for the answers, ``progress`` what was reported meanwhile; ``access_key`` are the prover's credentials."""

    def __init__(self, lab: VirtualLab, folder: Path, access_key: str = "ASIAVIRTUAL") -> None:
        self.lab, self.folder, self._access_key = lab, folder, access_key
        self.progress: list[str] = []
        scenario = lab.play.world.scenario
        self.controller = set_up(lab.play.account.stacks, scenario, scenario.start)

    def do(self, state: str, *, check_mode: bool = False, **options: Any) -> dict[str, Any]:
        """One state of the module; PatchFleetError as it raises it."""
        spec = OPERATION.argument_spec()
        params = {name: one.get("default") for name, one in spec.items()}
        own = {"state": state, "subnet_id": SUBNET, "confirmed": True, "report_dir": str(self.folder), **options}
        keys = {
            "region": REGION,
            "endpoint_url": self.lab.url,
            "access_key": self._access_key,
            "secret_key": "x",
        }
        context = OperationContext(
            {**params, **keys, "scripts": dict.fromkeys(SCRIPTS, "exit 0"), **own},
            check_mode=check_mode,
            clock=LabsTime(self.lab),
            report_progress=self.progress.append,
        )
        return perform(OPERATION, context)

    def prove(self, **options: Any) -> dict[str, Any]:
        """Start, ask, take away; what was asked."""
        self.do("started", **options)
        asked = self.do("asked", **options)
        self.do("absent", **options)
        return asked

    @property
    def left(self) -> list[str]:
        """What is there in the account that no stack and no scenario has made."""
        account = self.lab.play.account
        instances = [host.id or "" for host in account.launched.values() if host.state != "terminated"]
        return [*instances, *account.made_windows, *account.schedules.names(REGION, "PatchFleet")]


def different(asked: dict[str, Any]) -> dict[str, str]:
    """The beliefs that are not as expected, with their status."""
    return {row["id"]: row["status"] for row in asked["beliefs"] if row["status"] != "as_expected"}
