# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An account is set up, set up again, and taken down, by the playbooks that do it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from living_lab import LivingLab

from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.records import PowerRecord
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.sqlite import SqliteLedger

TOPIC = "arn:aws:sns:eu-central-1:123456789012:operators"
CONTROLLER = {"ControllerPrincipals": "arn:aws:iam::123456789012:role/awx", "LedgerTable": "create"}


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[LivingLab]:
    with LivingLab(tmp_path, [{"name": "dev-01"}, {"name": "bare-01", "agent": "no_role"}], bare=True) as lab:
        yield lab


def profiles(lab: LivingLab) -> dict[str, str]:
    """The hosts that have an instance profile, and which."""
    rows = lab.client("ec2").describe_iam_instance_profile_associations()["IamInstanceProfileAssociations"]
    names = {lab.id(host.name): host.name for host in lab.scenario.hosts}
    return {names[row["InstanceId"]]: row["IamInstanceProfile"]["Arn"].rpartition("/")[2] for row in rows}


def test_set_up_shown_first_done_done_again_and_taken_down(lab: LivingLab) -> None:
    wanted = {
        "aws_prerequisites_parameters": CONTROLLER,
        "aws_prerequisites_attach_instance_profile": True,
        "patch_no_run_days": 35,
        "aws_prerequisites_no_run_topic": TOPIC,
    }
    cloudformation = lab.client("cloudformation")

    shown = lab.playbook("setup_aws", "--check", variables=wanted)
    assert shown.code == 0, shown.output
    assert cloudformation.describe_stacks()["Stacks"] == []
    assert "New stack would be created" in shown.output
    assert "attached: bare-01. It gets the stack's instance profile." in shown.words
    assert profiles(lab) == {"dev-01": "managed-node"}

    done = lab.playbook("setup_aws", variables=wanted)
    (made,) = done.of("Set up what Patch Fleet needs")
    assert made["changed"], done.output
    assert profiles(lab) == {"dev-01": "managed-node", "bare-01": "PatchFleet-host-eu-central-1"}
    stack, message = cloudformation.describe_stacks()["Stacks"]
    assert message["StackName"] == "patchfleet-no-run"
    assert {one["ParameterKey"]: one["ParameterValue"] for one in message["Parameters"]} == {
        "Prefix": "PatchFleet",
        "Days": "35",
        "TopicArn": TOPIC,
        "ControllerRoles": "PatchFleet-controller-eu-central-1",
    }
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    assert outputs["ControllerRoleArn"] == "arn:aws:iam::123456789012:role/PatchFleet-controller-eu-central-1"
    assert outputs["LedgerUrl"] == "dynamodb://PatchFleet-ledger"

    again = lab.playbook("setup_aws", variables=wanted)
    assert [result.result["changed"] for result in again.results] == [False] * len(again.results), again.output
    other = {**CONTROLLER, "ApproveAfterDays": 9, "LogGroup": "none", "DeadManSwitch": True, "WindowOffsetDays": 0}
    shown = lab.playbook("setup_aws", "--check", variables={"aws_prerequisites_parameters": other})
    (lines,) = (reported["msg"] for reported in shown.of("Show what would change"))
    assert {
        "Modify Baseline (AWS::SSM::PatchBaseline)",
        "Remove CommandOutput (AWS::Logs::LogGroup); needs aws_prerequisites_confirm_removal",
    } < set(lines)
    assert {"Add SwitchRole (AWS::IAM::Role)", "Modify Window (AWS::SSM::MaintenanceWindow)"} < set(lines)
    assert cloudformation.describe_stacks()["Stacks"] == [stack, message]

    shown = lab.playbook("teardown_aws", "--check")
    assert shown.code == 0, shown.output
    assert "Remove Ledger (AWS::DynamoDB::Table) PatchFleet-ledger: the table itself stays" in shown.words
    assert "Remove Message (AWS::Scheduler::Schedule) PatchFleet-no-run" in shown.words
    assert f"detached: bare-01 ({lab.id('bare-01')})" in shown.words
    assert cloudformation.describe_stacks()["Stacks"] == [stack, message]

    (gone,) = lab.playbook("teardown_aws").of("Remove the stack and its instance profile")
    assert gone["changed"]
    assert profiles(lab) == {"dev-01": "managed-node"}
    assert cloudformation.describe_stacks()["Stacks"] == []


def parameters(lab: LivingLab) -> dict[str, str]:
    """Those that the stack was made or updated with."""
    (stack,) = lab.client("cloudformation").describe_stacks()["Stacks"]
    return {one["ParameterKey"]: one["ParameterValue"] for one in stack["Parameters"]}


def test_set_up_again_keeps_what_is_not_named_and_removes_nothing_unasked(lab: LivingLab) -> None:
    def set_up(**variables: Any) -> Any:
        return lab.playbook("setup_aws", variables=variables)

    assert set_up(aws_prerequisites_parameters=CONTROLLER).code == 0
    assert set_up(aws_prerequisites_parameters={"DeadManSwitch": True}).code == 0
    assert parameters(lab) == {**CONTROLLER, "DeadManSwitch": "true"}

    without_table = {"aws_prerequisites_parameters": {"LedgerTable": "none"}}
    refused = set_up(**without_table)
    assert refused.code == 2
    assert "The update would remove or replace ControllerLedgerPolicy, Ledger of the stack patchfleet." in refused.words
    assert "aws_prerequisites_confirm_removal" in refused.words
    reset = set_up(aws_prerequisites_reset=True)
    assert reset.code == 2
    assert "SwitchGroup" in reset.words
    assert parameters(lab) == {**CONTROLLER, "DeadManSwitch": "true"}

    assert set_up(**without_table, aws_prerequisites_confirm_removal=True).code == 0
    assert parameters(lab) == {**CONTROLLER, "DeadManSwitch": "true", "LedgerTable": "none"}
    assert set_up(aws_prerequisites_reset=True, aws_prerequisites_confirm_removal=True).code == 0
    assert parameters(lab) == {}


def test_no_teardown_while_the_set_up_is_needed(lab: LivingLab) -> None:
    assert lab.playbook("setup_aws", variables={"aws_prerequisites_parameters": {"DeadManSwitch": True}}).code == 0
    scheduler, cloudformation = lab.client("scheduler"), lab.client("cloudformation")
    where = {"GroupName": "PatchFleet", "Name": f"{lab.id('dev-01')}-20261114T220000Z-0001"}
    scheduler.create_schedule(
        **where,
        ScheduleExpression="at(2099-01-01T00:00:00)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={
            "Arn": "arn:aws:scheduler:::aws-sdk:ssm:startAutomationExecution",
            "RoleArn": "arn:aws:iam::123456789012:role/PatchFleet-scheduler-eu-central-1",
            "Input": "{}",
        },
    )
    shown = lab.playbook("teardown_aws", "--check")
    assert (shown.code, "Refused as long as this holds: The watchdog schedule" in shown.words) == (0, True), (
        shown.output
    )
    refused = lab.playbook("teardown_aws")
    assert refused.code == 2
    assert f"The watchdog schedule {where['Name']} is pending in eu-central-1." in refused.words
    assert "Put the hosts back first, with the ledger of their run (patch_ledger)." in refused.words
    assert cloudformation.describe_stacks()["Stacks"] != []
    scheduler.delete_schedule(**where)

    ledger, run = SqliteLedger(str(lab.ledger)), "20261114T220000Z-0001"
    ledger.record_power(PowerRecord("dev-01", lab.id("dev-01"), "eu-central-1", "dev-01", "stopped", 1.0, run))
    ledger.note_start("dev-01", run, 1.0)
    refused = lab.playbook("teardown_aws")
    assert refused.code == 2
    assert f"dev-01 ({lab.id('dev-01')}) is on because of run {run}." in refused.words
    assert cloudformation.describe_stacks()["Stacks"] != []

    assert lab.playbook("teardown_aws", variables={"aws_prerequisites_teardown_anyway": True}).code == 0
    assert cloudformation.describe_stacks()["Stacks"] == []


@pytest.mark.parametrize(
    ("variables", "reported"),
    [
        ({"DeadManSwitch": True}, "DeadManSwitch: a parameter of the stack belongs into aws_prerequisites_parameters"),
        ({"aws_prerequisites_parameters": {"TagKye": "x"}}, "has no parameter TagKye. Did you mean TagKey?"),
        ({"aws_prerequisites_atach": True}, "There is no variable aws_prerequisites_atach."),
        ({"patch_no_run_days": 35}, "needs 2 to 400 days and an SNS topic: set aws_prerequisites_no_run_topic"),
        (
            {"aws_prerequisites_parameters": {"TagValue": "Prod & Test (EU)"}},
            'TagValue "Prod & Test (EU)" cannot be a patch group',
        ),
    ],
)
def test_a_name_that_there_is_not_is_found_when_it_is_shown_first(
    lab: LivingLab, variables: dict[str, Any], reported: str
) -> None:
    refused = lab.playbook("setup_aws", "--check", variables=variables)
    assert refused.code != 0
    assert reported in refused.words
    assert refused.touched == []


def test_the_token_of_awx_is_in_no_result_and_yet_it_is_said_what_went_wrong(lab: LivingLab) -> None:
    parameters = {"StartRunBy": "awx", "AwxToken": "t0ken-of-awx", "WindowOffsetDays": "9"}
    refused = lab.playbook("setup_aws", "-vvv", variables={"aws_prerequisites_parameters": parameters})
    assert refused.code != 0
    assert "WindowOffsetDays" in refused.output
    assert "t0ken-of-awx" not in refused.output + str(refused.results)
