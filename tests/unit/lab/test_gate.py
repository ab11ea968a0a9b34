# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands before each call: credentials, throttling, token buckets, rights, faults, and what is not known at all."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

from conftest import MakeLab
from lab.aws.setup import set_up
from virtual_lab import VirtualLab, error_of

ROLE_ARN = "arn:aws:iam::123456789012:role/PatchFleet-controller-eu-central-1"


def _codes(lab: VirtualLab, times: int, call: Callable[[], object]) -> list[str]:
    """The error codes of ``times`` calls; an empty one for a call that worked."""
    codes = []
    for _time in range(times):
        try:
            call()
            codes.append("")
        except ClientError as error:
            codes.append(error.response["Error"]["Code"])
    return codes


# ---- credentials


def test_expired_credentials_answer_differently_by_service(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a"}, events=[{"at_seconds": 10, "do": "expire_credentials"}])
    lab.ec2.describe_instances()
    lab.run_for(11)
    assert error_of(lab.ec2.describe_instances) == "RequestExpired"
    assert error_of(lab.ssm.describe_instance_information) == "ExpiredTokenException"
    assert error_of(lab.client("sts").get_caller_identity) == "ExpiredToken"
    lab.play.account.gate.admit_key("ASIANEW")
    lab.client("ec2", access_key="ASIANEW").describe_instances()
    assert error_of(lab.ec2.describe_instances) == "RequestExpired"


def test_credentials_that_the_lab_did_not_give_out(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a"})
    assert error_of(lab.client("ec2", access_key="AKIAOWN").describe_instances) == "AuthFailure"
    assert error_of(lab.client("ssm", access_key="AKIAOWN").list_commands) == "UnrecognizedClientException"
    assert error_of(lab.client("sts", access_key="AKIAOWN").get_caller_identity) == "InvalidClientTokenId"


def test_who_is_calling(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a"})
    lab.play.account.gate.admit_key("ASIAROLE", "PatchFleet-controller-eu-central-1")
    assert lab.client("sts").get_caller_identity()["Arn"] == "arn:aws:iam::123456789012:user/administrator"
    identity = lab.client("sts", access_key="ASIAROLE").get_caller_identity()
    assert identity["Account"] == "123456789012"
    assert identity["Arn"] == "arn:aws:sts::123456789012:assumed-role/PatchFleet-controller-eu-central-1/lab"


# ---- rates


def test_a_share_of_the_calls_is_throttled_with_the_services_own_code(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a"}, account={"throttle": 0.3})
    ec2 = _codes(lab, 200, lab.ec2.describe_instances)
    ssm = _codes(lab, 200, lab.ssm.list_commands)
    assert set(ec2) == {"", "RequestLimitExceeded"}
    assert set(ssm) == {"", "ThrottlingException"}
    assert 30 < len([code for code in ec2 if code]) < 90
    again = make_lab({"name": "a"}, account={"throttle": 0.3})
    assert _codes(again, 200, again.ec2.describe_instances) == ec2


def test_a_throttled_call_has_the_status_of_its_service(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a"}, account={"throttle": 0.9})
    statuses = set()
    for call in (lab.ec2.describe_instances, lab.ssm.list_commands):
        for _time in range(20):
            try:
                call()
            except ClientError as error:
                statuses.add((error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]))
    assert statuses == {("RequestLimitExceeded", 503), ("ThrottlingException", 400)}


def test_start_requests_have_a_bucket_of_five_that_fills_by_two_a_second(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a"}, account={"buckets": True})
    codes = _codes(lab, 7, lambda: lab.start("a"))
    assert codes == [""] * 5 + ["RequestLimitExceeded"] * 2
    lab.run_for(1)
    assert _codes(lab, 3, lambda: lab.start("a")) == ["", "", "RequestLimitExceeded"]


def test_started_instances_have_a_bucket_of_their_own(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "n-{01..50}"}, account={"buckets": True})
    ids = [lab.id(f"n-{number:02}") for number in range(1, 51)]
    codes = []
    for _call in range(22):
        codes += _codes(lab, 1, lambda: lab.ec2.start_instances(InstanceIds=ids))
        lab.run_for(0.5)  # enough for the next request, not for fifty more instances
    assert codes == [""] * 20 + ["RequestLimitExceeded"] * 2


def test_each_describe_call_has_a_bucket_of_its_own(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a"}, account={"buckets": True})

    def one() -> object:
        return lab.ec2.describe_instances(InstanceIds=[lab.id("a")])

    assert _codes(lab, 101, one) == [""] * 100 + ["RequestLimitExceeded"]
    assert not any(_codes(lab, 50, lab.ec2.describe_volumes))
    lab.run_for(1)
    assert _codes(lab, 21, one) == [""] * 20 + ["RequestLimitExceeded"]


def test_describing_everything_at_once_has_a_smaller_bucket(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a"}, account={"buckets": True})
    assert _codes(lab, 51, lab.ec2.describe_instances) == [""] * 50 + ["RequestLimitExceeded"]
    lab.run_for(1)
    assert _codes(lab, 11, lab.ec2.describe_instances) == [""] * 10 + ["RequestLimitExceeded"]
    assert not any(_codes(lab, 100, lambda: lab.ec2.describe_instances(MaxResults=5)))


def test_without_buckets_no_one_counts(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a"})
    assert not any(_codes(lab, 120, lab.ec2.describe_instances))


def test_each_operation_of_ssm_has_a_bucket_too(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a"}, account={"buckets": True})
    assert _codes(lab, 61, lab.ssm.list_commands) == [""] * 60 + ["ThrottlingException"]
    assert not any(_codes(lab, 60, lab.ssm.list_command_invocations))
    assert _codes(lab, 21, lambda: lab.send("a")) == [""] * 20 + ["ThrottlingException"]


# ---- rights


def test_a_denied_call_names_action_and_resource(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a"}, account={"deny": ["ec2:ModifyVolume", "ssm:Send*"]})
    volume = lab.describe("a")["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
    with pytest.raises(ClientError) as denied:
        lab.ec2.modify_volume(VolumeId=volume, Size=80)
    error = denied.value.response["Error"]
    assert error["Code"] == "UnauthorizedOperation"
    assert denied.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert "not authorized to perform: ec2:ModifyVolume on resource: arn:aws:ec2:eu-central-1:" in error["Message"]
    assert f"volume/{volume}" in error["Message"]
    assert "Encoded authorization failure message" in error["Message"]
    with pytest.raises(ClientError, match="not authorized to perform: ssm:SendCommand on resource: arn:") as denied:
        lab.send("a")
    assert denied.value.response["Error"]["Code"] == "AccessDeniedException"


def test_a_simulation_of_the_policy_agrees(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a"}, account={"deny": ["ec2:ModifyVolume"]})
    set_up(lab.play.account.stacks, lab.play.world.scenario, lab.play.sim.time)
    wanted = {
        "PolicySourceArn": ROLE_ARN,
        "ActionNames": ["ec2:ModifyVolume", "ec2:StartInstances"],
        "ResourceArns": ["arn:aws:ec2:eu-central-1:123456789012:instance/i-0f1e2d3c4b5a69788"],
    }

    def decisions(**keys: str) -> dict[str, str]:
        entries = [
            {"ContextKeyName": key, "ContextKeyType": "string", "ContextKeyValues": [value]}
            for key, value in {"aws:RequestedRegion": "eu-central-1", **keys}.items()
        ]
        simulated = lab.client("iam").simulate_principal_policy(**wanted, ContextEntries=entries)
        return {entry["EvalActionName"]: entry["EvalDecision"] for entry in simulated["EvaluationResults"]}

    denied = {"ec2:ModifyVolume": "implicitDeny", "ec2:StartInstances": "implicitDeny"}
    assert decisions() == denied
    assert decisions(**{"aws:ResourceTag/PatchGroup": "Windows"}) == {**denied, "ec2:StartInstances": "allowed"}


# ---- faults


def test_a_fault_hits_the_calls_that_name_the_host(make_lab: MakeLab) -> None:
    fault = {"operation": "SendCommand", "error": "ThrottlingException", "times": 1}
    lab = make_lab({"name": "a", "api_faults": [fault]}, {"name": "b"})
    lab.send("b")
    assert _codes(lab, 2, lambda: lab.send("a", "b")) == ["ThrottlingException", ""]


def test_a_fault_can_hit_every_call_of_its_operation(make_lab: MakeLab) -> None:
    fault = {"operation": "DescribeVolumes", "error": "InternalError", "times": "always", "with_host": False}
    lab = make_lab({"name": "a", "api_faults": [fault]})
    assert _codes(lab, 3, lab.ec2.describe_volumes) == ["InternalError"] * 3


def test_a_fault_finds_its_host_behind_volumes_and_commands(make_lab: MakeLab) -> None:
    faults = [
        {"operation": "ModifyVolume", "error": "InternalError"},
        {"operation": "ListCommandInvocations", "error": "InternalServerError"},
    ]
    lab = make_lab({"name": "a", "api_faults": faults})
    volume = lab.describe("a")["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
    assert error_of(lab.ec2.modify_volume, VolumeId=volume, Size=80) == "InternalError"
    command = lab.send("a")
    assert error_of(lab.ssm.list_command_invocations, CommandId=command) == "InternalServerError"


# ---- what is not known


@pytest.mark.parametrize(
    ("service", "operation", "params"),
    [
        ("ec2", "reboot_instances", {"InstanceIds": ["i-00000000000000000"]}),
        ("ec2", "import_instance", {"Platform": "Windows"}),
        ("ssm", "start_automation_execution", {"DocumentName": "AWS-StopEC2Instance"}),
        ("s3", "list_buckets", {}),
        ("dynamodb", "list_tables", {}),
        ("logs", "delete_log_group", {"logGroupName": "g"}),
    ],
)
def test_what_the_lab_does_not_know_is_answered_with_501(
    make_lab: MakeLab, service: str, operation: str, params: dict[str, object]
) -> None:
    lab = make_lab({"name": "a"})
    with pytest.raises(ClientError) as refused:
        getattr(lab.client(service), operation)(**params)
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501
    entry = lab.trace()[-1]
    assert (entry["service"], entry["error"]) == (service, "NotImplemented")


def test_a_request_that_no_one_signed(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a"})
    connection = http.client.HTTPConnection(urlsplit(lab.server.url).netloc)
    connection.request("GET", "/moto-api/data.json")
    answer = connection.getresponse()
    assert answer.status == 501
    assert json.loads(answer.read())["__type"] == "NotImplemented"
    connection.close()


def test_connections_are_kept_open(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a"})
    answer = lab.client("ec2", url=lab.server.url).describe_regions()
    assert answer["ResponseMetadata"]["HTTPHeaders"].get("connection") != "close"
