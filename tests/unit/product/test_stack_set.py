# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a stack set says of its accounts, who may roll it out, and what is waited for."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import PatchFleetError
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.stack_set import OPERATION
from operations import perform

from .fakes import FakeAccount, client_error
from .stage import Stage

SALES, UNIT, TEMPLATE = "210987654321", "ou-ab12-workload1", "Parameters:\n  A: {Type: String}\n  B: {Type: String}\n"
LOST = ReadTimeoutError(endpoint_url="https://cloudformation.eu-central-1.amazonaws.com")
ROW: dict[str, Any] = {"Account": SALES, "Region": "eu-central-1", "Status": "CURRENT", "StackId": "arn:stack"}
DONE = {"Account": SALES, "Region": "eu-central-1", "Status": "SUCCEEDED"}
FOUND: dict[str, Any] = {
    "StackSetName": "patchfleet",
    "PermissionModel": "SERVICE_MANAGED",
    "TemplateBody": TEMPLATE,
    "Parameters": [{"ParameterKey": "A", "ParameterValue": "1"}, {"ParameterKey": "B", "ParameterValue": "2"}],
    "AutoDeployment": {"Enabled": True},
    "OrganizationalUnitIds": [UNIT],
}


@pytest.fixture(autouse=True)
def account(stage: Stage) -> None:
    """The management account of an organization with one further account, whose stack is current."""
    on = stage.account.on
    organization("123456789012", stage)
    on("describe_organizations_access", {"Status": "ENABLED"})
    on("simulate_principal_policy", {"EvaluationResults": []})
    on("describe_regions", {"Regions": [{"RegionName": "eu-central-1"}]})
    on(
        "list_accounts_for_parent",
        {"Accounts": [{"Id": SALES, "Name": "sales", "Status": "ACTIVE", "State": "ACTIVE"}]},
    )
    on("list_organizational_units_for_parent", {"OrganizationalUnits": []})
    on("describe_stack_set", {"StackSet": FOUND})
    on("list_stack_instances", {"Summaries": [ROW]})
    on("update_stack_set", {"OperationId": "1"})
    on("detect_stack_set_drift", {"OperationId": "1"})
    on("delete_stack_set", {})
    on("delete_stack_instances", {"OperationId": "1"})
    on("describe_stack_set_operation", {"StackSetOperation": {"Status": "SUCCEEDED"}})
    on("list_stack_set_operation_results", {"Summaries": [DONE]})


def organization(management: str, stage: Stage) -> None:
    described = {"Id": "o-ab12345678", "Arn": "arn:o", "FeatureSet": "ALL", "MasterAccountId": management}
    stage.account.on("describe_organization", {"Organization": described})


def rolled_out(stage: Stage, *, check_mode: bool = False, **params: Any) -> dict[str, Any]:
    named = {
        "name": "patchfleet",
        "stack_set": {"units": [UNIT], "regions": ["eu-central-1"]},
        "template": TEMPLATE,
        **params,
    }
    return perform(OPERATION, stage.context(OPERATION, check_mode=check_mode, **named))


def test_parameters_that_are_not_named_keep_their_values(stage: Stage) -> None:
    assert rolled_out(stage, parameters={"A": "1"})["changed"] is False
    result = rolled_out(stage, parameters={"A": "9"})
    assert result["lines"] == ["change: the parameter A: 1 → 9", "sales (210987654321) in eu-central-1: set up"]
    (call,) = stage.account.of("update_stack_set")
    assert call.params["Parameters"] == [
        {"ParameterKey": "A", "ParameterValue": "9"},
        {"ParameterKey": "B", "UsePreviousValue": True},
    ]
    assert call.params["CallAs"] == "SELF"


def test_another_operation_is_waited_for_and_a_lost_answer_begins_no_second_one(stage: Stage) -> None:
    busy = client_error("OperationInProgressException", "Another Operation is in progress")
    again = client_error("OperationIdAlreadyExistsException", "OperationId already exists")
    stage.account.on("update_stack_set", busy, busy, LOST, again)
    assert rolled_out(stage, parameters={"A": "9"})["changed"]
    calls = stage.account.of("update_stack_set")
    assert calls[-1].params["OperationId"] == calls[-2].params["OperationId"]
    assert stage.clock.passed > 0


@pytest.mark.parametrize(
    ("row", "line"),
    [
        ({"DriftStatus": "DRIFTED"}, "sales (210987654321) in eu-central-1: drifted, it was changed by others"),
        ({"Region": "eu-west-1"}, "sales (210987654321) in eu-west-1: no longer in units and regions; its stack stays"),
        (
            {"Status": "OUTDATED", "StatusReason": "No such principal."},
            "sales (210987654321) in eu-central-1: tried again. No such principal.",
        ),
    ],
)
def test_what_check_mode_says_of_a_stack(stage: Stage, row: dict[str, Any], line: str) -> None:
    stage.account.on("list_stack_instances", {"Summaries": [{**ROW, **row}]})
    assert line in rolled_out(stage, check_mode=True)["lines"]
    assert stage.account.of("update_stack_set") == []
    assert stage.account.of("detect_stack_set_drift") == []


def test_what_others_changed_is_asked_for_first(stage: Stage) -> None:
    """AWS knows it only of stacks that were compared."""
    stage.account.on("list_stack_instances", {"Summaries": [ROW]}, {"Summaries": [{**ROW, "DriftStatus": "DRIFTED"}]})
    lines = rolled_out(stage, parameters={"A": "9"})["lines"]
    assert "sales (210987654321) in eu-central-1: drifted, it was changed by others" in lines
    operations = [call.operation for call in stage.account.calls]
    assert operations.index("detect_stack_set_drift") < operations.index("update_stack_set")


def test_that_drift_is_not_known_stops_no_set_up(stage: Stage) -> None:
    stage.account.on(
        "detect_stack_set_drift", client_error("AccessDenied", "not authorized", "DetectStackSetDrift", 403)
    )
    result = rolled_out(stage, parameters={"A": "9"})
    assert result["changed"] is True
    (line,) = [line for line in result["lines"] if line.startswith("whether others changed the stacks is not known: ")]
    assert "cloudformation:DetectStackSetDrift" in line


def test_a_stack_that_no_update_reaches_is_an_error(stage: Stage) -> None:
    inoperable = {**ROW, "Status": "INOPERABLE", "StatusReason": "The role is missing."}
    stage.account.on("list_stack_instances", {"Summaries": [inoperable]})
    with pytest.raises(PatchFleetError, match=r"sales \(210987654321\) in eu-central-1: The role is missing\."):
        rolled_out(stage)


def test_a_delegated_administrator_says_so_and_leaves_its_own_account_out(stage: Stage) -> None:
    organization("999999999999", stage)
    stage.account.on("list_stack_instances", {"Summaries": []})
    stage.account.on("create_stack_instances", {"OperationId": "1"})
    lines = rolled_out(stage)["lines"]
    command = "`ansible-playbook patchfleet.windows.setup_aws`"
    assert f"999999999999: the management account gets no stack here; run {command} with its credentials" in lines
    (call,) = stage.account.of("create_stack_instances")
    assert call.params["CallAs"] == "DELEGATED_ADMIN"
    assert call.params["DeploymentTargets"] == {
        "OrganizationalUnitIds": [UNIT],
        "Accounts": ["123456789012"],
        "AccountFilterType": "DIFFERENCE",
    }


def test_an_account_that_may_not_is_refused_in_the_words_of_aws(stage: Stage) -> None:
    organization("999999999999", stage)
    refusal = client_error("ValidationError", "Account used is not a delegated administrator")
    stage.account.on("describe_organizations_access", refusal)
    with pytest.raises(PatchFleetError, match=r"not a delegated administrator.* The credentials must be of"):
        rolled_out(stage)


def test_a_right_that_is_missing_is_said_before_anything_is_changed(stage: Stage) -> None:
    denied = {
        "EvalActionName": "cloudformation:CreateStackInstances",
        "EvalResourceName": "x",
        "EvalDecision": "implicitDeny",
    }
    stage.account.on("simulate_principal_policy", {"EvaluationResults": [denied]})
    with pytest.raises(
        PatchFleetError, match=r"lack the rights cloudformation:CreateStackInstances on arn:.* Nothing was changed"
    ):
        rolled_out(stage, parameters={"A": "9"})
    assert stage.account.of("update_stack_set") == []


def test_a_newer_template_is_not_replaced_unasked(stage: Stage) -> None:
    newer = TEMPLATE + "Outputs:\n  TemplateVersion: {Value: 9.0.0}\n"
    stage.account.on("describe_stack_set", {"StackSet": {**FOUND, "TemplateBody": newer}})
    with pytest.raises(PatchFleetError, match=r"has version 9\.0\.0 of the template"):
        rolled_out(stage)
    assert rolled_out(stage, confirmed=True)["changed"]


def test_teardown_waits_for_the_list_of_stacks_to_be_empty(stage: Stage) -> None:
    stage.account.on("delete_stack_set", client_error("StackSetNotEmptyException", "not empty"), {})
    assert rolled_out(stage, state="absent")["changed"]
    (call,) = stage.account.of("delete_stack_instances")
    assert (call.params["RetainStacks"], call.params["Regions"]) == (False, ["eu-central-1"])
    assert len(stage.account.of("delete_stack_set")) == 2


def test_teardown_is_refused_where_the_schedules_cannot_be_read(stage: Stage) -> None:
    watched = [{"ParameterKey": "DeadManSwitch", "ParameterValue": "true"}]
    stage.account.on("describe_stack_set", {"StackSet": {**FOUND, "Parameters": watched}})
    sales = stage.account.accounts[SALES] = FakeAccount(stage.clock)
    sales.on("list_schedules", client_error("AccessDenied", "not authorized to perform: sts:AssumeRole"))
    with pytest.raises(
        PatchFleetError, match=r"The schedules of sales .* cannot be read: .*patch_stack_set\.role_name"
    ):
        rolled_out(stage, state="absent")
    assert stage.account.of("delete_stack_instances") == []
