# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the controller's rights end: each change is allowed as a run makes it, and refused as soon as one thing differs."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

import pytest

from lab.aws.arns import Arns
from lab.aws.cloudformation.stacks import Stacks
from lab.aws.policy import Need, Statement, deciding
from lab.aws.right_parts import key_arn
from lab.aws.setup import MARK_TAG, REGION, REPORT_BUCKET, set_up, with_everything
from lab.scenario import load

SCENARIO = Path(__file__).parents[2] / "scenarios" / "17-encrypted-volumes.yml"
OURS, FOREIGN = "123456789012", "210987654321"
READING = ("Describe", "Get", "List", "Simulate", "BatchGet", "Query")
HERE = {"aws:RequestedRegion": REGION}
TAGGED = {**HERE, "aws:ResourceTag/PatchGroup": "Windows"}
INSTANCE, VOLUME = f"arn:aws:ec2:{REGION}:{OURS}:instance/i-1", f"arn:aws:ec2:{REGION}:{OURS}:volume/vol-1"
SNAPSHOT, NODE = f"arn:aws:ec2:{REGION}::snapshot/snap-1", f"arn:aws:ssm:{REGION}:{OURS}:managed-instance/mi-1"
OF_POINT = {**HERE, "aws:ResourceTag/patchfleet:restore-point": "true"}
EXPIRING = {"aws:ResourceTag/patchfleet:expires": "2026-11-28T22:00:00Z"}
ROLLED_BACK = {"aws:ResourceTag/patchfleet:roll-back": "20261114T220000Z-1a2b"}
TABLE = f"arn:aws:dynamodb:{REGION}:{OURS}:table/PatchFleet-ledger"
SCHEDULE = f"arn:aws:scheduler:{REGION}:{OURS}:schedule/PatchFleet/i-1"
SCHEDULER_ROLE = f"arn:aws:iam::{OURS}:role/PatchFleet-scheduler-{REGION}"
NO_RUN = f"arn:aws:scheduler:{REGION}:{OURS}:schedule/default/PatchFleet-no-run"
NO_RUN_ROLE = f"arn:aws:iam::{OURS}:role/PatchFleet-no-run-{REGION}"
BY_TAG = {**HERE, "ssm:resourceTag/PatchGroup": "Windows"}
CHANGES = [
    Need("ec2:StartInstances", INSTANCE, TAGGED),
    Need("ec2:StopInstances", INSTANCE, TAGGED),
    Need("ec2:ModifyVolume", VOLUME, TAGGED),
    Need("ec2:CreateSnapshot", VOLUME, TAGGED),
    Need("ec2:CreateSnapshot", SNAPSHOT, {**HERE, "aws:RequestTag/patchfleet:volume": "vol-1"}),
    Need("ec2:CreateTags", SNAPSHOT, {**HERE, "ec2:CreateAction": "CreateSnapshot"}),
    Need("ec2:CreateTags", SNAPSHOT, {**HERE, "ec2:CreateAction": "CreateSnapshots"}),
    Need("ec2:CreateSnapshots", INSTANCE, TAGGED),
    Need("ec2:CreateSnapshots", VOLUME, HERE),
    Need("ec2:CreateSnapshots", SNAPSHOT, {**HERE, "aws:RequestTag/patchfleet:restore-point": "true"}),
    *(Need(f"ec2:{name}", SNAPSHOT, {**OF_POINT, **EXPIRING}) for name in ("CreateTags", "DeleteSnapshot")),
    *(
        Need(f"ec2:{name}", INSTANCE, TAGGED)
        for name in ("AttachVolume", "CreateReplaceRootVolumeTask", "DetachVolume")
    ),
    *(Need(f"ec2:{name}Volume", VOLUME, {**HERE, **ROLLED_BACK}) for name in ("Attach", "Detach")),
    *(Need(f"ec2:{name}", SNAPSHOT, OF_POINT) for name in ("CreateReplaceRootVolumeTask", "CreateVolume")),
    *(Need(f"ec2:{name}", VOLUME, HERE) for name in ("CreateReplaceRootVolumeTask", "CreateVolume")),
    Need("ec2:CreateReplaceRootVolumeTask", f"arn:aws:ec2:{REGION}:{OURS}:replace-root-volume-task/*", HERE),
    Need("ec2:CreateTags", VOLUME, {**HERE, "aws:RequestTag/patchfleet:roll-back": "20261114T220000Z-1a2b"}),
    *(
        Need(f"kms:{name}", key_arn(Arns(), REGION), {"kms:ViaService": f"ec2.{REGION}.amazonaws.com"})
        for name in ("Decrypt", "GenerateDataKeyWithoutPlaintext", "ReEncryptFrom", "ReEncryptTo")
    ),
    *(Need(f"ec2:{name}Tags", INSTANCE, {**TAGGED, "aws:TagKeys": MARK_TAG}) for name in ("Create", "Delete")),
    Need("ec2:CreateTags", INSTANCE, {**TAGGED, "aws:TagKeys": "patchfleet:outcome"}),
    Need(
        "events:PutEvents", f"arn:aws:events:{REGION}:{OURS}:event-bus/default", {"events:source": "patchfleet.windows"}
    ),
    Need(
        "sts:AssumeRole",
        f"arn:aws:iam::{FOREIGN}:role/PatchFleet-controller-{REGION}",
        {"aws:ResourceOrgID": "o-1", "aws:PrincipalOrgID": "o-1"},
    ),
    Need("scheduler:UpdateSchedule", NO_RUN, {}),
    Need("iam:PassRole", NO_RUN_ROLE, {"iam:PassedToService": "scheduler.amazonaws.com"}),
    Need("ssm:SendCommand", INSTANCE, BY_TAG),
    Need("ssm:SendCommand", NODE, BY_TAG),
    *(
        Need("ssm:SendCommand", f"arn:aws:ssm:{REGION}::document/{name}", HERE)
        for name in ("AWS-RunPatchBaseline", "AWS-RunPowerShellScript")
    ),
    Need(
        "kms:CreateGrant",
        key_arn(Arns(), REGION),
        {"kms:ViaService": f"ec2.{REGION}.amazonaws.com", "kms:GrantIsForAWSResource": "true"},
    ),
    *(Need(f"dynamodb:{name}Item", TABLE, {}) for name in ("Delete", "Put", "Update")),
    Need("s3:PutObject", f"arn:aws:s3:::{REPORT_BUCKET}/night/report.json", {}),
    *(Need(f"scheduler:{name}Schedule", SCHEDULE, HERE) for name in ("Create", "Delete", "Update")),
    Need("iam:PassRole", SCHEDULER_ROLE, {"iam:PassedToService": "scheduler.amazonaws.com"}),
]
"""Every change that the controller may make, as a run makes it: a new right needs its line."""


WINDOW, BUS = "WindowRole", f"arn:aws:events:{REGION}:{OURS}:event-bus/default"
BY_CONTROLLER_TAG = {"ssm:resourceTag/PatchFleet": "controller"}
STARTING = [
    (WINDOW, Need("ssm:SendCommand", f"arn:aws:ssm:{REGION}::document/AWS-ApplyAnsiblePlaybooks", {})),
    (WINDOW, Need("ssm:SendCommand", INSTANCE, BY_CONTROLLER_TAG)),
    (WINDOW, Need("ssm:SendCommand", NODE, BY_CONTROLLER_TAG)),
    (
        WINDOW,
        Need(
            "ssm:StartAutomationExecution",
            f"arn:aws:ssm:{REGION}:{OURS}:automation-definition/PatchFleet-start-run:1",
            {},
        ),
    ),
    (
        WINDOW,
        Need(
            "iam:PassRole",
            f"arn:aws:iam::{OURS}:role/PatchFleet-window-{REGION}",
            {"iam:PassedToService": "ssm.amazonaws.com"},
        ),
    ),
    (
        WINDOW,
        Need(
            "events:PutEvents",
            BUS,
            {"events:source": "patchfleet.PatchFleet", "events:detail-type": "Maintenance window open"},
        ),
    ),
    ("AwxRuleRole", Need("events:InvokeApiDestination", "the destination's own ARN", {})),
]
"""What the maintenance window and EventBridge may do to start a run, by the role that does it."""


@functools.cache
def statements() -> tuple[Statement, ...]:
    """Of the controller's role, with everything that it can be given."""
    scenario, stacks = load(SCENARIO), Stacks()
    return tuple(stacks.statements_of_role(set_up(stacks, scenario, scenario.start)))


def statements_of(role: str) -> list[Statement]:
    """Of a role of the template, whichever way starts a run."""
    roles = [
        (stacks, stack.resources[role])
        for stacks in with_everything()
        for stack in stacks.all()
        if role in stack.resources
    ]
    return [statement for stacks, it in roles for statement in stacks.statements_of_role(it.physical_id)]


def holds_only_so(held: Sequence[Statement], need: Need) -> None:
    """Allowed as it is, and refused when a key is missing or another, or in another account."""
    assert deciding(held, need)
    for key in need.context:
        without = {name: value for name, value in need.context.items() if name != key}
        assert not deciding(held, Need(need.action, need.resource, without)), f"without {key}"
        assert not deciding(held, Need(need.action, need.resource, {**without, key: "other"})), f"with another {key}"
    if OURS in need.resource:
        assert not deciding(held, Need(need.action, need.resource.replace(OURS, FOREIGN), need.context))


def changing(held: Sequence[Statement]) -> set[str]:
    """The actions that do more than look."""
    actions = {action for statement in held for action in statement.actions}
    return {action for action in actions if not action.partition(":")[2].startswith(READING)}


def test_every_change_that_the_role_may_make_is_here() -> None:
    assert changing(statements()) == {need.action for need in CHANGES}
    for role in ("WindowRole", "AwxRuleRole"):
        assert changing(statements_of(role)) == {need.action for who, need in STARTING if who == role}


@pytest.mark.parametrize("need", CHANGES, ids=lambda need: f"{need.action} {need.resource.rpartition(':')[2]}")
def test_a_change_is_allowed_as_it_is_made_and_by_nothing_else(need: Need) -> None:
    holds_only_so(statements(), need)


@pytest.mark.parametrize(("role", "need"), STARTING, ids=lambda it: it if isinstance(it, str) else it.action)
def test_a_run_is_started_by_nothing_else_either(role: str, need: Need) -> None:
    held = statements_of(role)
    if need.action == "events:InvokeApiDestination":
        (statement,) = held
        (destination,) = statement.resources
        assert destination.startswith(f"arn:aws:events:{REGION}:{OURS}:api-destination/PatchFleet-awx/")
        need = Need(need.action, destination, {})
    holds_only_so(held, need)


@pytest.mark.parametrize(
    ("action", "resource", "context"),
    [
        ("ssm:SendCommand", f"arn:aws:ssm:{REGION}::document/AWS-RunShellScript", HERE),
        ("ssm:SendCommand", f"arn:aws:ssm:{REGION}:{OURS}:document/AWS-RunPowerShellScript", HERE),
        ("ec2:TerminateInstances", INSTANCE, TAGGED),
        ("ec2:ModifyInstanceAttribute", INSTANCE, TAGGED),
        ("ec2:CreateTags", INSTANCE, {**TAGGED, "aws:TagKeys": f"{MARK_TAG},PatchGroup"}),
        ("ec2:DeleteTags", INSTANCE, {**TAGGED, "aws:TagKeys": "PatchGroup"}),
        ("ec2:DeleteVolume", VOLUME, TAGGED),
        ("ec2:DeleteSnapshot", SNAPSHOT, {**OF_POINT, "aws:ResourceTag/patchfleet:expires": "never"}),
        ("dynamodb:PutItem", TABLE.replace("PatchFleet-", "Others-"), {}),
        ("dynamodb:DeleteTable", TABLE, {}),
        ("scheduler:CreateSchedule", SCHEDULE.replace("/PatchFleet/", "/default/"), HERE),
        ("iam:PassRole", f"arn:aws:iam::{OURS}:role/Admin", {"iam:PassedToService": "scheduler.amazonaws.com"}),
        ("iam:AttachRolePolicy", SCHEDULER_ROLE, {}),
    ],
)
def test_what_is_never_allowed(action: str, resource: str, context: dict[str, str]) -> None:
    assert not deciding(statements(), Need(action, resource, context))
