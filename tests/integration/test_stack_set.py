# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An organization is set up by one playbook, planned with the roles that it makes, and taken down again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from living_lab import LivingLab

from lab.aws.account import Account
from lab.aws.organizations import WINDOWS, Organization
from lab.aws.setup import TEMPLATE

SALES, PLANT = "210987654321", "310987654321"
CONTROLLER_ROLE = "PatchFleet-controller-eu-central-1"
STACK_SET = {"units": [WINDOWS], "regions": ["eu-central-1"]}
WANTED = {
    "aws_prerequisites_parameters": {
        "ControllerPrincipals": "arn:aws:iam::123456789012:root",
        "OrganizationRole": CONTROLLER_ROLE,
        "LedgerTable": "create",
    },
    "patch_stack_set": STACK_SET,
}


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[LivingLab]:
    hosts = [{"name": "own-01"}, {"name": "sales-01", "account": "sales"}]
    accounts = [{"name": "sales", "id": SALES}, {"name": "plant", "id": PLANT}]
    with LivingLab(tmp_path, hosts, bare=True, account={"accounts": accounts}) as lab:
        yield lab


def accounts(lab: LivingLab) -> list[Account]:
    estate: list[Account] = lab.lab._play.account.estate  # noqa: SLF001 - there is no other way into a member account
    return estate


def organization(lab: LivingLab) -> Organization:
    found = accounts(lab)[0].organization
    assert found is not None
    return found


def stacks(lab: LivingLab) -> list[int]:
    """The number of stacks of each account, the management account first."""
    return [len(account.stacks.all()) for account in accounts(lab)]


def set_up(lab: LivingLab, *options: str, **variables: Any) -> Any:
    return lab.playbook("setup_aws", *options, variables={**WANTED, **variables})


def test_set_up_shown_first_done_planned_with_done_again_and_taken_down(lab: LivingLab) -> None:
    shown = set_up(lab, "--check")
    assert shown.code == 0, shown.output
    assert f"sales ({SALES}) in eu-central-1: new stack" in shown.words
    assert "new stack set patchfleet, with automatic deployment" in shown.words
    assert stacks(lab) == [0, 0, 0]

    done = set_up(lab)
    assert done.code == 0, done.output
    assert stacks(lab) == [1, 1, 1]
    role = accounts(lab)[1].stacks.role(CONTROLLER_ROLE)
    assert role is not None
    trusted = role.properties["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]["AWS"]
    assert trusted == [f"arn:aws:iam::123456789012:role/{CONTROLLER_ROLE}"]

    lab.lab._role = CONTROLLER_ROLE  # noqa: SLF001 - what the set-up has made is what the controller works with
    planned = lab.playbook(
        "plan",
        variables={
            "patch_organization": {"role_name": CONTROLLER_ROLE, "units": [WINDOWS], "regions": ["eu-central-1"]}
        },
    )
    assert planned.code == 0, planned.output
    assert "sales-01" in planned.words
    lab.lab._role = None  # noqa: SLF001

    organization(lab).drifted.add(PLANT)
    again = set_up(lab)
    assert f"plant ({PLANT}) in eu-central-1: drifted, it was changed by others" in again.words
    assert f"sales ({SALES}) in eu-central-1: drifted" not in again.words
    assert [result.result["changed"] for result in again.results] == [False] * len(again.results), again.output
    gone = lab.playbook("teardown_aws", variables={"patch_stack_set": STACK_SET})
    assert gone.code == 0, gone.output
    assert (stacks(lab), organization(lab).stack_sets) == ([0, 0, 0], {})


def test_an_account_that_fails_is_named_and_keeps_no_other_from_its_stack(lab: LivingLab) -> None:
    plant = accounts(lab)[2]
    plant.stacks.create("eu-central-1", "other", TEMPLATE.read_text(encoding="utf-8"), {}, [], lab.scenario.start)
    refused = set_up(lab)
    assert refused.code == 2
    assert f"1 of 2 stacks have failed. plant ({PLANT}) in eu-central-1:" in refused.words
    assert "already exists" in refused.words
    assert stacks(lab) == [1, 1, 1]

    plant.stacks.delete(plant.stacks.find("eu-central-1", "other"))
    again = set_up(lab)
    assert again.code == 0, again.output
    assert stacks(lab) == [1, 1, 1]


@pytest.mark.parametrize(
    ("what", "reported"),
    [
        ({"units": ["ou-lab1-00000000"]}, "It must be a root or unit of the organization."),
        ({"regions": ["xx-north-9"]}, "This region is not enabled in the account of the credentials."),
        ({"regions": []}, "patch_stack_set.regions"),
        ({"unit": []}, "It has no such key. Did you mean units?"),
        ({"parameters": {"TagKye": "x"}}, "Did you mean TagKey?"),
        ({"untrusted": True}, "Trusted access of CloudFormation StackSets to AWS Organizations is not activated."),
    ],
)
def test_what_is_lacking_is_said_before_anything_is_changed(
    lab: LivingLab, what: dict[str, Any], reported: str
) -> None:
    organization(lab).stack_sets_trusted = not what.pop("untrusted", False)
    refused = set_up(lab, patch_stack_set={**STACK_SET, **what})
    assert refused.code == 2
    assert reported in refused.words
    assert refused.touched == []


def test_no_controller_means_no_roll_out(lab: LivingLab) -> None:
    refused = set_up(lab, aws_prerequisites_parameters={})
    assert refused.code == 2
    assert "No controller could assume the role of the accounts" in refused.words
    assert refused.touched == []


def test_no_teardown_while_a_schedule_is_pending_in_an_account(lab: LivingLab) -> None:
    watched = {**STACK_SET, "parameters": {"DeadManSwitch": True}}
    assert set_up(lab, patch_stack_set=watched).code == 0
    sales = accounts(lab)[1]
    name = f"{lab.id('sales-01')}-20261114T220000Z-0001"
    given = {
        "GroupName": "PatchFleet",
        "Name": name,
        "ScheduleExpression": "at(2099-01-01T00:00:00)",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {
            "Arn": "arn:aws:scheduler:::aws-sdk:ssm:startAutomationExecution",
            "RoleArn": f"arn:aws:iam::{SALES}:role/PatchFleet-scheduler-eu-central-1",
            "Input": "{}",
        },
    }
    sales.gate.admit_key("ASIASALES")
    sales.call("scheduler", "CreateSchedule", given, "eu-central-1", "ASIASALES")
    refused = lab.playbook("teardown_aws", variables={"patch_stack_set": watched})
    assert refused.code == 2
    assert f"The watchdog schedule {name} is pending in sales ({SALES}) in eu-central-1." in refused.words
    assert stacks(lab) == [1, 1, 1]
    anyway = {"patch_stack_set": watched, "aws_prerequisites_teardown_anyway": True}
    gone = lab.playbook("teardown_aws", variables=anyway)
    assert (gone.code, stacks(lab)) == (0, [0, 0, 0]), gone.output
