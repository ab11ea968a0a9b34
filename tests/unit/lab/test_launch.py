# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Instances that are launched, windows that are made by a call, prices, and sessions of a role of the own account."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from conftest import MakeLab
from virtual_lab import VirtualLab, error_of

PARAMETER = "/aws/service/ami-windows-latest/Windows_Server-2022-English-Full-Base"
SUBNET = "subnet-0a1b2c3d4e5f6071b"
TAGS = [{"Key": "patchfleet:proof", "Value": "1"}]
TAGGED = [{"ResourceType": kind, "Tags": TAGS} for kind in ("instance", "volume")]
ROOT = {"DeviceName": "/dev/sda1", "Ebs": {"Encrypted": True}}


def launch(lab: VirtualLab, **changes: Any) -> str:
    image = lab.ssm.get_parameter(Name=PARAMETER)["Parameter"]["Value"]
    usual: dict[str, Any] = {
        "ImageId": image,
        "InstanceType": "t3.large",
        "MinCount": 1,
        "MaxCount": 1,
        "SubnetId": SUBNET,
        "IamInstanceProfile": {"Name": "managed-node"},
        "TagSpecifications": TAGGED,
        "BlockDeviceMappings": [ROOT],
    }
    (instance,) = lab.ec2.run_instances(**{**usual, **changes})["Instances"]
    return str(instance["InstanceId"])


def shown(lab: VirtualLab, identifier: str) -> dict[str, Any]:
    instance: dict[str, Any] = lab.ec2.describe_instances(InstanceIds=[identifier])["Reservations"][0]["Instances"][0]
    return instance


def test_an_instance_is_launched_boots_and_becomes_a_managed_node(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a"}, defaults={"boot_seconds": 200})
    identifier = launch(lab)
    assert shown(lab, identifier)["State"]["Name"] == "pending"
    assert (
        lab.ssm.describe_instance_information(Filters=[{"Key": "InstanceIds", "Values": [identifier]}])[
            "InstanceInformationList"
        ]
        == []
    )
    lab.run_for(300)
    instance = shown(lab, identifier)
    assert (instance["State"]["Name"], instance["SubnetId"], instance["Tags"]) == ("running", SUBNET, TAGS)
    (node,) = lab.ssm.describe_instance_information(Filters=[{"Key": "InstanceIds", "Values": [identifier]}])[
        "InstanceInformationList"
    ]
    assert node["PingStatus"] == "Online"
    (volume,) = [row for row in lab.ec2.describe_volumes()["Volumes"] if row["Tags"] == TAGS]
    assert (volume["Encrypted"], volume["Size"]) == (True, 30)


def test_readers_see_a_launched_instance_a_little_later(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a"}, account={"lag_seconds": 20})
    identifier = launch(lab)
    assert error_of(lab.ec2.describe_instances, InstanceIds=[identifier]) == "InvalidInstanceID.NotFound"
    lab.run_for(20)
    assert shown(lab, identifier)["InstanceId"] == identifier


def test_the_same_token_launches_no_second_one(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a"})
    assert launch(lab, ClientToken="one") == launch(lab, ClientToken="one") != launch(lab, ClientToken="two")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"SubnetId": "subnet-1"}, "InvalidSubnetID.NotFound"),
        ({"ImageId": "ami-1"}, "InvalidAMIID.NotFound"),
        ({"InstanceType": "t3.enormous"}, "InvalidInstanceType"),
        ({"IamInstanceProfile": {"Name": "nobody"}}, "InvalidParameterValue"),
        ({"SecurityGroupIds": ["sg-1"]}, "InvalidGroup.NotFound"),
        ({"InstanceType": "t3.2xlarge"}, "VcpuLimitExceeded"),
        ({"MaxCount": 2}, "NotImplemented"),
        ({"DryRun": True}, "DryRunOperation"),
    ],
)
def test_what_is_refused(make_lab: MakeLab, changes: dict[str, Any], code: str) -> None:
    lab = make_lab({"name": "a"}, account={"vcpu_quota": 4})
    with pytest.raises(ClientError, match=code):
        launch(lab, **changes)


def test_a_node_whose_profile_has_no_rights_never_registers(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a"}, account={"deny": ["ssm:UpdateInstanceInformation"]})
    identifier = launch(lab)
    lab.run_for(900)
    rows = lab.ssm.describe_instance_information()["InstanceInformationList"]
    assert identifier not in [row["InstanceId"] for row in rows]


def test_subnets_and_images(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a"})
    (subnet,) = lab.ec2.describe_subnets(SubnetIds=[SUBNET])["Subnets"]
    assert (subnet["AvailabilityZone"], subnet["MapPublicIpOnLaunch"]) == ("eu-central-1b", False)
    assert error_of(lab.ec2.describe_subnets, SubnetIds=["subnet-1"]) == "InvalidSubnetID.NotFound"
    assert error_of(lab.ssm.get_parameter, Name="/aws/service/none") == "ParameterNotFound"
    image = lab.ssm.get_parameter(Name=PARAMETER)["Parameter"]["Value"]
    (described,) = lab.ec2.describe_images(ImageIds=[image])["Images"]
    assert described["BlockDeviceMappings"][0]["Ebs"]["VolumeSize"] == 30


def test_a_window_that_is_made_opens_once_and_is_taken_away(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a"})
    opens = lab.play.sim.time + timedelta(seconds=300)
    window = lab.ssm.create_maintenance_window(
        Name="proof",
        Schedule=f"at({opens:%Y-%m-%dT%H:%M:%S})",
        Duration=1,
        Cutoff=0,
        AllowUnassociatedTargets=True,
        Tags=TAGS,
    )["WindowId"]
    after = {"Key": "ExecutedAfter", "Values": ["2026-11-14T00:00:00Z"]}
    asked: dict[str, Any] = {"WindowId": window, "Filters": [after]}
    assert lab.ssm.describe_maintenance_window_executions(**asked)["WindowExecutions"] == []
    lab.run_for(300)
    (execution,) = lab.ssm.describe_maintenance_window_executions(**asked)["WindowExecutions"]
    assert execution["StartTime"] == opens
    assert lab.ssm.list_tags_for_resource(ResourceType="MaintenanceWindow", ResourceId=window)["TagList"] == TAGS
    (row,) = lab.ssm.describe_maintenance_windows()["WindowIdentities"]
    assert (row["WindowId"], "NextExecutionTime" in row) == (window, False)
    lab.ssm.delete_maintenance_window(WindowId=window)
    assert lab.ssm.describe_maintenance_windows()["WindowIdentities"] == []


def test_prices(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a"})
    pricing = lab.client("pricing")

    def asked(field: str, value: str) -> list[Any]:
        filters = [{"Type": "TERM_MATCH", "Field": field, "Value": value}]
        return [
            json.loads(text) for text in pricing.get_products(ServiceCode="AmazonEC2", Filters=filters)["PriceList"]
        ]

    (product,) = asked("instanceType", "t3.large")
    (term,) = product["terms"]["OnDemand"].values()
    (dimension,) = term["priceDimensions"].values()
    assert (dimension["unit"], float(dimension["pricePerUnit"]["USD"])) == ("Hrs", 0.14)
    assert len(asked("volumeApiName", "gp3")) == 1
    assert asked("instanceType", "t3.enormous") == []
