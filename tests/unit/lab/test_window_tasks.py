# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The template's maintenance window opens, and a run is started: by a job of AWX, or by the playbook on a controller node."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from conftest import MakeLab
from lab.aws.events import WebRequest
from lab.aws.setup import STACK, TEMPLATE
from virtual_lab import REGION, VirtualLab

BODY = TEMPLATE.read_text(encoding="utf-8")
HOUR = 3600
LAUNCH = "https://awx.example.com/api/v2/job_templates/patch/launch/"
BY_AWX = {"StartRunBy": "awx", "AwxToken": "t0ken"}
SOURCE = '{"path": "https://s3.eu-central-1.amazonaws.com/playbooks/patch/"}'
BY_NODE = {"StartRunBy": "controller-node", "PlaybookSource": SOURCE}
HOSTS: list[dict[str, Any]] = [
    {"name": "web"},
    {"name": "node", "platform": "linux", "tags": {"PatchFleet": "controller"}},
    {"name": "another-linux", "platform": "linux"},
]
ASKED_FOR_BY_AWS = {
    "ssm:GetAutomationExecution",
    "ssm:GetCommandInvocation",
    "ssm:ListCommandInvocations",
    "ssm:ListCommands",
}
"""How its tasks fare the window finds out itself, which the lab does not play (Systems Manager user guide, "Control access to
maintenance windows using the console")."""


def an_hour_before(make_lab: MakeLab, parameters: dict[str, str], body: str = BODY) -> VirtualLab:
    """An hour before the Saturday's window after Patch Tuesday opens, which the stack has made by its defaults."""
    lab = make_lab(*HOSTS, start="2026-11-14T21:00:00Z")
    deploy(lab, "create_stack", parameters, body)
    return lab


def deploy(lab: VirtualLab, how: str, parameters: dict[str, str], body: str = BODY) -> None:
    given = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
    getattr(lab.client("cloudformation"), how)(
        StackName=STACK, TemplateBody=body, Parameters=given, Capabilities=["CAPABILITY_NAMED_IAM"]
    )


def sent(lab: VirtualLab) -> list[dict[str, Any]]:
    return [call["params"] for call in lab.trace() if call["operation"] == "SendCommand" and not call["error"]]


@pytest.mark.parametrize("parameters", [BY_AWX, BY_NODE])
def test_nothing_is_started_before_the_window_opens(make_lab: MakeLab, parameters: dict[str, str]) -> None:
    lab = an_hour_before(make_lab, parameters)
    lab.run_for(HOUR - 1)
    assert (lab.play.account.web_requests, sent(lab)) == ([], [])


def test_awx_launches_the_job_template_once_a_month(make_lab: MakeLab) -> None:
    lab = an_hour_before(make_lab, BY_AWX)
    lab.run_for(HOUR + 60)
    headers = {"Content-Type": "application/json; charset=utf-8", "Authorization": "Bearer t0ken"}
    assert lab.play.account.web_requests == [WebRequest("POST", LAUNCH, headers, "{}")]
    assert sent(lab) == []
    assert [call["operation"] for call in lab.trace() if "t0ken" in str(call)] == ["CreateStack"]
    lab.run_for(27 * 24 * HOUR)
    assert len(lab.play.account.web_requests) == 1
    lab.run_for(24 * HOUR)
    assert len(lab.play.account.web_requests) == 2


def test_the_controller_node_gets_the_playbook_and_no_one_else(make_lab: MakeLab) -> None:
    lab = an_hour_before(make_lab, BY_NODE)
    lab.run_for(HOUR + 60)
    (command,) = sent(lab)
    assert (command["InstanceIds"], command["DocumentName"]) == ([lab.id("node")], "AWS-ApplyAnsiblePlaybooks")
    assert command["Parameters"] == {
        "SourceType": ["S3"],
        "SourceInfo": [SOURCE],
        "InstallDependencies": ["False"],
        "PlaybookFile": ["patch.yml"],
        "TimeoutSeconds": ["86400"],
    }
    assert lab.play.account.web_requests == []


def test_a_schedule_that_is_changed_holds_instead_of_the_first(make_lab: MakeLab) -> None:
    lab = an_hour_before(make_lab, BY_AWX)
    deploy(lab, "update_stack", {**BY_AWX, "WindowOffsetDays": "5"})
    lab.run_for(HOUR + 60)
    assert lab.play.account.web_requests == []
    lab.run_for(24 * HOUR)
    assert len(lab.play.account.web_requests) == 1


def test_a_stack_that_is_taken_down_starts_nothing_any_more(make_lab: MakeLab) -> None:
    lab = an_hour_before(make_lab, BY_AWX)
    lab.client("cloudformation").delete_stack(StackName=STACK)
    lab.run_for(HOUR + 60)
    assert lab.play.account.web_requests == []


RIGHTS = [
    (BY_NODE, "NodePolicy", "ssm:SendCommand"),
    (BY_AWX, "AwxPolicy", "ssm:StartAutomationExecution"),
    (BY_AWX, "AwxPolicy", "iam:PassRole"),
    (BY_AWX, "AwxPolicy", "events:PutEvents"),
    (BY_AWX, "AwxRuleRole", "events:InvokeApiDestination"),
]


@pytest.mark.parametrize(("parameters", "where", "action"), RIGHTS, ids=[action for *_, action in RIGHTS])
def test_without_one_of_the_rights_nothing_is_started(
    make_lab: MakeLab, parameters: dict[str, str], where: str, action: str
) -> None:
    head, name, tail = BODY.partition(f"\n  {where}:\n")
    assert f"Action: {action}\n" in tail
    lab = an_hour_before(
        make_lab, parameters, head + name + tail.replace(f"Action: {action}\n", "Action: sns:Publish\n")
    )
    lab.run_for(HOUR + 60)
    assert (lab.play.account.web_requests, sent(lab)) == ([], [])


def test_the_roles_that_start_a_run_have_no_right_that_nothing_uses(make_lab: MakeLab) -> None:
    unused = set()
    for parameters in (BY_AWX, BY_NODE):
        lab = an_hour_before(make_lab, parameters)
        lab.run_for(HOUR + 60)
        account = lab.play.account
        for role in (f"PatchFleet-{name}-{REGION}" for name in ("window", "awx")):
            granted = {action for it in account.stacks.statements_of_role(role) for action in it.actions}
            unused |= granted - {action for who, _sid, action in account.gate.used if who == role}
    assert unused == ASKED_FOR_BY_AWS


def test_a_role_that_systems_manager_may_not_assume_is_refused(make_lab: MakeLab) -> None:
    template = {
        "Resources": {
            "Role": {
                "Type": "AWS::IAM::Role",
                "Properties": {
                    "AssumeRolePolicyDocument": {
                        "Statement": [
                            {
                                "Effect": "Allow",
                                "Action": "sts:AssumeRole",
                                "Principal": {"Service": "ec2.amazonaws.com"},
                            }
                        ]
                    }
                },
            },
            "Window": {"Type": "AWS::SSM::MaintenanceWindow", "Properties": {"Schedule": "cron(0 22 ? * * *)"}},
            "Task": {
                "Type": "AWS::SSM::MaintenanceWindowTask",
                "Properties": {
                    "WindowId": {"Ref": "Window"},
                    "Priority": 1,
                    "ServiceRoleArn": {"Fn::GetAtt": ["Role", "Arn"]},
                },
            },
        }
    }
    with pytest.raises(Exception, match="cannot be assumed by Systems Manager"):
        an_hour_before(make_lab, {}, yaml.safe_dump(template))
