# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What EC2 shows: filters, pages, platforms, hidden resources, types, tags."""

from __future__ import annotations

import pytest

from botocore_fields import NEEDS_HIDDEN_INSTANCES
from conftest import MakeLab
from lab.aws.filters import matches
from lab.aws.instance_types import is_standard, size_of
from virtual_lab import VirtualLab, error_of


def _found(lab: VirtualLab, *filters: tuple[str, list[str]], **params: object) -> list[str]:
    """The names of the instances that the filters let through."""
    conditions = [{"Name": name, "Values": values} for name, values in filters]
    answer = lab.ec2.describe_instances(Filters=conditions, **params)
    ids = [instance["InstanceId"] for entry in answer["Reservations"] for instance in entry["Instances"]]
    return sorted(host.name for host in lab.play.world.hosts.values() if host.id in ids)


@pytest.mark.parametrize(
    ("pattern", "value", "expected"),
    [
        ("Win*", "Windows", True),
        ("W?n", "Win", True),
        ("W?n", "Wn", False),
        ("win*", "Windows", False),
        (r"a\*", "a*", True),
        (r"a\*", "ab", False),
        ("a.c", "abc", False),
    ],
)
def test_wildcards(pattern: str, value: str, expected: bool) -> None:
    assert matches(pattern, value) is expected


def test_filters(make_lab: MakeLab) -> None:
    lab = make_lab(
        {"name": "off", "state": "stopped", "az": "b"},
        {"name": "on", "type": "m5.large", "tags": {"Stage": "test"}},
        {"name": "penguin", "platform": "linux"},
    )
    assert _found(lab, ("instance-state-name", ["stopped", "stopping"])) == ["off"]
    assert _found(lab, ("tag:PatchGroup", ["Windows"])) == ["off", "penguin"]
    assert _found(lab, ("tag:PatchGroup", ["W*"]), ("platform", ["windows"])) == ["off"]
    assert _found(lab, ("tag-key", ["Stage"])) == ["on"]
    assert _found(lab, ("instance-type", ["m5.*"])) == ["on"]
    assert _found(lab, ("availability-zone", ["eu-central-1b"])) == ["off"]
    assert _found(lab, ("instance-id", [lab.id("on")])) == ["on"]
    one = lab.describe("on")
    assert len(_found(lab, ("vpc-id", [one["VpcId"]]))) == 3
    assert _found(lab, ("subnet-id", [one["SubnetId"]])) == ["on", "penguin"]


def test_an_unknown_filter_is_an_error(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a"})
    code = error_of(lab.ec2.describe_instances, Filters=[{"Name": "colour", "Values": ["red"]}])
    assert code == "InvalidParameterValue"


def test_pages_count_instances_not_reservations(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "dev-{01..13}"})
    pages = list(lab.ec2.get_paginator("describe_instances").paginate(PaginationConfig={"PageSize": 5}))
    sizes = [sum(len(entry["Instances"]) for entry in page["Reservations"]) for page in pages]
    assert sizes == [5, 5, 3]
    assert max(len(entry["Instances"]) for page in pages for entry in page["Reservations"]) > 1
    assert error_of(lab.ec2.describe_instances, MaxResults=4) == "InvalidParameterValue"
    ids = [lab.id("dev-01")]
    assert error_of(lab.ec2.describe_instances, InstanceIds=ids, MaxResults=5) == "InvalidParameterCombination"
    assert error_of(lab.ec2.describe_instances, NextToken="mine") == "InvalidNextToken"


def test_platform_is_absent_on_linux(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "w"}, {"name": "l", "platform": "linux"})
    assert lab.describe("w")["Platform"] == "windows"
    assert "Platform" not in lab.describe("l")


def test_what_marks_a_host_that_must_not_be_power_cycled(make_lab: MakeLab) -> None:
    lab = make_lab(
        {"name": "asg", "asg": True},
        {"name": "spot", "spot": True},
        {"name": "store", "instance_store": True},
        {"name": "plain"},
        {"name": "no-role", "agent": "no_role"},
    )
    assert "aws:autoscaling:groupName" in [tag["Key"] for tag in lab.describe("asg")["Tags"]]
    assert lab.describe("spot")["InstanceLifecycle"] == "spot"
    assert lab.describe("store")["RootDeviceType"] == "instance-store"
    assert lab.describe("plain")["RootDeviceType"] == "ebs"
    assert "IamInstanceProfile" in lab.describe("plain")
    assert "IamInstanceProfile" not in lab.describe("no-role")


@NEEDS_HIDDEN_INSTANCES
def test_managed_resources_are_hidden_unless_asked_for(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a"}, {"name": "managed", "managed_by_service": True})
    assert _found(lab) == ["a"]
    assert lab.ec2.describe_instances(InstanceIds=[lab.id("managed")])["Reservations"] == []
    assert _found(lab, IncludeManagedResources=True) == ["a", "managed"]
    answer = lab.ec2.describe_instances(InstanceIds=[lab.id("managed")], IncludeManagedResources=True)
    assert answer["Reservations"][0]["Instances"][0]["Operator"]["Managed"] is True


def test_the_root_volume_is_found_by_its_name_not_by_its_position(make_lab: MakeLab) -> None:
    disk = {"size_gib": 50, "free_gib": 4, "slack_gib": 10, "data_volumes": [200, 30]}
    lab = make_lab({"name": "a", "disk": disk})
    instance = lab.describe("a")
    devices = [mapping["DeviceName"] for mapping in instance["BlockDeviceMappings"]]
    assert devices[0] != instance["RootDeviceName"]
    assert devices[-1] == instance["RootDeviceName"]
    root = instance["BlockDeviceMappings"][-1]["Ebs"]["VolumeId"]
    assert lab.ec2.describe_volumes(VolumeIds=[root])["Volumes"][0]["Size"] == 60


def test_tags_are_changed_and_seen_late(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a"}, account={"lag_seconds": 10})
    lab.ec2.create_tags(Resources=[lab.id("a")], Tags=[{"Key": "Lease", "Value": "run-1"}])
    assert _found(lab, ("tag-key", ["Lease"])) == []
    lab.run_for(11)
    assert _found(lab, ("tag:Lease", ["run-1"])) == ["a"]
    lab.ec2.delete_tags(Resources=[lab.id("a")], Tags=[{"Key": "Lease", "Value": "another"}])
    lab.run_for(11)
    assert _found(lab, ("tag-key", ["Lease"])) == ["a"]
    lab.ec2.delete_tags(Resources=[lab.id("a")], Tags=[{"Key": "Lease"}])
    lab.run_for(11)
    assert _found(lab, ("tag-key", ["Lease"])) == []
    reserved = [{"Key": "aws:mine", "Value": ""}]
    assert error_of(lab.ec2.create_tags, Resources=[lab.id("a")], Tags=reserved) == "InvalidParameterValue"


def test_a_terminated_instance_is_listed_for_a_while(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "gone"}, {"name": "a"}, events=[{"at_seconds": 5, "host": "gone", "do": "terminate"}])
    lab.run_for(30)
    assert lab.state("gone") == "terminated"
    assert error_of(lab.ec2.start_instances, InstanceIds=[lab.id("gone")]) == "IncorrectInstanceState"
    lab.run_for(4000)
    assert error_of(lab.ec2.describe_instances, InstanceIds=[lab.id("gone")]) == "InvalidInstanceID.NotFound"


def test_instance_types(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a"})
    types = lab.ec2.describe_instance_types(InstanceTypes=["m5.xlarge", "t3.large"])["InstanceTypes"]
    assert [entry["VCpuInfo"]["DefaultVCpus"] for entry in types] == [4, 2]
    assert error_of(lab.ec2.describe_instance_types, InstanceTypes=["m5.huge"]) == "InvalidInstanceType"
    assert len(list(lab.ec2.get_paginator("describe_instance_types").paginate())) > 1


def test_the_standard_families() -> None:
    assert is_standard("m5.large")
    assert is_standard("z1d.large")
    assert not is_standard("g4dn.xlarge")
    assert not is_standard("inf1.xlarge")
    assert size_of("t2.micro") == (1, 1024)
    assert size_of("r5.2xlarge") == (8, 65536)


def test_regions_are_those_of_the_scenario_and_the_usual_ones(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "far", "region": "ap-southeast-2"})
    names = [region["RegionName"] for region in lab.ec2.describe_regions()["Regions"]]
    assert {"ap-southeast-2", "eu-central-1", "us-east-1"} <= set(names)


def test_characters_that_xml_has_to_escape(make_lab: MakeLab) -> None:
    name = "a\"b'c $(id) <b> & 東京"
    lab = make_lab({"name": "a", "tags": {"Name": name}})
    assert lab.describe("a")["Tags"] == [{"Key": "Name", "Value": name}]


def test_tags_are_rows_of_instances_and_volumes(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a", "tags": {"PatchGroup": "Windows"}}, {"name": "b"})
    volume = lab.describe("a")["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]

    def rows(**filters: str) -> set[tuple[str, str, str]]:
        chosen = [{"Name": name.replace("_", "-"), "Values": [value]} for name, value in filters.items()]
        answer = lab.ec2.describe_tags(Filters=chosen)["Tags"]
        return {(row["ResourceType"], row["Key"], row["Value"]) for row in answer}

    assert rows(resource_id=lab.id("a"), key="PatchGroup") == {("instance", "PatchGroup", "Windows")}
    assert ("volume", "PatchGroup", "Windows") in rows(resource_id=volume)
    assert rows(resource_id="i-0") == set()
