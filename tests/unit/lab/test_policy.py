# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""IAM's decisions, and that a role's policies hold for those who have its credentials."""

from __future__ import annotations

from typing import Any

import pytest

from conftest import MakeLab
from lab.aws.policy import Need, deciding, statements_of
from lab.aws.setup import set_up
from virtual_lab import VirtualLab, error_of, script


def allowed(need: Need, *statements: dict[str, Any]) -> bool:
    document = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*", **more} for more in statements]}
    return deciding(statements_of(document), need) is not None


def a_need(action: str = "ec2:StopInstances", resource: str = "arn:aws:ec2:x:1:instance/i-1", **context: str) -> Need:
    return Need(action, resource, context)


@pytest.mark.parametrize(
    ("statement", "decision"),
    [
        ({}, True),
        ({"Action": "ec2:Stop*"}, True),
        ({"Action": "EC2:stopinstances"}, True),
        ({"Action": ["ec2:StartInstances"]}, False),
        ({"Resource": "arn:aws:ec2:*:1:instance/*"}, True),
        ({"Resource": "arn:aws:ec2:*:1:volume/*"}, False),
        ({"Condition": {"StringEquals": {"AWS:resourceTag/A": ["b", "c"]}}}, True),
        ({"Condition": {"StringEquals": {"aws:ResourceTag/A": "B"}}}, False),
        ({"Condition": {"StringEquals": {"aws:ResourceTag/Other": "b"}}}, False),
        ({"Condition": {"StringLike": {"aws:ResourceTag/A": "?"}}}, True),
        ({"Condition": {"Bool": {"it:is": True}}}, True),
    ],
)
def test_a_statement(statement: dict[str, Any], decision: bool) -> None:
    need = Need("ec2:StopInstances", "arn:aws:ec2:x:1:instance/i-1", {"aws:ResourceTag/A": "b", "it:is": "true"})
    assert allowed(need, statement) is decision


@pytest.mark.parametrize(
    ("keys", "decision"),
    [({"aws:TagKeys": "a"}, True), ({"aws:TagKeys": "a,b"}, True), ({"aws:TagKeys": "a,c"}, False), ({}, True)],
)
def test_all_values_of_a_key_are_among_those_of_the_policy(keys: dict[str, str], decision: bool) -> None:
    """No value at all is no other one (IAM user guide, "Multivalued context keys"); ``Null`` asks for one."""
    need, among = Need("ec2:DeleteTags", "*", keys), {"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]}}
    assert allowed(need, {"Condition": among}) is decision
    assert allowed(need, {"Condition": {**among, "Null": {"aws:TagKeys": "false"}}}) is (decision and bool(keys))
    assert allowed(need, {"Condition": {"Null": {"aws:TagKeys": "true"}}}) is (not keys)


@pytest.mark.parametrize(
    ("condition", "absent", "equal", "other"),
    [
        ({"StringEquals": {"k": "b"}}, False, True, False),
        ({"StringNotEquals": {"k": "b"}}, True, False, True),
        ({"StringEqualsIfExists": {"k": "b"}}, True, True, False),
        ({"StringNotLike": {"k": ["b*", "x"]}}, True, False, True),
        ({"StringEqualsIgnoreCase": {"k": "B"}}, False, True, False),
        ({"ForAnyValue:StringEquals": {"k": ["b", "x"]}}, False, True, False),
        ({"ForAllValues:StringNotEquals": {"k": "b"}}, True, False, True),
        ({"Null": {"k": "true"}}, True, False, False),
    ],
)
def test_an_operator_with_a_key_that_the_call_lacks_has_or_has_otherwise(
    condition: dict[str, Any], absent: bool, equal: bool, other: bool
) -> None:
    """Negated ones hold for a key that is not there (IAM user guide, "Condition operators")."""
    holds = [allowed(a_need(**keys), {"Condition": condition}) for keys in ({}, {"k": "b"}, {"k": "c"})]
    assert holds == [absent, equal, other]


@pytest.mark.parametrize(
    ("condition", "value", "decision"),
    [
        ({"IpAddress": {"k": ["10.0.0.0/8", "127.0.0.1"]}}, "127.0.0.1", True),
        ({"NotIpAddress": {"k": "127.0.0.0/8"}}, "127.0.0.1", False),
        ({"NumericLessThan": {"k": "10"}}, "9", True),
        ({"NumericGreaterThan": {"k": "10"}}, "9", False),
        ({"DateLessThan": {"k": "2026-01-01T00:00:00Z"}}, "2025-12-31T23:00:00Z", True),
        ({"DateGreaterThan": {"k": "2026-01-01T00:00:00Z"}}, "2025-12-31T23:00:00Z", False),
        ({"ArnNotLike": {"k": "arn:aws:iam::*:role/admin"}}, "arn:aws:iam::1:role/admin", False),
    ],
)
def test_operators_for_addresses_numbers_and_times(condition: dict[str, Any], value: str, decision: bool) -> None:
    assert allowed(a_need(k=value), {"Condition": condition}) is decision


def test_everything_but_what_a_statement_names() -> None:
    statement = {"Effect": "Deny", "NotAction": ["iam:*", "sts:*"], "NotResource": "arn:aws:ec2:x:1:instance/i-2"}
    assert not allowed(a_need(), {}, statement)
    assert allowed(a_need("iam:GetRole"), {"Action": "iam:*"}, statement)
    assert allowed(a_need(resource="arn:aws:ec2:x:1:instance/i-2"), {}, statement)


def test_nothing_is_allowed_by_default_and_a_denial_wins() -> None:
    assert not allowed(a_need())
    assert not allowed(a_need(), {}, {"Effect": "Deny", "Action": "ec2:StopInstances"})
    assert allowed(a_need(), {}, {"Effect": "Deny", "Action": "ec2:StartInstances"})


def test_an_operator_that_is_not_known_is_an_error() -> None:
    with pytest.raises(KeyError):
        allowed(a_need(), {"Condition": {"BinaryEquals": {"key": "QmluYXJ5"}}})


@pytest.fixture
def lab(make_lab: MakeLab) -> VirtualLab:
    lab = make_lab({"name": "ours"}, {"name": "theirs", "tags": {"PatchGroup": "Linux"}})
    role = set_up(lab.play.account.stacks, lab.play.world.scenario, lab.play.sim.time)
    lab.play.account.gate.admit_key("ASIAROLE", role)
    return lab


def test_the_controller_may_stop_hosts_with_the_tag_and_no_others(lab: VirtualLab) -> None:
    ec2 = lab.client("ec2", access_key="ASIAROLE")
    assert (
        error_of(lambda: ec2.stop_instances(InstanceIds=[lab.id("ours"), lab.id("theirs")])) == "UnauthorizedOperation"
    )
    ec2.stop_instances(InstanceIds=[lab.id("ours")])


def test_a_volume_may_be_grown_if_the_tag_is_on_itself(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "tagged"}, {"name": "bare", "volume": {"tagged": False}})
    role = set_up(lab.play.account.stacks, lab.play.world.scenario, lab.play.sim.time)
    lab.play.account.gate.admit_key("ASIAROLE", role)
    ec2 = lab.client("ec2", access_key="ASIAROLE")
    tagged, bare = (lab.play.world.hosts[name].root_volume for name in ("tagged", "bare"))
    assert tagged
    assert bare
    assert error_of(ec2.modify_volume, VolumeId=bare.id, Size=bare.size_gib + 1) == "UnauthorizedOperation"
    ec2.modify_volume(VolumeId=tagged.id, Size=tagged.size_gib + 1)


def test_the_controller_may_send_its_two_documents_and_no_others(lab: VirtualLab) -> None:
    ssm = lab.client("ssm", access_key="ASIAROLE")

    call = {"InstanceIds": [lab.id("ours")], "Parameters": {"commands": ["exit 0"]}}
    assert error_of(ssm.send_command, DocumentName="AWS-RunShellScript", **call) == "AccessDeniedException"
    assert ssm.send_command(DocumentName="AWS-RunPowerShellScript", **call)


def test_a_node_whose_tags_forbid_it_is_reported_by_its_invocation(lab: VirtualLab) -> None:
    ssm = lab.client("ssm", access_key="ASIAROLE")
    ids = [lab.id("theirs"), lab.id("ours")]
    sent = {"DocumentName": "AWS-RunPowerShellScript", "Parameters": {"commands": script("probe")}}
    command = ssm.send_command(InstanceIds=ids, **sent)["Command"]["CommandId"]
    lab.run_for(60)
    assert (lab.details(command, "theirs"), lab.details(command, "ours")) == ("AccessDenied", "Success")


@pytest.mark.parametrize("key", ["deny", "scp"])
def test_a_denial_for_another_reason_is_an_error(make_lab: MakeLab, key: str) -> None:
    deny = {"deny": ["ssm:SendCommand"], "scp": [{"Effect": "Deny", "Action": "ssm:SendCommand", "Resource": "*"}]}
    lab = make_lab({"name": "theirs", "tags": {"PatchGroup": "Linux"}}, account={key: deny[key]})
    role = set_up(lab.play.account.stacks, lab.play.world.scenario, lab.play.sim.time)
    lab.play.account.gate.admit_key("ASIAROLE", role)
    ssm = lab.client("ssm", access_key="ASIAROLE")
    call = {"InstanceIds": [lab.id("theirs")], "DocumentName": "AWS-RunPowerShellScript"}
    assert error_of(ssm.send_command, Parameters={"commands": ["exit 0"]}, **call) == "AccessDeniedException"


def test_the_controller_may_not_tag(lab: VirtualLab) -> None:
    ec2 = lab.client("ec2", access_key="ASIAROLE")
    tags = [{"Key": "PatchGroup", "Value": "Windows"}]
    assert error_of(lambda: ec2.create_tags(Resources=[lab.id("theirs")], Tags=tags)) == "UnauthorizedOperation"
