# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The message that no run was closed, as the set-up makes it: when it fires, what moves it, and with which rights."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from conftest import MakeLab
from lab.aws.arns import ACCOUNT_ID
from lab.aws.setup import NO_RUN_TEMPLATE, set_up
from virtual_lab import REGION, VirtualLab

DAY = 86_400
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT_ID}:operators"
STACK = "patchfleet-no-run"
NAME = "PatchFleet-no-run"
BODY = NO_RUN_TEMPLATE.read_text(encoding="utf-8")


def parameters(days: int) -> list[dict[str, str]]:
    given = {"Days": str(days), "TopicArn": TOPIC, "ControllerRoles": f"PatchFleet-controller-{REGION}"}
    return [{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()]


def deploy(lab: VirtualLab, days: int = 10) -> Any:
    """The message's stack, made by a call. Returns the client."""
    cloudformation = lab.client("cloudformation")
    wanted = {"TemplateBody": BODY, "Parameters": parameters(days), "Capabilities": ["CAPABILITY_NAMED_IAM"]}
    cloudformation.create_stack(StackName=STACK, **wanted)
    return cloudformation


def controller(lab: VirtualLab) -> Any:
    """The scheduler as the controller's role may use it."""
    stacks = lab.play.account.stacks
    role = set_up(stacks, lab.play.world.scenario, lab.play.sim.time)
    lab.play.account.gate.admit_key("ASIAROLE", role)
    return lab.client("scheduler", access_key="ASIAROLE")


def subjects(lab: VirtualLab) -> list[str]:
    return [message["Subject"] for message in lab.play.account.published]


def moved(scheduler: Any, expression: str, **changed: Any) -> None:
    """As a run does it: what is there, with another time and text."""
    there = scheduler.get_schedule(Name=NAME)
    target = {**there["Target"], "Input": json.dumps({"TopicArn": TOPIC, "Subject": "moved", "Message": "text"})}
    kept = {"Name": NAME, "FlexibleTimeWindow": {"Mode": "OFF"}, "ActionAfterCompletion": "NONE"}
    scheduler.update_schedule(**{**kept, "ScheduleExpression": expression, "Target": target, **changed})


def test_it_comes_at_once_and_each_time_until_a_run_moves_it(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a"})
    cloudformation = deploy(lab)
    lab.run_for(100)
    assert subjects(lab) == ["Patch Fleet: no closed run is known yet"]
    assert lab.play.account.published[0]["TopicArn"] == TOPIC
    assert "every 10 days" in lab.play.account.published[0]["Message"]
    lab.run_for(10 * DAY)
    assert len(subjects(lab)) == 2

    scheduler = lab.client("scheduler")
    for days in (5, 20):
        due = lab.play.sim.time.timestamp() + days * DAY
        moved(scheduler, f"at({lab.play.sim.time.fromtimestamp(due, lab.play.sim.time.tzinfo):%Y-%m-%dT%H:%M:%S})")
    lab.run_for(19 * DAY)
    assert len(subjects(lab)) == 2
    lab.run_for(2 * DAY)
    assert subjects(lab)[2:] == ["moved"]
    lab.run_for(100 * DAY)
    assert len(subjects(lab)) == 3
    assert scheduler.get_schedule(Name=NAME)["ActionAfterCompletion"] == "NONE"

    wanted = {"TemplateBody": BODY, "Parameters": parameters(12), "Capabilities": ["CAPABILITY_NAMED_IAM"]}
    cloudformation.update_stack(StackName=STACK, **wanted)
    lab.run_for(100)
    assert subjects(lab)[3:] == ["Patch Fleet: no closed run is known yet"]
    cloudformation.delete_stack(StackName=STACK)
    with pytest.raises(ClientError, match="does not exist"):
        scheduler.get_schedule(Name=NAME)
    lab.run_for(30 * DAY)
    assert len(subjects(lab)) == 4


def test_the_controller_may_move_this_schedule_and_do_nothing_else_to_schedules(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a"})
    scheduler = controller(lab)
    moved(scheduler, "at(2099-01-01T00:00:00)")
    with pytest.raises(ClientError, match="AccessDenied"):
        moved(scheduler, "at(2099-01-01T00:00:00)", Name="other")
    with pytest.raises(ClientError, match="AccessDenied"):
        scheduler.delete_schedule(Name=NAME)
    other = {**scheduler.get_schedule(Name=NAME)["Target"], "RoleArn": f"arn:aws:iam::{ACCOUNT_ID}:role/admin"}
    with pytest.raises(ClientError, match="AccessDenied"):
        moved(scheduler, "at(2099-01-01T00:00:00)", Target=other)


def test_the_schedules_role_publishes_to_its_topic_alone(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a"})
    controller(lab)
    statements = lab.play.account.stacks.statements_of_role(f"PatchFleet-no-run-{REGION}")
    assert [(list(it.actions), list(it.resources)) for it in statements] == [(["sns:Publish"], [TOPIC])]
