# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults of a scenario: answers that are lost, their order and number, and what Run Command does by itself."""

from __future__ import annotations

import json
import socket
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from conftest import MakeLab
from virtual_lab import UPDATE, VirtualLab, error_of

LOST = {"answer": "lost"}
BASELINE = "AWS-RunPatchBaseline"


def _ends(call: Any, **params: Any) -> str:
    """How a call ends: ``done``, ``lost``, or the error's code."""
    try:
        call(**params)
    except ConnectionClosedError:
        return "lost"
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return "done"


# ---- answers that are lost


def test_a_call_whose_answer_is_lost_is_done(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a", "state": "stopped", "api_faults": [{"operation": "StartInstances", **LOST}]})
    ids = {"InstanceIds": [lab.id("a")]}
    assert _ends(lab.ec2.start_instances, **ids) == "lost"
    assert lab.state("a") == "pending"
    assert (lab.trace()[0]["operation"], lab.trace()[0]["error"]) == ("StartInstances", None)
    assert lab.play.truth()["calls"]["ec2.StartInstances"] == 1
    assert _ends(lab.ec2.start_instances, **ids) == "done"
    assert lab.truth("a")["starts"] == 1


def test_a_schedule_names_its_host_in_its_name_and_in_what_it_sends(make_lab: MakeLab) -> None:
    operations = ("CreateSchedule", "DeleteSchedule")
    faults = [{"operation": operation, "error": "InternalServerException"} for operation in operations]
    lab = make_lab({"name": "a", "api_faults": faults}, {"name": "b"})
    scheduler = lab.client("scheduler")
    target = {
        "Arn": "arn:aws:scheduler:::aws-sdk:ssm:startAutomationExecution",
        "RoleArn": "arn:aws:iam::123456789012:role/r",
    }
    for name, error in (("b", "ResourceNotFoundException"), ("a", "InternalServerException")):
        schedule = {
            "Name": "stop",
            "GroupName": "PatchFleet",
            "ScheduleExpression": "at(2026-11-15T00:00:00)",
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "Target": {
                **target,
                "Input": json.dumps({"DocumentName": "stop", "Parameters": {"InstanceId": [lab.id(name)]}}),
            },
        }
        assert _ends(scheduler.create_schedule, **schedule) == error
        assert _ends(scheduler.delete_schedule, GroupName="PatchFleet", Name=f"{lab.id(name)}-run") == error
    assert [call["hosts"] for call in lab.trace()] == [["b"], ["b"], ["a"], ["a"]]


def test_a_request_that_ends_in_the_middle_is_no_call(make_lab: MakeLab) -> None:
    """A controller that is killed leaves one."""
    lab = make_lab({"name": "a"})
    address = urlsplit(lab.server.url)
    with socket.create_connection((address.hostname or "", address.port or 0)) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: ec2\r\nContent-Length: 100\r\n\r\nAction=Start")
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(100) == b""
    assert lab.trace() == []


def test_the_connection_after_a_lost_answer_is_a_new_one_and_works(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a", "api_faults": [{"operation": "ListCommands", "with_host": False, "times": 3, **LOST}]})
    assert [_ends(lab.ssm.list_commands) for _call in range(4)] == ["lost"] * 3 + ["done"]


def test_a_call_that_fails_by_itself_has_an_answer_and_uses_no_fault_up(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a", "state": "stopping", "api_faults": [{"operation": "StartInstances", **LOST}]})
    ids = {"InstanceIds": [lab.id("a")]}
    assert _ends(lab.ec2.start_instances, **ids) == "IncorrectInstanceState"
    lab.run_for(120)
    assert _ends(lab.ec2.start_instances, **ids) == "lost"


def test_what_moto_answers_can_be_lost_too(make_lab: MakeLab) -> None:
    fault = {"operation": "CreateLogGroup", "with_host": False, **LOST}
    lab = make_lab({"name": "a", "api_faults": [fault]})
    logs = lab.client("logs")
    assert _ends(logs.create_log_group, logGroupName="/g") == "lost"
    assert [group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]] == ["/g"]


# ---- their order and number


def test_faults_of_one_operation_strike_in_the_order_of_the_list(make_lab: MakeLab) -> None:
    faults = [
        {"operation": "StopInstances", "error": "InternalError", "times": 2},
        {"operation": "StopInstances", **LOST},
        {"operation": "ec2.StopInstances", "error": "RequestExpired", "times": "always"},
    ]
    lab = make_lab({"name": "a", "api_faults": faults}, {"name": "b"})
    ends = [_ends(lab.ec2.stop_instances, InstanceIds=[lab.id("a")]) for _call in range(6)]
    assert ends == ["InternalError"] * 2 + ["lost"] + ["RequestExpired"] * 3
    assert lab.truth("a")["stops"] == 1
    assert _ends(lab.ec2.stop_instances, InstanceIds=[lab.id("b")]) == "done"


def test_a_fault_of_another_service_does_not_strike(make_lab: MakeLab) -> None:
    """EC2 and Auto Scaling both have DescribeTags."""
    fault = {"operation": "autoscaling.DescribeTags", "error": "X", "with_host": False}
    lab = make_lab({"name": "a", "api_faults": [fault]})
    assert _ends(lab.ec2.describe_tags) == "done"


def test_a_fault_is_of_one_document(make_lab: MakeLab) -> None:
    faults = [
        {"operation": "SendCommand", "document": BASELINE, "times": 2, **LOST},
        {"operation": "SendCommand", "document": "AWS-RunPowerShellScript", "error": "InternalServerError"},
    ]
    lab = make_lab({"name": "a", "api_faults": faults})
    call: dict[str, Any] = {"InstanceIds": [lab.id("a")], "Parameters": {"Operation": ["Scan"]}}
    arn = f"arn:aws:ssm:eu-central-1::document/{BASELINE}"
    assert _ends(lab.ssm.send_command, DocumentName=BASELINE, **call) == "lost"
    with pytest.raises(ClientError, match="InternalServerError"):
        lab.send("a")
    assert lab.send("a")
    assert _ends(lab.ssm.send_command, DocumentName=arn, **call) == "lost"
    assert _ends(lab.ssm.send_command, DocumentName=BASELINE, **call) == "done"
    names = [command["DocumentName"] for command in lab.ssm.list_commands()["Commands"]]
    assert sorted(names) == [BASELINE] * 3 + ["AWS-RunPowerShellScript"]


def test_a_throttled_call_uses_no_fault_up(make_lab: MakeLab) -> None:
    faults = [{"operation": "StartInstances", "error": "InternalError", "times": 3}]
    lab = make_lab({"name": "a", "state": "stopped", "api_faults": faults}, account={"throttle": 0.5})
    ends = [_ends(lab.ec2.start_instances, InstanceIds=[lab.id("a")]) for _call in range(40)]
    assert "RequestLimitExceeded" in ends
    assert ends.count("InternalError") == 3
    assert ends.count("done") > 0


def test_a_dry_run_and_what_others_do_meet_no_fault(make_lab: MakeLab) -> None:
    faults = [{"operation": "StopInstances", "times": 1, **LOST}]
    lab = make_lab({"name": "a", "api_faults": faults}, events=[{"at_seconds": 10, "host": "a", "do": "restart"}])
    ids = {"InstanceIds": [lab.id("a")]}
    assert _ends(lab.ec2.stop_instances, DryRun=True, **ids) == "DryRunOperation"
    lab.run_for(600)
    assert lab.truth("a")["stops"] == 1
    assert _ends(lab.ec2.stop_instances, **ids) == "lost"


# ---- what Run Command does by itself


def _faulty(make_lab: MakeLab, status: str, **fault: Any) -> VirtualLab:
    host = {"name": "a", "updates": [UPDATE], "command_faults": [{"document": BASELINE, "status": status, **fault}]}
    return make_lab(host, {"name": "b"})


@pytest.mark.parametrize("status", ["AccessDenied", "InvalidPlatform", "Undeliverable"])
def test_an_invocation_that_ends_without_running(make_lab: MakeLab, status: str) -> None:
    lab = _faulty(make_lab, status)
    denied = lab.start_patch("a", "Install")
    lab.run_for(10)
    assert lab.details(denied, "a") == status
    reported = lab.invocation(denied, "a", "PatchWindows")
    assert (reported["Status"], reported["ResponseCode"], reported["StandardOutputContent"]) == ("Failed", -1, "")
    assert reported["StatusDetails"].replace(" ", "") == status
    assert lab.truth("a")["installed"] == []
    lab.patch("a")  # the second time it runs
    assert lab.truth("a")["installed"] == ["KB5031361"]


@pytest.mark.parametrize(("status", "expected"), [("AccessDenied", "Failed"), ("Undeliverable", "Success")])
def test_what_never_ran_on_one_node_stops_no_other(make_lab: MakeLab, status: str, expected: str) -> None:
    lab = _faulty(make_lab, status)
    command = lab.send("a", "b", document=BASELINE, parameters={"Operation": ["Scan"]}, MaxConcurrency="1")
    lab.run_for(200)
    assert (lab.details(command, "a"), lab.details(command, "b")) == (status, "Success")
    assert lab.ssm.list_commands(CommandId=command)["Commands"][0]["Status"] == expected


def test_always_is_always_and_another_document_is_free_of_it(make_lab: MakeLab) -> None:
    lab = _faulty(make_lab, "AccessDenied", times="always")
    for _try in range(3):
        command = lab.start_patch("a", "Scan")
        lab.run_for(10)
        assert lab.details(command, "a") == "AccessDenied"
    free = lab.send("a")
    lab.run_for(30)
    assert lab.details(free, "a") == "Success"


def test_too_many_pending_invocations_cancel_the_command_before_any_node_has_it(make_lab: MakeLab) -> None:
    lab = _faulty(make_lab, "RateExceeded", times=2)
    for _try in range(2):
        command = lab.send("a", "b", document=BASELINE, parameters={"Operation": ["Install"]})
        lab.run_for(60)
        (reported,) = lab.ssm.list_commands(CommandId=command)["Commands"]
        assert (reported["Status"], reported["StatusDetails"]) == ("Cancelled", "Rate Exceeded")
        assert sorted(reported["InstanceIds"]) == sorted([lab.id("a"), lab.id("b")])
        assert lab.ssm.list_command_invocations(CommandId=command)["CommandInvocations"] == []
        asked = {"CommandId": command, "InstanceId": lab.id("a")}
        assert error_of(lab.ssm.get_command_invocation, **asked) == "InvocationDoesNotExist"
        lab.ssm.cancel_command(CommandId=command)
    assert lab.truth("a")["installed"] == []
    assert lab.patch("a")["Status"] == "Success"


def test_a_delivery_that_timed_out_runs_all_the_same(make_lab: MakeLab) -> None:
    lab = _faulty(make_lab, "DeliveryTimedOutButRuns")
    install = {"Operation": ["Install"], "RebootOption": ["NoReboot"]}
    command = lab.send("a", document=BASELINE, parameters=install, TimeoutSeconds=60)
    lab.run_for(59)
    assert lab.details(command, "a") == "Pending"
    lab.run_for(2)
    assert lab.details(command, "a") == "DeliveryTimedOut"
    lab.run_for(115)
    assert lab.truth("a")["installed"] == []
    assert not lab.play.world.hosts["a"].guest.updates.installing
    lab.run_for(1000)
    assert lab.truth("a")["installed"] == ["KB5031361"]
    assert lab.details(command, "a") == "DeliveryTimedOut"
    assert lab.patch_state("a")["Operation"] == "Install"


def test_a_node_that_is_off_by_then_never_runs_it(make_lab: MakeLab) -> None:
    lab = _faulty(make_lab, "DeliveryTimedOutButRuns")
    command = lab.send("a", document=BASELINE, parameters={"Operation": ["Install"]}, TimeoutSeconds=60)
    lab.run_for(61)
    lab.stop("a")
    lab.run_for(200)
    lab.start("a")
    lab.run_for(2000)
    assert lab.details(command, "a") == "DeliveryTimedOut"
    assert lab.truth("a")["installed"] == []
