# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""EBS: modification states and their limits, and what the guest sees of a new size."""

from __future__ import annotations

from typing import Any

import pytest

from conftest import MakeLab
from virtual_lab import VirtualLab, error_of


def _root(lab: VirtualLab, name: str = "a") -> str:
    instance = lab.describe(name)
    mappings = {entry["DeviceName"]: entry["Ebs"]["VolumeId"] for entry in instance["BlockDeviceMappings"]}
    return str(mappings[instance["RootDeviceName"]])


def _modification(lab: VirtualLab) -> dict[str, Any]:
    answer = lab.ec2.describe_volumes_modifications(VolumeIds=[_root(lab)])
    modification: dict[str, Any] = answer["VolumesModifications"][0]
    return modification


def _size(lab: VirtualLab) -> int:
    return int(lab.ec2.describe_volumes(VolumeIds=[_root(lab)])["Volumes"][0]["Size"])


def test_a_modification_goes_through_its_states(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a", "volume": {"modifying_seconds": 20, "optimizing_seconds": 1800}})
    lab.ec2.modify_volume(VolumeId=_root(lab), Size=80)
    assert (_modification(lab)["ModificationState"], _size(lab)) == ("modifying", 60)
    lab.run_for(21)
    assert (_modification(lab)["ModificationState"], _size(lab)) == ("optimizing", 80)
    lab.run_for(1801)
    assert _modification(lab)["ModificationState"] == "completed"
    assert lab.truth("a")["volume_gib"] == 80


def test_a_failed_modification_changes_nothing(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a", "volume": {"result": "failed"}})
    lab.ec2.modify_volume(VolumeId=_root(lab), Size=80)
    lab.run_for(30)
    assert (_modification(lab)["ModificationState"], _size(lab)) == ("failed", 60)


def test_the_next_has_to_wait_until_the_last_is_completed(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a"})
    lab.ec2.modify_volume(VolumeId=_root(lab), Size=80)
    lab.run_for(100)
    assert error_of(lab.ec2.modify_volume, VolumeId=_root(lab), Size=90) == "IncorrectModificationState"


def test_at_most_four_modifications_in_24_hours(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a", "volume": {"modifications_24h": 3, "optimizing_seconds": 10}})
    lab.ec2.modify_volume(VolumeId=_root(lab), Size=70)
    lab.run_for(60)
    assert error_of(lab.ec2.modify_volume, VolumeId=_root(lab), Size=80) == "VolumeModificationRateExceeded"
    lab.run_for(24 * 3600)
    lab.ec2.modify_volume(VolumeId=_root(lab), Size=80)


def test_a_volume_can_be_in_a_state_that_allows_nothing(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a", "volume": {"result": "incorrect_state"}})
    assert error_of(lab.ec2.modify_volume, VolumeId=_root(lab), Size=80) == "IncorrectModificationState"


@pytest.mark.parametrize(("kind", "size"), [("gp3", 59), ("gp2", 16385), ("gp3", 65537)])
def test_sizes_that_no_volume_takes(make_lab: MakeLab, kind: str, size: int) -> None:
    lab = make_lab({"name": "a", "volume": {"type": kind}})
    assert error_of(lab.ec2.modify_volume, VolumeId=_root(lab), Size=size) == "InvalidParameterValue"


def test_never_modified_and_unknown_volumes(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a"})
    asked = {"VolumeIds": [_root(lab)]}
    assert error_of(lab.ec2.describe_volumes_modifications, **asked) == "InvalidVolumeModification.NotFound"
    assert error_of(lab.ec2.describe_volumes, VolumeIds=["vol-0"]) == "InvalidVolume.NotFound"


def test_a_dry_run_modifies_nothing(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a"})
    assert error_of(lab.ec2.modify_volume, VolumeId=_root(lab), Size=80, DryRun=True) == "DryRunOperation"
    assert lab.play.world.hosts["a"].volumes[0].modifications == []


def test_a_new_modification_is_seen_late(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a"}, account={"lag_seconds": 10})
    lab.ec2.modify_volume(VolumeId=_root(lab), Size=80)
    asked = {"VolumeIds": [_root(lab)]}
    assert error_of(lab.ec2.describe_volumes_modifications, **asked) == "InvalidVolumeModification.NotFound"
    lab.run_for(11)
    assert _modification(lab)["TargetSize"] == 80


def test_the_trace_shows_what_was_sent_with_a_modification(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a"})
    lab.ec2.modify_volume(VolumeId=_root(lab), Size=80)
    entry = lab.trace()[-1]
    assert entry["params"] == {"VolumeId": _root(lab), "Size": 80}
    assert entry["hosts"] == ["a"]


def test_volumes_carry_the_tags_of_their_instance_or_do_not(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a", "volume": {"tagged": False}}, {"name": "b", "kms": "usable"})
    filters = [{"Name": "tag:PatchGroup", "Values": ["Windows"]}]
    volumes = lab.ec2.describe_volumes(Filters=filters)["Volumes"]
    assert [volume["VolumeId"] for volume in volumes] == [_root(lab, "b")]
    assert volumes[0]["Encrypted"] is True


def test_the_guest_sees_a_new_size_from_optimizing_on_and_after_a_rescan(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a"})
    disk = lab.play.world.hosts["a"].guest.disk
    lab.ec2.modify_volume(VolumeId=_root(lab), Size=80)
    disk.rescan()
    assert disk.scanned_gib == 60
    lab.run_for(21)
    assert disk.scanned_gib == 60
    disk.rescan()
    assert disk.scanned_gib == 80
    assert disk.extendable_gib == 20


def test_snapshots(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a"})
    made = lab.ec2.create_snapshot(
        VolumeId=_root(lab),
        Description="before patching",
        TagSpecifications=[{"ResourceType": "snapshot", "Tags": [{"Key": "Run", "Value": "1"}]}],
    )
    assert made["State"] == "pending"
    lab.run_for(400)
    found = lab.ec2.describe_snapshots(Filters=[{"Name": "tag:Run", "Values": ["1"]}])["Snapshots"]
    assert [(snapshot["State"], snapshot["VolumeSize"]) for snapshot in found] == [("completed", 60)]
    assert error_of(lab.ec2.describe_snapshots, SnapshotIds=["snap-0"]) == "InvalidSnapshot.NotFound"
