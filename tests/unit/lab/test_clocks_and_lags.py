# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clocks that differ, and what Patch Manager shows later than it is so."""

from __future__ import annotations

import configparser
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from conftest import MakeLab
from lab.clock import LabClock
from lab.server import Lab
from lab.workplace import Workplace
from test_scenario import loaded
from virtual_lab import UPDATE, VirtualLab


def _items(lab: VirtualLab, name: str) -> list[dict[str, Any]]:
    answer = lab.ssm.list_compliance_items(ResourceIds=[lab.id(name)], ResourceTypes=["ManagedInstance"])
    items: list[dict[str, Any]] = answer["ComplianceItems"]
    return items


# ---- Patch Manager


def test_each_of_patch_managers_answers_has_a_lag_of_its_own(make_lab: MakeLab) -> None:
    lag = {"states": 10, "items": 60, "patches": 120}
    lab = make_lab({"name": "a", "updates": [UPDATE], "scan_seconds": 20, "patch_lag": lag})
    command = lab.start_patch("a", "Scan")
    while lab.details(command, "a") != "Success":
        lab.run_for(1)
    assert lab.ssm.describe_instance_patch_states(InstanceIds=[lab.id("a")])["InstancePatchStates"] == []
    lab.run_for(11)
    assert lab.patch_state("a")["MissingCount"] == 1
    assert (lab.patches("a", "Missing"), _items(lab, "a")) == ([], [])
    lab.run_for(50)
    assert [item["Id"] for item in _items(lab, "a")] == [UPDATE["kb"]]
    assert lab.patches("a", "Missing") == []
    lab.run_for(60)
    assert lab.patches("a", "Missing") == [UPDATE["kb"]]


def test_until_then_they_show_what_they_showed_before(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a", "updates": [UPDATE], "patch_lag": {"states": 400, "patches": 5}})
    lab.patch("a", "Scan")
    first = lab.patch_state("a")
    command = lab.start_patch("a", "Install", RebootOption="NoReboot")
    while lab.details(command, "a") != "Success":
        lab.run_for(5)
    lab.run_for(6)
    assert lab.patch_state("a") == first
    assert lab.patches("a", "Missing") == []
    assert _items(lab, "a")[0]["ExecutionSummary"]["ExecutionId"] == command
    lab.run_for(400)
    shown = lab.patch_state("a")
    assert (shown["MissingCount"], shown["InstalledPendingRebootCount"]) == (0, 1)
    assert shown["LastNoRebootInstallOperationTime"] == shown["OperationEndTime"]


# ---- clocks


@pytest.mark.parametrize("skew", [-280, 0, 280])
def test_what_a_host_writes_is_by_its_own_clock(make_lab: MakeLab, skew: int) -> None:
    lab = make_lab({"name": "a", "updates": [UPDATE], "clock_skew_seconds": skew})
    command = lab.start_patch("a")
    (sent,) = lab.ssm.list_commands(CommandId=command)["Commands"]
    lab.run_for(2000)
    began = sent["RequestedDateTime"]  # by AWS's clock
    reported = lab.invocation(command, "a", "PatchWindows")
    ran = datetime.fromisoformat(reported["ExecutionStartDateTime"]) - began
    assert skew <= ran.total_seconds() <= skew + 5
    start, end = (lab.patch_state("a")[f"Operation{which}Time"] for which in ("Start", "End"))
    assert (start.microsecond, end.microsecond) == (0, 0)
    assert skew - 1 <= (start - began).total_seconds() <= skew + 5
    assert (end - start).total_seconds() > UPDATE["seconds"]
    (patch,) = lab.ssm.describe_instance_patches(InstanceId=lab.id("a"))["Patches"]
    assert start < patch["InstalledTime"] < end
    (item,) = _items(lab, "a")
    assert item["ExecutionSummary"]["ExecutionTime"] == end
    history = lab.script("a", "update_history", {"since": "2026-11-01T00:00:00Z"})["data"]["entries"][0]
    installed = datetime.fromisoformat(history["at"])
    assert start < installed < end
    boot = datetime.fromisoformat(lab.script("a", "probe")["data"]["boot_time"])
    assert installed < boot < end


def test_pings_are_by_aws_clock(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a", "clock_skew_seconds": 5000})
    (node,) = lab.ssm.describe_instance_information()["InstanceInformationList"]
    assert abs(node["LastPingDateTime"] - lab.play.sim.time) < timedelta(seconds=400)


def test_the_controllers_clock_is_ahead_of_that_of_aws(tmp_path: Path) -> None:
    clock = LabClock(60, loaded(tmp_path).start)
    scale, start, epoch = (float(part) for part in clock.env_value().split(","))
    assert [float(part) for part in clock.env_value(200).split(",")] == [scale, start + 200, epoch]
    scenario = loaded(tmp_path, account={"controller_clock_seconds": -200})
    lab = Lab(scenario, tmp_path, bare=True)
    try:
        workplace = Workplace(scenario, lab)
        assert workplace.settings()["PATCHFLEET_CLOCK"] == lab.clock.env_value(-200)
        workplace.close()
    finally:
        lab.stop()


@pytest.mark.parametrize(("scale", "pause"), [(120, "0.02"), (2, None)])
def test_the_idle_loop_of_ansible_pauses_in_a_fast_lab_too(tmp_path: Path, scale: float, pause: str | None) -> None:
    """By the run's clock the product's own pause would be shorter than Ansible's; in a slow lab it holds."""
    scenario = loaded(tmp_path, scale=scale)
    lab = Lab(scenario, tmp_path, bare=True)
    try:
        workplace = Workplace(scenario, lab)
        settings = configparser.ConfigParser()
        settings.read(workplace.config, encoding="utf-8")
        assert settings["defaults"].get("internal_poll_interval") == pause
        workplace.close()
    finally:
        lab.stop()
