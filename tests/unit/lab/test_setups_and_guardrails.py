# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Set-ups for several tags, other partitions, and service control policies with what a simulation says of them."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from conftest import MakeLab
from lab.aws.cloudformation.stacks import Stacks
from lab.aws.errors import AwsError
from lab.aws.setup import TEMPLATE, set_up
from virtual_lab import VirtualLab, error_of

SQL = "Prod: SQL & Web (EU)"
KNOWN_NETWORKS = {
    "Effect": "Deny",
    "Action": "*",
    "Resource": "*",
    "Condition": {"NotIpAddress": {"aws:SourceIp": ["127.0.0.0/8"]}},
}


def ready(lab: VirtualLab) -> VirtualLab:
    """The same after `setup_aws`, with the key ASIAROLE for the controller."""
    role = set_up(lab.play.account.stacks, lab.play.world.scenario, lab.play.sim.time)
    lab.play.account.gate.admit_key("ASIAROLE", role)
    return lab


# ---- several tags


def test_each_target_tag_has_a_set_up_and_the_controller_the_rights_of_all(make_lab: MakeLab) -> None:
    tags = [f"Patch Group={SQL}", "Team=a=b", "PatchGroup=Windows"]
    hosts = [
        {"name": "sql", "tags": {"Patch Group": SQL}},
        {"name": "team", "tags": {"Team": "a=b"}},
        {"name": "usual"},
        {"name": "nobodys", "tags": {"Team": "a"}},
    ]
    lab = ready(make_lab(*hosts, account={"target_tags": tags}))
    ec2 = lab.client("ec2", access_key="ASIAROLE")
    for name in ("sql", "team", "usual"):
        ec2.stop_instances(InstanceIds=[lab.id(name)])
    assert error_of(ec2.stop_instances, InstanceIds=[lab.id("nobodys")]) == "UnauthorizedOperation"
    *stacks, _message = lab.play.account.stacks.all()
    prefixes = [stack.resources["SwitchGroup"].physical_id for stack in stacks]
    assert prefixes == ["PatchFleet", "PatchFleet2", "PatchFleet3"]
    assert {stack.outputs["LedgerUrl"][0] for stack in stacks} == {"dynamodb://PatchFleet-ledger"}
    assert [("Ledger" in stack.resources, "CommandOutput" in stack.resources) for stack in stacks] == [
        (True, True),
        (False, False),
        (False, False),
    ]
    assert all({"Window", "ControllerMarkPolicy", "ControllerRole"} <= {*stack.resources} for stack in stacks)


def test_a_value_that_is_no_patch_group_has_no_baseline(make_lab: MakeLab) -> None:
    lab = ready(make_lab({"name": "a"}, account={"target_tags": [f"Patch Group={SQL}", "Team=sql", "Owner=sql"]}))
    made = ["Baseline" in stack.resources for stack in lab.play.account.stacks.all()]
    assert made == [False, True, False, False]  # a patch group has one baseline; the last stack is that of the message


@pytest.mark.parametrize(
    "value", ['a"b', "a\\b", "${aws:PrincipalTag/team}", "a*", "a?", "a{b", "a}b", "a\nb", "", "x" * 257]
)
@pytest.mark.parametrize("key", ["TagKey", "TagValue"])
def test_what_would_change_a_policy_is_refused_as_a_tag(key: str, value: str) -> None:
    with pytest.raises(AwsError, match=rf"Parameter {key} failed to satisfy constraint"):
        Stacks().create("eu-central-1", "s", TEMPLATE.read_text(), {key: value}, [], None)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", ["Nord & Süd (EU)", "a:b/c", "it's", "50 % <50 €>", "#1, [2]; 3|4", "日本"])
def test_what_is_ordinary_in_tags_is_taken(value: str) -> None:
    given = {"TagValue": value, "TagKey": value, "PatchBaseline": "none"}
    stack = Stacks().create("eu-central-1", "s", TEMPLATE.read_text(), given, [], None)  # type: ignore[arg-type]
    assert value in str(stack.resources["ControllerChangePolicy"].properties["PolicyDocument"])


@pytest.mark.parametrize("value", ["eu-central-1,eu_west", 'eu-west-1", "us-east-1', "*"])
def test_names_that_no_region_has_are_refused(value: str) -> None:
    with pytest.raises(AwsError, match="Parameter Regions failed to satisfy constraint"):
        Stacks().create("eu-central-1", "s", TEMPLATE.read_text(), {"Regions": value}, [], None)  # type: ignore[arg-type]


# ---- other partitions


@pytest.mark.parametrize(
    ("partition", "region", "suffix"),
    [("aws-cn", "cn-north-1", "amazonaws.com.cn"), ("aws-us-gov", "us-gov-west-1", "amazonaws.com")],
)
def test_another_partition_has_its_own_names(make_lab: MakeLab, partition: str, region: str, suffix: str) -> None:
    lab = ready(make_lab({"name": "a", "state": "stopped"}, account={"partition": partition, "region": region}))
    ec2, iam = (lab.client(service, region=region, access_key="ASIAROLE") for service in ("ec2", "iam"))
    instance = ec2.describe_instances()["Reservations"][0]["Instances"][0]
    profile = instance["IamInstanceProfile"]["Arn"]
    assert profile == f"arn:{partition}:iam::123456789012:instance-profile/managed-node"
    assert iam.get_instance_profile(InstanceProfileName="managed-node")["InstanceProfile"]["Arn"] == profile
    regions = lab.client("ec2", region=region).describe_regions()["Regions"]
    assert all(it["Endpoint"] == f"ec2.{it['RegionName']}.{suffix}" for it in regions)
    assert {region.split("-", maxsplit=1)[0]} == {it["RegionName"].split("-")[0] for it in regions}
    role = f"arn:{partition}:iam::123456789012:role/PatchFleet-scheduler-{region}"
    simulated = iam.simulate_principal_policy(
        PolicySourceArn=f"arn:{partition}:iam::123456789012:role/PatchFleet-controller-{region}",
        ActionNames=["iam:PassRole"],
        ResourceArns=[role, role.replace(partition, "aws", 1)],
        ContextEntries=[_entry("iam:PassedToService", "scheduler.amazonaws.com")],
    )
    assert [it["EvalDecision"] for it in simulated["EvaluationResults"]] == ["allowed", "implicitDeny"]
    ec2.start_instances(InstanceIds=[lab.id("a")])


# ---- guardrails


def _entry(key: str, value: str) -> dict[str, Any]:
    return {"ContextKeyName": key, "ContextKeyType": "string", "ContextKeyValues": [value]}


def _simulated(lab: VirtualLab, resource: str | None, **context: str) -> dict[str, Any]:
    keys = {"aws:RequestedRegion": "eu-central-1", "aws:ResourceTag/PatchGroup": "Windows", **context}
    answer = lab.client("iam", access_key="ASIAROLE").simulate_principal_policy(
        PolicySourceArn="arn:aws:iam::123456789012:role/PatchFleet-controller-eu-central-1",
        ActionNames=["ec2:StartInstances" if resource else "ec2:DescribeInstances"],
        ContextEntries=[_entry(key, value) for key, value in keys.items()],
        **({"ResourceArns": [resource]} if resource else {}),
    )
    (result,) = answer["EvaluationResults"]
    found: dict[str, Any] = result
    return found


def test_a_guardrail_denies_each_caller_with_its_own_words(make_lab: MakeLab) -> None:
    deny = {"Effect": "Deny", "Action": ["ec2:ModifyVolume", "ssm:SendCommand"], "Resource": "*"}
    lab = ready(make_lab({"name": "a"}, account={"scp": [KNOWN_NETWORKS, deny]}))
    volume = lab.describe("a")["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
    for key in ("ASIAROLE", "ASIAVIRTUAL"):
        with pytest.raises(ClientError) as denied:
            lab.client("ec2", access_key=key).modify_volume(VolumeId=volume, Size=80)
        error = denied.value.response["Error"]
        assert error["Code"] == "UnauthorizedOperation"
        assert "with an explicit deny in a service control policy. Encoded" in error["Message"]
    with pytest.raises(ClientError, match=r"AccessDeniedException.*explicit deny in a service control policy"):
        lab.send("a")
    lab.client("ec2", access_key="ASIAROLE").stop_instances(InstanceIds=[lab.id("a")])


def test_calls_from_elsewhere_are_denied_and_others_acts_are_not_judged(make_lab: MakeLab) -> None:
    elsewhere = {**KNOWN_NETWORKS, "Condition": {"NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}}}
    lab = ready(
        make_lab({"name": "a"}, account={"scp": [elsewhere]}, events=[{"at_seconds": 5, "host": "a", "do": "stop"}])
    )
    assert error_of(lab.ec2.describe_instances) == "UnauthorizedOperation"
    lab.run_for(10)
    assert lab.truth("a")["stops"] == 1


def test_a_simulation_that_lacks_a_key_denies_and_names_it(make_lab: MakeLab) -> None:
    lab = ready(make_lab({"name": "a"}, account={"scp": [KNOWN_NETWORKS]}))
    instance = f"arn:aws:ec2:eu-central-1:123456789012:instance/{lab.id('a')}"
    lacking = _simulated(lab, instance)
    assert (lacking["EvalDecision"], lacking["MissingContextValues"]) == ("explicitDeny", [])
    (of_one,) = lacking["ResourceSpecificResults"]
    assert (of_one["EvalResourceName"], of_one["EvalResourceDecision"]) == (instance, "explicitDeny")
    assert of_one["MissingContextValues"] == ["aws:SourceIp"]
    assert lacking["OrganizationsDecisionDetail"] == {"AllowedByOrganizations": False}
    anywhere = _simulated(lab, None)
    assert (anywhere["EvalDecision"], anywhere["MissingContextValues"]) == ("explicitDeny", ["aws:SourceIp"])
    assert "ResourceSpecificResults" not in anywhere
    whole = _simulated(lab, instance, **{"aws:SourceIp": "127.0.0.1"})
    assert (whole["EvalDecision"], whole["ResourceSpecificResults"][0]["MissingContextValues"]) == ("allowed", [])
    assert whole["OrganizationsDecisionDetail"] == {"AllowedByOrganizations": True}


def test_an_allowing_statement_that_lacks_a_key_does_not_allow_and_names_it(make_lab: MakeLab) -> None:
    lab = ready(make_lab({"name": "a"}))
    lacking = _simulated(
        lab, "arn:aws:ec2:eu-central-1:123456789012:instance/i-1", **{"aws:ResourceTag/PatchGroup": "x"}
    )
    assert (lacking["EvalDecision"], lacking["ResourceSpecificResults"][0]["MissingContextValues"]) == (
        "implicitDeny",
        [],
    )
