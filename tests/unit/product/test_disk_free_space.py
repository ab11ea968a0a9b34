# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How room is made on C:: what the disk has unused, then a clean-up, and a larger volume last and only if it is enough."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import PatchFleetError
from ansible_collections.patchfleet.windows.plugins.module_utils._disk.update_sizes import space_for
from ansible_collections.patchfleet.windows.plugins.module_utils._host.answers import UpdateSize
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.system_drive_space import OPERATION
from operations import perform

from .fakes import DAY, ID, NODE_ID, START, VOLUME_ID, Outcome, answered, client_error, complained, moment, shown
from .stage import RUN, Stage, a_host, a_run

SCRIPTS = {"measure_disk": "", "clean_disk": "", "extend_partition": ""}
CLEANUP_ACTIONS = [
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
    stage.guest.answers("clean_disk", {"free_gib_before": 0.0, "free_gib_after": 0.0, "rungs": CLEANUP_ACTIONS})
    stage.guest.answers("extend_partition", {"partition_gib": 80.0})
    stage.account.on("describe_instances", shown())
    stage.account.on("describe_volumes", {"Volumes": [{"VolumeId": VOLUME_ID, "Size": 60, "VolumeType": "gp3"}]})
    stage.account.on("modify_volume", {})
    modification = {"VolumeId": VOLUME_ID, "TargetSize": 80, "ModificationState": "optimizing", "StartTime": moment(1)}
    stage.account.on("describe_volumes_modifications", {"VolumesModifications": [modification]})


def free_space(stage: Stage, *disks: dict[str, Any], check_mode: bool = False, **params: Any) -> dict[str, Any]:
    if disks:
        stage.guest.answers("measure_disk", *disks)
    options = {"run_id": RUN, "host": ID, "instance_id": ID, "free_gib": 20.0, "scripts": SCRIPTS, **params}
    return perform(OPERATION, stage.context(OPERATION, check_mode=check_mode, **options))


def trouble(stage: Stage, *disks: dict[str, Any], **params: Any) -> PatchFleetError:
    with pytest.raises(PatchFleetError) as caught:
        free_space(stage, *disks, **params)
    return caught.value


def grew_to(stage: Stage) -> list[int]:
    return [call.params["Size"] for call in stage.account.of("modify_volume")]


@pytest.mark.parametrize("free", [20.0, 35.5])
def test_enough_room_is_left_as_it_is(stage: Stage, free: float) -> None:
    result = free_space(stage, disk(free))
    assert result == {
        "changed": False,
        "free_gib_before": free,
        "free_gib": free,
        "wanted_gib": 20,
        "rungs": [],
        "grown_gib": 0,
        "shortfall_gib": None,
    }
    assert stage.guest.names == ["measure_disk"]
    assert (stage.facts()["free_gib_before"], stage.facts()["free_gib_after"]) == (free, free)


def test_cleaning_that_is_enough_ends_it(stage: Stage) -> None:
    result = free_space(stage, disk(18), disk(21))
    assert (result["changed"], result["free_gib_before"], result["free_gib"]) == (True, 18, 21)
    assert (result["rungs"], result["grown_gib"]) == (CLEANUP_ACTIONS, 0)
    assert stage.guest.names == ["measure_disk", "clean_disk", "measure_disk"]
    assert stage.facts()["free_gib_after"] == 21


@pytest.mark.parametrize(
    ("answer", "unsure"),
    [
        (answered("clean_disk", rungs=CLEANUP_ACTIONS), False),
        (complained("clean_disk", "script_failed", "It is odd."), False),
        (Outcome("Success", stdout="{"), False),
        (Outcome("TimedOut", "Execution Timed Out"), True),
        (Outcome(seconds=86400), True),
    ],
    ids=["ended", "failed", "garbled", "given up", "silent"],
)
def test_the_power_of_a_host_is_not_cut_while_its_component_store_is_cleaned(
    stage: Stage, answer: Outcome, unsure: bool
) -> None:
    stage.guest.on("clean_disk", answer)
    observed: list[Any] = []
    stage.clock.at(7, lambda: observed.append(stage.facts().get("servicing")))
    with contextlib.suppress(PatchFleetError):
        free_space(stage, disk(18), disk(21))
    assert (stage.facts()["servicing"], observed) == (unsure, [True])


def test_the_time_of_a_clean_up_is_kept_when_its_controller_is_killed(stage: Stage) -> None:
    """The script runs on in the host, and what ran before it in the same phase is written before it."""
    measured = [answered("measure_disk", **disk(free)) for free in (18, 21)]
    stage.guest.on("measure_disk", replace(measured[0], seconds=30), measured[1])
    stage.guest.on("clean_disk", replace(answered("clean_disk", rungs=CLEANUP_ACTIONS), seconds=1800))
    observed: list[dict[str, Any]] = []
    stage.clock.at(600, lambda: observed.append(stage.facts()))
    free_space(stage)
    (killed,) = observed
    assert START + 30 <= killed["working_since"] < START + 60
    assert [seconds for _ended, seconds in killed["work"]] == [30]
    assert stage.facts().get("working_since") is None


NOT_ASKED = {
    "user_temp": False,
    "reset_base": False,
    "old_windows": False,
    "temp_age_days": 14,
    "user_temp_age_days": 30,
    "component_store_seconds": 3600,
}


@pytest.mark.parametrize(
    ("option", "parameter"),
    [("clean_user_temp", "user_temp"), ("reset_base", "reset_base"), ("remove_old_windows", "old_windows")],
)
def test_what_people_may_miss_is_cleaned_only_when_asked(stage: Stage, option: str, parameter: str) -> None:
    free_space(stage, disk(18), disk(21), **{option: True})
    free_space(stage, disk(18), disk(21))
    assert stage.guest.inputs("clean_disk") == [{**NOT_ASKED, parameter: True}, NOT_ASKED]


def test_files_of_users_have_an_age_of_their_own(stage: Stage) -> None:
    free_space(stage, disk(18), disk(21), clean_user_temp=True, user_temp_age_days=90)
    (given,) = stage.guest.inputs("clean_disk")
    assert (given["user_temp"], given["user_temp_age_days"], given["temp_age_days"]) == (True, 90, 14)


@pytest.mark.parametrize("asked", [True, False])
def test_an_older_windows_is_removed_only_when_asked(stage: Stage, asked: bool) -> None:
    """It is the way back from an upgrade."""
    free_space(stage, disk(18), disk(21), remove_old_windows=asked)
    assert [given["old_windows"] for given in stage.guest.inputs("clean_disk")] == [asked]


def test_exactly_enough_is_enough(stage: Stage) -> None:
    """After each cleanup action: after cleaning, and with what the disk has."""
    assert free_space(stage, disk(18), disk(20))["free_gib"] == 20
    free_space(stage, disk(10, extendable=10), disk(20))
    assert grew_to(stage) == []


def test_what_the_disk_has_unused_is_taken_first(stage: Stage) -> None:
    """It costs nothing and deletes nothing."""
    result = free_space(stage, disk(10, extendable=15), disk(25))
    assert (result["free_gib"], result["grown_gib"]) == (25, 0)
    assert stage.guest.names == ["measure_disk", "extend_partition", "measure_disk"]
    assert message(stage) == [("unused_disk_space", 15, None)]


def test_an_unused_end_that_windows_does_not_take_keeps_no_one_from_cleaning(stage: Stage) -> None:
    stage.guest.on("extend_partition", complained("extend_partition", "not_extended", "Nothing happened."))
    assert free_space(stage, disk(10, extendable=15), disk(21, extendable=15))["free_gib"] == 21
    assert message(stage) == [("unused_disk_space", 0, "not_extended"), *CLEANED]


def test_a_volume_does_not_grow_where_windows_has_just_refused_to_extend_the_drive(stage: Stage) -> None:
    stage.guest.on("extend_partition", complained("extend_partition", "not_extended", "Neither of them did."))
    error = trouble(stage, disk(10, extendable=15))
    assert (error.code, grew_to(stage)) == ("not_extended", [])


def test_a_clean_up_that_continues_is_left_alone_and_remembered(stage: Stage) -> None:
    """Dism continues by itself, and the power of the host must not be cut meanwhile."""
    going_on = [{"name": "component_store", "won_gib": 0.0, "skipped": "still_running"}]
    stage.guest.answers("clean_disk", {"rungs": going_on})
    assert free_space(stage, disk(5), disk(5), disk(25))["grown_gib"] == 20
    assert stage.facts()["servicing"] is True


def test_a_clean_up_without_an_answer_fails_no_one_who_has_room_all_the_same(stage: Stage) -> None:
    stage.guest.on("clean_disk", Outcome("TimedOut", "Execution Timed Out"))
    assert free_space(stage, disk(18), disk(21))["free_gib"] == 21
    assert message(stage) == [("clean_disk", 0, "command_timeout")]
    assert stage.facts()["servicing"] is True


def test_the_volume_grows_last_and_the_partition_after_it(stage: Stage) -> None:
    result = free_space(stage, disk(5), disk(7), disk(27))
    assert (result["free_gib"], result["grown_gib"]) == (27, 20)
    assert grew_to(stage) == [80]
    assert stage.guest.names[-2:] == ["extend_partition", "measure_disk"]
    assert stage.facts()["grown_gib"] == 20


def test_what_the_disk_has_unused_counts_before_the_cap_is_hit(stage: Stage) -> None:
    """15 GiB are lacking, 10 of them are on the disk already: growing by 5 would do."""
    modification = {"VolumeId": VOLUME_ID, "TargetSize": 70, "ModificationState": "optimizing", "StartTime": moment(1)}
    stage.account.on("describe_volumes_modifications", {"VolumesModifications": [modification]})
    result = free_space(stage, disk(5, extendable=10), disk(15), disk(15), disk(25), volume_max_gib=70)
    assert (result["grown_gib"], grew_to(stage)) == (10, [70])


def test_a_blocking_recovery_partition_is_reported_and_nothing_grows(stage: Stage) -> None:
    blocked = disk(5, extendable=0, blocked_by="recovery_partition")
    error = trouble(stage, blocked)
    assert error.code == "recovery_partition"
    assert "15.0 GiB are missing" in error.reason
    assert grew_to(stage) == []
    assert "extend_partition" not in stage.guest.names


def test_a_recovery_partition_is_no_matter_where_cleaning_is_enough(stage: Stage) -> None:
    blocked = [disk(free, blocked_by="recovery_partition") for free in (18, 22)]
    assert free_space(stage, *blocked)["free_gib"] == 22


def test_a_growth_that_would_not_be_enough_is_not_started(stage: Stage) -> None:
    """A larger volume costs for ever."""
    error = trouble(stage, disk(5), volume_max_gib=70)
    assert error.code == "volume_at_maximum"
    assert grew_to(stage) == []


def test_a_host_without_ebs_does_not_grow(stage: Stage) -> None:
    error = trouble(stage, disk(5), instance_id=NODE_ID)
    assert error.code == "no_room"
    assert "no EBS volume" in error.reason
    assert "describe_volumes" not in [call.operation for call in stage.account.calls]


def test_room_that_others_may_add_is_no_failure_yet(stage: Stage) -> None:
    """patch_room_tasks: the tasks of a virtual machine's owner enlarge its disk."""
    first = free_space(stage, disk(5), disk(7), instance_id=NODE_ID, allow_shortfall=True)
    assert (first["shortfall_gib"], stage.ledger.host(RUN, ID).outcome) == (13.0, None)
    second = free_space(stage, disk(7, extendable=40), disk(47), instance_id=NODE_ID)
    assert (second["shortfall_gib"], second["free_gib"]) == (None, 47)
    assert stage.facts()["free_gib_before"] == 5
    names = [action["name"] for action in stage.facts()["rungs"]]
    assert names == [
        "component_store",
        "update_cache",
        "volume_growth",
        "unused_disk_space",
    ]


def test_a_host_without_ebs_uses_what_its_disk_has(stage: Stage) -> None:
    assert free_space(stage, disk(5, extendable=20), disk(25), instance_id=NODE_ID)["changed"]


def test_room_that_is_still_lacking_at_the_end_is_reported(stage: Stage) -> None:
    error = trouble(stage, disk(5), disk(5), disk(19))
    assert (error.code, error.reason) == (
        "no_room",
        "Only 19.0 GiB are free on C:, 20 are wanted (patch_free_gib).",
    )
    assert stage.facts()["free_gib_after"] == 19


def test_a_partition_that_cannot_be_extended_is_reported_in_the_scripts_words(stage: Stage) -> None:
    stage.guest.on("extend_partition", complained("extend_partition", "script_failed", "The disk is read-only."))
    assert trouble(stage, disk(5)).reason == "The disk is read-only."


def test_windows_may_see_the_new_size_a_little_later(stage: Stage) -> None:
    late = complained("extend_partition", "no_room", "The disk has no free space behind C:.")
    stage.guest.on("extend_partition", late, late, answered("extend_partition", partition_gib=80.0))
    assert free_space(stage, disk(5), disk(5), disk(25))["grown_gib"] == 20
    assert stage.guest.names.count("extend_partition") == 3


def test_a_volume_whose_new_size_windows_never_sees_is_reported_as_that(stage: Stage) -> None:
    stage.guest.on("extend_partition", complained("extend_partition", "no_room", "Nothing behind C: can be used."))
    error = trouble(stage, disk(5))
    assert error.code == "size_not_seen"
    assert "has grown by 20 GiB, but Windows does not see it: Nothing behind C: can be used." in error.reason
    assert stage.facts()["grown_gib"] == 20


def test_the_wrong_disk_does_not_grow(stage: Stage) -> None:
    error = trouble(stage, disk(5, serial="vol0fedcba9876543210_00000001."))
    assert (error.code, grew_to(stage)) == ("wrong_volume", [])


def test_an_mbr_disk_ends_at_two_tebibytes(stage: Stage) -> None:
    stage.account.on("describe_volumes", {"Volumes": [{"VolumeId": VOLUME_ID, "Size": 2040, "VolumeType": "gp3"}]})
    error = trouble(stage, disk(5, partition_style="mbr"), volume_max_gib=4000)
    assert (error.code, grew_to(stage)) == ("volume_at_maximum", [])


def test_what_was_measured_first_is_known_also_when_it_fails(stage: Stage) -> None:
    trouble(stage, disk(5), volume_max_gib=70)
    assert stage.facts()["free_gib_before"] == 5


# The cleanup actions in the report


def message(stage: Stage) -> list[tuple[str, float, str | None]]:
    return [(action["name"], action["won_gib"], action["skipped"]) for action in stage.facts()["rungs"]]


CLEANED = [("component_store", 2.0, None), ("update_cache", 0.0, None)]


def test_each_cleanup_action_is_reported_with_what_it_won(stage: Stage) -> None:
    free_space(stage, disk(5, extendable=8), disk(13), disk(15), disk(35))
    assert message(stage) == [("unused_disk_space", 8, None), *CLEANED, ("volume_growth", 20, None)]
    assert (stage.facts()["wanted_gib"], stage.facts()["grown_gib"]) == (20, 20)


def test_a_cleanup_action_that_failed_is_reported_with_its_reason(stage: Stage) -> None:
    trouble(stage, disk(5), disk(7), volume_max_gib=70)
    assert message(stage) == [*CLEANED, ("volume_growth", 0, "volume_at_maximum")]


def test_a_host_with_room_reports_no_cleanup_action(stage: Stage) -> None:
    free_space(stage, disk(25))
    assert "rungs" not in stage.facts()
    assert stage.facts()["grown_gib"] == 0


def test_free_space_before_a_recovery_partition_is_used(stage: Stage) -> None:
    walled = disk(10, extendable=15, blocked_by="recovery_partition")
    assert free_space(stage, walled, disk(25, blocked_by="recovery_partition"))["free_gib"] == 25
    assert grew_to(stage) == []


def test_free_space_that_is_not_enough_is_used_all_the_same(stage: Stage) -> None:
    walled = disk(10, extendable=5, blocked_by="other_partition")
    error = trouble(stage, walled, disk(15, blocked_by="other_partition"))
    assert error.code == "other_partition"
    assert "Another partition behind C:" in error.reason
    assert stage.facts()["free_gib_after"] == 15


# What is missing


GIB = 2**30
SIZED = {**SCRIPTS, "missing_update_sizes": ""}


def update(download_gib: float, recommended_gib: float = 0.0) -> dict[str, Any]:
    return {"kb": "KB1", "max_download_bytes": download_gib * GIB, "recommended_mib": recommended_gib * 1024}


@pytest.mark.parametrize(
    ("updates", "gib"),
    [
        ([], 0),
        ([update(1)], 1 + 2 + 2),
        ([update(1), update(0.5), update(0.5)], 2 + 2 + 2),
        ([update(1, recommended_gib=10)], 1 + 10 + 2),
        ([update(0, recommended_gib=1)], 0 + 1 + 2),
        ([update(60)], 4 + 8 + 2),
        ([update(3), update(3), update(3)], 9 + 6 + 2),
    ],
    ids=str,
)
def test_the_room_wanted_follows_from_the_sizes(updates: list[dict[str, Any]], gib: float) -> None:
    """All downloads lie in the cache at one time, one after the other is unpacked; express updates count every delta."""
    sizes = [UpdateSize(update["max_download_bytes"], update["recommended_mib"]) for update in updates]
    assert space_for(sizes) == gib


def test_large_updates_are_made_room_for_before_they_are_installed(stage: Stage) -> None:
    stage.guest.answers("missing_update_sizes", {"count": 1, "updates": [update(1, recommended_gib=30)]})
    result = free_space(stage, disk(25), disk(27), disk(47), scripts=SIZED)
    assert (result["wanted_gib"], grew_to(stage), result["free_gib"]) == (33, [80], 47)
    assert stage.guest.names[:2] == ["measure_disk", "missing_update_sizes"]


def test_the_sizes_are_asked_for_once_in_a_run(stage: Stage) -> None:
    """Each question is a whole search; patch_room_tasks make a second call of it."""
    stage.guest.answers("missing_update_sizes", {"count": 1, "updates": [update(1, recommended_gib=30)]})
    first = free_space(stage, disk(25), disk(25), scripts=SIZED, instance_id=NODE_ID)
    second = free_space(stage, disk(25), disk(40), scripts=SIZED, instance_id=NODE_ID)
    assert (first["wanted_gib"], second["wanted_gib"]) == (33, 33)
    assert stage.guest.names.count("missing_update_sizes") == 1


def test_the_severities_of_what_is_offered_are_kept(stage: Stage) -> None:
    """Over WinRM no other search names them. A host may send anything: what is no KB and no severity is left out."""
    offered = [("KB1", "Critical"), ("KB2", ""), ("KB3", None), ("KB4", "dreadful"), ("no KB", "Low"), ("KB5", "low")]
    updates = [{**update(1), "kb": kb, "severity": severity} for kb, severity in offered]
    stage.guest.answers("missing_update_sizes", {"count": 1, "updates": updates})
    free_space(stage, disk(25), disk(40), scripts=SIZED, instance_id=NODE_ID)
    assert stage.facts()["severities"] == {"KB1": "critical", "KB5": "low"}


@pytest.mark.parametrize("works", [True, False])
def test_a_search_that_worked_is_remembered(stage: Stage, works: bool) -> None:
    failed = complained("missing_update_sizes", "script_failed", "x", "0x8024401C")
    answer = answered("missing_update_sizes", count=0, updates=[]) if works else failed
    stage.guest.on("missing_update_sizes", answer)
    free_space(stage, disk(25), scripts=SIZED)
    assert ("searched_at" in stage.facts()) is works


def test_small_updates_want_no_less_than_the_least(stage: Stage) -> None:
    stage.guest.answers("missing_update_sizes", {"count": 1, "updates": [update(0.1)]})
    assert free_space(stage, disk(18), disk(21), scripts=SIZED)["wanted_gib"] == 20


def test_with_plenty_of_room_no_one_asks(stage: Stage) -> None:
    free_space(stage, disk(60), scripts=SIZED)
    assert stage.guest.names == ["measure_disk"]


def test_an_agent_that_cannot_search_is_no_matter_here(stage: Stage) -> None:
    """Mending it is the next step's work."""
    stage.guest.on("missing_update_sizes", complained("missing_update_sizes", "script_failed", "x", "0x80070422"))
    assert free_space(stage, disk(25), scripts=SIZED)["wanted_gib"] == 20


@pytest.mark.parametrize("params", [{"volume_max_gib": 60}, {"instance_id": NODE_ID}], ids=str)
def test_where_more_cannot_be_had_the_least_has_to_do(stage: Stage, params: dict[str, Any]) -> None:
    stage.guest.answers("missing_update_sizes", {"count": 1, "updates": [update(1, recommended_gib=30)]})
    result = free_space(stage, disk(25), disk(25), scripts=SIZED, **params)
    assert (result["free_gib"], result["grown_gib"], grew_to(stage)) == (25, 0, [])
    assert stage.message[-1].startswith("25.0 GiB are enough: ")


def test_a_growth_that_falls_short_of_an_upper_bound_is_started(stage: Stage) -> None:
    stage.guest.answers("missing_update_sizes", {"count": 1, "updates": [update(1, recommended_gib=60)]})
    result = free_space(stage, disk(25), disk(25), disk(45), scripts=SIZED)
    assert (result["free_gib"], grew_to(stage)) == (45, [80])


# A growth that made no room


LATER = "20261115T220000Z-0002"


def the_last_growth(stage: Stage, won: float, skipped: str | None = None, name: str = "volume_growth") -> None:
    """What the first run says of the host; a later one follows."""
    action = {"name": name, "won_gib": won, "skipped": skipped}
    stage.ledger.update_facts(RUN, ID, {"grown_gib": 20, "rungs": [action]})  # type: ignore[typeddict-item, list-item]
    later = a_run(LATER, stage.clock.now() + DAY)
    stage.ledger.open_run(later, [a_host(run_id=LATER)], take_over=True)


@pytest.mark.parametrize(("won", "skipped"), [(0.0, None), (0.9, None), (0.0, "size_not_seen")])
def test_a_volume_whose_last_growth_gave_no_room_does_not_grow_again(
    stage: Stage, won: float, skipped: str | None
) -> None:
    """A host that always says that it is full would grow every night, for ever."""
    the_last_growth(stage, won, skipped)
    error = trouble(stage, disk(5), run_id=LATER)
    assert (error.code, grew_to(stage)) == ("growth_without_effect", [])
    assert RUN in error.reason


@pytest.mark.parametrize(
    ("won", "skipped", "name"),
    [
        (19.5, None, "volume_growth"),
        (0.0, "volume_at_maximum", "volume_growth"),
        (20.0, None, "unused_disk_space"),
        (0.0, None, "update_cache"),
    ],
)
def test_a_volume_may_grow_again_when_the_last_growth_helped_or_there_was_none(
    stage: Stage, won: float, skipped: str | None, name: str
) -> None:
    the_last_growth(stage, won, skipped, name)
    assert free_space(stage, disk(5), disk(5), disk(25), run_id=LATER)["grown_gib"] == 20


def test_a_volume_does_not_grow_twice_in_a_run_for_nothing(stage: Stage) -> None:
    trouble(stage, disk(5), disk(5), disk(5))
    assert trouble(stage, disk(5)).code == "growth_without_effect"
    assert grew_to(stage) == [80]


# A snapshot before


def test_a_snapshot_is_taken_before_the_volume_grows_when_asked(stage: Stage) -> None:
    stage.account.on("create_snapshot", {"SnapshotId": "snap-1"})
    stage.account.on("describe_snapshots", {"Snapshots": [{"SnapshotId": "snap-1", "State": "pending"}]})
    free_space(stage, disk(5), disk(5), disk(25), snapshot_before_grow=True)
    changing = [
        call.operation for call in stage.account.calls if call.operation in {"create_snapshot", "modify_volume"}
    ]
    assert changing == ["create_snapshot", "modify_volume"]
    assert stage.facts()["snapshot_id"] == "snap-1"


def test_without_a_snapshot_nothing_grows(stage: Stage) -> None:
    stage.account.on("describe_snapshots", {"Snapshots": []})
    stage.account.on("create_snapshot", client_error("SnapshotLimitExceeded", "Too many.", "CreateSnapshot"))
    error = trouble(stage, disk(5), snapshot_before_grow=True)
    assert (error.code, grew_to(stage)) == ("snapshot_limit_exceeded", [])


def test_check_mode_only_measures(stage: Stage) -> None:
    result = free_space(stage, disk(5), check_mode=True)
    assert (result["changed"], result["free_gib"], result["grown_gib"]) == (True, 5, 0)
    assert free_space(stage, disk(25), check_mode=True)["changed"] is False
    assert set(stage.guest.names) == {"measure_disk"}
