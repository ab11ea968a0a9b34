# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stack sets in the lab: who may, what an operation leaves of each account, and what the service refuses meanwhile."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from conftest import MakeLab
from lab.aws.organizations import ROOT, WINDOWS, Organization, OrganizationAccount
from test_accounts import ACCOUNTS, HOSTS, LOST, PLANT, SALES
from virtual_lab import VirtualLab, error_of

BODY = """
Parameters:
  Days: {Type: Number, Default: 30}
Resources:
  Group: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: /x, RetentionInDays: !Ref Days}}
"""
NAMED: dict[str, Any] = {"StackSetName": "s"}
TARGETS: dict[str, Any] = {"DeploymentTargets": {"OrganizationalUnitIds": [ROOT]}, "Regions": ["eu-central-1"]}


@pytest.fixture
def lab(make_lab: MakeLab) -> VirtualLab:
    return make_lab(*HOSTS, account={"accounts": ACCOUNTS})


@pytest.fixture
def cloudformation(lab: VirtualLab) -> Any:
    client = lab.client("cloudformation")
    make(client)
    return client


def make(client: Any, **more: Any) -> None:
    automatic = {"Enabled": True, "RetainStacksOnAccountRemoval": False}
    client.create_stack_set(
        **NAMED, TemplateBody=BODY, PermissionModel="SERVICE_MANAGED", AutoDeployment=automatic, **more
    )


def organization(lab: VirtualLab) -> Organization:
    found = lab.play.account.organization
    assert found is not None
    return found


def statuses(client: Any) -> dict[str, tuple[str, str]]:
    rows = client.list_stack_instances(**NAMED)["Summaries"]
    return {row["Account"]: (row["Status"], row["StackInstanceStatus"]["DetailedStatus"]) for row in rows}


def test_an_operation_needs_time_and_leaves_the_management_account_out(lab: VirtualLab, cloudformation: Any) -> None:
    operation = cloudformation.create_stack_instances(**NAMED, **TARGETS)["OperationId"]
    described = {**NAMED, "OperationId": operation}
    assert cloudformation.describe_stack_set_operation(**described)["StackSetOperation"]["Status"] == "RUNNING"
    assert statuses(cloudformation) == dict.fromkeys((SALES, PLANT, LOST), ("OUTDATED", "PENDING"))
    assert error_of(cloudformation.create_stack_instances, **NAMED, **TARGETS) == "OperationInProgressException"
    assert error_of(cloudformation.delete_stack_set, **NAMED) == "OperationInProgressException"
    lab.run_for(90)
    assert cloudformation.describe_stack_set_operation(**described)["StackSetOperation"]["Status"] == "SUCCEEDED"
    assert statuses(cloudformation) == dict.fromkeys((SALES, PLANT, LOST), ("CURRENT", "SUCCEEDED"))
    assert [len(account.stacks.all()) for account in lab.play.account.estate] == [0, 1, 1, 1]
    assert error_of(cloudformation.delete_stack_set, **NAMED) == "StackSetNotEmptyException"


@pytest.mark.parametrize(
    ("tolerance", "status", "elsewhere"), [(0, "FAILED", "CANCELLED"), (100, "SUCCEEDED", "SUCCEEDED")]
)
def test_one_account_that_fails(
    lab: VirtualLab, cloudformation: Any, tolerance: int, status: str, elsewhere: str
) -> None:
    """Within its tolerance an operation has succeeded all the same; beyond it, later accounts are left out."""
    first = lab.play.account.estate[1]
    first.stacks.create("eu-central-1", "other", BODY, {}, [], lab.play.sim.time)
    preferences = {"FailureTolerancePercentage": tolerance}
    operation = cloudformation.create_stack_instances(**NAMED, **TARGETS, OperationPreferences=preferences)
    described = {**NAMED, "OperationId": operation["OperationId"]}
    lab.run_for(90)
    assert cloudformation.describe_stack_set_operation(**described)["StackSetOperation"]["Status"] == status
    rows = cloudformation.list_stack_set_operation_results(**described)["Summaries"]
    assert {row["Account"]: row["Status"] for row in rows} == {SALES: "FAILED", PLANT: elsewhere, LOST: elsewhere}
    assert "already exists" in next(row["StatusReason"] for row in rows if row["Account"] == SALES)
    assert statuses(cloudformation)[SALES] == ("OUTDATED", "FAILED")


def test_an_update_makes_what_could_not_be_made_and_keeps_parameters(lab: VirtualLab, cloudformation: Any) -> None:
    cloudformation.create_stack_instances(**NAMED, **TARGETS)
    lab.run_for(90)
    cloudformation.update_stack_set(
        **NAMED, TemplateBody=BODY, Parameters=[{"ParameterKey": "Days", "ParameterValue": "7"}]
    )
    assert statuses(cloudformation)[SALES] == ("OUTDATED", "PENDING")
    lab.run_for(90)
    kept = [{"ParameterKey": "Days", "UsePreviousValue": True}]
    cloudformation.update_stack_set(**NAMED, TemplateBody=BODY, Parameters=kept)
    lab.run_for(90)
    (stack,) = lab.play.account.estate[1].stacks.all()
    assert stack.resources["Group"].properties["RetentionInDays"] == 7
    assert statuses(cloudformation)[SALES] == ("CURRENT", "SUCCEEDED")


def test_stacks_come_in_pages_and_a_suspended_account_is_skipped(lab: VirtualLab, cloudformation: Any) -> None:
    organization(lab).accounts.append(OrganizationAccount("999999999990", "old", WINDOWS, "SUSPENDED", "SUSPENDED"))
    cloudformation.create_stack_instances(**NAMED, **TARGETS)
    lab.run_for(90)
    assert statuses(cloudformation)["999999999990"] == ("OUTDATED", "SKIPPED_SUSPENDED_ACCOUNT")
    first = cloudformation.list_stack_instances(**NAMED, MaxResults=2)
    assert len(first["Summaries"]) == 2
    second = cloudformation.list_stack_instances(**NAMED, NextToken=first["NextToken"])
    assert (len(second["Summaries"]), "NextToken" in second) == (2, False)


def test_who_may(lab: VirtualLab) -> None:
    """A delegated administrator says so with each call; the management account must not."""
    sales = lab.play.account.estate[1]
    sales.gate.admit_key("ASIASALES")
    member, first = lab.client("cloudformation", access_key="ASIASALES"), lab.client("cloudformation")
    for client, how in ((member, {}), (member, {"CallAs": "DELEGATED_ADMIN"}), (first, {"CallAs": "DELEGATED_ADMIN"})):
        assert error_of(client.describe_organizations_access, **how) == "ValidationError"
    organization(lab).administrators.add(SALES)
    assert member.describe_organizations_access(CallAs="DELEGATED_ADMIN")["Status"] == "ENABLED"
    assert error_of(member.describe_organizations_access) == "ValidationError"
    make(member, CallAs="DELEGATED_ADMIN")
    assert (
        lab.client("organizations", access_key="ASIASALES").describe_organization()["Organization"]["MasterAccountId"]
        == "123456789012"
    )


def test_without_trusted_access_there_is_no_stack_set(lab: VirtualLab) -> None:
    organization(lab).stack_sets_trusted = False
    client = lab.client("cloudformation")
    assert client.describe_organizations_access()["Status"] == "DISABLED"
    assert error_of(partial(make, client)) == "ValidationError"
    assert error_of(client.describe_stack_set, **NAMED) == "StackSetNotFoundException"
