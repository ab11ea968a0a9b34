# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run Command: to whom, with which limits, how each invocation ends, and what is shown of it."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from conftest import MakeLab
from lab.agent import Outcome
from virtual_lab import UPDATE, VirtualLab, error_of, programs, script


def _sent(lab: VirtualLab, command: str) -> list[str]:
    invocations = lab.ssm.list_command_invocations(CommandId=command)["CommandInvocations"]
    return sorted(invocation["InstanceId"] for invocation in invocations)


# ---- to whom


def test_two_ids_reach_exactly_two_hosts(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "n-{1..5}"})
    command = lab.send("n-2", "n-4")
    lab.run_for(60)
    assert _sent(lab, command) == sorted([lab.id("n-2"), lab.id("n-4")])
    assert lab.trace()[-2]["hosts"] == ["n-2", "n-4"]
    assert lab.details(command, "n-2") == "Success"


def test_invocations_are_listed_by_their_status(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "n-{1..2}"})
    ended = lab.send("n-1")
    lab.run_for(60)
    started = lab.send("n-2", document="AWS-RunPatchBaseline", parameters={"Operation": ["Scan"]})
    lab.run_for(20)

    def listed(status: str) -> list[str]:
        answer = lab.ssm.list_command_invocations(Filters=[{"key": "Status", "value": status}])
        return [row["CommandId"] for row in answer["CommandInvocations"]]

    assert (listed("Success"), listed("InProgress"), listed("Failed")) == ([ended], [started], [])


def test_one_bad_id_rejects_the_whole_call(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "on"}, {"name": "off", "state": "stopped"}, {"name": "no-agent", "agent": "never"})
    for other in (lab.id("off"), lab.id("no-agent"), "i-00000000000000000"):
        params = {"InstanceIds": [lab.id("on"), other], "DocumentName": "AWS-RunPowerShellScript"}
        code = error_of(lab.ssm.send_command, **params, Parameters={"commands": script("probe")})
        assert code == "InvalidInstanceId"
    assert lab.ssm.list_commands()["Commands"] == []


def test_shortly_after_a_start_the_id_is_not_valid_yet(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a", "state": "stopped", "boot_seconds": 90, "agent_seconds": 30})
    lab.start("a")
    lab.run_for(110)
    with pytest.raises(ClientError, match="InvalidInstanceId"):
        lab.send("a")
    lab.run_for(20)
    assert lab.send("a")


def test_the_limits_of_a_call(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "n-{01..51}"})
    ids = [lab.id(f"n-{number:02}") for number in range(1, 52)]
    good: dict[str, Any] = {"DocumentName": "AWS-RunPowerShellScript", "Parameters": {"commands": script("probe")}}
    send = lab.ssm.send_command
    assert error_of(send, InstanceIds=ids, **good) == "ValidationException"
    assert error_of(send, InstanceIds=[ids[0], ids[0]], **good) == "DuplicateInstanceId"
    assert error_of(send, InstanceIds=ids[:1], Comment="x" * 101, **good) == "ValidationException"
    assert error_of(send, InstanceIds=ids[:1], TimeoutSeconds=2_592_001, **good) == "ValidationException"
    assert error_of(send, InstanceIds=ids[:1], MaxErrors="many", **good) == "ValidationException"
    with pytest.raises(Exception, match="30"):
        send(InstanceIds=ids[:1], TimeoutSeconds=29, **good)
    unknown = {**good, "DocumentName": "AWS-RunCobol"}
    assert error_of(send, InstanceIds=ids[:1], **unknown) == "InvalidDocument"
    assert len(send(InstanceIds=ids[:50], **good)["Command"]["InstanceIds"]) == 50


def test_targets_are_refused_as_unknown(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a"})
    targets = [{"Key": "tag:PatchGroup", "Values": ["Windows"]}]
    code = error_of(lab.ssm.send_command, Targets=targets, DocumentName="AWS-RunPowerShellScript")
    assert code == "NotImplemented"


@pytest.mark.parametrize(
    "parameters",
    [
        {"Operation": ["Install"], "Speed": ["high"]},
        {"Operation": ["Update"]},
        {},
        {"Operation": ["Scan"], "RebootOption": ["Never"]},
        {"Operation": ["Scan"], "SnapshotId": ["mine"]},
        {"Operation": ["Scan"], "AssociationId": ["{{ssm:password}}"]},
        {"Operation": ["Scan"], "StepTimeoutSeconds": ["172801"]},
    ],
)
def test_parameters_that_a_document_does_not_take(make_lab: MakeLab, parameters: dict[str, list[str]]) -> None:
    lab = make_lab({"name": "a"})
    call = {"InstanceIds": [lab.id("a")], "DocumentName": "AWS-RunPatchBaseline", "Parameters": parameters}
    assert error_of(lab.ssm.send_command, **call) == "InvalidParameters"


def test_describe_document_lists_what_a_document_takes(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a"})
    document = lab.ssm.describe_document(Name="AWS-RunPatchBaseline")["Document"]
    names = {parameter["Name"] for parameter in document["Parameters"]}
    assert {"Operation", "RebootOption", "SnapshotId", "StepTimeoutSeconds"} <= names
    assert error_of(lab.ssm.describe_document, Name="Mine") == "InvalidDocument"


# ---- how it goes


def test_a_new_command_is_not_seen_at_first(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a"}, account={"lag_seconds": 10})
    command = lab.send("a")
    asked = {"CommandId": command, "InstanceId": lab.id("a")}
    assert error_of(lab.ssm.get_command_invocation, **asked) == "InvocationDoesNotExist"
    assert lab.ssm.list_command_invocations(CommandId=command)["CommandInvocations"] == []
    assert lab.ssm.list_commands(CommandId=command)["Commands"] == []
    lab.run_for(11)
    assert lab.invocation(command, "a")["Status"] in ("Pending", "InProgress", "Success")  # each state has its own lag
    lab.run_for(15)
    assert lab.invocation(command, "a")["Status"] == "Success"
    assert lab.ssm.list_commands(CommandId=command)["Commands"][0]["Status"] == "Success"


def test_the_states_of_an_invocation(make_lab: MakeLab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab = make_lab({"name": "a"})
    programs(monkeypatch, Outcome(1, "out", "err"))
    command = lab.send("a")
    assert lab.invocation(command, "a")["Status"] == "Pending"
    assert lab.invocation(command, "a")["ResponseCode"] == -1
    lab.run_for(5)
    assert lab.invocation(command, "a")["Status"] == "InProgress"
    lab.run_for(10)
    ended = lab.invocation(command, "a")
    assert (ended["Status"], ended["ResponseCode"]) == ("Failed", 1)
    reported = "err\nfailed to run commands: exit status 1"
    assert (ended["StandardOutputContent"], ended["StandardErrorContent"]) == ("out", reported)


def test_what_is_not_delivered_in_time(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a", "agent": "stale"})
    command = lab.send("a", TimeoutSeconds=60)
    lab.run_for(29)
    assert lab.details(command, "a") == "Pending"
    lab.run_for(30)
    assert (lab.invocation(command, "a")["Status"], lab.details(command, "a")) == ("Delayed", "Delayed")
    lab.run_for(2)
    assert lab.details(command, "a") == "DeliveryTimedOut"
    reported = lab.invocation(command, "a")
    assert (reported["Status"], reported["StatusDetails"]) == ("TimedOut", "Delivery Timed Out")
    assert lab.ssm.list_commands(CommandId=command)["Commands"][0]["DeliveryTimedOutCount"] == 1


def test_a_node_that_goes_before_delivery_is_undeliverable_and_no_error(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a"}, {"name": "b"}, events=[{"at_seconds": 5, "host": "a", "do": "agent_dies"}])
    lab.run_for(6)
    command = lab.send("a", "b", TimeoutSeconds=300)
    lab.stop("a")
    lab.run_for(301)
    assert lab.details(command, "a") == "Undeliverable"
    assert lab.details(command, "b") == "Success"
    assert lab.ssm.list_commands(CommandId=command)["Commands"][0]["Status"] == "Success"


def test_the_run_time_is_the_documents_own(make_lab: MakeLab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab = make_lab({"name": "a"})
    programs(monkeypatch, Outcome(0), seconds=500)
    parameters = {"commands": script("probe"), "executionTimeout": ["100"]}
    command = lab.send("a", parameters=parameters, TimeoutSeconds=60)
    sent = lab.ssm.list_commands(CommandId=command)["Commands"][0]
    assert (sent["ExpiresAfter"] - sent["RequestedDateTime"]).total_seconds() == 160
    lab.run_for(110)
    assert lab.details(command, "a") == "ExecutionTimedOut"
    assert lab.play.world.hosts["a"].agent.running == []


def test_if_the_agent_dies_the_invocation_stays_in_progress_until_its_timeout(
    make_lab: MakeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = make_lab({"name": "a"}, events=[{"at_seconds": 5, "host": "a", "do": "agent_dies"}])
    programs(monkeypatch, Outcome(0))
    command = lab.send("a", parameters={"commands": script("probe"), "executionTimeout": ["600"]}, TimeoutSeconds=60)
    lab.run_for(655)
    assert lab.details(command, "a") == "InProgress"
    lab.run_for(10)
    assert lab.details(command, "a") == "ExecutionTimedOut"


def test_an_agent_that_returns_shows_how_it_ended(make_lab: MakeLab, monkeypatch: pytest.MonkeyPatch) -> None:
    events = [
        {"at_seconds": 5, "host": "a", "do": "agent_dies"},
        {"at_seconds": 100, "host": "a", "do": "agent_returns"},
    ]
    lab = make_lab({"name": "a"}, events=events)
    programs(monkeypatch, Outcome(0))
    command = lab.send("a")
    lab.run_for(90)
    assert lab.details(command, "a") == "InProgress"
    lab.run_for(11)
    assert lab.details(command, "a") == "Success"


def test_five_commands_at_once_on_one_node(make_lab: MakeLab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab = make_lab({"name": "a"})
    programs(monkeypatch, Outcome(0), seconds=100)
    commands = [lab.send("a") for _number in range(6)]
    lab.run_for(50)
    assert sorted(lab.details(command, "a") for command in commands) == ["InProgress"] * 5 + ["Pending"]
    lab.run_for(160)
    assert {lab.details(command, "a") for command in commands} == {"Success"}


def test_the_first_failure_terminates_what_no_node_has_taken(
    make_lab: MakeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = make_lab({"name": "n-{1..4}"})
    ran = programs(monkeypatch, Outcome(1))
    names = [f"n-{number}" for number in range(1, 5)]
    command = lab.send(*names, MaxConcurrency="1")
    lab.run_for(60)
    assert [lab.details(command, name) for name in names] == ["Failed", *["Terminated"] * 3]
    assert ran == ["n-1"]
    patient = lab.send(*names, MaxConcurrency="1", MaxErrors="100%")
    lab.run_for(120)
    assert {lab.details(patient, name) for name in names} == {"Failed"}


def test_cancelling(make_lab: MakeLab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab = make_lab({"name": "a"}, {"name": "deaf", "agent": "stale"})
    programs(monkeypatch, Outcome(0), seconds=500)
    command = lab.send("a", "deaf")
    lab.run_for(10)
    lab.ssm.cancel_command(CommandId=command)
    assert (lab.details(command, "a"), lab.details(command, "deaf")) == ("Cancelling", "Cancelled")
    lab.run_for(10)
    assert lab.details(command, "a") == "Cancelled"
    assert lab.ssm.list_commands(CommandId=command)["Commands"][0]["Status"] == "Cancelled"
    no_user = {"CommandId": "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"}
    assert error_of(lab.ssm.cancel_command, **no_user) == "InvalidCommandId"


def test_exit_3010_reboots_and_runs_the_same_step_again(make_lab: MakeLab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab = make_lab({"name": "a"})
    ran = programs(monkeypatch, Outcome(3010), Outcome(3010), Outcome(0, "done"))
    command = lab.send("a")
    lab.run_for(100)
    assert lab.details(command, "a") == "InProgress"
    lab.run_for(400)
    assert lab.details(command, "a") == "Success"
    assert len(ran) == 3
    assert lab.truth("a")["reboots"] == 2


def test_a_script_that_reboots_in_an_installation_cuts_it_off(
    make_lab: MakeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = make_lab({"name": "a", "updates": [UPDATE]})
    programs(monkeypatch, Outcome(3010), Outcome(0))
    lab.start_patch("a")
    lab.run_for(100)
    lab.send("a")
    lab.run_for(400)
    assert (lab.truth("a")["cut_off"], lab.truth("a")["cut_off_by_us"]) == (1, 1)


@pytest.mark.parametrize(("code", "status"), [(168, "Success"), (169, "Failed")])
def test_exit_codes_that_end_the_document(
    make_lab: MakeLab, monkeypatch: pytest.MonkeyPatch, code: int, status: str
) -> None:
    lab = make_lab({"name": "a"})
    programs(monkeypatch, Outcome(code))
    command = lab.send("a")
    lab.run_for(60)
    assert lab.details(command, "a") == status


def test_a_script_for_windows_is_no_script_for_linux(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "penguin", "platform": "linux"})
    command = lab.send("penguin")
    lab.run_for(10)
    assert lab.details(command, "penguin") == "InvalidPlatform"


def test_a_command_whose_document_worker_is_killed_fails_without_output_and_its_program_continues(
    make_lab: MakeLab,
) -> None:
    lab = make_lab({"name": "a", "updates": [UPDATE]})
    command = lab.start_patch("a")
    lab.run_for(100)
    lab.play.world.hosts["a"].agent.lose_workers()
    lab.run_for(1)
    reported = lab.invocation(command, "a", "PatchWindows")
    assert (reported["Status"], reported["ResponseCode"]) == ("Failed", 1)
    assert (reported["StandardOutputContent"], reported["StandardErrorContent"]) == ("", "")
    assert lab.play.world.hosts["a"].guest.updates.installing
    lab.run_for(1000)
    assert (lab.truth("a")["installed"], lab.truth("a")["reboots"]) == (["KB5031361"], 0)
    assert lab.invocation(command, "a", "PatchWindows")["Status"] == "Failed"
    assert lab.details(lab.send("a"), "a") == "Pending"


def test_what_is_killed_has_the_exit_code_of_a_kill(make_lab: MakeLab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab = make_lab({"name": "a"})
    programs(monkeypatch, Outcome(0), seconds=500)
    slow = lab.send("a", parameters={"commands": script("probe"), "executionTimeout": ["60"]})
    unwanted = lab.send("a")
    lab.run_for(10)
    lab.ssm.cancel_command(CommandId=unwanted)
    lab.run_for(60)
    assert [lab.invocation(command, "a")["ResponseCode"] for command in (slow, unwanted)] == [137, 137]


# ---- what is shown of it


def test_without_details_there_are_no_plugins(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a"})
    command = lab.send("a")
    lab.run_for(30)
    listed = lab.ssm.list_command_invocations(CommandId=command)["CommandInvocations"][0]
    assert listed["CommandPlugins"] == []


def test_of_several_plugins_one_has_to_be_named(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a"})
    command = lab.start_patch("a", "Scan")
    lab.run_for(120)
    asked = {"CommandId": command, "InstanceId": lab.id("a")}
    assert error_of(lab.ssm.get_command_invocation, **asked) == "InvalidPluginName"
    assert "Patch Summary" in lab.invocation(command, "a", "PatchWindows")["StandardOutputContent"]
    assert "skipped" in lab.invocation(command, "a", "PatchLinux")["StandardOutputContent"]
    listed = lab.ssm.list_command_invocations(CommandId=command, Details=True)["CommandInvocations"][0]
    assert [plugin["Name"] for plugin in listed["CommandPlugins"]] == ["PatchWindows", "PatchLinux", "PatchMacOS"]


def test_commands_of_one_node_over_pages(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a"}, {"name": "b"})
    sent = [lab.send("a") for _number in range(3)]
    lab.send("b")
    lab.run_for(60)
    first = lab.ssm.list_commands(InstanceId=lab.id("a"), MaxResults=2)
    rest = lab.ssm.list_commands(InstanceId=lab.id("a"), MaxResults=2, NextToken=first["NextToken"])
    listed = [command["CommandId"] for command in first["Commands"] + rest["Commands"]]
    assert listed == list(reversed(sent))
    assert "NextToken" not in rest
