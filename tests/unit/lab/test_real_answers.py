# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's answers beside recorded answers of real accounts: the same keys, formats and errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import botocore
import pytest
from botocore.exceptions import ClientError

from conftest import MakeLab
from lab.aws.account import OPERATIONS
from lab.aws.http import FOR_MOTO
from lab.aws.interfaces import VPC_ID
from lab.aws.moto_tables import USUAL_TABLE
from lab.aws.setup import set_up, set_up_member
from recorded import deviations, differences, fits, real_answers, unknown_words
from test_scheduler import schedule
from virtual_lab import VirtualLab, script

REAL = real_answers()
IN_THE_LAB = {
    f"{service}.{name}"
    for operations in (OPERATIONS, FOR_MOTO)
    for service, names in operations.items()
    for name in names
}
HOSTS: list[dict[str, Any]] = [
    {"name": "a", "kms": "usable", "disk": {"data_volumes": [10]}},
    {"name": "off", "state": "stopped"},
    {"name": "kept", "stop_protected": True},
    {"name": "spot", "spot": True},
    {"name": "slept", "state": "stopped", "hibernated": True},
    {"name": "managed", "managed_by_service": True},
    {"name": "bare", "agent": "no_role", "platform": "linux"},
    {"name": "hall", "kind": "hybrid"},
]
MEMBER = {"name": "sales", "id": "222222222222"}
TEMPLATE = """
Parameters: {Days: {Type: Number}}
Resources: {Logs: {Type: AWS::Logs::LogGroup, Properties: {RetentionInDays: !Ref Days}}}
"""

Question = Callable[[VirtualLab], list[dict[str, Any]]]


def controller(lab: VirtualLab) -> str:
    """Set the account up; the role of its controller, whose access key is ASIAROLE."""
    account, member = lab.play.account.estate
    scenario = lab.play.world.scenario
    set_up_member(member.stacks, scenario, scenario.account.accounts[0])
    role = set_up(account.stacks, scenario, scenario.start)
    account.gate.admit_key("ASIAROLE", role)
    return role


# ---- questions, each with its answers


def instances(lab: VirtualLab) -> list[dict[str, Any]]:
    if (
        "IncludeManagedResources"
        not in lab.ec2.meta.service_model.operation_model("DescribeInstances").input_shape.members
    ):
        pytest.skip(f"botocore {botocore.__version__} knows neither IncludeManagedResources nor all of the answer")
    before = lab.ec2.describe_instances(IncludeManagedResources=True)
    lab.start("off")
    return [before, lab.ec2.describe_instances()]


def snapshot(lab: VirtualLab) -> dict[str, Any]:
    tags = [{"ResourceType": "snapshot", "Tags": [{"Key": "Run", "Value": "1"}]}]
    volume = lab.play.world.hosts["a"].root_volume
    assert volume
    made: dict[str, Any] = lab.ec2.create_snapshot(VolumeId=volume.id, TagSpecifications=tags)
    return made


def snapshots(lab: VirtualLab) -> list[dict[str, Any]]:
    snapshot(lab)
    pending = lab.ec2.describe_snapshots()
    lab.run_for(400)
    return [pending, lab.ec2.describe_snapshots()]


def grown(lab: VirtualLab) -> dict[str, Any]:
    volume = lab.play.world.hosts["a"].root_volume
    assert volume
    answer: dict[str, Any] = lab.ec2.modify_volume(VolumeId=volume.id, Size=volume.size_gib + 10)
    return answer


def modifications(lab: VirtualLab) -> list[dict[str, Any]]:
    grown(lab)
    answers = [lab.ec2.describe_volumes_modifications()]
    for seconds in (60, 3600):
        lab.run_for(seconds)
        answers.append(lab.ec2.describe_volumes_modifications())
    return answers


def endpoints(lab: VirtualLab) -> list[dict[str, Any]]:
    for kind, service in (("Interface", "ssm"), ("Gateway", "s3")):
        lab.ec2.create_vpc_endpoint(
            VpcId=VPC_ID, ServiceName=f"com.amazonaws.eu-central-1.{service}", VpcEndpointType=kind
        )
    return [lab.ec2.describe_vpc_endpoints()]


def attributes(lab: VirtualLab) -> list[dict[str, Any]]:
    wanted = ("disableApiStop", "disableApiTermination", "rootDeviceName")
    return [lab.ec2.describe_instance_attribute(InstanceId=lab.id("kept"), Attribute=name) for name in wanted]


def tags(lab: VirtualLab) -> dict[str, Any]:
    return {"Resources": [lab.id("a")], "Tags": [{"Key": "Run", "Value": "1"}]}


def stack(days: int = 3) -> dict[str, Any]:
    return {
        "StackName": "logs",
        "TemplateBody": TEMPLATE,
        "Parameters": [{"ParameterKey": "Days", "ParameterValue": str(days)}],
        "Tags": [{"Key": "Owner", "Value": "Ann"}],
    }


def stacks(lab: VirtualLab) -> list[dict[str, Any]]:
    controller(lab)
    client = lab.client("cloudformation")
    client.create_stack(**stack())
    new = client.describe_stacks()
    client.update_stack(**stack(days=5))
    return [new, client.describe_stacks()]


def updated(lab: VirtualLab) -> dict[str, Any]:
    lab.client("cloudformation").create_stack(**stack())
    answer: dict[str, Any] = lab.client("cloudformation").update_stack(**stack(days=5))
    return answer


def simulated(lab: VirtualLab) -> list[dict[str, Any]]:
    arn = f"arn:aws:iam::123456789012:role/{controller(lab)}"
    iam = lab.client("iam")
    actions = ["ec2:StartInstances", "ec2:DescribeInstances", "s3:GetObject"]
    resources = ["arn:aws:ec2:eu-central-1:123456789012:instance/i-0"]
    return [
        iam.simulate_principal_policy(PolicySourceArn=arn, ActionNames=actions),
        iam.simulate_principal_policy(PolicySourceArn=arn, ActionNames=actions, ResourceArns=resources),
    ]


def scheduled(lab: VirtualLab) -> dict[str, Any]:
    controller(lab)
    answer: dict[str, Any] = lab.client("scheduler", access_key="ASIAROLE").create_schedule(**schedule(lab))
    return answer


def unscheduled(lab: VirtualLab) -> dict[str, Any]:
    scheduled(lab)
    answer: dict[str, Any] = lab.client("scheduler").delete_schedule(GroupName="PatchFleet", Name=lab.id("a"))
    return answer


def read_schedule(lab: VirtualLab, name: str) -> dict[str, Any]:
    answer: dict[str, Any] = lab.client("scheduler").get_schedule(GroupName="PatchFleet", Name=name)
    return answer


def found_schedule(lab: VirtualLab) -> dict[str, Any]:
    scheduled(lab)
    return read_schedule(lab, lab.id("a"))


def sent(lab: VirtualLab) -> dict[str, Any]:
    answer: dict[str, Any] = lab.ssm.send_command(
        InstanceIds=[lab.id("a")], DocumentName="AWS-RunPowerShellScript", Parameters={"commands": script("probe")}
    )
    return answer


def invocations(lab: VirtualLab) -> list[dict[str, Any]]:
    command = sent(lab)["Command"]["CommandId"]
    lab.run_for(300)
    return [lab.invocation(command, "a")]


def session(lab: VirtualLab) -> dict[str, Any]:
    controller(lab)
    arn = f"arn:aws:iam::{MEMBER['id']}:role/PatchFleet-controller-eu-central-1"
    answer: dict[str, Any] = lab.client("sts", access_key="ASIAROLE").assume_role(RoleArn=arn, RoleSessionName="run")
    return answer


def callers(lab: VirtualLab) -> list[dict[str, Any]]:
    controller(lab)
    return [lab.client("sts", access_key=key).get_caller_identity() for key in ("ASIAROLE", "ASIAVIRTUAL")]


def roles(lab: VirtualLab) -> list[dict[str, Any]]:
    return [lab.client("iam").get_role(RoleName=controller(lab))]


QUESTIONS: dict[str, Question] = {
    "cloudformation.CreateStack": lambda lab: [lab.client("cloudformation").create_stack(**stack())],
    "cloudformation.DeleteStack": lambda lab: [lab.client("cloudformation").delete_stack(StackName="none")],
    "cloudformation.DescribeStacks": stacks,
    "cloudformation.UpdateStack": lambda lab: [updated(lab)],
    "dynamodb.DescribeTable": lambda lab: [lab.client("dynamodb").describe_table(TableName=USUAL_TABLE)],
    "ec2.CreateSnapshot": lambda lab: [snapshot(lab)],
    "ec2.CreateTags": lambda lab: [lab.ec2.create_tags(**tags(lab))],
    "ec2.DeleteTags": lambda lab: [lab.ec2.delete_tags(**tags(lab))],
    "ec2.DescribeIamInstanceProfileAssociations": lambda lab: [lab.ec2.describe_iam_instance_profile_associations()],
    "ec2.DescribeInstanceAttribute": attributes,
    "ec2.DescribeInstances": instances,
    "ec2.DescribeRouteTables": lambda lab: [lab.ec2.describe_route_tables()],
    "ec2.DescribeSnapshots": snapshots,
    "ec2.DescribeSubnets": lambda lab: [lab.ec2.describe_subnets()],
    "ec2.DescribeVolumes": lambda lab: [lab.ec2.describe_volumes()],
    "ec2.DescribeVolumesModifications": modifications,
    "ec2.DescribeVpcEndpoints": endpoints,
    "ec2.ModifyVolume": lambda lab: [grown(lab)],
    "ec2.StartInstances": lambda lab: [lab.ec2.start_instances(InstanceIds=[lab.id("off")])],
    "ec2.StopInstances": lambda lab: [lab.ec2.stop_instances(InstanceIds=[lab.id("a")])],
    "iam.GetRole": roles,
    "iam.SimulatePrincipalPolicy": simulated,
    "scheduler.CreateSchedule": lambda lab: [scheduled(lab)],
    "scheduler.DeleteSchedule": lambda lab: [unscheduled(lab)],
    "scheduler.GetSchedule": lambda lab: [found_schedule(lab)],
    "ssm.DescribeInstanceInformation": lambda lab: [lab.ssm.describe_instance_information()],
    "ssm.GetCommandInvocation": invocations,
    "ssm.SendCommand": lambda lab: [sent(lab)],
    "sts.AssumeRole": lambda lab: [session(lab)],
    "sts.GetCallerIdentity": callers,
}


def protected_stack(lab: VirtualLab) -> None:
    client = lab.client("cloudformation")
    client.create_stack(**stack(), EnableTerminationProtection=True)
    client.delete_stack(StackName="logs")


def no_such_principal(lab: VirtualLab) -> None:
    arn = "arn:aws:iam::123456789012:role/none"
    lab.client("iam").simulate_principal_policy(PolicySourceArn=arn, ActionNames=["ec2:StartInstances"])


ERRORS: dict[tuple[str, str], Callable[[VirtualLab], object]] = {
    ("cloudformation.DeleteStack", "400 ValidationError"): protected_stack,
    ("ec2.CreateTags", "400 MissingParameter"): lambda lab: lab.ec2.create_tags(Resources=[lab.id("a")], Tags=[]),
    ("ec2.DescribeSnapshots", "400 InvalidSnapshot.NotFound"): lambda lab: lab.ec2.describe_snapshots(
        SnapshotIds=["snap-0123456789abcdef0"]
    ),
    ("ec2.DescribeSubnets", "400 InvalidSubnetID.NotFound"): lambda lab: lab.ec2.describe_subnets(
        SubnetIds=["subnet-0123456789abcdef0"]
    ),
    ("ec2.DescribeVolumes", "400 InvalidVolume.NotFound"): lambda lab: lab.ec2.describe_volumes(
        VolumeIds=["vol-0123456789abcdef0"]
    ),
    ("ec2.StopInstances", "400 OperationNotPermitted"): lambda lab: lab.stop("kept"),
    ("iam.GetRole", "404 NoSuchEntity"): lambda lab: lab.client("iam").get_role(RoleName="none"),
    ("iam.SimulatePrincipalPolicy", "404 NoSuchEntity"): no_such_principal,
    ("scheduler.GetSchedule", "404 ResourceNotFoundException"): lambda lab: read_schedule(lab, "none"),
}


@pytest.fixture
def lab(make_lab: MakeLab) -> VirtualLab:
    return make_lab(*HOSTS, account={"accounts": [MEMBER]})


def test_each_operation_that_the_lab_has_is_asked() -> None:
    assert QUESTIONS.keys() == REAL.keys() & IN_THE_LAB


def test_each_error_of_these_operations_is_provoked() -> None:
    real = {(name, error) for name in REAL.keys() & IN_THE_LAB for error in REAL[name]["errors"]}
    assert ERRORS.keys() == real


@pytest.mark.parametrize("operation", QUESTIONS)
def test_answers_are_as_nine_of_ten_real_ones(lab: VirtualLab, operation: str) -> None:
    answers = QUESTIONS[operation](lab)
    found = set().union(*(deviations(REAL[operation]["keys"], answer) for answer in answers))
    assert found == set(differences().get(operation, {}))  # those on purpose, and none that is gone


def test_each_difference_on_purpose_has_its_reason() -> None:
    assert differences().keys() <= QUESTIONS.keys()
    assert all(reason.endswith(".") for entries in differences().values() for reason in entries.values())


@pytest.mark.parametrize("operation", QUESTIONS)
def test_words_are_those_of_the_services_model(lab: VirtualLab, operation: str) -> None:
    service, _, name = operation.partition(".")
    shape = lab.client(service).meta.service_model.operation_model(name).output_shape
    assert [word for answer in QUESTIONS[operation](lab) for word in unknown_words(shape, answer)] == []


@pytest.mark.parametrize(("operation", "error"), ERRORS)
def test_errors_have_the_status_and_code_of_real_ones(lab: VirtualLab, operation: str, error: str) -> None:
    with pytest.raises(ClientError) as raised:
        ERRORS[operation, error](lab)
    answer = raised.value.response
    assert f"{answer['ResponseMetadata']['HTTPStatusCode']} {answer['Error']['Code']}" == error


# ---- the comparison itself


@pytest.mark.parametrize(
    ("answer", "deviation"),
    [
        ({"Hosts": [{"Id": "i-0123456789abcdef0", "On": True}]}, set()),
        ({"Hosts": []}, set()),
        ({"Hosts": [{"Id": "i-0123456789abcdef0"}]}, {"Hosts[].On is missing"}),
        ({"Hosts": [{"Id": "i-1", "On": "true"}]}, {"Hosts[].Id is not i-hex17", "Hosts[].On is not boolean"}),
        ({"Hosts": [], "Names": ["a", 1]}, {"Names[] is not text"}),
        ({}, {"Hosts is missing"}),
    ],
)
def test_what_deviates_is_named(answer: dict[str, Any], deviation: set[str]) -> None:
    keys = {"": {"Hosts": "list", "Names[]": "text"}, "Hosts[]": {"Id": "i-hex17", "On": "boolean"}}
    assert deviations(keys, answer) == deviation


@pytest.mark.parametrize(
    ("value", "formats", "whether"),
    [
        ("", "text|empty", True),
        ("", "text", False),
        (True, "number", False),
        ("PT0.5S", "duration", True),
        ("2026-11-14T22:00:00Z", "milliseconds", False),
        ("arn:aws:iam::123456789012:role/x", "regional arn", False),
        ("eni-attach-0123456789abcdef0", "x-hex17", True),
    ],
)
def test_formats(value: object, formats: str, whether: bool) -> None:
    assert fits(value, formats) is whether
