# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import PatchFleetError
from ansible_collections.patchfleet.windows.plugins.module_utils._disk.volume import (
    MODIFY_ATTEMPTS,
    UNSEEN_SECONDS,
)
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.ebs_volume_size import OPERATION
from operations import perform

from .fakes import DAY, ID, VOLUME_ID, client_error, moment, reservations, shown, tags
from .stage import RUN, Stage

DATA = "vol-0fedcba9876543210"
NITRO_SERIAL = VOLUME_ID.replace("-", "") + "_00000001."


@pytest.fixture(autouse=True)
def a_volume_of_60_gib(stage: Stage) -> None:
    stage.open_run()
    stage.account.on("describe_instances", shown())
    stage.account.on("describe_volumes", volume())
    stage.account.on("modify_volume", {})
    stage.account.on("describe_volumes_modifications", modified("optimizing"))


def volume(size: int = 60, kind: str = "gp3") -> dict[str, Any]:
    return {"Volumes": [{"VolumeId": VOLUME_ID, "Size": size, "VolumeType": kind}]}


def modified(state: str, target: int = 80, **more: Any) -> dict[str, Any]:
    row = {"VolumeId": VOLUME_ID, "TargetSize": target, "ModificationState": state, "StartTime": moment(1), **more}
    return {"VolumesModifications": [row]}


def grow(stage: Stage, *, check_mode: bool = False, **params: Any) -> dict[str, Any]:
    options = {"run_id": RUN, "host": ID, "instance_id": ID, **params}
    return perform(OPERATION, stage.context(OPERATION, check_mode=check_mode, **options))


def trouble(stage: Stage, **params: Any) -> PatchFleetError:
    with pytest.raises(PatchFleetError) as caught:
        grow(stage, **params)
    return caught.value


def modifications(stage: Stage) -> list[dict[str, Any]]:
    return [call.params for call in stage.account.of("modify_volume")]


# What is sent


def test_only_the_size_is_sent(stage: Stage) -> None:
    """amazon.aws#330: a volume's type changed by a resize."""
    assert grow(stage) == {
        "changed": True,
        "volume_id": VOLUME_ID,
        "size_gib_before": 60,
        "size_gib": 80,
        "grown_gib": 20,
        "snapshot_id": None,
    }
    assert modifications(stage) == [{"VolumeId": VOLUME_ID, "Size": 80}]
    assert stage.facts()["grown_gib"] == 20


def test_the_root_volume_grows_and_not_the_first_one(stage: Stage) -> None:
    mappings = [
        {"DeviceName": "xvdb", "Ebs": {"VolumeId": DATA}},
        {"DeviceName": "xvdc"},
        {"DeviceName": "/dev/sda1", "Ebs": {"VolumeId": VOLUME_ID}},
    ]
    stage.account.on("describe_instances", shown(BlockDeviceMappings=mappings))
    grow(stage)
    assert stage.account.of("describe_volumes")[0].params == {"VolumeIds": [VOLUME_ID]}


def test_an_instance_without_an_ebs_root_is_reported(stage: Stage) -> None:
    stage.account.on("describe_instances", shown(BlockDeviceMappings=[]))
    assert trouble(stage).code == "no_root_volume"


def test_an_instance_that_is_gone_is_reported(stage: Stage) -> None:
    stage.account.on("describe_instances", reservations())
    assert trouble(stage).code == "instance_gone"


@pytest.mark.parametrize("serial", [NITRO_SERIAL, NITRO_SERIAL.upper(), VOLUME_ID, None, "", "QEMU HARDDISK"])
def test_a_disk_of_that_volume_or_one_that_does_not_say_grows(stage: Stage, serial: str | None) -> None:
    assert grow(stage, serial=serial)["changed"] is True


def test_a_disk_of_another_volume_does_not_grow(stage: Stage) -> None:
    error = trouble(stage, serial=DATA.replace("-", "") + "_00000001.")
    assert (error.code, modifications(stage)) == ("wrong_volume", [])


# Limits


@pytest.mark.parametrize(
    ("size", "kind", "params", "target"),
    [
        (60, "gp3", {"grow_gib": 5}, 65),
        (60, "gp3", {"max_gib": 70}, 70),
        (16380, "gp2", {"max_gib": 99999}, 16384),
        (16380, "gp3", {"max_gib": 99999}, 16400),
        (65530, "gp3", {"max_gib": 99999}, 65536),
        (2040, "gp3", {"max_gib": 99999, "partition_style": "mbr"}, 2047),
        (2040, "gp3", {"max_gib": 99999, "partition_style": "gpt"}, 2060),
        (1020, "standard", {"max_gib": 99999}, 1024),
    ],
)
def test_a_volume_never_grows_past_a_limit(
    stage: Stage, size: int, kind: str, params: dict[str, Any], target: int
) -> None:
    stage.account.on("describe_volumes", volume(size, kind))
    stage.account.on("describe_volumes_modifications", modified("optimizing", target))
    assert grow(stage, **params)["size_gib"] == target


@pytest.mark.parametrize("size", [200, 250])
def test_a_volume_at_its_maximum_is_reported_and_never_shrinks(stage: Stage, size: int) -> None:
    """ansible/ansible#55709, #56910: already at its size."""
    stage.account.on("describe_volumes", volume(size))
    error = trouble(stage)
    assert (error.code, modifications(stage)) == ("volume_at_maximum", [])
    assert f"has {size} GiB and may grow to {size} GiB only" in error.reason


def test_a_growth_that_is_just_enough_is_done(stage: Stage) -> None:
    assert grow(stage, minimum_gib=20)["grown_gib"] == 20


def test_a_growth_that_is_too_small_is_not_started_and_both_limits_are_named(stage: Stage) -> None:
    error = trouble(stage, minimum_gib=30)
    assert (error.code, modifications(stage)) == ("volume_at_maximum", [])
    assert "patch_grow_gib is 20" in error.reason
    assert "patch_volume_max_gib is 200" in error.reason


# Waiting


def test_the_guest_can_use_the_room_from_optimizing_on(stage: Stage) -> None:
    """bosh-aws-cpi-release#122: wait for optimizing, not for completed."""
    stage.account.on("describe_volumes_modifications", modified("modifying"), modified("optimizing"))
    grow(stage)
    assert len(stage.account.of("describe_volumes_modifications")) == 2


def test_a_small_modification_may_be_completed_at_once(stage: Stage) -> None:
    stage.account.on("describe_volumes_modifications", modified("completed"))
    assert grow(stage)["changed"] is True


def test_a_modification_that_aws_does_not_show_yet_is_waited_for(stage: Stage) -> None:
    stage.account.on(
        "describe_volumes_modifications",
        client_error("InvalidVolumeModification.NotFound"),
        {"VolumesModifications": []},
        modified("completed", target=60),  # of last week
        modified("optimizing"),
    )
    grow(stage)
    assert len(stage.account.of("describe_volumes_modifications")) == 4


def test_a_modification_that_fails_is_reported_with_awss_words(stage: Stage) -> None:
    stage.account.on("describe_volumes_modifications", modified("failed", StatusMessage="Internal failure"))
    error = trouble(stage)
    assert (error.code, "Internal failure" in error.reason) == ("modification_failed", True)
    assert "grown_gib" not in stage.facts()


def test_a_right_to_read_that_is_missing_is_reported(stage: Stage) -> None:
    stage.account.on("describe_volumes_modifications", client_error("UnauthorizedOperation"))
    assert trouble(stage).code == "access_denied"


def test_a_modification_that_takes_too_long_is_reported(stage: Stage) -> None:
    stage.account.on("describe_volumes_modifications", modified("modifying"))
    assert trouble(stage, modify_timeout_seconds=300).code == "modify_timeout"
    assert stage.clock.passed == 300


@pytest.mark.parametrize(
    ("aws_code", "code"),
    [
        ("VolumeModificationRateExceeded", "volume_modification_rate_exceeded"),
        ("IncorrectModificationState", "incorrect_modification_state"),
        ("UnauthorizedOperation", "access_denied"),
    ],
)
def test_a_modification_that_is_refused_is_reported_at_once(stage: Stage, aws_code: str, code: str) -> None:
    """terraform-provider-aws#12620: still being modified. No cool-down is computed; AWS's own error is reported."""
    stage.account.on("modify_volume", client_error(aws_code, "Wait a while.", "ModifyVolume"))
    error = trouble(stage)
    assert (error.code, VOLUME_ID in error.reason, stage.clock.passed) == (code, True, 0)


def test_a_growth_that_a_dead_run_began_is_waited_for(stage: Stage) -> None:
    stage.account.on("modify_volume", client_error("IncorrectModificationState", "modifying", "ModifyVolume"))
    shown_as = [{"VolumesModifications": []}, modified("modifying", 75), modified("optimizing", 75)]
    stage.account.on("describe_volumes_modifications", *shown_as)
    assert (grow(stage)["size_gib"], stage.facts()["grown_gib"]) == (75, 15)


# A snapshot before


def snapshots(state: str) -> dict[str, Any]:
    return {"Snapshots": [{"SnapshotId": "snap-1", "State": state}]}


def tagged(**values: str) -> dict[str, Any]:
    return {"Volumes": [{"VolumeId": VOLUME_ID, "Size": 60, "VolumeType": "gp3", "Tags": tags(**values)}]}


def test_a_snapshot_that_is_pending_is_taken_and_says_of_what(stage: Stage) -> None:
    """What is written later is not in it; `completed` can take hours."""
    stage.account.on("describe_volumes", tagged(Cost="42", aws__backup="x"))
    stage.account.on("create_snapshot", {"SnapshotId": "snap-1"})
    none: dict[str, Any] = {"Snapshots": []}
    stage.account.on("describe_snapshots", none, client_error("InvalidSnapshot.NotFound"), snapshots("pending"))
    assert grow(stage, snapshot_before_grow=True)["snapshot_id"] == "snap-1"
    (call,) = stage.account.of("create_snapshot")
    assert (call.params["VolumeId"], "from 60 to 80 GiB" in call.params["Description"]) == (VOLUME_ID, True)
    (specification,) = call.params["TagSpecifications"]
    assert specification["ResourceType"] == "snapshot"
    assert {tag["Key"]: tag["Value"] for tag in specification["Tags"]} == {
        "Cost": "42",
        "patchfleet:run": RUN,
        "patchfleet:host": ID,
        "patchfleet:volume": VOLUME_ID,
    }
    assert stage.facts()["snapshot_id"] == "snap-1"


@pytest.mark.parametrize("shown_as", [snapshots("error"), {"Snapshots": []}], ids=["error", "never shown"])
def test_without_a_snapshot_the_volume_stays_as_it_is(stage: Stage, shown_as: dict[str, Any]) -> None:
    stage.account.on("create_snapshot", {"SnapshotId": "snap-1"})
    stage.account.on("describe_snapshots", shown_as)
    error = trouble(stage, snapshot_before_grow=True)
    assert (error.code, modifications(stage)) == ("snapshot_failed", [])
    assert "snap-1" in error.reason


def test_no_more_tags_are_sent_than_aws_takes(stage: Stage) -> None:
    stage.account.on("describe_volumes", tagged(**{f"t{number}": "" for number in range(50)}))
    stage.account.on("create_snapshot", {"SnapshotId": "snap-1"})
    stage.account.on("describe_snapshots", snapshots("pending"))
    grow(stage, snapshot_before_grow=True)
    sent = stage.account.of("create_snapshot")[0].params["TagSpecifications"][0]["Tags"]
    assert len(sent) == 50
    assert "patchfleet:run" in [tag["Key"] for tag in sent]


def test_check_mode_says_what_would_grow(stage: Stage) -> None:
    assert grow(stage, check_mode=True)["size_gib"] == 80
    assert modifications(stage) == []


# Answers that are lost

LOST = ReadTimeoutError(endpoint_url="https://ec2.eu-central-1.amazonaws.com")
NEVER: dict[str, Any] = {"VolumesModifications": []}


@pytest.mark.parametrize("state", ["modifying", "optimizing", "completed"])
def test_a_modification_whose_answer_was_lost_is_known_by_its_size(stage: Stage, state: str) -> None:
    """Small volumes are past `modifying` within seconds."""
    stage.account.on("modify_volume", LOST)
    stage.account.on("describe_volumes_modifications", NEVER, NEVER, modified(state), modified("completed"))
    assert grow(stage)["size_gib"] == 80
    assert len(modifications(stage)) == 1


def test_a_modification_to_that_size_from_before_is_not_taken_for_ours(stage: Stage) -> None:
    old = modified("completed", StartTime=moment(-DAY))
    stage.account.on("modify_volume", LOST, {})
    stage.account.on("describe_volumes_modifications", old)
    assert grow(stage)["size_gib"] == 80
    first, second = stage.account.of("modify_volume")
    assert second.at - first.at >= UNSEEN_SECONDS


def test_a_modification_that_is_never_answered_is_reported(stage: Stage) -> None:
    stage.account.on("modify_volume", LOST)
    stage.account.on("describe_volumes_modifications", NEVER)
    assert trouble(stage).code == "unanswered"
    assert len(modifications(stage)) == MODIFY_ATTEMPTS


def test_a_snapshot_whose_answer_was_lost_is_known_by_its_tags(stage: Stage) -> None:
    """Each further one is paid for, and forgotten."""
    earlier = {"SnapshotId": "snap-0", "State": "completed"}
    stage.account.on("create_snapshot", LOST)
    taken = {"Snapshots": [earlier, {"SnapshotId": "snap-1", "State": "pending"}]}
    stage.account.on(
        "describe_snapshots", {"Snapshots": [earlier]}, {"Snapshots": [earlier]}, taken, snapshots("pending")
    )
    assert grow(stage, snapshot_before_grow=True)["snapshot_id"] == "snap-1"
    assert len(stage.account.of("create_snapshot")) == 1


def test_a_snapshot_that_is_not_to_be_seen_leaves_the_volume_as_it_is(stage: Stage) -> None:
    stage.account.on("create_snapshot", LOST)
    stage.account.on("describe_snapshots", {"Snapshots": []})
    assert trouble(stage, snapshot_before_grow=True).code == "unanswered"
    assert modifications(stage) == []
