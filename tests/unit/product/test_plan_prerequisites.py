# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What plan says of hosts that Systems Manager does not manage, or not fully."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._aws.api import Aws
from ansible_collections.patchfleet.windows.plugins.module_utils._fleet.hosts import FleetHost
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.patch_run import OPERATION
from ansible_collections.patchfleet.windows.plugins.module_utils._plan.prerequisites import (
    missing_prerequisites,
    prerequisite_lines,
)
from ansible_collections.patchfleet.windows.plugins.module_utils._plan.variables import read

from .fakes import ID, NODE_ID, VOLUME_ID, client_error, tags
from .stage import Stage

OTHER = "i-0fedcba9876543210"
PROFILE = "arn:aws:iam::123456789012:instance-profile/apps/web"
ROLE = "arn:aws:iam::123456789012:role/apps/web-role"
ONLINE = {"ping_status": "Online", "agent_version": "3.3.2299.0"}
VPC, SUBNET = "vpc-1", "subnet-1"
LOCAL = {"DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local", "State": "active"}
S3_GATEWAY = {"DestinationPrefixListId": "pl-1", "GatewayId": "vpce-1", "State": "active"}
INTERNET = {"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-1", "State": "active"}
NAT = {"DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": "nat-1", "State": "active"}
NAT_GONE = {**NAT, "State": "blackhole"}
TRANSIT = {"DestinationCidrBlock": "10.0.0.0/8", "TransitGatewayId": "tgw-1", "State": "active"}


def host(key: str = ID, name: str = "dev-01", **more: Any) -> FleetHost:
    values: dict[str, Any] = {
        "kind": "ec2",
        "instance_id": key,
        "region": "eu-central-1",
        "tags": {"PatchGroup": "Windows"},
        "profile_arn": PROFILE,
        "vpc_id": VPC,
        "subnet_id": SUBNET,
    }
    return FleetHost(key=key, name=name, **{**values, **more})


@pytest.fixture(autouse=True)
def account(stage: Stage) -> None:
    """All is well: the role has its rights, there is a NAT gateway, and no default host management."""
    stage.account.on("get_service_setting", {"ServiceSetting": {"SettingValue": "$None"}})
    made = {"Path": "/", "CreateDate": 0}
    role = {**made, "RoleName": "web-role", "RoleId": "AROALABLABLABLABLABLA", "Arn": ROLE}
    profile = {**made, "InstanceProfileName": "web", "InstanceProfileId": "AIPALABLABLABLABLABLA", "Arn": PROFILE}
    stage.account.on("get_instance_profile", {"InstanceProfile": {**profile, "Roles": [role]}})
    stage.account.on("simulate_principal_policy", {"EvaluationResults": []})
    routed(stage, LOCAL, NAT)
    stage.account.on("describe_vpc_endpoints", {"VpcEndpoints": []})


def routed(stage: Stage, *routes: dict[str, Any], main: bool = False) -> None:
    to = {"Main": True} if main else {"SubnetId": SUBNET}
    table = {"VpcId": VPC, "Associations": [to], "Routes": list(routes)}
    stage.account.on("describe_route_tables", {"RouteTables": [table]})


def endpoints(stage: Stage, *services: str) -> None:
    rows = [{"VpcId": VPC, "ServiceName": f"com.amazonaws.eu-central-1.{service}"} for service in services]
    stage.account.on("describe_vpc_endpoints", {"VpcEndpoints": rows})


def missing(stage: Stage, *hosts: FleetHost, **variables: Any) -> list[dict[str, Any]]:
    context = stage.context(OPERATION, state="planned", settings=read(variables), fleet=[])
    return missing_prerequisites(context, list(hosts))


def codes(stage: Stage, *hosts: FleetHost) -> list[str]:
    return [row["code"] for row in missing(stage, *hosts)]


def test_hosts_that_are_online_lack_nothing_and_cost_one_call_a_region(stage: Stage) -> None:
    assert missing(stage, host(node=ONLINE), host(OTHER, profile_arn=None, node=ONLINE)) == []
    assert [call.operation for call in stage.account.calls] == ["list_associations"]


def test_hosts_without_an_instance_profile_are_named_together_with_the_remedy(stage: Stage) -> None:
    bare = [host(f"i-{n}", f"dev-{n}", profile_arn=None, state="stopped") for n in range(7)]
    found = missing(stage, *bare)
    assert [(row["code"], len(row["hosts"])) for row in found] == [("no_instance_profile", 7)]
    (line,) = prerequisite_lines(found)
    assert line.startswith("look at   dev-0, dev-1, dev-2, dev-3, dev-4 and 2 more: It has no instance profile")
    assert "aws_prerequisites_attach_instance_profile" in line


@pytest.mark.parametrize(("setting", "found"), [("$None", ["no_instance_profile"]), ("service-role/Default", [])])
def test_where_the_account_manages_its_hosts_none_needs_a_profile(stage: Stage, setting: str, found: list[str]) -> None:
    stage.account.on("get_service_setting", {"ServiceSetting": {"SettingValue": setting}})
    assert codes(stage, host(profile_arn=None, state="stopped")) == found


@pytest.mark.parametrize("profile", [None, PROFILE])
def test_what_default_host_management_asks_of_a_host_is_said_of_those_that_rely_on_it(
    stage: Stage, profile: str | None
) -> None:
    stage.account.on("get_service_setting", {"ServiceSetting": {"SettingValue": "service-role/Default"}})
    (row,) = missing(stage, host(profile_arn=profile))
    assert (row["code"], "IMDSv2" in row["reason"]) == ("not_registered", profile is None)


def test_the_regions_of_the_hosts_do_where_the_credentials_name_none(stage: Stage) -> None:
    """What Systems Manager starts on a node has no AWS_REGION."""
    stage.account.region = None
    stage.aws = Aws(stage.account, stage.clock)
    assert codes(stage, host(state="stopped"), host(OTHER)) == ["not_registered"]
    assert {call.region for call in stage.account.calls} == {"eu-central-1"}


def test_the_role_of_a_profile_that_lacks_the_agents_rights(stage: Stage) -> None:
    missing_items = [
        {"EvalActionName": "ssm:UpdateInstanceInformation", "EvalDecision": "implicitDeny"},
        {"EvalActionName": "ssmmessages:CreateControlChannel", "EvalDecision": "allowed"},
    ]
    stage.account.on("simulate_principal_policy", {"EvaluationResults": missing_items})
    (row,) = missing(stage, host(state="stopped"), host(OTHER, "dev-02"))
    assert (row["code"], row["hosts"]) == ("role_lacks_rights", ["dev-01", "dev-02"])
    assert row["reason"].startswith(
        "The role web-role of its instance profile lacks ssm:UpdateInstanceInformation. Attach"
    )
    assert len(stage.account.of("simulate_principal_policy")) == 1


def test_what_the_credentials_may_not_see_is_not_said(stage: Stage) -> None:
    for operation in (
        "get_instance_profile",
        "get_service_setting",
        "describe_route_tables",
        "describe_volumes",
        "list_associations",
    ):
        stage.account.on(operation, client_error("AccessDenied"))
    assert missing(stage, host(state="stopped", root_volume_id=VOLUME_ID)) == []
    assert codes(stage, host()) == ["not_registered"]


@pytest.mark.parametrize("state", ["running", "stopped"])
def test_an_agent_that_has_never_registered_is_reported_for_hosts_that_run(stage: Stage, state: str) -> None:
    assert codes(stage, host(state=state)) == (["not_registered"] if state == "running" else [])


@pytest.mark.parametrize(
    ("node", "code"),
    [
        ({**ONLINE, "agent_version": "2.0.790.0"}, "agent_old"),
        ({**ONLINE, "ping_status": "ConnectionLost", "last_ping_at": "2026-11-14T20:00:00Z"}, "agent_silent"),
    ],
)
def test_an_agent_that_is_old_or_silent(stage: Stage, node: dict[str, Any], code: str) -> None:
    assert codes(stage, host(node=node)) == [code]
    hybrid = host(NODE_ID, kind="hybrid", profile_arn=None, node=node)
    assert codes(stage, hybrid) == [code]


@pytest.mark.parametrize(
    ("routes", "address", "cut_off"),
    [
        ([LOCAL], None, "no way out"),
        ([LOCAL, S3_GATEWAY, NAT_GONE], None, "no way out"),
        ([LOCAL, INTERNET], None, "no public address"),
        ([LOCAL, INTERNET], "192.0.2.1", None),
        ([LOCAL, NAT], None, None),
        ([LOCAL, TRANSIT], None, None),
        ([LOCAL, INTERNET, TRANSIT], None, None),
    ],
)
@pytest.mark.parametrize("main", [False, True])
def test_a_route_to_systems_manager(
    stage: Stage, routes: list[dict[str, Any]], address: str | None, cut_off: str | None, main: bool
) -> None:
    routed(stage, *routes, main=main)
    (row,) = missing(stage, host(public_address=address))
    assert row["code"] == ("cut_off" if cut_off else "not_registered")
    assert (cut_off or "has not registered") in row["reason"]


@pytest.mark.parametrize(
    ("region", "endpoint"),
    [
        ("eu-central-1", "ssm.eu-central-1.amazonaws.com;"),
        ("cn-north-1", "ssm.cn-north-1.amazonaws.com.cn;"),
        ("us-gov-west-1", "ssm.us-gov-west-1.amazonaws.com;"),
    ],
)
def test_the_endpoint_is_that_of_the_regions_partition(stage: Stage, region: str, endpoint: str) -> None:
    (row,) = missing(stage, host(region=region))
    assert endpoint in row["reason"]


@pytest.mark.parametrize(
    ("services", "code"), [(["ssm", "ssmmessages"], "not_registered"), (["ssm", "s3"], "cut_off"), ([], "cut_off")]
)
def test_endpoints_in_the_vpc_do_as_well(stage: Stage, services: list[str], code: str) -> None:
    routed(stage, LOCAL)
    endpoints(stage, *services)
    assert codes(stage, host()) == [code]


def test_a_table_of_another_subnet_says_nothing(stage: Stage) -> None:
    stage.account.on(
        "describe_route_tables",
        {"RouteTables": [{"VpcId": VPC, "Associations": [{"SubnetId": "subnet-2"}], "Routes": [LOCAL]}]},
    )
    assert codes(stage, host()) == ["not_registered"]


@pytest.mark.parametrize(
    ("there", "variables", "code"),
    [
        ({"PatchGroup": "Windows"}, {}, []),
        ({"PatchGroup": "Linux"}, {}, ["volume_untagged"]),
        ({}, {}, ["volume_untagged"]),
        ({}, {"patch_grow_gib": 0}, []),
    ],
)
def test_the_tag_on_the_root_volume(
    stage: Stage, there: dict[str, str], variables: dict[str, Any], code: list[str]
) -> None:
    stage.account.on("describe_volumes", {"Volumes": [{"VolumeId": VOLUME_ID, "Tags": tags(**there)}]})
    found = missing(stage, host(node=ONLINE, root_volume_id=VOLUME_ID), **variables)
    assert [row["code"] for row in found] == code


def test_a_host_that_does_not_carry_the_tag_itself_is_not_asked_for_its_volumes(stage: Stage) -> None:
    assert missing(stage, host(node=ONLINE, root_volume_id=VOLUME_ID, tags={})) == []
    assert stage.account.of("describe_volumes") == []


def test_a_patch_policy_of_quick_setup_beside_us_is_named(stage: Stage) -> None:
    policy = {"QSConfigName-a1b2c": "nightly"}
    (row,) = missing(stage, host(node=ONLINE, tags=policy))
    assert (row["code"], "patch policy nightly" in row["reason"]) == ("patch_policy", True)


POLICY = "AWS-QuickSetup-PatchPolicy-ScanForPatches-LA-a1b2c"
EVERYBODY = {"Key": "InstanceIds", "Values": ["*"]}


def associated(stage: Stage, *targets: dict[str, Any], document: str = "AWS-RunPatchBaseline", name: str = "") -> None:
    named = {"AssociationName": name} if name else {}
    row = {"Name": document, "AssociationId": "a-1", "Targets": list(targets), "ScheduleExpression": "rate(1 day)"}
    stage.account.on("list_associations", {"Associations": [{**row, **named}]})


@pytest.mark.parametrize(
    ("targets", "reached"),
    [
        ([EVERYBODY], True),
        ([{"Key": "InstanceIds", "Values": [OTHER]}], False),
        ([{"Key": "InstanceIds", "Values": [OTHER, ID]}], True),
        ([{"Key": "tag:PatchGroup", "Values": ["Linux", "Windows"]}], True),
        ([{"Key": "tag:PatchGroup", "Values": ["Linux"]}], False),
        ([{"Key": "tag:PatchGroup", "Values": ["Windows"]}, {"Key": "tag:App", "Values": ["web"]}], False),
        ([{"Key": "tag-key", "Values": ["PatchGroup"]}], True),
        ([{"Key": "tag-key", "Values": ["App"]}], False),
        ([{"Key": "resource-groups:Name", "Values": ["all"]}], False),
        ([], False),
    ],
)
def test_an_association_that_patches_is_reported_for_those_that_it_reaches(
    stage: Stage, targets: list[dict[str, Any]], reached: bool
) -> None:
    associated(stage, *targets)
    found = missing(stage, host(node=ONLINE))
    assert [(row["code"], "association a-1 runs AWS-RunPatchBaseline" in row["reason"]) for row in found] == (
        [("patch_association", True)] if reached else []
    )


@pytest.mark.parametrize(
    ("document", "name", "code"),
    [
        ("AWS-RunPatchBaselineWithHooks", "nightly", ["patch_association"]),
        ("AWS-UpdateSSMAgent", "agents", []),
        ("AWS-RunPatchBaselineAssociation", "AWS-QuickSetup-SSMHostMgmt-ScanForPatches-x1y2z", []),
        ("AWS-RunPatchBaseline", POLICY, ["patch_policy"]),
        ("OfSomeOtherName", POLICY, ["patch_policy"]),
    ],
)
def test_which_associations_patch(stage: Stage, document: str, name: str, code: list[str]) -> None:
    associated(stage, EVERYBODY, document=document, name=name)
    assert codes(stage, host(node=ONLINE)) == code


def test_a_patch_policy_that_is_known_by_its_tag_is_not_reported_twice(stage: Stage) -> None:
    associated(stage, EVERYBODY, name=POLICY)
    tagged = host(node=ONLINE, tags={"QSConfigName-a1b2c": "nightly"})
    found = missing(stage, tagged, host(OTHER, "dev-02", node=ONLINE))
    assert [(row["code"], row["hosts"]) for row in found] == [
        ("patch_policy", ["dev-02"]),
        ("patch_policy", ["dev-01"]),
    ]


def test_hosts_without_aws_lack_nothing(stage: Stage) -> None:
    assert missing(stage, FleetHost(key="dc-1", name="dc-1", kind="winrm", transport="connection")) == []


def test_a_host_that_steps_reach_by_a_connection_needs_no_agent(stage: Stage) -> None:
    assert missing(stage, host(transport="connection")) == []
