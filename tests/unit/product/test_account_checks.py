# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is an account's is checked in each account: of two accounts one has the trouble, and the plan names it."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import PatchFleetError
from ansible_collections.patchfleet.windows.plugins.module_utils._fleet.hosts import FleetHost
from ansible_collections.patchfleet.windows.plugins.module_utils._model.account import Account

from .fakes import FakeAccount, client_error, instance, reservations
from .stage import CALLER, Stage
from .test_run_open import ALLOWED, DRY_RUN, a_target, run

ROLE = "arn:aws:iam::210987654321:role/PatchFleet-controller-eu-central-1"
HUB, SALES = Account("123456789012"), Account("210987654321", "sales", ROLE)
NAME = "sales (210987654321)"
MARK = {"patch_mark_tag": "patchfleet:run"}
WATCHDOG = {"patch_dead_man_switch": True}


def denied(operation: str) -> Exception:
    return client_error("UnauthorizedOperation", "You are not authorized.", operation, 403)


@pytest.fixture
def sales(stage: Stage) -> FakeAccount:
    """Both accounts have all rights, quota and set-up."""
    other = FakeAccount(stage.clock)
    stage.account.accounts[SALES.id] = other
    sizes = [{"InstanceType": "t3.large", "VCpuInfo": {"DefaultVCpus": 2}}]
    for account, key in ((stage.account, HUB.id), (other, SALES.id)):
        for operation in ("start_instances", "stop_instances", "create_tags", "delete_tags"):
            account.on(operation, DRY_RUN)
        account.on("describe_document", {"Document": {"Parameters": []}})
        account.on("list_command_invocations", {})
        account.on("list_associations", {"Associations": []})
        account.on("describe_instance_patch_states", {})
        arn = str(CALLER["Arn"]).replace(HUB.id, key)
        account.on("get_caller_identity", {**CALLER, "Arn": arn, "Account": key})
        account.on("simulate_principal_policy", ALLOWED)
        account.on("get_service_quota", {"Quota": {"Value": 100.0}})
        account.on("describe_instance_types", {"InstanceTypes": sizes})
        account.on("describe_instances", reservations())
        account.on("get_schedule_group", {})
        account.on(
            "get_role", {"Role": {"RoleName": "r", "Arn": arn, "Path": "/", "RoleId": "x" * 16, "CreateDate": 0}}
        )
    return other


def host(number: int, account: Account, state: str = "stopped") -> FleetHost:
    name = f"{account.name or 'hub'}-{number}"
    return a_target(f"i-{account.id}{number:05}", name, account=account, state=state, type="t3.large")


FLEET = [host(1, HUB), host(2, HUB), host(1, SALES), host(2, SALES)]


def plan(stage: Stage, *fleet: FleetHost, **variables: Any) -> tuple[set[str], str]:
    """Which hosts are included, and the plan's text."""
    planned = run(stage, "planned", *(fleet or FLEET), **variables)
    included = {one["name"] for one in planned["hosts"] if one["included"]}
    return included, " ".join(line.strip() for line in planned["lines"])


@pytest.mark.usefixtures("sales")
def test_without_trouble_all_hosts_of_both_are_planned(stage: Stage) -> None:
    assert plan(stage, **MARK)[0] == {"hub-1", "hub-2", "sales-1", "sales-2"}


@pytest.mark.parametrize("operation", ["start_instances", "stop_instances"])
def test_a_power_right_that_one_account_lacks_leaves_out_its_hosts_only(
    stage: Stage, sales: FakeAccount, operation: str
) -> None:
    name = "StartInstances" if operation == "start_instances" else "StopInstances"
    sales.on(operation, denied(name))
    included, text = plan(stage)
    assert included == {"hub-1", "hub-2"}
    assert f"left out sales-1: The role of the account {NAME} lacks the right ec2:{name}" in " ".join(text.split())


@pytest.mark.parametrize(
    ("operation", "error", "variables", "words"),
    [
        ("list_command_invocations", "ListCommandInvocations", {}, "ssm:ListCommandInvocations"),
        ("describe_instance_patch_states", "DescribeInstancePatchStates", {}, "ssm:DescribeInstancePatchStates"),
        ("create_tags", "CreateTags", MARK, "ec2:CreateTags"),
        ("delete_tags", "DeleteTags", MARK, "ec2:DeleteTags"),
        ("get_schedule_group", "GetScheduleGroup", WATCHDOG, "scheduler:GetScheduleGroup"),
        ("get_role", "GetRole", WATCHDOG, "iam:GetRole"),
    ],
)
def test_a_right_of_all_its_hosts_that_one_account_lacks_ends_the_plan_and_names_it(
    stage: Stage, sales: FakeAccount, operation: str, error: str, variables: dict[str, Any], words: str
) -> None:
    sales.on(operation, client_error("AccessDeniedException", "Not authorized.", error, 403))
    with pytest.raises(PatchFleetError) as caught:
        plan(stage, **variables)
    assert f"The role of the account {NAME} lacks the right {words}" in caught.value.reason


def test_a_right_that_the_account_of_the_credentials_lacks_is_one_of_the_credentials(
    stage: Stage, sales: FakeAccount
) -> None:
    stage.account.on("list_command_invocations", denied("ListCommandInvocations"))
    with pytest.raises(PatchFleetError, match=r"^The credentials lack the right ssm:ListCommandInvocations"):
        plan(stage)


def test_a_simulation_is_one_of_the_role_in_its_account(stage: Stage, sales: FakeAccount) -> None:
    refused = {"EvalActionName": "ssm:SendCommand", "EvalResourceName": "arn:x", "EvalDecision": "implicitDeny"}
    sales.on("simulate_principal_policy", {"EvaluationResults": [refused]})
    with pytest.raises(PatchFleetError, match=r"arn:aws:sts::210987654321:.*lack the right ssm:SendCommand"):
        plan(stage)


def test_the_quota_of_each_account_is_compared_with_its_own_hosts(stage: Stage, sales: FakeAccount) -> None:
    sales.on("get_service_quota", {"Quota": {"Value": 4.0}})
    sales.on("describe_instances", reservations(instance("running", InstanceId="i-0a", InstanceType="t3.large")))
    included, text = plan(stage, patch_batch_size=4)
    assert included == {"hub-1", "hub-2", "sales-1", "sales-2"}
    hub, theirs = text.split("vCPU quota of ")[1:]
    assert hub.startswith("eu-central-1 (L-1216C47A): 100, 0 in use; this run starts up to 4 vCPUs more at once.")
    assert "does not fit" not in hub
    assert theirs.startswith(f"eu-central-1 of account {NAME} (L-1216C47A): 4, 2 in use; this run starts up to 4 vCPUs")
    assert "That does not fit" in theirs


def test_a_patch_run_of_others_is_found_in_its_account(stage: Stage, sales: FakeAccount) -> None:
    association = {
        "Name": "AWS-RunPatchBaseline",
        "AssociationName": "nightly",
        "AssociationId": "11111111-2222-4333-8444-555555555555",
        "Targets": [{"Key": "InstanceIds", "Values": ["*"]}],
    }
    sales.on("list_associations", {"Associations": [association]})
    _included, text = plan(stage)
    assert "look at sales-1, sales-2: State Manager's association nightly" in " ".join(text.split())
