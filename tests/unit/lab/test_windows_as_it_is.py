# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host's key ``windows`` makes of its Windows."""

from __future__ import annotations

import math
from typing import Any

import pytest

from conftest import MakeLab
from lab.guest_logon import Logon
from lab.guest_services import NEVER_STARTED
from lab.scripts_model import run as run_model
from virtual_lab import UPDATE, VirtualLab, script


def a(lab: VirtualLab) -> Any:
    return lab.play.world.hosts["a"].guest


def windows(**keys: Any) -> dict[str, Any]:
    return {"windows": keys}


def services(lab: VirtualLab) -> tuple[set[str], dict[str, int]]:
    """Those that run, and those that do not with their exit codes."""
    answer = lab.script("a", "inspect_boot", {"since": None})["data"]
    return set(answer["services"]), {each["name"]: each["exit_code"] for each in answer["services_not_running"]}


# ---- services


def test_services_of_sessions_are_gone_for_good_after_a_reboot(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a", "sessions": 1, "updates": [UPDATE], **windows(per_user_services=8)})
    of_sessions = [service for service in a(lab).services if service.of_session]
    assert len({service.name for service in of_sessions}) == 8
    assert {service.status for service in of_sessions} == {"running"}
    assert not any("_" in name for name in services(lab)[0])
    lab.patch("a")
    assert not any(service.of_session for service in a(lab).services)


def test_a_service_that_ends_by_itself_runs_for_ten_minutes_after_each_boot(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a", "state": "stopped", **windows(self_ending_services=["edgeupdate"])})
    lab.start("a")
    lab.run_for(120)
    assert a(lab).services["edgeupdate"].status == "running"
    lab.run_for(600)
    assert (a(lab).services["edgeupdate"].status, a(lab).services["edgeupdate"].exit_code) == ("stopped", 0)
    assert services(lab)[1] == {}


def test_a_service_that_a_boot_started_is_not_ended_for_an_earlier_one(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a", "state": "stopped", **windows(self_ending_services=["edgeupdate"])})
    lab.start("a")
    lab.run_for(400)
    lab.stop("a")
    lab.run_for(100)
    lab.start("a")
    lab.run_for(400)
    assert a(lab).services["edgeupdate"].status == "running"


def test_a_service_fails_after_the_first_reboot_and_no_sooner(make_lab: MakeLab) -> None:
    keys = windows(failing_services=["LineOfBusiness"])
    lab = make_lab({"name": "a", "state": "stopped", "updates": [UPDATE], **keys})
    lab.start("a")
    lab.run_for(200)
    assert services(lab) == ({*services(lab)[0], "LineOfBusiness"}, {})
    lab.patch("a")
    running, not_running = services(lab)
    assert "LineOfBusiness" not in running
    assert not_running == {"LineOfBusiness": 1}


def test_trusted_installer_is_automatic_as_long_as_a_reboot_is_pending(make_lab: MakeLab) -> None:
    keys = windows(trusted_installer_turns_manual=True)
    lab = make_lab({"name": "a", "pending_reboot": True, "updates": [UPDATE], **keys})
    installer = a(lab).services["TrustedInstaller"]
    assert (installer.start_type, installer.status) == ("automatic", "running")
    assert "TrustedInstaller" not in services(lab)[0]
    lab.patch("a")
    assert (installer.start_type, installer.status) == ("manual", "stopped")
    assert lab.truth("a")["start_types"]["TrustedInstaller"] == "manual"


def test_a_transaction_waits_for_ever_where_trusted_installer_was_set_to_manual(make_lab: MakeLab) -> None:
    keys = windows(trusted_installer_turns_manual=True)
    lab = make_lab({"name": "a", "pending_reboot": True, **keys})
    a(lab).services["TrustedInstaller"].start_type = "manual"
    a(lab).reboot()
    lab.run_for(300)
    assert a(lab).updates.waits_for_reboot


@pytest.mark.parametrize(
    ("disabled", "agent", "search"),
    [
        ("wuauserv", "0x80070422", "0x80070422"),
        ("cryptsvc", None, "0x80070422"),
        ("bits", None, None),  # Windows downloads by Delivery Optimization
    ],
)
def test_what_is_disabled_on_purpose(make_lab: MakeLab, disabled: str, agent: str | None, search: str | None) -> None:
    keys = windows(start_types={disabled: "disabled"})
    lab = make_lab({"name": "a", "state": "stopped", "updates": [UPDATE], **keys})
    lab.start("a")
    lab.run_for(200)
    found = lab.script("a", "inspect_windows_update")["data"]
    assert (found["agent"]["hresult"], found["search"]["hresult"]) == (agent, search)
    assert lab.truth("a")["start_types"][disabled] == "disabled"
    asked = {"name": disabled, "start_type": "disabled", "status": "stopped"}
    lab.script("a", "repair_services", {"services": [disabled]})
    assert lab.script("a", "inspect_windows_update")["data"]["search"]["ok"]
    assert lab.patch("a")["Status"] == "Success"
    assert lab.truth("a")["start_types"][disabled] != "disabled"
    restored = lab.script("a", "restore_services", {"services": [asked]})["data"]["restored"]
    assert (restored[0]["start_type"], restored[0]["status"], restored[0]["trouble"]) == ("disabled", "stopped", None)
    assert lab.truth("a")["start_types"][disabled] == "disabled"


def test_an_installation_needs_trusted_installer(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a", "updates": [UPDATE], **windows(start_types={"TrustedInstaller": "disabled"})})
    assert lab.patch("a")["Status"] == "Failed"
    assert a(lab).updates.history[-1].hresult == "0x80070422"


def test_what_a_user_changed_meanwhile_is_left_to_them(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a"})
    a(lab).services["wuauserv"].start_type = "automatic"
    asked = {"name": "wuauserv", "start_type": "disabled", "status": "stopped", "expected_start_type": "manual"}
    (restored,) = lab.script("a", "restore_services", {"services": [asked]})["data"]["restored"]
    assert (restored["changed_by_others"], restored["start_type"]) == (True, "automatic")


def test_a_stuck_service_stays_so_until_a_reboot(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a", "windows_update": "cache_corrupt", **windows(stuck_service="wuauserv")})
    error = lab.script("a", "reset_update_cache")["error"]
    assert error["category"] == "cache_in_use"
    assert "wuauserv" in error["message"]
    assert a(lab).services["wuauserv"].status == "stop_pending"
    assert lab.script("a", "inspect_windows_update")["data"]["agent"]["hresult"] == "0x8024001E"
    a(lab).reboot()
    lab.run_for(300)
    assert a(lab).services["wuauserv"].status == "running"


def test_a_service_that_was_never_started_says_so(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a"})
    a(lab).services["LanmanServer"].end(NEVER_STARTED)
    assert services(lab)[1] == {"LanmanServer": 1077}


# ---- the disk


def test_behind_a_gap_lies_a_data_partition(make_lab: MakeLab) -> None:
    disk = {"size_gib": 50, "free_gib": 3, "slack_gib": 4}
    lab = make_lab({"name": "a", "disk": disk, **windows(gap_gib=3)})
    assert lab.truth("a")["volume_gib"] == 107
    measured = lab.script("a", "measure_disk")["data"]
    assert (measured["extendable_gib"], measured["blocked_by"]) == (3, "other_partition")
    assert lab.script("a", "extend_partition")["data"]["partition_gib"] == 52.998
    assert lab.script("a", "extend_partition")["error"]["category"] == "other_partition"
    root = lab.describe("a")["BlockDeviceMappings"][-1]["Ebs"]["VolumeId"]
    lab.ec2.modify_volume(VolumeId=root, Size=150)
    lab.run_for(300)
    assert lab.script("a", "measure_disk")["data"]["extendable_gib"] == 0


def test_what_running_programs_use_seems_old_from_above(make_lab: MakeLab) -> None:
    disk = {"size_gib": 60, "free_gib": 12, "temp_gib": 14}
    lab = make_lab({"name": "a", "disk": disk, **windows(live_temp=True)})
    temp = a(lab).disk.temp
    for user_temp in (False, True):
        lab.script("a", "clean_disk", {"temp_age_days": 1, "user_temp": user_temp})
        assert (lab.truth("a")["deleted_in_use"], lab.truth("a")["free_gib"]) == (0, 12)
    (folder,) = [path for path in temp.children("C:\\Windows\\Temp") if "tomcat" in path]
    a(lab).disk.delete(folder)
    assert (lab.truth("a")["deleted_in_use"], lab.truth("a")["free_gib"]) == (2, 16)


# ---- the servicing stack


def clean(lab: VirtualLab, seconds: int) -> str:
    """Send a clean-up that is ended after ``seconds``."""
    parameters = {"commands": script("clean_disk"), "executionTimeout": [str(seconds)]}
    return lab.send("a", parameters=parameters)


def test_a_clean_up_continues_when_no_one_waits_for_it(make_lab: MakeLab) -> None:
    disk = {"size_gib": 60, "free_gib": 12, "component_store_gib": 6}
    lab = make_lab({"name": "a", "disk": disk, "updates": [{**UPDATE, "gib": 0}], **windows(clean_seconds=2000)})
    command = clean(lab, 300)
    lab.run_for(400)
    assert lab.details(command, "a") == "ExecutionTimedOut"
    state = lab.script("a", "servicing_state")["data"]
    assert (state["installing"], state["servicing"], state["busy"]) == (True, 2, False)
    installing = lab.start_patch("a")
    lab.run_for(500)
    assert lab.truth("a")["installed"] == []  # it waits
    lab.run_for(1200)
    assert lab.truth("a")["free_gib"] == 18
    assert lab.details(installing, "a") == "Success"
    assert lab.truth("a")["installed"] == [UPDATE["kb"]]


def test_a_clean_up_within_its_limit_says_that_it_still_runs(make_lab: MakeLab) -> None:
    disk = {"size_gib": 60, "free_gib": 12, "component_store_gib": 6}
    lab = make_lab({"name": "a", "disk": disk, **windows(clean_seconds=2000)})
    cleaned = lab.script("a", "clean_disk", {"component_store_seconds": 600})["data"]
    assert cleaned["rungs"][-1] == {"name": "component_store", "won_gib": 0.0, "skipped": "still_running"}


def test_a_stop_cuts_off_a_clean_up(make_lab: MakeLab) -> None:
    disk = {"size_gib": 60, "free_gib": 12, "component_store_gib": 6}
    lab = make_lab({"name": "a", "disk": disk, **windows(clean_seconds=2000)})
    clean(lab, 3000)
    lab.run_for(100)
    lab.stop("a")
    truth = lab.truth("a")
    assert (truth["cut_off"], truth["cut_off_by_us"], truth["stopped_while_pending"]) == (1, 1, 1)
    lab.run_for(3000)
    assert lab.truth("a")["free_gib"] == 12


@pytest.mark.parametrize("state", ["running", "stopped"])
def test_a_reboot_that_others_left_is_no_business_of_patch_manager(make_lab: MakeLab, state: str) -> None:
    lab = make_lab({"name": "a", "state": state, **windows(pending_by_others=True)})
    if state == "stopped":
        lab.start("a")
        lab.run_for(200)
    lab.patch("a", "Install")
    assert lab.patch_state("a")["InstalledPendingRebootCount"] == 0
    assert lab.truth("a")["reboots"] == 0
    assert lab.script("a", "servicing_state")["data"]["pending_reboot"] == ["component_based_servicing"]
    lab.stop("a")
    assert (lab.truth("a")["stopped_while_pending"], lab.truth("a")["cut_off"]) == (1, 0)
    lab.run_for(200)
    lab.start("a")
    lab.run_for(200)
    assert lab.script("a", "servicing_state")["data"]["servicing"] == 0
    lab.stop("a")
    assert lab.truth("a")["stopped_while_pending"] == 1


@pytest.mark.parametrize(("lingers", "after_seconds"), [(900, 1000), ("always", math.inf)])
def test_the_worker_stays_awake_after_a_search_and_does_nothing(
    make_lab: MakeLab, lingers: Any, after_seconds: float
) -> None:
    lab = make_lab({"name": "a", **windows(tiworker_seconds=lingers)})
    assert a(lab).updates.processes() == []
    lab.patch("a", "Scan", seconds=120)
    assert a(lab).updates.processes() == ["TiWorker"]
    assert a(lab).updates.servicing_in_progress == 0
    assert lab.script("a", "servicing_state")["data"]["installing"] is False
    lab.run_for(min(after_seconds, 100_000))
    assert bool(a(lab).updates.processes()) is math.isinf(after_seconds)


# ---- searches


def test_the_first_searches_fail_one_after_the_other(make_lab: MakeLab) -> None:
    faults = ["0x8024401c", "0x80244010", "0x8024A10A"]
    lab = make_lab({"name": "a", "updates": [UPDATE], **windows(search_faults=faults)})
    assert lab.script("a", "missing_update_sizes")["error"]["hresult"] == "0x8024401C"
    found = lab.script("a", "inspect_windows_update")["data"]
    assert (found["agent"]["ok"], found["search"]["hresult"]) == (True, "0x80244010")
    found = lab.script("a", "inspect_windows_update")["data"]
    assert found["search"]["message"] == "Exception from HRESULT: 0x8024A10A", "the lab has no words for it"
    assert lab.script("a", "inspect_windows_update")["data"]["search"]["ok"] is True


def test_a_search_takes_its_time_and_may_be_left_out(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a", **windows(search_seconds=1500)})
    long, short = (
        lab.send("a", parameters={"commands": script("inspect_windows_update", parameters)})
        for parameters in ({}, {"search": False})
    )
    lab.run_for(1200)
    assert (lab.details(long, "a"), lab.details(short, "a")) == ("InProgress", "Success")
    lab.run_for(600)
    assert lab.details(long, "a") == "Success"


@pytest.mark.parametrize(
    ("refusal", "logon", "agent", "busy"),
    [
        ("refused", Logon.NETWORK, "0x80070005", None),
        ("refused", Logon.SYSTEM, None, False),
        ("ok", Logon.NETWORK, None, None),
    ],
)
def test_what_a_network_logon_is_refused(
    make_lab: MakeLab, refusal: str, logon: Logon, agent: str | None, busy: bool | None
) -> None:
    lab = make_lab({"name": "a", **windows(update_api_over_network=refusal)})
    host = lab.play.world.hosts["a"]

    def answer(name: str) -> Any:
        steps = run_model(host, "\n".join(script(name)), lambda *_: None, logon)
        try:
            while True:
                next(steps)
        except StopIteration as ended:
            return ended.value.stdout

    assert f'"busy": {"null" if busy is None else "false"}' in answer("servicing_state")
    assert ('"hresult": "0x80070005"' in answer("inspect_windows_update")) is (agent is not None)
    assert ("update_api_refused" in answer("update_history")) is (agent is not None)


def test_definitions_are_new_again_soon_after_they_were_installed(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a", "updates": [UPDATE], **windows(definitions_every_seconds=30)})
    lab.patch("a")
    assert set(lab.truth("a")["installed"]) == {UPDATE["kb"], "KB2267602"}
    lab.run_for(130)
    lab.patch("a", "Scan")
    assert (lab.patch_state("a")["MissingCount"], lab.truth("a")["missing"]) == (1, [])
    (row,) = lab.ssm.describe_instance_patches(
        InstanceId=lab.id("a"), Filters=[{"Key": "State", "Values": ["Missing"]}]
    )["Patches"]
    assert (row["KBId"], row["Classification"]) == ("KB2267602", "DefinitionUpdates")


def test_without_the_key_no_definition_is_offered(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a"})
    lab.patch("a", "Scan")
    assert lab.patch_state("a")["MissingCount"] == 0


# ---- policies


@pytest.mark.parametrize(
    ("policies", "kind", "hresult"),
    [
        ({"DisableWindowsUpdateAccess": 1}, "microsoft", "0x8024002E"),
        ({"DoNotConnectToWindowsUpdateInternetLocations": 1}, "microsoft", "0x8024500C"),
        ({"DoNotConnectToWindowsUpdateInternetLocations": 1, "UseWUServer": 1, "WUServer": "http://w"}, "wsus", None),
        (
            {
                "DisableWindowsUpdateAccess": 1,
                "UseWUServer": 1,
                "UseUpdateClassPolicySource": 1,
                "SetPolicyDrivenUpdateSourceForQualityUpdates": 0,
            },
            "microsoft",
            "0x8024002E",
        ),
        ({"AUOptions": 4}, "microsoft", None),
    ],
    ids=str,
)
def test_what_policies_do_to_the_source_of_updates(
    make_lab: MakeLab, policies: dict[str, Any], kind: str, hresult: str | None
) -> None:
    lab = make_lab({"name": "a", "updates": [UPDATE], **windows(policies=policies)})
    found = lab.script("a", "inspect_windows_update")["data"]
    assert (found["update_source"]["kind"], found["search"]["hresult"]) == (kind, hresult)
    lab.patch("a", "Scan")
    assert lab.patch_state("a")["MissingCount"] == (-1 if hresult else 1)


def test_a_pause_of_microsofts_offers_hides_what_is_missing(make_lab: MakeLab) -> None:
    paused = {"PauseQualityUpdatesStartTime": "2026-11-01"}
    lab = make_lab(
        {"name": "a", "updates": [UPDATE], **windows(policies=paused)},
        {"name": "b", "updates": [UPDATE], **windows(policies={**paused, "UseWUServer": 1})},
    )
    for name, missing in (("a", 0), ("b", 1)):
        lab.patch(name, "Scan")
        assert lab.patch_state(name)["MissingCount"] == missing


def test_a_policy_disables_a_service_again_at_each_boot(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a", **windows(policy_services=["wuauserv"])})
    found = lab.script("a", "inspect_windows_update")["data"]
    assert (found["services_of_policy"], found["agent"]["hresult"]) == (["wuauserv"], "0x80070422")
    lab.script("a", "repair_services", {"services": ["wuauserv"]})
    assert lab.script("a", "inspect_windows_update")["data"]["agent"]["ok"]
    a(lab).reboot()
    lab.run_for(300)
    assert lab.script("a", "inspect_windows_update")["data"]["agent"]["hresult"] == "0x80070422"


@pytest.mark.parametrize(
    ("more", "hresult"),
    [
        ({}, "0x800F0906"),
        ({"RepairContentServerSource": 2}, None),
        ({"LocalSourcePath": "\\\\files\\sxs"}, None),
        ({"UseWUServer": 0}, None),
    ],
    ids=str,
)
def test_behind_wsus_dism_finds_nothing_to_repair_with(
    make_lab: MakeLab, more: dict[str, Any], hresult: str | None
) -> None:
    policies = {"UseWUServer": 1, "WUServer": "http://wsus:8530", **more}
    lab = make_lab({"name": "a", "windows_update": "components_corrupt", **windows(policies=policies)})
    answer = lab.script("a", "repair_components")
    assert (answer["error"] or {}).get("hresult") == hresult
    assert (a(lab).updates.fault == "ok") is (hresult is None)


def test_damage_is_marked_only_once_an_operation_has_met_it(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a", "windows_update": "components_corrupt", "updates": [UPDATE]})
    lab.patch("a", "Scan")
    assert a(lab).updates.components_flagged is False
    assert lab.script("a", "repair_components")["data"]["restore_health"] == "not_known"
    again = make_lab({"name": "a", "windows_update": "components_corrupt", "updates": [UPDATE]})
    again.patch("a", "Install")
    assert a(again).updates.components_flagged is True
    assert again.script("a", "repair_components")["data"]["restore_health"] == "repaired"
    assert a(again).updates.components_flagged is False


def test_the_servicing_stack_works_on_after_the_boot_that_ends_a_transaction(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a", "updates": [UPDATE], **windows(servicing_after_boot_seconds=20_000)})
    lab.patch("a")
    state = lab.script("a", "servicing_state")["data"]
    assert (state["installing"], state["servicing"], state["pending_reboot"]) == (True, 2, [])
    lab.stop("a")
    assert lab.truth("a")["cut_off_by_us"] == 1


def test_where_no_transaction_was_open_a_boot_ends_without_servicing(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a", "state": "stopped", **windows(servicing_after_boot_seconds=20_000)})
    lab.start("a")
    lab.run_for(300)
    assert lab.script("a", "servicing_state")["data"]["installing"] is False


# ---- reboots


def test_before_windows_goes_down_with_a_transaction_the_servicing_stack_works(make_lab: MakeLab) -> None:
    """The agent is still there, with the old boot time; a stop cuts the servicing off."""
    lab = make_lab({"name": "a", "pending_reboot": True, **windows(servicing_before_shutdown_seconds=1800)})
    before = a(lab).boot_time
    a(lab).reboot()
    lab.run_for(500)
    a(lab).reboot()
    state = lab.script("a", "servicing_state")["data"]
    assert (state["installing"], state["servicing"], a(lab).boot_time) == (True, 2, before)
    lab.run_for(1500)
    assert (a(lab).boot_time > before, a(lab).reboots, lab.truth("a")["cut_off"]) == (True, 1, 0)
    assert lab.script("a", "servicing_state")["data"]["servicing"] == 0


def test_a_stop_cuts_off_what_windows_does_before_it_goes_down(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a", "pending_reboot": True, **windows(servicing_before_shutdown_seconds=1800)})
    a(lab).reboot()
    lab.run_for(600)
    lab.stop("a")
    assert lab.truth("a")["cut_off_by_us"] == 1
    lab.run_for(3000)
    assert lab.truth("a")["state"] == "stopped"


def test_without_a_transaction_windows_goes_down_at_once(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a", **windows(servicing_before_shutdown_seconds=1800)})
    a(lab).reboot()
    assert a(lab).up is False


def test_a_transaction_may_need_two_reboots(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a", "updates": [UPDATE], **windows(reboots_per_transaction=2)})
    lab.patch("a")
    assert (a(lab).reboots, a(lab).updates.waits_for_reboot) == (1, True)
    assert lab.patch_state("a")["InstalledPendingRebootCount"] == 1
    a(lab).reboot()
    lab.run_for(300)
    assert a(lab).updates.waits_for_reboot is False


@pytest.mark.parametrize("name", ["clean_disk", "repair_components"])
def test_a_dism_that_ends_with_3010_is_done_and_leaves_a_reboot(make_lab: MakeLab, name: str) -> None:
    disk = {"size_gib": 60, "free_gib": 3, "component_store_gib": 6}
    keys = {"disk": disk, "windows_update": "components_corrupt", **windows(dism_exit_code=3010)}
    lab = make_lab({"name": "a", **keys})
    assert lab.script("a", name)["ok"]
    assert lab.script("a", "servicing_state")["data"]["pending_reboot"] == ["component_based_servicing"]
    assert (a(lab).disk.free_gib, a(lab).updates.fault) == (
        (9, "components_corrupt") if name == "clean_disk" else (3, "ok")
    )


def test_a_dism_that_fails_has_done_nothing(make_lab: MakeLab) -> None:
    disk = {"size_gib": 60, "free_gib": 3, "component_store_gib": 6}
    lab = make_lab({"name": "a", "disk": disk, **windows(dism_exit_code=87)})
    assert lab.script("a", "clean_disk")["data"]["rungs"][-1]["skipped"] == "dism_exit_code_87"
    assert (a(lab).disk.free_gib, a(lab).updates.pending_reboot) == (3, set())


# ---- what a reset of the cache meets


def test_updates_that_a_person_has_hidden_come_back_with_a_new_cache(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a", "updates": [{**UPDATE, "hidden": True}]})
    assert lab.script("a", "missing_update_sizes")["data"]["count"] == 0
    lab.patch("a", "Scan")
    assert (lab.patch_state("a")["MissingCount"], lab.truth("a")["missing"]) == (0, [])
    lab.script("a", "reset_update_cache")
    assert lab.script("a", "missing_update_sizes")["data"]["count"] == 1
    assert lab.truth("a")["missing"] == [UPDATE["kb"]]


@pytest.mark.parametrize(("folder", "renamed"), [("SoftwareDistribution", 0), ("catroot2", 1)])
def test_a_folder_in_which_a_program_holds_files_keeps_its_name(make_lab: MakeLab, folder: str, renamed: int) -> None:
    lab = make_lab({"name": "a", **windows(held_folders=[folder])})
    error = lab.script("a", "reset_update_cache", {"catroot2": True})["error"]
    assert (error["category"], error["hresult"], folder in error["message"]) == ("cache_in_use", "0x80070020", True)
    assert len(a(lab).old_caches) == renamed


@pytest.mark.parametrize(
    ("language", "words"), [("de", "Ausnahme von HRESULT: 0x8024402C"), ("ja", "HRESULT からの例外")]
)
def test_windows_speaks_its_own_language(make_lab: MakeLab, language: str, words: str) -> None:
    lab = make_lab({"name": "a", "windows_update": "no_route", **windows(language=language)})
    assert words in lab.script("a", "inspect_windows_update")["data"]["search"]["message"]
