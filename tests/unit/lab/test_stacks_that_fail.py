# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stacks that cannot be made or changed half-way through: why, what is rolled back, and what stays."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from conftest import MakeLab
from lab.aws.arns import Arns
from lab.aws.errors import AwsError
from lab.aws.policy_documents import POLICY_CHARACTERS, check_policy, check_trust
from lab.aws.setup import TEMPLATE
from virtual_lab import VirtualLab, error_of

ALLOW = {"Effect": "Allow", "Action": "ec2:StopInstances", "Resource": "*"}
TRUST = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ssm.amazonaws.com"}}


def table(name: str, **more: Any) -> dict[str, Any]:
    return {"Type": "AWS::DynamoDB::Table", "Properties": {"TableName": name}, **more}


def policy(document: Any) -> dict[str, Any]:
    properties = {"ManagedPolicyName": "broken", "PolicyDocument": document}
    return {"Type": "AWS::IAM::ManagedPolicy", "DependsOn": "Kept", "Properties": properties}


class Client:
    """CloudFormation of a lab, for one stack."""

    def __init__(self, lab: VirtualLab) -> None:
        self.api = lab.client("cloudformation")

    def create(self, resources: dict[str, Any], **more: Any) -> str:
        body = yaml.safe_dump({"Resources": resources})
        capabilities = ["CAPABILITY_NAMED_IAM"]
        answer = self.api.create_stack(StackName="s", TemplateBody=body, Capabilities=capabilities, **more)
        return str(answer["StackId"])

    def status(self, name: str = "s") -> str:
        return str(self.api.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"])

    def resources(self, name: str = "s") -> list[str]:
        listed = self.api.list_stack_resources(StackName=name)["StackResourceSummaries"]
        return [resource["LogicalResourceId"] for resource in listed]

    def reasons(self, name: str = "s") -> dict[str, str]:
        events = self.api.describe_stack_events(StackName=name)["StackEvents"]
        return {it["LogicalResourceId"]: it["ResourceStatusReason"] for it in events if "ResourceStatusReason" in it}


@pytest.fixture
def client(make_lab: MakeLab) -> Client:
    return Client(make_lab({"name": "a"}))


@pytest.mark.parametrize(
    ("deletion_policy", "second_try"),
    [("Retain", "ROLLBACK_COMPLETE"), ("RetainExceptOnCreate", "CREATE_COMPLETE"), ("Delete", "CREATE_COMPLETE")],
)
def test_what_a_failed_stack_retains_blocks_the_next(client: Client, deletion_policy: str, second_try: str) -> None:
    kept = table("ledger", DeletionPolicy=deletion_policy)
    client.create({"Kept": kept, "Bad": policy('{"Version": "2012-10-17", ')})
    assert client.status() == "ROLLBACK_COMPLETE"
    assert client.resources() == []
    assert client.reasons() == {"Bad": "Syntax errors in policy. (MalformedPolicyDocument)"}
    update = {"StackName": "s", "TemplateBody": yaml.safe_dump({"Resources": {"Kept": kept}})}
    assert error_of(client.api.update_stack, **update) == "ValidationError"
    client.api.delete_stack(StackName="s")
    client.create({"Kept": kept})
    assert client.status() == second_try


def test_a_table_that_is_protected_is_not_rolled_back(client: Client) -> None:
    """DynamoDB refuses DeleteTable, whatever the template says of it."""
    properties = {"TableName": "ledger", "DeletionProtectionEnabled": True}
    kept = {"Type": "AWS::DynamoDB::Table", "Properties": properties, "DeletionPolicy": "RetainExceptOnCreate"}
    client.create({"Kept": kept, "Bad": policy('{"Version": "2012-10-17", ')}, OnFailure="DELETE")
    assert client.status() == "ROLLBACK_FAILED"


def test_a_stack_that_is_to_be_deleted_on_failure_is_gone_and_is_found_by_its_id(client: Client) -> None:
    stack = client.create({"Kept": table("ledger"), "Bad": policy({"Statement": []})}, OnFailure="DELETE")
    assert error_of(client.api.describe_stacks, StackName="s") == "ValidationError"
    assert client.status(stack) == "DELETE_COMPLETE"
    assert "Bad" in client.reasons(stack)
    client.create({"Kept": table("ledger")})
    assert client.status() == "CREATE_COMPLETE"


def test_what_was_made_before_the_failure_can_be_left_for_a_check(client: Client) -> None:
    client.create({"Kept": table("ledger"), "Bad": policy({"Statement": []})}, OnFailure="DO_NOTHING")
    assert (client.status(), client.resources()) == ("CREATE_FAILED", ["Kept"])


@pytest.mark.parametrize("deletion_policy", ["Retain", "RetainExceptOnCreate"])
def test_what_a_deleted_stack_retains_stays_in_the_account(client: Client, deletion_policy: str) -> None:
    kept = table("ledger", DeletionPolicy=deletion_policy)
    client.create({"Kept": kept})
    client.api.delete_stack(StackName="s")
    client.create({"Kept": kept})
    assert client.reasons()["Kept"].startswith(
        "Resource of type 'AWS::DynamoDB::Table' with identifier 'ledger' already"
    )


def test_an_update_that_fails_changes_nothing(client: Client) -> None:
    client.create({"Kept": table("ledger")})
    body = yaml.safe_dump({"Resources": {"Kept": table("other"), "Bad": policy({"Statement": []})}})
    client.api.update_stack(StackName="s", TemplateBody=body, Capabilities=["CAPABILITY_NAMED_IAM"])
    assert client.status() == "UPDATE_ROLLBACK_COMPLETE"
    (listed,) = client.api.list_stack_resources(StackName="s")["StackResourceSummaries"]
    assert listed["PhysicalResourceId"] == "ledger"
    corrected = yaml.safe_dump({"Resources": {"Kept": table("other")}})
    client.api.update_stack(StackName="s", TemplateBody=corrected)
    assert client.status() == "UPDATE_COMPLETE"


def test_two_set_ups_cannot_have_one_log_group_or_one_patch_group(client: Client) -> None:
    """The second of one region says so with Prefix, LogGroup and PatchBaseline; else it is rolled back and leaves nothing."""
    keys = {"TemplateBody": TEMPLATE.read_text(encoding="utf-8"), "Capabilities": ["CAPABILITY_NAMED_IAM"]}

    def create(name: str, **given: str) -> str:
        parameters = [{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()]
        client.api.create_stack(StackName=name, Parameters=parameters, OnFailure="ROLLBACK", **keys)
        return client.status(name)

    assert create("first") == "CREATE_COMPLETE"
    assert create("second", Prefix="Two") == "ROLLBACK_COMPLETE"
    assert {*client.reasons("second")} <= {"CommandOutput", "Baseline"}
    assert create("third", Prefix="Two", LogGroup="none") == "ROLLBACK_COMPLETE"
    assert {*client.reasons("third")} == {"Baseline"}
    assert (
        create("fourth", Prefix="Two", LogGroup="none", PatchBaseline="none", LedgerTable="create") == "CREATE_COMPLETE"
    )


# ---- policies


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ('{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", }]}', "Syntax errors in policy."),
        ("[]", "Syntax errors in policy."),
        ({"Version": "2013-10-17", "Statement": [ALLOW]}, "Syntax errors in policy."),
        ({"Statement": [{**ALLOW, "Effect": "allow"}]}, "Syntax errors in policy."),
        ({"Statement": [{**ALLOW, "Sid": "with blanks"}]}, "Syntax errors in policy."),
        ({"Statement": [{**ALLOW, "Sid": "A"}, {**ALLOW, "Sid": "A"}]}, "must be unique"),
        ({"Statement": [{"Effect": "Allow", "Resource": "*"}]}, "must contain actions"),
        ({"Statement": [{**ALLOW, "Action": "StopInstances"}]}, "must be prefaced by a vendor"),
        ({"Statement": [{"Effect": "Allow", "Action": "ec2:StopInstances"}]}, "must contain resources"),
        ({"Statement": [{**ALLOW, "Resource": "instance/*"}]}, "must be in ARN format"),
        ({"Statement": [{**ALLOW, "Resource": "arn:aws-cn:ec2:*:1:instance/*"}]}, 'Partition "aws-cn" is not valid'),
        ({"Statement": [{**ALLOW, "Principal": "*"}]}, "should not specify a principal"),
        ({"Statement": [{**ALLOW, "Condition": {"StringIs": {"a": "b"}}}]}, "Invalid Condition type : StringIs"),
    ],
)
def test_a_policy_that_iam_refuses(document: Any, message: str) -> None:
    with pytest.raises(AwsError, match=message) as refused:
        check_policy(document, Arns())
    assert refused.value.code == "MalformedPolicyDocument"


def test_a_policy_has_the_given_number_of_characters_without_blanks() -> None:
    def of(length: int) -> str:
        return json.dumps(
            {"Version": "2012-10-17", "Statement": [{**ALLOW, "Resource": f"arn:aws:s3:::{'x' * length}"}]}
        )

    least = len(of(0).replace(" ", ""))
    check_policy(of(POLICY_CHARACTERS - least), Arns())
    with pytest.raises(AwsError) as refused:
        check_policy(of(POLICY_CHARACTERS - least + 1), Arns())
    assert refused.value.code == "LimitExceeded"


@pytest.mark.parametrize(
    ("partition", "principal", "right"),
    [
        ("aws", {"Service": "ssm.amazonaws.com"}, True),
        ("aws", {"Service": ["ssm.amazonaws.com", "scheduler.amazonaws.com"]}, True),
        ("aws", {"Service": "sms.amazonaws.com"}, False),
        ("aws", {"Service": "ec2.amazonaws.com.cn"}, False),
        ("aws-cn", {"Service": "ssm.amazonaws.com"}, True),
        ("aws-cn", {"Service": "ssm.amazonaws.com.cn"}, False),
        ("aws-cn", {"Service": "ec2.amazonaws.com.cn"}, True),
        ("aws-us-gov", {"Service": "scheduler.amazonaws.com"}, True),
        ("aws", {"AWS": "arn:aws:iam::123456789012:root"}, True),
        ("aws", {"AWS": "123456789012"}, True),
        ("aws-cn", {"AWS": "arn:aws:iam::123456789012:root"}, False),
        ("aws", {"AWS": "arn:aws:ec2:eu-central-1:123456789012:instance/i-1"}, False),
        ("aws", {}, False),
    ],
)
def test_who_may_assume_a_role(partition: str, principal: dict[str, Any], right: bool) -> None:
    document = {"Version": "2012-10-17", "Statement": [{**TRUST, "Principal": principal}]}
    if right:
        check_trust(document, Arns(partition=partition))
        return
    with pytest.raises(AwsError) as refused:
        check_trust(document, Arns(partition=partition))
    assert refused.value.code == "MalformedPolicyDocument"
