# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ladder that makes room on C:: clean, use what the disk has, grow last, and only if that is enough."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._errors import PatchFleetError
from ansible_collections.patchfleet.windows.plugins.module_utils._guest.space import STEP
from ansible_collections.patchfleet.windows.plugins.module_utils._step import perform

from .fakes import ID, NODE_ID, VOLUME_ID, complained, shown
from .stage import RUN, Stage

SCRIPTS = {"measure_disk": "", "clean_disk": "", "extend_partition": ""}
RUNGS = [
    {"name": "component_store", "won_gib": 2.0, "skipped": None},
    {"name": "update_cache", "won_gib": 0.0, "skipped": None},
]


def disk(free: float, extendable: float = 0.0, **more: Any) -> dict[str, Any]:
    return {
        "drive": "C:",
        "partition_gib": 60.0,
        "free_gib": free,
        "disk_gib": 60.0 + extendable,
        "extendable_gib": extendable,
        "blocked_by": None,
        "partition_style": "gpt",
        "serial": VOLUME_ID.replace("-", "") + "_00000001.",
        **more,
    }


@pytest.fixture(autouse=True)
def a_host_with_a_volume(stage: Stage) -> None:
    stage.open_run()
    stage.guest.answers("clean_disk", {"free_gib_before": 0.0, "free_gib_after": 0.0, "rungs": RUNGS})
    stage.guest.answers("extend_partition", {"partition_gib": 80.0})
    stage.account.on("describe_instances", shown())
    stage.account.on("describe_volumes", {"Volumes": [{"VolumeId": VOLUME_ID, "Size": 60, "VolumeType": "gp3"}]})
    stage.account.on("modify_volume", {})
    modification = {"VolumeId": VOLUME_ID, "TargetSize": 80, "ModificationState": "optimizing"}
    stage.account.on("describe_volumes_modifications", {"VolumesModifications": [modification]})


def make_room(stage: Stage, *disks: dict[str, Any], check_mode: bool = False, **params: Any) -> dict[str, Any]:
    stage.guest.answers("measure_disk", *disks)
    options = {"run_id": RUN, "host": ID, "instance_id": ID, "wanted_gib": 20.0, "scripts": SCRIPTS, **params}
    return perform(STEP, stage.context(STEP, check_mode=check_mode, **options))


def trouble(stage: Stage, *disks: dict[str, Any], **params: Any) -> PatchFleetError:
    with pytest.raises(PatchFleetError) as caught:
        make_room(stage, *disks, **params)
    return caught.value


def grew_to(stage: Stage) -> list[int]:
    return [call.params["Size"] for call in stage.account.of("modify_volume")]


@pytest.mark.parametrize("free", [20.0, 35.5])
def test_enough_room_is_left_as_it_is(stage: Stage, free: float) -> None:
    result = make_room(stage, disk(free))
    assert result == {"changed": False, "free_gib_before": free, "free_gib": free, "rungs": [], "grown_gib": 0}
    assert stage.guest.names == ["measure_disk"]
    assert (stage.facts()["free_gib_before"], stage.facts()["free_gib_after"]) == (free, free)


def test_cleaning_that_is_enough_ends_it(stage: Stage) -> None:
    result = make_room(stage, disk(18), disk(21))
    assert (result["changed"], result["free_gib_before"], result["free_gib"]) == (True, 18, 21)
    assert (result["rungs"], result["grown_gib"]) == (RUNGS, 0)
    assert stage.guest.names == ["measure_disk", "clean_disk", "measure_disk"]
    assert stage.facts()["free_gib_after"] == 21


@pytest.mark.parametrize("reset_base", [True, False])
def test_the_component_store_is_reset_only_when_asked(stage: Stage, reset_base: bool) -> None:
    """It makes installed updates impossible to uninstall."""
    make_room(stage, disk(18), disk(21), reset_base=reset_base)
    assert stage.guest.inputs("clean_disk") == [{"reset_base": reset_base, "temp_age_days": 1}]


def test_exactly_enough_is_enough(stage: Stage) -> None:
    """On each rung: after cleaning, and with what the disk has."""
    assert make_room(stage, disk(18), disk(20))["free_gib"] == 20
    make_room(stage, disk(10, extendable=10), disk(10, extendable=10), disk(20))
    assert grew_to(stage) == []


def test_what_the_disk_has_already_is_used_before_the_volume_grows(stage: Stage) -> None:
    result = make_room(stage, disk(10, extendable=15), disk(12, extendable=15), disk(27))
    assert (result["free_gib"], result["grown_gib"]) == (27, 0)
    assert stage.guest.names == ["measure_disk", "clean_disk", "measure_disk", "extend_partition", "measure_disk"]
    assert grew_to(stage) == []


def test_the_volume_grows_last_and_the_partition_after_it(stage: Stage) -> None:
    result = make_room(stage, disk(5), disk(7), disk(27))
    assert (result["free_gib"], result["grown_gib"]) == (27, 20)
    assert grew_to(stage) == [80]
    assert stage.guest.names[-2:] == ["extend_partition", "measure_disk"]
    assert stage.facts()["grown_gib"] == 20


def test_the_disks_own_slack_counts_before_the_cap_is_hit(stage: Stage) -> None:
    """15 GiB are lacking, 10 of them are on the disk already: growing by 5 would do."""
    modification = {"VolumeId": VOLUME_ID, "TargetSize": 70, "ModificationState": "optimizing"}
    stage.account.on("describe_volumes_modifications", {"VolumesModifications": [modification]})
    result = make_room(stage, disk(5, extendable=10), disk(5, extendable=10), disk(30), max_gib=70)
    assert (result["grown_gib"], grew_to(stage)) == (10, [70])


def test_a_recovery_partition_in_the_way_is_told_and_nothing_grows(stage: Stage) -> None:
    blocked = disk(5, extendable=0, blocked_by="recovery_partition")
    error = trouble(stage, blocked)
    assert error.code == "recovery_partition"
    assert "15.0 GiB are lacking" in error.reason
    assert grew_to(stage) == []
    assert "extend_partition" not in stage.guest.names


def test_a_recovery_partition_is_no_matter_where_cleaning_is_enough(stage: Stage) -> None:
    blocked = [disk(free, blocked_by="recovery_partition") for free in (18, 22)]
    assert make_room(stage, *blocked)["free_gib"] == 22


def test_a_growth_that_would_not_be_enough_is_not_begun(stage: Stage) -> None:
    """A larger volume costs for ever."""
    error = trouble(stage, disk(5), max_gib=70)
    assert error.code == "volume_at_maximum"
    assert grew_to(stage) == []


def test_a_host_without_ebs_does_not_grow(stage: Stage) -> None:
    error = trouble(stage, disk(5), instance_id=NODE_ID)
    assert error.code == "no_room"
    assert "no EBS volume" in error.reason
    assert "describe_volumes" not in [call.operation for call in stage.account.calls]


def test_a_host_without_ebs_uses_what_its_disk_has(stage: Stage) -> None:
    assert make_room(stage, disk(5, extendable=20), disk(5, extendable=20), disk(25), instance_id=NODE_ID)["changed"]


def test_room_that_is_still_lacking_at_the_end_is_told(stage: Stage) -> None:
    error = trouble(stage, disk(5), disk(5), disk(19))
    assert (error.code, error.reason) == (
        "no_room",
        "Only 19.0 GiB are free on C:, 20 are wanted (patch_free_gib).",
    )
    assert stage.facts()["free_gib_after"] == 19


def test_a_partition_that_cannot_be_extended_is_told_in_the_scripts_words(stage: Stage) -> None:
    stage.guest.on("extend_partition", complained("extend_partition", "no_room", "Nothing behind C: can be used."))
    assert trouble(stage, disk(5)).reason == "Nothing behind C: can be used."


def test_the_wrong_disk_does_not_grow(stage: Stage) -> None:
    error = trouble(stage, disk(5, serial="vol0fedcba9876543210_00000001."))
    assert (error.code, grew_to(stage)) == ("wrong_volume", [])


def test_an_mbr_disk_ends_at_two_tebibytes(stage: Stage) -> None:
    stage.account.on("describe_volumes", {"Volumes": [{"VolumeId": VOLUME_ID, "Size": 2040, "VolumeType": "gp3"}]})
    error = trouble(stage, disk(5, partition_style="mbr"), max_gib=4000)
    assert (error.code, grew_to(stage)) == ("volume_at_maximum", [])


def test_what_was_measured_first_is_known_also_when_it_fails(stage: Stage) -> None:
    trouble(stage, disk(5), max_gib=70)
    assert stage.facts()["free_gib_before"] == 5


def test_check_mode_only_measures(stage: Stage) -> None:
    result = make_room(stage, disk(5), check_mode=True)
    assert (result["changed"], result["free_gib"], result["grown_gib"]) == (True, 5, 0)
    assert make_room(stage, disk(25), check_mode=True)["changed"] is False
    assert set(stage.guest.names) == {"measure_disk"}
