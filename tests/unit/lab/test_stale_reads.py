# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Eventual consistency: what is new is seen late, and of a share of the reads from before what was seen already."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from conftest import MakeLab
from virtual_lab import UPDATE, VirtualLab

LAG = 20
STALE = {"lag_seconds": LAG, "stale_reads": 0.6}


def _watch(lab: VirtualLab, read: Callable[[], Any], seconds: float = 4 * LAG) -> list[Any]:
    """What is read, each second; the same in a row once."""
    observed: list[Any] = []
    for _second in range(int(seconds)):
        lab.run_for(1)
        answer = read()
        if not observed or observed[-1] != answer:
            observed.append(answer)
    return observed


def _power(lab: VirtualLab) -> Callable[[], Any]:
    lab.start("a")
    return lambda: lab.state("a")


def _tags(lab: VirtualLab) -> Callable[[], Any]:
    lab.ec2.create_tags(Resources=[lab.id("a")], Tags=[{"Key": "new", "Value": "x"}])
    return lambda: len(lab.describe("a")["Tags"])


def _volume(lab: VirtualLab) -> Callable[[], Any]:
    volume = lab.describe("a")["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
    lab.ec2.modify_volume(VolumeId=volume, Size=99)
    return lambda: lab.ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]["Size"]


def _modification(lab: VirtualLab) -> Callable[[], Any]:
    volume = lab.describe("a")["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
    lab.ec2.modify_volume(VolumeId=volume, Size=99)

    def state() -> str | None:
        found = lab.ec2.describe_volumes_modifications()["VolumesModifications"]
        return str(found[0]["ModificationState"]) if found else None

    return state


def _command(lab: VirtualLab) -> Callable[[], Any]:
    command = lab.send("b")

    def status() -> str | None:
        found = lab.ssm.list_command_invocations(CommandId=command)["CommandInvocations"]
        return str(found[0]["Status"]) if found else None

    return status


def _patch_state(lab: VirtualLab) -> Callable[[], Any]:
    lab.start_patch("b", "Scan")
    return lambda: len(lab.ssm.describe_instance_patch_states(InstanceIds=[lab.id("b")])["InstancePatchStates"])


def _node(lab: VirtualLab) -> Callable[[], Any]:
    lab.stop("b")
    return lambda: len(lab.ssm.describe_instance_information()["InstanceInformationList"])


CASES = [
    (_power, ["stopped", "pending", "running"]),
    (_tags, [2, 3]),
    (_volume, [60, 99]),
    (_modification, [None, "modifying", "optimizing"]),
    (_command, [None, "Pending", "InProgress", "Success"]),
    (_patch_state, [0, 1]),
    (_node, [1, 0]),
]
HOSTS = (
    {"name": "a", "state": "stopped", "stop_seconds": 10},
    {"name": "b", "updates": [UPDATE], "scan_seconds": 20, "stop_seconds": 10},
)


@pytest.mark.parametrize(("change", "states"), CASES)
def test_without_stale_reads_each_change_is_seen_late_and_once(
    make_lab: MakeLab, change: Callable[[VirtualLab], Callable[[], Any]], states: list[Any]
) -> None:
    lab = make_lab(*HOSTS, account={"lag_seconds": LAG})
    observed = _watch(lab, change(lab))
    assert observed == [state for state in states if state in observed]
    assert observed[-1] == states[-1]


@pytest.mark.parametrize(("change", "states"), CASES)
def test_a_stale_read_shows_what_an_earlier_one_had_left_behind(
    make_lab: MakeLab, change: Callable[[VirtualLab], Callable[[], Any]], states: list[Any]
) -> None:
    lab = make_lab(*HOSTS, account=STALE)
    observed = _watch(lab, change(lab), seconds=6 * LAG)
    order = [states.index(state) for state in observed]
    assert any(later < earlier for earlier, later in itertools.pairwise(order)), observed
    assert observed[-1] == states[-1]  # in the end every replica has it


def test_the_truth_does_not_go_back_and_changes_are_decided_by_it(make_lab: MakeLab) -> None:
    lab = make_lab(*HOSTS, account=STALE)
    states = []
    lab.start("a")
    for _second in range(60):
        lab.run_for(1)
        lab.state("a")
        states.append(lab.truth("a")["state"])
    assert states == sorted(states)  # pending, running
    lab.stop("a")
    assert lab.truth("a")["stops"] == 1
