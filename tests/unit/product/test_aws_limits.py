# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the controller's rights end: each change is allowed as a run makes it, and refused as soon as one thing differs."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

from lab.aws.cloudformation.stacks import Stacks
from lab.aws.policy import Need, Statement, deciding
from lab.aws.rights import key_arn
from lab.aws.setup import REGION, set_up
from lab.scenario import load

SCENARIO = Path(__file__).parents[2] / "scenarios" / "17-encrypted-volumes.yml"
OURS, OTHERS = "123456789012", "210987654321"
READING = ("Describe", "Get", "List", "Simulate", "BatchGet", "Query")
HERE = {"aws:RequestedRegion": REGION}
TAGGED = {**HERE, "aws:ResourceTag/PatchGroup": "Windows"}
INSTANCE, VOLUME = f"arn:aws:ec2:{REGION}:{OURS}:instance/i-1", f"arn:aws:ec2:{REGION}:{OURS}:volume/vol-1"
SNAPSHOT, NODE = f"arn:aws:ec2:{REGION}::snapshot/snap-1", f"arn:aws:ssm:{REGION}:{OURS}:managed-instance/mi-1"
TABLE = f"arn:aws:dynamodb:{REGION}:{OURS}:table/PatchFleet-ledger"
SCHEDULE = f"arn:aws:scheduler:{REGION}:{OURS}:schedule/PatchFleet/i-1"
SCHEDULER_ROLE = f"arn:aws:iam::{OURS}:role/PatchFleet-scheduler-{REGION}"
BY_TAG = {**HERE, "ssm:resourceTag/PatchGroup": "Windows"}
CHANGES = [
    Need("ec2:StartInstances", INSTANCE, TAGGED),
    Need("ec2:StopInstances", INSTANCE, TAGGED),
    Need("ec2:ModifyVolume", VOLUME, TAGGED),
    Need("ec2:CreateSnapshot", VOLUME, TAGGED),
    Need("ec2:CreateSnapshot", SNAPSHOT, {**HERE, "aws:RequestTag/patchfleet:volume": "vol-1"}),
    Need("ec2:CreateTags", SNAPSHOT, {**HERE, "ec2:CreateAction": "CreateSnapshot"}),
    Need("ssm:SendCommand", INSTANCE, BY_TAG),
    Need("ssm:SendCommand", NODE, BY_TAG),
    *(
        Need("ssm:SendCommand", f"arn:aws:ssm:{REGION}::document/{name}", HERE)
        for name in ("AWS-RunPatchBaseline", "AWS-RunPowerShellScript")
    ),
    Need(
        "kms:CreateGrant",
        key_arn(REGION),
        {"kms:ViaService": f"ec2.{REGION}.amazonaws.com", "kms:GrantIsForAWSResource": "true"},
    ),
    *(Need(f"dynamodb:{name}Item", TABLE, {}) for name in ("Delete", "Put", "Update")),
    *(Need(f"scheduler:{name}Schedule", SCHEDULE, HERE) for name in ("Create", "Delete", "Update")),
    Need("iam:PassRole", SCHEDULER_ROLE, {"iam:PassedToService": "scheduler.amazonaws.com"}),
]
"""Every change that the controller may make, as a run makes it: a new right needs its line."""


@functools.cache
def statements() -> tuple[Statement, ...]:
    """Of the controller's role, with everything that it can be given."""
    scenario, stacks = load(SCENARIO), Stacks()
    return tuple(stacks.statements_of_role(set_up(stacks, scenario, scenario.start)))


def allowed(need: Need) -> bool:
    return deciding(statements(), need) is not None


def test_every_change_that_the_role_may_make_is_here() -> None:
    actions = {action for statement in statements() for action in statement.actions}
    changing = {action for action in actions if not action.partition(":")[2].startswith(READING)}
    assert changing == {need.action for need in CHANGES}


@pytest.mark.parametrize("need", CHANGES, ids=lambda need: f"{need.action} {need.resource.rpartition(':')[2]}")
def test_a_change_is_allowed_as_it_is_made_and_in_no_other_way(need: Need) -> None:
    assert allowed(need)
    for key in need.context:
        without = {name: value for name, value in need.context.items() if name != key}
        assert not allowed(Need(need.action, need.resource, without)), f"without {key}"
        assert not allowed(Need(need.action, need.resource, {**without, key: "other"})), f"with another {key}"
    if OURS in need.resource:
        assert not allowed(Need(need.action, need.resource.replace(OURS, OTHERS), need.context))


@pytest.mark.parametrize(
    ("action", "resource", "context"),
    [
        ("ssm:SendCommand", f"arn:aws:ssm:{REGION}::document/AWS-RunShellScript", HERE),
        ("ssm:SendCommand", f"arn:aws:ssm:{REGION}:{OURS}:document/AWS-RunPowerShellScript", HERE),
        ("ec2:TerminateInstances", INSTANCE, TAGGED),
        ("ec2:ModifyInstanceAttribute", INSTANCE, TAGGED),
        ("ec2:CreateTags", INSTANCE, {**TAGGED, "aws:RequestTag/PatchGroup": "Windows"}),
        ("ec2:DeleteVolume", VOLUME, TAGGED),
        ("dynamodb:PutItem", TABLE.replace("PatchFleet-", "Others-"), {}),
        ("dynamodb:DeleteTable", TABLE, {}),
        ("scheduler:CreateSchedule", SCHEDULE.replace("/PatchFleet/", "/default/"), HERE),
        ("iam:PassRole", f"arn:aws:iam::{OURS}:role/Admin", {"iam:PassedToService": "scheduler.amazonaws.com"}),
        ("iam:AttachRolePolicy", SCHEDULER_ROLE, {}),
    ],
)
def test_what_is_never_allowed(action: str, resource: str, context: dict[str, str]) -> None:
    assert not allowed(Need(action, resource, context))
