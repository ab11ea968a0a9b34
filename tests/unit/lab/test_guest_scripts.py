# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modelled hosts answer to the product's scripts, and what stands behind it."""

from __future__ import annotations

from typing import Any

import pytest

from conftest import MakeLab
from lab import scripts_model
from virtual_lab import UPDATE, script


def test_the_name_of_a_script_is_in_its_first_line() -> None:
    assert scripts_model.script_name("# patchfleet-script: probe\r\nexit 0") == "probe"
    assert scripts_model.script_name("Get-Date\n# patchfleet-script: probe") is None
    assert scripts_model.script_name("") is None


def test_a_script_that_no_one_knows_fails_and_is_reported(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a"})
    command = lab.send("a", parameters={"commands": script("format_disk")})
    nameless = lab.send("a", parameters={"commands": ["Get-Date"]})
    lab.run_for(30)
    reported = lab.invocation(command, "a")
    assert (reported["Status"], reported["ResponseCode"]) == ("Failed", 1)
    assert "format_disk" in reported["StandardErrorContent"]
    assert lab.invocation(nameless, "a")["ResponseCode"] == 1
    entries = [(entry["service"], entry["operation"]) for entry in lab.trace() if entry["error"] == "NotImplemented"]
    assert sorted(entries) == [("guest", "script format_disk"), ("guest", "script without a name")]


@pytest.mark.parametrize("line", ["", "$PatchFleetInput = 'bm8ganNvbg=='", "$PatchFleetInput = 'W10='"])
def test_parameters_that_cannot_be_read(make_lab: MakeLab, line: str) -> None:
    lab = make_lab({"name": "a"})
    command = lab.send("a", parameters={"commands": ["# patchfleet-script: probe", line]})
    lab.run_for(30)
    assert lab.invocation(command, "a")["ResponseCode"] == 1


def test_probe(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "dev-01", "state": "stopped"})
    lab.start("dev-01")
    lab.run_for(200)
    document = lab.script("dev-01", "probe")
    assert (document["patchfleet"], document["script"], document["ok"]) == (1, "probe", True)
    assert document["data"]["computer_name"] == "DEV-01"
    assert document["data"]["boot_time"] == "2026-11-14T22:01:30Z"
    assert document["data"]["time"] > document["data"]["boot_time"]


def test_measure_and_extend(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a", "disk": {"size_gib": 50, "free_gib": 4, "slack_gib": 30}})
    measured = lab.script("a", "measure_disk")["data"]
    assert {key: measured[key] for key in ("partition_gib", "free_gib", "disk_gib", "extendable_gib")} == {
        "partition_gib": 49.998,
        "free_gib": 4,
        "disk_gib": 80,
        "extendable_gib": 30,
    }
    root = lab.describe("a")["BlockDeviceMappings"][-1]["Ebs"]["VolumeId"]
    assert measured["serial"] == root.replace("-", "") + "_00000001."
    extended = lab.script("a", "extend_partition")["data"]
    sizes = (extended["partition_gib_before"], extended["partition_gib"], extended["free_gib"])
    assert sizes == (49.998, 79.998, 34)
    again = lab.script("a", "extend_partition")
    assert (again["ok"], again["error"]["category"]) == (False, "no_room")
    assert lab.truth("a")["partition_gib"] == 80


def test_a_recovery_partition_blocks_it(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a", "disk": {"size_gib": 50, "free_gib": 4, "slack_gib": 30, "recovery_partition": True}})
    measured = lab.script("a", "measure_disk")["data"]
    assert (measured["disk_gib"], measured["extendable_gib"]) == (80, 0)
    assert measured["blocked_by"] == "recovery_partition"
    assert lab.script("a", "extend_partition")["error"]["category"] == "recovery_partition"


def test_an_mbr_disk_ends_before_two_tebibytes(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a", "disk": {"size_gib": 2040, "free_gib": 4, "slack_gib": 60, "style": "mbr"}})
    measured = lab.script("a", "measure_disk")["data"]
    assert (measured["partition_style"], measured["disk_gib"], measured["extendable_gib"]) == ("mbr", 2100, 7)


def test_a_grown_volume_can_be_used_from_optimizing_on(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a", "volume": {"modifying_seconds": 2000}})
    root = lab.describe("a")["BlockDeviceMappings"][-1]["Ebs"]["VolumeId"]
    lab.ec2.modify_volume(VolumeId=root, Size=80)
    assert lab.script("a", "extend_partition")["error"]["category"] == "no_room"
    lab.run_for(1200)
    assert lab.script("a", "extend_partition")["data"]["partition_gib"] == 79.998


def test_cleaning_wins_what_there_is_and_takes_its_time(make_lab: MakeLab) -> None:
    disk = {"size_gib": 60, "free_gib": 12, "temp_gib": 4, "component_store_gib": 6}
    lab = make_lab({"name": "a", "disk": disk})
    parameters = {"reset_base": False, "temp_age_days": 1}
    command = lab.send("a", parameters={"commands": script("clean_disk", parameters)})
    lab.run_for(100)
    assert lab.details(command, "a") == "InProgress"
    lab.run_for(60)
    assert lab.details(command, "a") == "Success"
    assert lab.truth("a")["free_gib"] == 22
    again = lab.script("a", "clean_disk", parameters)["data"]
    assert (again["free_gib_before"], again["free_gib_after"]) == (22, 22)
    assert [action["name"] for action in again["rungs"]] == [
        "windows_logs",
        "update_cache",
        "temp_files",
        "old_windows",
        "component_store",
    ]


def action(cleaned: dict[str, Any], name: str) -> dict[str, Any]:
    return next(action for action in cleaned["rungs"] if action["name"] == name)


def test_an_older_windows_is_cleaned_only_when_asked(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a", "disk": {"size_gib": 60, "free_gib": 12}})
    lab.play.world.hosts["a"].guest.disk.old_windows_gib = 9.0
    kept = lab.script("a", "clean_disk", {"old_windows": False})["data"]
    assert (kept["free_gib_after"], action(kept, "old_windows")["skipped"]) == (12, "not_asked_for")
    cleaned = lab.script("a", "clean_disk", {"old_windows": True})["data"]
    assert (cleaned["free_gib_after"], action(cleaned, "old_windows")["won_gib"]) == (21, 9)


def test_an_installation_keeps_its_downloads_and_the_component_store(make_lab: MakeLab) -> None:
    disk = {"size_gib": 60, "free_gib": 12, "component_store_gib": 6}
    lab = make_lab({"name": "a", "disk": disk, "updates": [{**UPDATE, "gib": 0, "seconds": 3000}]})
    lab.start_patch("a")
    lab.run_for(200)
    cleaned = lab.script("a", "clean_disk")["data"]
    assert {action["name"]: action["skipped"] for action in cleaned["rungs"] if action["skipped"]} == {
        "update_cache": "installation_running",
        "component_store": "installation_running",
    }
    assert cleaned["free_gib_after"] == 12


def test_sizes_of_what_is_offered(make_lab: MakeLab) -> None:
    updates = [
        {"kb": "KB5030001", "gib": 3},
        {"kb": "KB5030002", "gib": 9, "severity": "low"},
        {"kb": "KB5030003", "needs": "KB5030001"},
        {"kb": "KB5030004", "class": "driver"},
        {"kb": "KB5030005", "class": "feature"},
    ]
    lab = make_lab({"name": "a", "updates": updates}, {"name": "b", "windows_update": "service_disabled"})
    found = lab.script("a", "missing_update_sizes")["data"]
    assert found == {
        "count": 2,
        "updates": [
            {"kb": "KB5030002", "max_download_bytes": 3 * 2**30, "recommended_mib": 9216, "severity": "Low"},
            {"kb": "KB5030001", "max_download_bytes": 2**30, "recommended_mib": 3072, "severity": "Important"},
        ],
    }
    assert lab.script("b", "missing_update_sizes")["error"]["hresult"] == "0x80070422"


def test_what_a_pending_reboot_continues_with_is_not_cleaned(make_lab: MakeLab) -> None:
    """The component store's transaction, and what installers have left in temp."""
    disk = {"size_gib": 60, "free_gib": 12, "temp_gib": 4, "component_store_gib": 6}
    lab = make_lab({"name": "a", "disk": disk, "pending_reboot": True})
    cleaned = lab.script("a", "clean_disk")["data"]
    assert cleaned["free_gib_after"] == 12
    for name in ("update_cache", "temp_files", "component_store"):
        assert action(cleaned, name) == {"name": name, "won_gib": 0.0, "skipped": "reboot_pending"}


def test_a_healthy_host_starts_its_services_on_demand(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a", "sessions": 2})
    found = lab.script("a", "inspect_windows_update")["data"]
    services = {service["name"]: (service["start_type"], service["status"]) for service in found["services"]}
    assert set(services) == {"wuauserv", "bits", "cryptsvc", "trustedinstaller"}
    assert services["wuauserv"] == ("manual", "stopped")
    assert found["agent"]["ok"] is True
    assert found["search"]["ok"] is True
    assert (found["sessions"], found["installing"], found["pending_reboot"]) == (2, False, [])


@pytest.mark.parametrize(
    ("fault", "agent", "search"),
    [
        ("service_stopped", "0x80070422", "0x80070422"),
        ("service_disabled", "0x80070422", "0x80070422"),
        ("cache_corrupt", None, "0x80248007"),
        ("components_corrupt", None, None),
        ("no_route", None, "0x8024402C"),
        ("unrepairable", None, "0x8024FFFF"),
    ],
)
def test_what_is_wrong_with_windows_update(
    make_lab: MakeLab, fault: str, agent: str | None, search: str | None
) -> None:
    lab = make_lab({"name": "a", "windows_update": fault})
    found = lab.script("a", "inspect_windows_update")["data"]
    assert (found["agent"]["hresult"], found["search"]["hresult"]) == (agent, search)


@pytest.mark.parametrize(
    ("fault", "was"), [("service_stopped", ("manual", "stopped")), ("service_disabled", ("disabled", "stopped"))]
)
def test_services_are_repaired(make_lab: MakeLab, fault: str, was: tuple[str, str]) -> None:
    lab = make_lab({"name": "a", "windows_update": fault, "updates": [UPDATE]})
    repaired = lab.script("a", "repair_services", {"services": ["wuauserv", "bits"]})["data"]["repaired"]
    wuauserv = next(service for service in repaired if service["name"] == "wuauserv")
    assert (wuauserv["was_start_type"], wuauserv["was_status"]) == was
    assert (wuauserv["start_type"], wuauserv["status"]) == ("manual", "running")
    assert lab.patch("a")["Status"] == "Success"


def test_a_corrupt_cache_is_repaired_by_a_new_one_and_by_nothing_else(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a", "windows_update": "cache_corrupt"})
    lab.script("a", "repair_components")
    assert lab.script("a", "inspect_windows_update")["data"]["search"]["ok"] is False
    renamed = lab.script("a", "reset_update_cache")["data"]["renamed"]
    assert [name.partition(".patchfleet-")[0] for name in renamed] == ["C:\\Windows\\SoftwareDistribution"]
    assert lab.script("a", "inspect_windows_update")["data"]["search"]["ok"] is True
    assert lab.script("a", "remove_old_update_cache")["data"]["removed"] == renamed
    assert lab.script("a", "remove_old_update_cache")["data"] == {"removed": [], "left": []}
    renamed = lab.script("a", "reset_update_cache", {"catroot2": True})["data"]["renamed"]
    assert renamed[1].startswith("C:\\Windows\\System32\\catroot2.patchfleet-")


def test_a_new_cache_has_no_history(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a", "updates": [UPDATE]})
    lab.patch("a")
    lab.script("a", "reset_update_cache")
    assert lab.script("a", "update_history", {"since": "2026-11-14T22:00:00Z"})["data"]["entries"] == []
    assert lab.truth("a")["installed"] == [UPDATE["kb"]]


def test_some_hosts_cannot_be_repaired(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a", "windows_update": "unrepairable"})
    lab.script("a", "repair_services", {"services": ["wuauserv"]})
    lab.script("a", "reset_update_cache")
    lab.script("a", "repair_components")
    assert lab.script("a", "inspect_windows_update")["data"]["search"]["hresult"] == "0x8024FFFF"


def test_history_begins_where_it_is_asked_to(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a", "updates": [UPDATE]})
    lab.patch("a")
    assert len(lab.script("a", "update_history", {"since": "2026-11-14T22:00:00Z"})["data"]["entries"]) == 1
    assert lab.script("a", "update_history", {"since": "2026-11-15T22:00:00Z"})["data"]["entries"] == []


def test_servicing_state_of_an_idle_host(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a"})
    assert lab.script("a", "servicing_state")["data"] == {
        "installing": False,
        "busy": False,
        "servicing": 0,
        "time": "2026-11-14T22:00:04Z",
        "processes": [],
        "cpu_seconds": 0.0,
        "pending_reboot": [],
        "last_progress_at": None,
    }


def test_people_who_are_logged_on_see_a_message(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "used", "sessions": 2}, {"name": "free"})
    assert lab.script("used", "inspect_sessions")["data"] == {"sessions": 2}
    for name, messages in (("used", ["Back at ten."]), ("free", [])):
        reported = lab.script(name, "send_session_message", {"message": "Back at ten.", "seconds": 60})["data"]
        assert reported["sent"] is bool(messages)
        assert lab.play.world.hosts[name].guest.messages == messages


def test_starts_of_a_host_are_in_its_log(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a", "updates": [{**UPDATE, "seconds": 60}]})
    before = lab.script("a", "inspect_boot", {"since": None})["data"]
    assert before["boots"] is None
    lab.patch("a")
    after = lab.script("a", "inspect_boot", {"since": before["time"]})["data"]
    assert (len(after["boots"]), after["services"]) == (1, before["services"])
    assert after["boot_time"] == after["boots"][0] > before["boot_time"]
