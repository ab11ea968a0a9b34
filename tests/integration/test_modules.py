# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every module with both of its callers, held by the same tests: inside the controller, and delegated elsewhere."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from living_lab import UPDATE, LivingLab, Unsafe
from module_callers import CALLERS, Caller, failed, file_of, scripts

from ansible_collections.patchfleet.windows.plugins.module_utils._ledger import open_ledger

SNAPSHOT = str(uuid.UUID(int=7))
PROBE = ["# patchfleet-script: probe", "$PatchFleetInput = 'e30='"]
NO_SUCH = "i-00000000000000000"

# How a fleet of Windows hosts is often set up, which must not reach what is done on the controller.
WINRM = {"ansible_connection": "winrm", "ansible_shell_type": "powershell", "ansible_port": 5986}

WITHOUT_AWS: dict[str, None] = dict.fromkeys(
    (
        "AWS_ENDPOINT_URL",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
    )
)


def of_each_caller(name: str, **keys: Any) -> list[dict[str, Any]]:
    """A host for each caller, where a test changes it."""
    return [{"name": f"{name}-{caller}", **keys} for caller in CALLERS]


HOSTS: list[dict[str, Any]] = [
    {"name": "still", "groups": ["dev"], "scan_seconds": 10},
    {"name": "silent", "agent": "never"},
    {"name": "scaled", "asg": True, "state": "stopped", "tags": {"Stage": "scaled"}},
    {"name": "busy", "sessions": 2, "windows_update": "no_route"},
    {"name": "bare", "agent": "no_role", "tags": {"Part": "Profile"}},
    {"name": "cramped", "disk": {"size_gib": 60, "free_gib": 5, "recovery_partition": True}},
    {"name": "loud", "groups": ["loud"], "scan_seconds": 10, "updates": [UPDATE]},
    *of_each_caller("off", state="stopped", tags={"PatchGroup": "Windows", "Part": "Run"}),
    *of_each_caller("small"),
    *of_each_caller("full", disk={"size_gib": 60, "free_gib": 4, "temp_gib": 2}),
    *of_each_caller("broken", windows_update="service_disabled"),
    *of_each_caller("old", updates=[UPDATE], scan_seconds=10),
    *of_each_caller("stuck", updates=[{**UPDATE, "result": "0x800F0922"}], scan_seconds=10),
]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivingLab]:
    with LivingLab(tmp_path_factory.mktemp("modules"), HOSTS, scale=240) as lab:
        yield lab


@pytest.fixture(params=list(CALLERS))
def caller(lab: LivingLab, request: pytest.FixtureRequest) -> Caller:
    return Caller(lab, request.param)


# ---- hosts and settings


def test_fleet_info(caller: Caller) -> None:
    mine: dict[str, Any] = {"name": "mine", "instance_id": caller.lab.id("still")}
    found, checked, listed, wild = caller.run(
        caller.task("fleet_info", tag_key="Part", tag_value="Run"),
        caller.task("fleet_info", check=True, tag_key="Stage", tag_value="scaled"),
        caller.task("fleet_info", inventory_hosts=[mine], exclude=["mine"]),
        caller.task("fleet_info", tag_key="PatchGroup", tag_value="*"),
    )
    assert found["changed"] is False
    assert [(host["name"], host["kind"], host["power"]) for host in found["hosts"]] == [
        ("off-elsewhere", "ec2", "stopped"),
        ("off-inside", "ec2", "stopped"),
    ]
    assert [host["exclusion_code"] for host in checked["hosts"]] == ["auto_scaling_group"]
    assert [(host["key"], host["exclusion_code"]) for host in listed["hosts"]] == [
        (mine["instance_id"], "excluded_by_user")
    ]
    assert "patch_tag_value: '*' is not valid" in failed(wild, "invalid_option")


def test_fleet_info_reads_the_variables_of_hosts_that_it_is_given_by_name(caller: Caller) -> None:
    (listed,) = caller.run(caller.task("fleet_info", inventory_hosts=["still"]))
    assert [(host["key"], host["inventory_name"]) for host in listed["hosts"]] == [(caller.lab.id("still"), "still")]


def test_fleet_info_reads_all_pages(tmp_path: Path) -> None:
    """EC2 gives 1,000 instances a page, SSM 50 nodes."""
    with LivingLab(tmp_path, [{"name": "many-{1..1001}"}]) as lab:
        (found,) = lab.tasks(Caller(lab, "inside").task("fleet_info", tag_key="PatchGroup", tag_value="Windows"))
    assert len({host["key"] for host in found["hosts"]}) == 1001
    assert all(host["node"]["ping_status"] == "Online" for host in found["hosts"])


def test_patch_settings(caller: Caller, tmp_path: Path) -> None:
    ledger = str(tmp_path / "ledger.sqlite")
    read, unknown, template = caller.run(
        {**caller.task("patch_settings", ledger=ledger), "vars": {"patch_batch_size": "7"}},
        {**caller.task("patch_settings", ledger=ledger), "vars": {"patch_sesions": "warn"}},
        {**caller.task("patch_settings", ledger=ledger), "vars": {"patch_tag_value": Unsafe("{{ x }}")}},
    )
    assert (read["changed"], read["settings"]["batch_size"], read["settings"]["by_tag"]) == (False, 7, True)
    assert "no variable patch_sesions. Did you mean patch_sessions?" in failed(unknown, "unknown_variable")
    assert "patch_tag_value: '{{ x }}' is not valid" in failed(template, "invalid_option")


# ---- a run of one host: patch_run, host_admission, instance_power, managed_node_wait, patch_report


def test_a_run_of_one_host(caller: Caller, tmp_path: Path) -> None:
    key, ledger = caller.id("off"), tmp_path / "ledger.sqlite"
    caller.lab.lab.ledger = ledger
    run: dict[str, Any] = {"ledger": str(ledger), "run_id": "{{ run.run_id }}"}
    host: dict[str, Any] = {**run, "host": key}
    power: dict[str, Any] = {**host, "instance_id": key}
    plan: dict[str, Any] = {"ledger": str(ledger), "settings": "{{ checked.settings }}", "fleet": "{{ fleet.hosts }}"}

    _, _, planned, not_opened, opened, checked, unrecorded, admitted, would_start, started, ready = caller.run(
        {**caller.task("patch_settings", ledger=str(ledger)), "register": "checked"},
        {**caller.task("fleet_info", inventory_hosts=[{"name": "off", "instance_id": key}]), "register": "fleet"},
        caller.task("patch_run", state="planned", **plan),
        caller.task("patch_run", check=True, state="opened", **plan),
        {**caller.task("patch_run", state="opened", **plan), "register": "run"},
        caller.task("host_admission", check=True, **host),
        caller.task("instance_power", state="started", check=True, **power),
        caller.task("host_admission", **host),
        caller.task("instance_power", state="started", check=True, **power),
        caller.task("instance_power", state="started", **power),
        caller.task("managed_node_wait", **power),
    )
    run_id = opened["run_id"]
    assert (planned["run_id"], planned["changed"], not_opened["run_id"], opened["changed"]) == (None, False, None, True)
    assert [(row["key"], row["wave"], row["included"]) for row in opened["hosts"]] == [(key, 1, True)]
    assert [row.run_id for row in open_ledger(str(ledger)).runs()] == [run_id]
    assert (checked["admitted"], admitted["admitted"], admitted["original_state"]) == (True, True, "stopped")
    assert "not recorded in the ledger" in failed(unrecorded, "not_recorded")
    assert (would_start["changed"], started["changed"], started["state"]) == (True, True, "running")
    assert ready["computer_name"] == f"OFF-{caller.name.upper()}"[:15]
    assert caller.truth("off")["starts"] == 1
    assert caller.truth("off")["unrecorded_starts"] == 0

    run["run_id"] = host["run_id"] = power["run_id"] = run_id
    open_, would_stop, stopped, done, would_close, closed, shown, written, settled, no_run = caller.run(
        caller.task("run_recovery", state="open_hosts", ledger=str(ledger), take_over=True),
        caller.task("instance_power", state="restored", check=True, **power),
        caller.task("instance_power", state="restored", **power),
        caller.task("host_result", state="failed", failure={"msg": "A task of ours failed."}, **host),
        caller.task("patch_run", state="closed", check=True, **run),
        caller.task("patch_run", state="closed", **run),
        caller.task("patch_report", check=True, report_dir=str(tmp_path / "shown"), **run),
        caller.task("patch_report", report_dir=str(tmp_path / "written"), **run),
        caller.task("run_recovery", state="closed", ledger=str(ledger)),
        caller.task("patch_report", ledger=str(ledger), run_id="no-such-run"),
    )
    assert [(row["key"], row["ours"]) for row in open_["hosts"]] == [(key, True)]
    assert (would_stop["changed"], stopped["changed"], stopped["state"]) == (True, True, "stopped")
    assert (done["changed"], would_close["changed"], closed["changed"], settled["changed"]) == (True, True, True, False)
    assert (caller.truth("off")["stops"], caller.truth("off")["state"]) == (1, "stopped")
    assert not (tmp_path / "shown").exists()
    assert sorted(written["files"]) == ["report.csv", "report.html", "report.json", "report.md"]
    assert shown["report"]["hosts"] == written["report"]["hosts"]
    assert written["verdicts"] == {key: "failed: A task of ours failed."}
    assert "no-such-run" in failed(no_run, "unknown_run")


def test_managed_node_wait(caller: Caller) -> None:
    ready, checked, silent, gone = caller.run(
        caller.task("managed_node_wait", instance_id=caller.lab.id("still")),
        caller.task("managed_node_wait", check=True, instance_id=caller.lab.id("still")),
        caller.task("managed_node_wait", instance_id=caller.lab.id("silent"), timeout_seconds=60),
        caller.task("managed_node_wait", instance_id=NO_SUCH),
    )
    assert (ready["computer_name"], ready["changed"]) == ("STILL", False)
    assert ("invocation" in ready) is (caller.name == "elsewhere")  # a module's result has its options
    assert checked["computer_name"] == "STILL"
    assert "did not report within 60 s" in failed(silent, "agent_silent")
    assert "does not exist" in failed(gone, "instance_gone")


# ---- commands and scripts


def test_ssm_command(caller: Caller) -> None:
    ran, checked, broken, template, lost = caller.run(
        caller.task("ssm_command", instance_id=caller.lab.id("still"), parameters={"commands": PROBE}),
        caller.task("ssm_command", check=True, instance_id=caller.lab.id("still"), parameters={"commands": PROBE}),
        caller.task("ssm_command", instance_id=caller.lab.id("still"), parameters={"commands": PROBE[:1]}),
        caller.task("ssm_command", instance_id=caller.lab.id("still"), parameters={"commands": Unsafe("{{ssm:x}}")}),
        caller.task("ssm_command", instance_id=NO_SUCH, parameters={"commands": PROBE}),
    )
    assert (ran["status"], ran["response_code"], ran["changed"]) == ("Success", 0, True)
    assert '"script": "probe"' in ran["stdout"]
    assert checked["changed"] is True
    assert "command_id" not in checked
    assert "ended Failed" in failed(broken, "command_failed")
    assert (broken["response_code"], "sets $PatchFleetInput" in broken["stderr"]) == (1, True)
    assert "parameters.commands: '{{ssm:x}}' is not valid" in failed(template, "invalid_option")
    failed(lost, "invalid_instance_id")


def test_windows_script(caller: Caller) -> None:
    on: dict[str, Any] = {"instance_id": caller.lab.id("still")}
    cramped: dict[str, Any] = {"instance_id": caller.lab.id("cramped")}
    measure, extend = file_of("expand_ebs", "measure_disk"), file_of("expand_ebs", "extend_partition")
    measured, checked, would_extend, blocked, template = caller.run(
        caller.task("windows_script", name="measure_disk", script=measure, **on),
        caller.task("windows_script", check=True, name="measure_disk", script=measure, **on),
        caller.task("windows_script", check=True, name="extend_partition", script=extend, **cramped),
        caller.task("windows_script", name="extend_partition", script=extend, **cramped),
        caller.task("windows_script", name="measure_disk", script=measure, input={"drive": Unsafe("{{ssm:x}}")}, **on),
    )
    assert (measured["data"]["free_gib"], measured["changed"]) == (30.0, False)
    assert checked["data"] == measured["data"]
    assert (would_extend["changed"], would_extend["data"]) == (True, {})
    assert "Another partition lies right behind C:" in failed(blocked, "recovery_partition")
    assert "input.drive" in failed(template, "invalid_option")
    sent = [call for call in caller.lab.trace() if call["operation"] == "SendCommand"]
    texts = ["\n".join(call["params"]["Parameters"].get("commands", [])) for call in sent]
    assert any("function Invoke-PatchFleetScript" in text and "Get-PatchFleetLayout" in text for text in texts)
    assert not any(measure in text for text in texts)


# ---- set-up


def test_instance_profile_association(caller: Caller) -> None:
    """The controller of a run may not do it, but it may see what would be done."""
    options = {"instance_profile": "managed-node", "tag_key": "Part", "tag_value": "Profile"}
    shown, refused, nothing = caller.run(
        caller.task("instance_profile_association", check=True, **options),
        caller.task("instance_profile_association", **options),
        caller.task("instance_profile_association", check=True, **{**options, "tag_value": "empty"}),
    )
    assert shown["changed"]
    assert [(host["name"], host["result"]) for host in shown["hosts"]] == [("bare", "attached")]
    assert "ec2:AssociateIamInstanceProfile" in failed(refused, "access_denied")
    assert (nothing["changed"], nothing["hosts"]) == (False, [])


# ---- disk


def test_ebs_volume_size(caller: Caller) -> None:
    small: dict[str, Any] = {"instance_id": caller.id("small"), "grow_gib": 10}
    checked, grown, at_maximum, other_disk, gone = caller.run(
        caller.task("ebs_volume_size", check=True, **small),
        caller.task("ebs_volume_size", **small),
        caller.task("ebs_volume_size", max_gib=70, **small),
        caller.task("ebs_volume_size", serial="vol0123456789abcdef0_00000001.", **small),
        caller.task("ebs_volume_size", instance_id=NO_SUCH),
    )
    sizes = ("changed", "size_gib_before", "size_gib", "grown_gib")
    assert [checked[name] for name in sizes] == [grown[name] for name in sizes] == [True, 60, 70, 10]
    assert caller.truth("small")["volume_gib"] == 70
    assert "patch_volume_max_gib is 70" in failed(at_maximum, "volume_at_maximum")
    assert "is not the root volume" in failed(other_disk, "wrong_volume")
    failed(gone, "instance_gone")
    assert modifications(caller, "small") == 1


def modifications(caller: Caller, name: str) -> int:
    calls = [call for call in caller.lab.trace() if call["operation"] == "ModifyVolume"]
    return sum(f"{name}-{caller.name}" in call["hosts"] for call in calls)


def test_system_drive_space(caller: Caller) -> None:
    options: dict[str, Any] = {"scripts": scripts("expand_ebs", "measure_disk", "clean_disk", "extend_partition")}
    checked, made, enough, blocked = caller.run(
        caller.task("system_drive_space", check=True, instance_id=caller.id("full"), **options),
        caller.task("system_drive_space", instance_id=caller.id("full"), **options),
        caller.task("system_drive_space", instance_id=caller.id("full"), **options),
        caller.task("system_drive_space", instance_id=caller.lab.id("cramped"), **options),
    )
    assert (checked["changed"], checked["free_gib_before"], checked["free_gib"]) == (True, 4.0, 4.0)
    assert (made["changed"], made["free_gib_before"], made["free_gib"], made["grown_gib"]) == (True, 4.0, 26.0, 20)
    assert {action["name"]: action["won_gib"] for action in made["rungs"]}["temp_files"] == 2.0
    assert (enough["changed"], enough["grown_gib"]) == (False, 0)
    assert "recovery partition" in failed(blocked, "recovery_partition")
    assert modifications(caller, "full") == 1


# ---- Windows Update


def test_windows_update_health(caller: Caller) -> None:
    options: dict[str, Any] = {"scripts": scripts("repair_windows_update", "inspect_windows_update", "repair_services")}
    broken, busy = {"instance_id": caller.id("broken"), **options}, {"instance_id": caller.lab.id("busy"), **options}
    checked, inspected, repaired, well, unreachable = caller.run(
        caller.task("windows_update_health", check=True, **broken),
        caller.task("windows_update_health", state="inspected", **broken),
        caller.task("windows_update_health", **broken),
        caller.task("windows_update_health", **broken),
        caller.task("windows_update_health", **busy),
    )
    repaired_services = ["service wuauserv", "service bits"]
    assert [result["repaired"] for result in (checked, inspected, repaired, well)] == [[], [], repaired_services, []]
    assert [result["changed"] for result in (checked, inspected, repaired, well)] == [False, False, True, False]
    assert "0x8024402C" in failed(unreachable, "update_source_unreachable")


def test_windows_sessions(caller: Caller) -> None:
    options: dict[str, Any] = {"scripts": scripts("repair_windows_update", "inspect_sessions", "send_session_message")}
    busy = {"instance_id": caller.lab.id("busy"), **options}
    counted, notified, deferred, waited, empty = caller.run(
        caller.task("windows_sessions", **busy),
        caller.task("windows_sessions", state="notified", text="Back at ten.", **busy),
        caller.task("windows_sessions", policy="defer", **busy),
        caller.task("windows_sessions", policy="wait", timeout_seconds=60, **busy),
        caller.task("windows_sessions", policy="defer", instance_id=caller.lab.id("still"), **options),
    )
    assert (counted["sessions"], notified["changed"], empty["sessions"]) == (2, True, 0)
    assert "2 people are logged on" in failed(deferred, "sessions")
    assert "still logged on after 60 s" in failed(waited, "sessions")


def test_patch_baseline_and_patch_compliance_info(caller: Caller) -> None:
    old: dict[str, Any] = {"instance_id": caller.id("old"), "snapshot_id": SNAPSHOT}
    stuck: dict[str, Any] = {"instance_id": caller.id("stuck"), "snapshot_id": SNAPSHOT}
    well: dict[str, Any] = {"instance_id": caller.lab.id("still"), "snapshot_id": SNAPSHOT}
    history: dict[str, Any] = {"history_script": file_of("patch", "update_history")}
    would_scan, missing, would_install, patched, compliant, failing = caller.run(
        caller.task("patch_compliance_info", check=True, **stuck),
        caller.task("patch_compliance_info", **stuck),
        caller.task("patch_baseline", check=True, **old, **history),
        caller.task("patch_baseline", **old, **history),
        caller.task("patch_compliance_info", **well),
        caller.task("patch_baseline", max_passes=1, **stuck, **history),
    )
    assert (would_scan["changed"], would_install["changed"]) == (False, True)
    assert (missing["outcome"], missing["missing"], missing["changed"]) == ("noncompliant", ["KB5031361"], False)
    assert (patched["outcome"], patched["installed"], patched["changed"]) == ("patched", ["KB5031361"], True)
    assert (compliant["compliant"], compliant["missing"], compliant["changed"]) == (True, [], False)
    assert "KB5031361 (0x800F0922)" in failed(failing, "still_missing")
    assert caller.truth("old")["installed"] == ["KB5031361"]
    assert baseline_runs(caller, "old") == ["Install", "Scan"]
    assert baseline_runs(caller, "stuck") == ["Scan", "Install", "Scan"]


def baseline_runs(caller: Caller, name: str) -> list[str]:
    """The operations of AWS-RunPatchBaseline on this caller's host of that name."""
    commands = [call for call in caller.lab.trace() if call["operation"] == "SendCommand"]
    given = [call["params"]["Parameters"] for call in commands if f"{name}-{caller.name}" in call["hosts"]]
    return [parameters["Operation"][0] for parameters in given if "Operation" in parameters]


# ---- what surrounds a task


def test_module_defaults_of_the_group_reach_every_module(caller: Caller, tmp_path: Path) -> None:
    """With these alone all of them get to AWS: nothing else says where it is or who asks."""
    credentials = caller.lab.lab.new_credentials()
    of_aws = {
        "endpoint_url": caller.lab.lab.url,
        "region": "eu-central-1",
        "access_key": credentials.access_key,
        "secret_key": credentials.secret_key,
        "session_token": credentials.session_token,
    }
    key = caller.lab.id("still")
    ledger: dict[str, Any] = {"ledger": str(tmp_path / "ledger.sqlite")}
    run: dict[str, Any] = {**ledger, "run_id": "{{ run.run_id }}", "host": key}
    on: dict[str, Any] = {**run, "instance_id": key}
    plan: dict[str, Any] = {**ledger, "settings": "{{ checked.settings }}", "fleet": "{{ fleet.hosts }}"}
    results = caller.run(
        {**caller.task("patch_settings", **ledger), "register": "checked"},
        {**caller.task("fleet_info", inventory_hosts=[{"name": "still", "instance_id": key}]), "register": "fleet"},
        {**caller.task("patch_run", state="opened", **plan), "register": "run"},
        caller.task("host_admission", **run),
        caller.task("instance_power", state="started", **on),
        caller.task("managed_node_wait", **on),
        caller.task("ssm_command", **on, parameters={"commands": PROBE}),
        caller.task("windows_script", **on, name="measure_disk", script=file_of("expand_ebs", "measure_disk")),
        caller.task("ebs_volume_size", check=True, **on),
        caller.task("system_drive_space", **on, scripts=scripts("expand_ebs", "measure_disk")),
        caller.task("windows_sessions", **on, scripts=scripts("repair_windows_update", "inspect_sessions")),
        caller.task("windows_update_health", **on, scripts=scripts("repair_windows_update", "inspect_windows_update")),
        caller.task("patch_baseline", **on, snapshot_id=SNAPSHOT, history_script=file_of("patch", "update_history")),
        caller.task("patch_compliance_info", **on, snapshot_id=SNAPSHOT),
        caller.task("host_result", state="finished", **run),
        caller.task("patch_report", check=True, **ledger),
        play={"module_defaults": {"group/patchfleet.windows.aws": of_aws}},
        environment={
            **WITHOUT_AWS,
            "AWS_ENDPOINT_URL_S3": caller.lab.lab.url,
        },  # the lab's clock needs one on this machine
    )
    assert [result.get("msg") for result in results if result["failed"]] == []
    asked = {call["operation"] for call in caller.lab.trace() if call["caller"] == credentials.access_key}
    assert {"DescribeInstances", "SendCommand", "DescribeVolumes", "DescribeInstancePatchStates"} <= asked


def test_how_windows_hosts_are_reached_does_not_matter(caller: Caller, tmp_path: Path) -> None:
    """An inventory is often set up for WinRM as a whole; nothing of ours goes to the hosts over it."""
    everywhere = caller.lab.file("winrm.yml", {"all": {"vars": WINRM}})
    _, ready, measured, _, settings = caller.lab.tasks(
        {"ansible.builtin.debug": {"var": "ansible_connection"}},
        caller.task("managed_node_wait", instance_id="{{ instance_id }}"),
        caller.task(
            "windows_script",
            instance_id="{{ instance_id }}",
            name="measure_disk",
            script=file_of("expand_ebs", "measure_disk"),
        ),
        {**caller.task("fleet_info", inventory_hosts=["still"]), "register": "fleet"},
        caller.task("patch_settings", ledger=str(tmp_path / "ledger.sqlite")),
        play={"hosts": "dev"},
        inventories=[caller.lab.workplace.inventory, caller.machines, everywhere],
    )
    assert ready["computer_name"] == "STILL"
    assert measured["data"]["free_gib"] == 30.0
    assert settings["settings"]["batch_size"] == 5


# ---- output in CloudWatch Logs


def test_what_patching_prints_is_in_the_log_group_when_that_is_asked_for(lab: LivingLab) -> None:
    ended = lab.playbook("patch", variables={"patch_hosts": "loud", "patch_cloudwatch_output": True})
    assert ended.code == 0, ended.output
    logs = lab.client("logs")
    streams = logs.describe_log_streams(logGroupName="/aws/ssm/patch-manager")["logStreams"]
    assert all(lab.id("loud") in stream["logStreamName"] for stream in streams)
    text = "".join(row["message"] for row in logs.filter_log_events(logGroupName="/aws/ssm/patch-manager")["events"])
    assert f"Patch Summary for {lab.id('loud')}" in text
