# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Templates as CloudFormation resolves them, and stacks as a client sees them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from conftest import MakeLab
from lab.aws.cloudformation.stacks import Stacks
from lab.aws.errors import AwsError
from lab.clock import VirtualClock
from virtual_lab import VirtualLab, error_of

NOW = VirtualClock().start
BUCKETLESS = {"Resources": {"Table": {"Type": "AWS::DynamoDB::Table", "Properties": {"TableName": "tab"}}}}


def make(body: str, **given: str) -> Any:
    return Stacks().create("eu-central-1", "s", body, given, [], NOW)


def properties(body: str, **given: str) -> dict[str, Any]:
    resolved: dict[str, Any] = make(body, **given).resources["It"].properties
    return resolved


HEAD = """
Parameters:
  Name: {Type: String, Default: one}
  Some: {Type: CommaDelimitedList, Default: "a,b"}
  Days: {Type: Number, Default: 4, MaxValue: 6}
Conditions:
  Named: !Not [!Equals [!Ref Name, none]]
Resources:
  Group: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: /x}}
"""


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("!Ref Name", "one"),
        ("!Ref Some", ["a", "b"]),
        ("!Ref Days", 4),
        ("!Ref Group", "/x"),
        ("!Ref AWS::Region", "eu-central-1"),
        ("!GetAtt Group.Arn", "arn:aws:logs:eu-central-1:123456789012:log-group:/x:*"),
        ('!Sub "${Name}-${AWS::AccountId}-${!Kept}"', "one-123456789012-${Kept}"),
        ('!Sub ["${A}/${Group.Arn}", {A: !Ref Name}]', "one/arn:aws:logs:eu-central-1:123456789012:log-group:/x:*"),
        ("!If [Named, yes, no]", True),
        ('!Join ["+", !Ref Some]', "a+b"),
        ("[1, !If [Named, !Ref AWS::NoValue, 2], 3]", [1, 3]),
        ("{Kept: 1, Gone: !Ref AWS::NoValue}", {"Kept": 1}),
    ],
)
def test_functions(text: str, value: Any) -> None:
    body = HEAD + f"  It: {{Type: AWS::SSM::MaintenanceWindow, Properties: {{Value: {text}}}}}\n"
    assert properties(body)["Value"] == value


def test_a_condition_that_does_not_hold_makes_nothing() -> None:
    body = HEAD + "  It: {Type: AWS::SSM::MaintenanceWindow, Condition: Named}\n"
    assert "It" in make(body).resources
    assert "It" not in make(body, Name="none").resources


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"Nmae": "x"}, r"\[Nmae\] do not exist"),
        ({"Days": "7"}, "'Days' must be a number between"),
    ],
)
def test_parameters_that_cannot_be_right(given: dict[str, str], message: str) -> None:
    with pytest.raises(AwsError, match=message):
        make(HEAD, **given)


@pytest.mark.parametrize(
    ("resource", "message"),
    [
        ("{Type: AWS::S3::Bucket}", "does not know the resource type AWS::S3::Bucket"),
        ("{Type: AWS::Logs::LogGroup, Properties: {A: !ImportValue x}}", "does not know the function Fn::ImportValue"),
        ("{Type: AWS::Logs::LogGroup, Properties: {A: !Ref Nobody}}", "Unresolved resource dependencies"),
        ("{Type: AWS::Logs::LogGroup, Properties: {A: !GetAtt Group.Size}}", "does not know the attribute Size"),
        ("{Type: AWS::Logs::LogGroup, Condition: Nothing}", "Unresolved condition Nothing"),
    ],
)
def test_what_the_lab_does_not_know_is_an_error_and_never_left_out(resource: str, message: str) -> None:
    with pytest.raises(AwsError, match=message):
        make(HEAD + f"  It: {resource}\n")


def test_resources_are_made_in_the_order_in_which_they_need_each_other() -> None:
    body = yaml.safe_dump(
        {
            "Resources": {
                "Task": {"Type": "AWS::SSM::MaintenanceWindowTask", "Properties": {"WindowId": {"Ref": "Window"}}},
                "Window": {"Type": "AWS::SSM::MaintenanceWindow", "DependsOn": "Group"},
                "Group": {"Type": "AWS::Logs::LogGroup"},
            }
        }
    )
    assert list(make(body).resources) == ["Group", "Window", "Task"]


def _deploy(lab: VirtualLab, **more: Any) -> dict[str, Any]:
    answer: dict[str, Any] = lab.client("cloudformation").create_stack(
        StackName="s", TemplateBody=yaml.safe_dump(BUCKETLESS), **more
    )
    return answer


def test_a_stack_is_made_described_and_removed(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a"})
    cloudformation = lab.client("cloudformation")
    _deploy(lab)
    (stack,) = cloudformation.describe_stacks(StackName="s")["Stacks"]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    (resource,) = cloudformation.list_stack_resources(StackName="s")["StackResourceSummaries"]
    assert (resource["ResourceType"], resource["PhysicalResourceId"]) == ("AWS::DynamoDB::Table", "tab")
    assert error_of(lambda: _deploy(lab)) == "AlreadyExistsException"
    unchanged = {"StackName": "s", "TemplateBody": yaml.safe_dump(BUCKETLESS)}
    assert error_of(lambda: cloudformation.update_stack(**unchanged)) == "ValidationError"
    cloudformation.delete_stack(StackName="s")
    assert error_of(lambda: cloudformation.describe_stacks(StackName="s")) == "ValidationError"


CHANGES = [
    ({"TableName": "tab"}, {}, "FAILED", []),
    ({"TableName": "tab", "BillingMode": "PAY_PER_REQUEST"}, {}, "CREATE_COMPLETE", [("Modify", "Table", "False")]),
    ({"TableName": "other"}, {}, "CREATE_COMPLETE", [("Modify", "Table", "True")]),
    (
        None,
        {"Group": {"Type": "AWS::Logs::LogGroup"}},
        "CREATE_COMPLETE",
        [("Add", "Group", None), ("Remove", "Table", None)],
    ),
]


@pytest.mark.parametrize(("table", "more", "status", "expected"), CHANGES)
def test_a_change_set_shows_what_an_update_would_do(
    make_lab: MakeLab, table: dict[str, str] | None, more: dict[str, Any], status: str, expected: list[Any]
) -> None:
    lab = make_lab({"name": "a"})
    _deploy(lab)
    cloudformation = lab.client("cloudformation")
    there = {"Table": {"Type": "AWS::DynamoDB::Table", "Properties": table}} if table else {}
    body = yaml.safe_dump({"Resources": {**there, **more}})
    made = cloudformation.create_change_set(StackName="s", ChangeSetName="c", TemplateBody=body)
    reported = cloudformation.describe_change_set(ChangeSetName=made["Id"])
    assert reported["Status"] == status
    changes = [change["ResourceChange"] for change in reported["Changes"]]
    assert [(it["Action"], it["LogicalResourceId"], it.get("Replacement")) for it in changes] == expected
    cloudformation.delete_change_set(ChangeSetName=made["Id"])
    assert error_of(cloudformation.describe_change_set, ChangeSetName=made["Id"]) == "ChangeSetNotFound"
    (stack,) = cloudformation.describe_stacks()["Stacks"]
    assert stack["StackStatus"] == "CREATE_COMPLETE"


def test_roles_with_names_must_be_acknowledged(make_lab: MakeLab, tmp_path: Path) -> None:
    lab = make_lab({"name": "a"})
    body = yaml.safe_dump({"Resources": {"R": {"Type": "AWS::IAM::Role", "Properties": {"RoleName": "r"}}}})
    keys = {"StackName": "s", "TemplateBody": body}
    cloudformation = lab.client("cloudformation")
    assert error_of(lambda: cloudformation.create_stack(**keys)) == "InsufficientCapabilitiesException"
    cloudformation.create_stack(**keys, Capabilities=["CAPABILITY_NAMED_IAM"])
