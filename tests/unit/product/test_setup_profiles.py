# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Instance profiles for hosts that have none: given, kept, refused, and taken away again."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from ansible_collections.patchfleet.windows.plugins.module_utils._aws.errors import AwsError
from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import PatchFleetError
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.instance_profile_association import OPERATION
from operations import perform

from .fakes import ID, client_error, instance, listed, reservations, tags
from .stage import Stage

ROLE = "arn:aws:iam::123456789012:role/apps/web"
HAS_ONE = client_error("IncorrectState", f"There is an existing association for instance {ID}")
LOST = ReadTimeoutError(endpoint_url="https://ec2.eu-central-1.amazonaws.com")
UNKNOWN_YET = client_error("InvalidParameterValue", "Invalid IAM Instance Profile name")
BARE = {"IamInstanceProfile": {}}


@pytest.fixture(autouse=True)
def account(stage: Stage) -> None:
    """One host without a profile; Default Host Management Configuration is off."""
    stage.account.on("describe_instances", reservations(instance(**BARE)))
    stage.account.on("describe_instance_information", listed())
    stage.account.on("get_service_setting", {"ServiceSetting": {"SettingValue": "$None", "Status": "Default"}})
    stage.account.on("associate_iam_instance_profile", {"IamInstanceProfileAssociation": {"State": "associating"}})
    stage.account.on("attach_role_policy", {})
    stage.account.on("get_instance_profile", {"InstanceProfile": profile(ROLE)})
    stage.account.on("simulate_principal_policy", decided("allowed"))


def profile(*roles: str) -> dict[str, Any]:
    base = {"Path": "/", "CreateDate": 0}
    return {
        **base,
        "InstanceProfileName": "ssm",
        "InstanceProfileId": "AIPALABLABLABLABLABLA",
        "Arn": "arn:aws:iam::123456789012:instance-profile/ssm",
        "Roles": [{**base, "RoleName": "web", "RoleId": "AROALABLABLABLABLABLA", "Arn": arn} for arn in roles],
    }


def decided(decision: str) -> dict[str, Any]:
    rights = ("ssm:UpdateInstanceInformation", "ssmmessages:CreateControlChannel")
    return {"EvaluationResults": [{"EvalActionName": action, "EvalDecision": decision} for action in rights]}


def present(stage: Stage, *, check_mode: bool = False, **params: Any) -> dict[str, Any]:
    named = {"instance_profile": "ours", "tag_key": "PatchGroup", "tag_value": "Windows", **params}
    return perform(OPERATION, stage.context(OPERATION, check_mode=check_mode, **named))


def absent(stage: Stage, *, check_mode: bool = False) -> dict[str, Any]:
    return perform(OPERATION, stage.context(OPERATION, check_mode=check_mode, state="absent", instance_profile="ours"))


def test_a_host_without_a_profile_gets_it(stage: Stage) -> None:
    result = present(stage)
    assert (result["changed"], result["hosts"][0]["result"]) == (True, "attached")
    (call,) = stage.account.of("associate_iam_instance_profile")
    assert call.params == {"InstanceId": ID, "IamInstanceProfile": {"Name": "ours"}}


def test_in_check_mode_that_is_only_said_and_the_profile_need_not_be_there(stage: Stage) -> None:
    result = present(stage, check_mode=True, instance_profile=None)
    assert result["changed"]
    assert result["lines"][0] == "attached: dev-01. It gets the stack's instance profile."
    assert stage.account.of("associate_iam_instance_profile") == []


def test_a_host_that_has_one_keeps_it(stage: Stage) -> None:
    stage.account.on("describe_instances", reservations(instance()))
    result = present(stage)
    assert not result["changed"]
    assert result["lines"] == ["1 host has an instance profile and keeps it."]
    assert result["roles"] == [{"profile": "ssm", "role": "web", "result": "has_rights", "reason": ""}]
    assert stage.account.of("associate_iam_instance_profile") == []


def test_one_that_a_user_gives_a_profile_meanwhile_keeps_that(stage: Stage) -> None:
    stage.account.on("associate_iam_instance_profile", HAS_ONE)
    assert present(stage)["hosts"][0]["result"] == "kept"


@pytest.mark.parametrize(("attached", "result"), [("ours", "attached"), ("theirs", "kept")])
def test_after_a_lost_answer_ec2_is_asked_whose_profile_the_host_has(stage: Stage, attached: str, result: str) -> None:
    """The attempt that got no answer may have attached ours; EC2 shows an association late."""
    arn = f"arn:aws:iam::123456789012:instance-profile/{attached}"
    shown = {"AssociationId": "iip-1", "InstanceId": ID, "IamInstanceProfile": {"Arn": arn}, "State": "associated"}
    stage.account.on("associate_iam_instance_profile", LOST, HAS_ONE)
    stage.account.on(
        "describe_iam_instance_profile_associations",
        {"IamInstanceProfileAssociations": []},
        {"IamInstanceProfileAssociations": [shown]},
    )
    assert present(stage)["hosts"][0]["result"] == result


def test_a_profile_that_iam_has_just_made_is_waited_for(stage: Stage) -> None:
    stage.account.on("associate_iam_instance_profile", UNKNOWN_YET, UNKNOWN_YET, {})
    assert present(stage)["hosts"][0]["result"] == "attached"
    assert stage.clock.passed > 0


def test_a_profile_that_never_comes_is_an_error(stage: Stage) -> None:
    stage.account.on("associate_iam_instance_profile", UNKNOWN_YET)
    with pytest.raises(AwsError, match="Invalid IAM Instance Profile name"):
        present(stage)


def test_no_profile_that_could_be_attached_is_an_error(stage: Stage) -> None:
    with pytest.raises(PatchFleetError, match="aws_prerequisites_instance_profile"):
        present(stage, instance_profile=None)


def test_other_refusals_are_reported(stage: Stage) -> None:
    stage.account.on("associate_iam_instance_profile", client_error("UnauthorizedOperation"))
    with pytest.raises(AwsError, match="The credentials lack the right"):
        present(stage)


def test_a_member_of_a_group_is_left_out(stage: Stage) -> None:
    stage.account.on("describe_instances", reservations(instance(Tags=tags(aws__autoscaling__groupName="web"), **BARE)))
    result = present(stage)
    assert (result["changed"], result["hosts"][0]["result"]) == (False, "left_out")


def test_where_the_account_manages_its_hosts_none_is_attached(stage: Stage) -> None:
    stage.account.on("get_service_setting", {"ServiceSetting": {"SettingValue": "service-role/Default"}})
    (host,) = present(stage)["hosts"]
    assert (host["result"], "service-role/Default" in host["reason"]) == ("left_out", True)


@pytest.mark.parametrize(("add", "result"), [(False, "lacks_rights"), (True, "policy_added")])
def test_a_role_that_lacks_the_agents_rights(stage: Stage, add: bool, result: str) -> None:
    stage.account.on("describe_instances", reservations(instance()))
    stage.account.on("simulate_principal_policy", decided("implicitDeny"))
    found = present(stage, add_policy=add)
    assert (found["changed"], found["roles"][0]["result"]) == (add, result)
    policy = {"RoleName": "web", "PolicyArn": "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"}
    assert [call.params for call in stage.account.of("attach_role_policy")] == [policy] * add


def test_a_policy_is_not_attached_in_check_mode(stage: Stage) -> None:
    stage.account.on("describe_instances", reservations(instance()))
    stage.account.on("simulate_principal_policy", decided("implicitDeny"))
    assert present(stage, check_mode=True, add_policy=True)["changed"]
    assert stage.account.of("attach_role_policy") == []


def test_an_empty_profile_has_no_role_that_a_policy_could_be_attached_to(stage: Stage) -> None:
    stage.account.on("describe_instances", reservations(instance()))
    stage.account.on("get_instance_profile", {"InstanceProfile": profile()})
    (role,) = present(stage, add_policy=True)["roles"]
    assert (role["role"], role["result"]) == (None, "lacks_rights")


def test_roles_that_the_credentials_may_not_see_are_not_judged(stage: Stage) -> None:
    stage.account.on("describe_instances", reservations(instance()))
    stage.account.on("get_instance_profile", client_error("AccessDenied"))
    stage.account.on("get_service_setting", client_error("AccessDeniedException"))
    assert present(stage)["roles"] == []


@pytest.mark.parametrize("check_mode", [False, True])
def test_only_our_own_profile_is_taken_away(stage: Stage, check_mode: bool) -> None:
    arns = {
        "iip-1": "arn:aws:iam::123456789012:instance-profile/ours",
        "iip-2": "arn:aws:iam::1:instance-profile/theirs",
    }
    rows = [
        {"AssociationId": key, "InstanceId": ID, "IamInstanceProfile": {"Arn": arn}, "State": "associated"}
        for key, arn in arns.items()
    ]
    stage.account.on("describe_iam_instance_profile_associations", {"IamInstanceProfileAssociations": rows})
    stage.account.on("disassociate_iam_instance_profile", {})
    result = absent(stage, check_mode=check_mode)
    assert (result["changed"], [host["result"] for host in result["hosts"]]) == (True, ["detached"])
    calls = stage.account.of("disassociate_iam_instance_profile")
    assert [call.params["AssociationId"] for call in calls] == ([] if check_mode else ["iip-1"])
