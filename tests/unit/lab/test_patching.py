# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AWS-RunPatchBaseline and what Patch Manager shows afterwards."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from conftest import MakeLab
from virtual_lab import UPDATE, VirtualLab, error_of

SNAPSHOT = "3a5c0f0e-6d0c-4f0b-9a53-0d9f7c1e2b11"
LOW = {"kb": "KB5040001", "severity": "low", "class": "feature"}


def _host(*updates: dict[str, Any], **keys: Any) -> dict[str, Any]:
    return {"name": "a", "updates": list(updates), **keys}


def _installs(update: dict[str, Any], **keys: Any) -> dict[str, Any]:
    return {**update, **keys}


# ---- Scan


def test_a_scan_shows_what_is_missing_and_installs_nothing(make_lab: MakeLab) -> None:
    lab = make_lab(_host(UPDATE, LOW))
    reported = lab.patch("a", "Scan", SnapshotId=SNAPSHOT)
    assert (reported["Status"], reported["ResponseCode"]) == ("Success", 0)
    state = lab.patch_state("a")
    assert (state["MissingCount"], state["CriticalNonCompliantCount"], state["InstalledCount"]) == (1, 1, 0)
    assert (state["SnapshotId"], state["Operation"], state["PatchGroup"]) == (SNAPSHOT, "Scan", "Windows")
    assert lab.patches("a", "Missing") == ["KB5031361"]  # the baseline approves no feature of low severity
    assert lab.truth("a")["installed"] == []
    assert lab.truth("a")["missing"] == ["KB5031361"]


def test_a_scan_ends_later_than_the_command_was_sent(make_lab: MakeLab) -> None:
    lab = make_lab(_host(UPDATE, scan_seconds=60))
    command = lab.start_patch("a", "Scan")
    lab.run_for(100)
    sent = lab.ssm.list_commands(CommandId=command)["Commands"][0]["RequestedDateTime"]
    state = lab.patch_state("a")
    assert (state["OperationEndTime"] - sent).total_seconds() >= 60
    assert len(state["SnapshotId"]) == 36  # one of its own when none was given


def test_any_other_scan_takes_the_place_of_ours(make_lab: MakeLab) -> None:
    lab = make_lab(_host(UPDATE))
    lab.patch("a", "Scan", SnapshotId=SNAPSHOT)
    theirs = SNAPSHOT[:-4] + "beef"
    lab.patch("a", "Scan", SnapshotId=theirs)
    assert lab.patch_state("a")["SnapshotId"] == theirs


def test_patch_states_of_fifty_nodes_at_most_and_patches_without_an_hresult(make_lab: MakeLab) -> None:
    lab = make_lab(_host({**UPDATE, "result": "0x80070005"}))
    lab.patch("a")
    assert error_of(lab.ssm.describe_instance_patch_states, InstanceIds=[lab.id("a")] * 51) == "ValidationException"
    (patch,) = lab.ssm.describe_instance_patches(InstanceId=lab.id("a"))["Patches"]
    assert (patch["State"], "0x80070005" in str(patch)) == ("Failed", False)


@pytest.mark.parametrize("key", ["Patch Group", "PatchGroup"])
def test_the_patch_group_has_two_spellings(make_lab: MakeLab, key: str) -> None:
    lab = make_lab(_host(tags={key: "servers"}))
    lab.patch("a", "Scan")
    assert lab.patch_state("a")["PatchGroup"] == "servers"


def test_who_was_never_scanned_is_absent(make_lab: MakeLab) -> None:
    lab = make_lab(_host(UPDATE))
    asked = {"InstanceIds": [lab.id("a")]}
    assert lab.ssm.describe_instance_patch_states(**asked)["InstancePatchStates"] == []
    assert lab.ssm.describe_instance_patches(InstanceId=lab.id("a"))["Patches"] == []
    many = {"InstanceIds": [f"i-{number:017x}" for number in range(51)]}
    assert error_of(lab.ssm.describe_instance_patch_states, **many) == "ValidationException"


@pytest.mark.parametrize(
    ("fault", "hresult"),
    [
        ("service_stopped", "0x80070422"),
        ("service_disabled", "0x80070422"),
        ("cache_corrupt", "0x80248007"),
        ("no_route", "0x8024402C"),
        ("unrepairable", "0x8024FFFF"),
    ],
)
@pytest.mark.parametrize("operation", ["Scan", "Install"])
def test_a_search_that_fails(make_lab: MakeLab, fault: str, hresult: str, operation: str) -> None:
    lab = make_lab(_host(UPDATE, windows_update=fault))
    reported = lab.patch("a", operation)
    assert reported["Status"] == "Failed"
    assert hresult in reported["StandardErrorContent"]
    state = lab.patch_state("a")
    assert (state["MissingCount"], state["InstalledCount"], state["NotApplicableCount"]) == (-1, -1, -1)
    assert state["OperationEndTime"].astimezone(UTC) == datetime(1970, 1, 1, tzinfo=UTC)
    assert lab.truth("a")["installed"] == []


def test_the_witness_beside_the_snapshot(make_lab: MakeLab) -> None:
    lab = make_lab(_host(UPDATE))
    command = lab.start_patch("a", "Scan")
    lab.run_for(100)
    patch = [{"Key": "ComplianceType", "Values": ["Patch"]}]
    items = lab.ssm.list_compliance_items(ResourceIds=[lab.id("a")], ResourceTypes=["ManagedInstance"], Filters=patch)[
        "ComplianceItems"
    ]
    assert [(item["Id"], item["Status"]) for item in items] == [("KB5031361", "NON_COMPLIANT")]
    assert items[0]["ExecutionSummary"]["ExecutionId"] == command


def test_two_runs_within_two_minutes_fail_silently(make_lab: MakeLab) -> None:
    lab = make_lab(_host(UPDATE, scan_seconds=30))
    lab.patch("a", "Scan", seconds=60)
    first = lab.patch_state("a")["OperationEndTime"]
    reported = lab.patch("a", "Install", seconds=70)
    assert reported["Status"] == "Success"
    assert lab.patch_state("a")["OperationEndTime"] == first
    assert lab.truth("a")["installed"] == []
    lab.patch("a", "Install")
    assert lab.truth("a")["installed"] == ["KB5031361"]


# ---- Install


def test_an_install_reboots_and_does_not_list_what_is_still_missing(make_lab: MakeLab) -> None:
    first = _installs(UPDATE, kb="KB5030001", seconds=60)
    second = _installs(UPDATE, kb="KB5030002", seconds=60, needs="KB5030001")
    lab = make_lab(_host(first, second))
    reported = lab.patch("a", "Install")
    assert reported["Status"] == "Success"
    assert lab.truth("a")["installed"] == ["KB5030001"]  # what it made room for has to wait for the next pass
    assert lab.truth("a")["missing"] == ["KB5030002"]
    assert lab.truth("a")["reboots"] == 1
    state = lab.patch_state("a")
    assert (state["Operation"], state["InstalledCount"], state["MissingCount"]) == ("Install", 1, 0)
    lab.patch("a", "Scan")
    assert lab.patches("a", "Missing") == ["KB5030002"]


def test_the_command_is_in_progress_over_the_reboot(make_lab: MakeLab) -> None:
    lab = make_lab(_host(UPDATE, scan_seconds=60, boot_seconds=90, agent_seconds=30))
    command = lab.start_patch("a")
    lab.run_for(60 + 300 + 30)
    assert not lab.play.world.hosts["a"].guest.up
    assert lab.details(command, "a") == "InProgress"
    lab.run_for(120)
    assert lab.details(command, "a") == "Success"


def test_anything_installed_is_a_reason_to_reboot(make_lab: MakeLab) -> None:
    lab = make_lab(_host(_installs(UPDATE, reboot=False)))
    lab.patch("a")
    assert lab.truth("a")["reboots"] == 1


def test_nothing_is_missing_but_a_reboot_is_pending(make_lab: MakeLab) -> None:
    lab = make_lab(_host(pending_reboot=True))
    lab.patch("a", "Scan")
    state = lab.patch_state("a")
    assert (state["InstalledPendingRebootCount"], state["SecurityNonCompliantCount"]) == (1, 1)
    lab.patch("a", "Install")
    assert lab.truth("a")["reboots"] == 1
    lab.patch("a", "Scan")
    assert lab.patch_state("a")["InstalledPendingRebootCount"] == 0
    assert lab.truth("a")["installed"] == []


def test_a_reboot_pending_from_before_survives_the_first_boot(make_lab: MakeLab) -> None:
    lab = make_lab(_host(pending_reboot=True, state="stopped"))
    lab.start("a")
    lab.run_for(200)
    lab.patch("a", "Install")
    assert lab.truth("a")["reboots"] == 1


def test_nothing_missing_and_nothing_pending_is_no_reason_to_reboot(make_lab: MakeLab) -> None:
    lab = make_lab(_host(LOW))
    lab.patch("a", "Install")
    assert (lab.truth("a")["reboots"], lab.truth("a")["missing"]) == (0, [])


def test_no_reboot_leaves_it_pending(make_lab: MakeLab) -> None:
    lab = make_lab(_host(UPDATE))
    lab.patch("a", "Install", RebootOption="NoReboot")
    state = lab.patch_state("a")
    assert (state["InstalledPendingRebootCount"], state["RebootOption"]) == (1, "NoReboot")
    assert state["LastNoRebootInstallOperationTime"] == state["OperationEndTime"]
    assert lab.truth("a")["reboots"] == 0


def test_an_update_that_fails(make_lab: MakeLab) -> None:
    good = _installs(UPDATE, kb="KB5031990", seconds=60)
    lab = make_lab(_host(_installs(UPDATE, result="0x800F0922"), good))
    reported = lab.patch("a")
    assert (reported["Status"], reported["ResponseCode"]) == ("Failed", 1)
    assert (lab.truth("a")["installed"], lab.truth("a")["missing"]) == (["KB5031990"], ["KB5031361"])
    assert lab.patches("a", "Failed") == ["KB5031361"]
    assert "0x800F0922" not in str(lab.ssm.describe_instance_patches(InstanceId=lab.id("a"))["Patches"])
    entries = lab.script("a", "update_history")["data"]["entries"]
    assert [(entry["kb"], entry["result"], entry["hresult"]) for entry in entries] == [
        ("KB5031990", "succeeded", "0x00000000"),
        ("KB5031361", "failed", "0x800F0922"),
    ]


def test_an_update_that_is_gone_after_the_reboot(make_lab: MakeLab) -> None:
    lab = make_lab(_host(_installs(UPDATE, result="vanishes")))
    reported = lab.patch("a")
    assert reported["Status"] == "Success"
    assert lab.patch_state("a")["InstalledCount"] == 1
    lab.patch("a", "Scan")
    assert lab.patches("a", "Missing") == ["KB5031361"]
    assert (lab.truth("a")["installed"], lab.truth("a")["missing"]) == ([], ["KB5031361"])


def test_an_update_that_is_only_said_to_have_failed(make_lab: MakeLab) -> None:
    lab = make_lab(_host(_installs(UPDATE, result="reported_failed")))
    reported = lab.patch("a")
    assert reported["Status"] == "Failed"
    assert lab.patches("a", "Failed") == ["KB5031361"]
    lab.patch("a", "Scan")
    assert lab.patch_state("a")["MissingCount"] == 0
    assert lab.truth("a")["missing"] == []


def test_room_is_needed_while_it_installs(make_lab: MakeLab) -> None:
    lab = make_lab(_host(_installs(UPDATE, gib=5), disk={"size_gib": 60, "free_gib": 3}))
    lab.patch("a")
    entry = lab.script("a", "update_history")["data"]["entries"][0]
    assert entry["hresult"] == "0x80070070"
    assert lab.truth("a")["missing"] == ["KB5031361"]
    roomy = make_lab(_host(_installs(UPDATE, gib=5)))
    roomy.start_patch("a")
    roomy.run_for(120)
    assert roomy.truth("a")["free_gib"] == 25
    roomy.run_for(1000)
    assert roomy.truth("a")["free_gib"] == 30


def test_corrupt_components_can_be_searched_but_not_changed(make_lab: MakeLab) -> None:
    lab = make_lab(_host(UPDATE, windows_update="components_corrupt"))
    assert lab.patch("a", "Scan")["Status"] == "Success"
    assert lab.patch("a", "Install")["Status"] == "Failed"
    assert lab.script("a", "update_history")["data"]["entries"][0]["hresult"] == "0x80073712"
    assert lab.script("a", "repair_components")["data"]["restore_health"] == "repaired"
    assert lab.patch("a", "Install")["Status"] == "Success"


def test_updates_are_installed_one_after_the_other(make_lab: MakeLab) -> None:
    updates = [_installs(UPDATE, kb=f"KB503000{number}", seconds=600) for number in (1, 2)]
    lab = make_lab(_host(*updates))
    lab.start_patch("a")
    lab.run_for(700)
    assert lab.truth("a")["installed"] == ["KB5030001"]
    results = [entry["result"] for entry in _history(lab)]
    assert results == ["succeeded", "in_progress"]


def _history(lab: VirtualLab) -> list[dict[str, Any]]:
    return [vars(entry) for entry in lab.play.world.hosts["a"].guest.updates.history]


def test_an_installation_that_hangs(make_lab: MakeLab) -> None:
    lab = make_lab(_host(_installs(UPDATE, result="hangs")))
    command = lab.start_patch("a", StepTimeoutSeconds="1800")
    lab.run_for(1700)
    assert lab.details(command, "a") == "InProgress"
    lab.run_for(200)
    assert lab.details(command, "a") == "ExecutionTimedOut"
    servicing = lab.script("a", "servicing_state")["data"]
    assert servicing["installing"] is True
    assert servicing["last_progress_at"] < lab.script("a", "probe")["data"]["time"]  # as opposed to one that gets on
    assert "TiWorker" in servicing["processes"]
    lab.stop("a")
    assert (lab.truth("a")["cut_off"], lab.truth("a")["cut_off_by_us"]) == (1, 1)


def test_no_installation_begins_while_another_one_is_active(make_lab: MakeLab) -> None:
    lab = make_lab(_host(_installs(UPDATE, result="hangs")))
    command = lab.start_patch("a")
    lab.run_for(200)
    lab.ssm.cancel_command(CommandId=command)
    reported = lab.patch("a", seconds=200)
    assert reported["Status"] == "Failed"
    assert "0x80240016" in reported["StandardErrorContent"]
    assert (lab.truth("a")["reboots"], lab.truth("a")["cut_off"]) == (0, 0)


def test_a_cancelled_command_lets_windows_finish_what_it_has_started(make_lab: MakeLab) -> None:
    updates = [_installs(UPDATE, kb=f"KB503000{number}", seconds=600) for number in (1, 2)]
    lab = make_lab(_host(*updates))
    command = lab.start_patch("a")
    lab.run_for(200)
    lab.ssm.cancel_command(CommandId=command)
    lab.run_for(10)
    assert lab.details(command, "a") == "Cancelled"
    assert lab.play.world.hosts["a"].guest.updates.installing
    lab.run_for(2000)
    assert not lab.play.world.hosts["a"].guest.updates.installing
    assert (lab.truth("a")["installed"], lab.truth("a")["reboots"]) == (["KB5030001"], 0)


def test_an_installation_continues_when_the_agent_dies_and_the_reboot_revives_it(make_lab: MakeLab) -> None:
    lab = make_lab(_host(UPDATE), events=[{"when": "a installing", "do": "agent_dies"}])
    command = lab.start_patch("a")
    lab.run_for(200)
    assert not lab.play.world.hosts["a"].agent.connected
    lab.run_for(500)
    assert (lab.truth("a")["installed"], lab.truth("a")["reboots"]) == (["KB5031361"], 1)
    assert lab.details(command, "a") == "Success"


def test_an_agent_that_does_not_come_back_leaves_the_command_in_progress(make_lab: MakeLab) -> None:
    lab = make_lab(_host(UPDATE, agent="lost_after_reboot"))
    command = lab.start_patch("a", StepTimeoutSeconds="1800")
    lab.run_for(5000)
    assert lab.details(command, "a") == "InProgress"
    lab.run_for(600)
    assert lab.details(command, "a") == "ExecutionTimedOut"
    assert lab.truth("a")["installed"] == ["KB5031361"]


def test_a_host_that_loses_power_while_it_installs(make_lab: MakeLab) -> None:
    events = [{"when": "a installing", "do": "stop"}]
    lab = make_lab(_host(UPDATE), events=events)
    lab.start_patch("a")
    lab.run_for(300)
    assert (lab.truth("a")["cut_off"], lab.truth("a")["cut_off_by_us"]) == (1, 0)
    assert lab.truth("a")["missing"] == ["KB5031361"]
    assert _history(lab)[0]["result"] == "failed"


def test_severity_counts_over_ssm_but_not_over_winrm(make_lab: MakeLab) -> None:
    moderate = {"kb": "KB5040002", "severity": "moderate", "class": "security"}
    lab = make_lab(_host(moderate, LOW), {"name": "w", "kind": "winrm", "updates": [moderate, LOW]})
    assert lab.truth("a")["missing"] == []
    assert lab.truth("w")["missing"] == ["KB5040002"]


def test_output_goes_where_it_was_asked_to_go(make_lab: MakeLab) -> None:
    lab = make_lab(_host(UPDATE))
    logs = {"CloudWatchOutputEnabled": True, "CloudWatchLogGroupName": "/aws/ssm/patch-manager"}
    parameters = {"Operation": ["Scan"]}
    command = lab.send("a", document="AWS-RunPatchBaseline", parameters=parameters, CloudWatchOutputConfig=logs)
    lab.run_for(100)
    streams = lab.client("logs").describe_log_streams(logGroupName="/aws/ssm/patch-manager")["logStreams"]
    assert [stream["logStreamName"] for stream in streams] == [f"{command}/{lab.id('a')}/PatchWindows/stdout"]


def test_overrides_are_not_known(make_lab: MakeLab) -> None:
    lab = make_lab(_host(UPDATE))
    parameters = {"Operation": ["Install"], "BaselineOverride": ["s3://bucket/file"]}
    call = {"InstanceIds": [lab.id("a")], "DocumentName": "AWS-RunPatchBaseline", "Parameters": parameters}
    assert error_of(lab.ssm.send_command, **call) == "NotImplemented"
