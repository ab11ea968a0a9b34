# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Another user patches the same host by Run Command, as a maintenance window does, beginning at any time of a run's."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from chaos.controller import Controller
from chaos.judge import left_on, problems
from chaos.night import REGION, Night
from lab.aws.errors import AwsError
from lab.aws.request import OTHER

UPDATES = [{"kb": "KB5031361", "severity": "critical", "class": "security", "seconds": 1500, "reboot": True}]
HOST: dict[str, Any] = {"name": "a", "state": "stopped", "updates": UPDATES}
A_RUN_SECONDS = 2400


def patch_it(night: Night) -> None:
    """An installation of theirs; tried again while the host is off."""
    wanted = {
        "DocumentName": "AWS-RunPatchBaseline",
        "InstanceIds": [night.play.world.hosts["a"].id],
        "Parameters": {"Operation": ["Install"], "RebootOption": ["NoReboot"]},
    }
    try:
        night.play.account.call("ssm", "SendCommand", wanted, REGION, OTHER)
    except AwsError:  # InvalidInstanceId
        night.play.sim.after(10.0, partial(patch_it, night))


@pytest.mark.parametrize("begins", range(60, A_RUN_SECONDS, 180))
def test_whenever_theirs_begins_it_is_not_cut_off_and_ours_is_proven(tmp_path: Path, begins: int) -> None:
    with Night(tmp_path, hosts=[HOST], account={"lag_seconds": 0}) as night:
        night.play.sim.after(float(begins), partial(patch_it, night))
        controller = Controller(night)
        run_id = controller.patch()
        (host,) = night.ledger.hosts(run_id)
        assert (host.outcome, host.reason) == ("patched", None)
        assert problems(night, [controller]) == left_on(night) == []
        assert (night.truth()["a"]["missing"], night.truth()["a"]["state"]) == ([], "stopped")
