# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Instance profiles: an instance has one at most, and an agent without credentials finds those that come later."""

from __future__ import annotations

import pytest

from conftest import MakeLab
from virtual_lab import VirtualLab, error_of

CORE = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"


def associate(lab: VirtualLab, name: str, profile: str = "managed-node") -> None:
    lab.ec2.associate_iam_instance_profile(InstanceId=lab.id(name), IamInstanceProfile={"Name": profile})


def test_a_host_that_gets_a_profile_becomes_a_managed_node(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a", "agent": "no_role"})
    assert "IamInstanceProfile" not in lab.describe("a")
    associate(lab, "a")
    assert lab.describe("a")["IamInstanceProfile"]["Arn"].endswith(":instance-profile/managed-node")
    lab.run_for(600)
    (node,) = lab.ssm.describe_instance_information()["InstanceInformationList"]
    assert (node["InstanceId"], node["PingStatus"]) == (lab.id("a"), "Online")


def test_one_that_is_off_does_so_when_it_is_started(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a", "agent": "no_role", "state": "stopped"})
    associate(lab, "a")
    lab.run_for(600)
    assert lab.ssm.describe_instance_information()["InstanceInformationList"] == []
    lab.start("a")
    lab.run_for(600)
    assert len(lab.ssm.describe_instance_information()["InstanceInformationList"]) == 1


def test_a_second_profile_is_refused_and_the_first_can_be_taken_away(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a"})
    assert error_of(associate, lab=lab, name="a") == "IncorrectState"
    (found,) = lab.ec2.describe_iam_instance_profile_associations()["IamInstanceProfileAssociations"]
    lab.ec2.disassociate_iam_instance_profile(AssociationId=found["AssociationId"])
    assert lab.ec2.describe_iam_instance_profile_associations()["IamInstanceProfileAssociations"] == []
    associate(lab, "a")


def test_names_that_no_one_has(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a", "agent": "no_role"})
    iam = lab.client("iam")
    assert error_of(associate, lab=lab, name="a", profile="no-such") == "InvalidParameterValue"
    assert error_of(lab.ec2.disassociate_iam_instance_profile, AssociationId="iip-assoc-0") == (
        "InvalidAssociationID.NotFound"
    )
    assert error_of(iam.get_instance_profile, InstanceProfileName="no-such") == "NoSuchEntity"
    assert error_of(iam.attach_role_policy, RoleName="no-such", PolicyArn=CORE) == "NoSuchEntity"


@pytest.mark.parametrize(
    ("action", "decision"), [("ssm:UpdateInstanceInformation", "allowed"), ("s3:GetObject", "implicitDeny")]
)
def test_the_role_of_the_hosts_has_the_agents_rights(make_lab: MakeLab, action: str, decision: str) -> None:
    iam = make_lab({"name": "a"}).client("iam")
    (role,) = iam.get_instance_profile(InstanceProfileName="managed-node")["InstanceProfile"]["Roles"]
    answer = iam.simulate_principal_policy(PolicySourceArn=role["Arn"], ActionNames=[action])
    assert answer["EvaluationResults"][0]["EvalDecision"] == decision
