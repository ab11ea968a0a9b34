# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""EC2: subnets, AWS's Windows images, and instances that are launched from them.

Sources: EC2 API reference (RunInstances, DescribeSubnets, DescribeImages); Systems Manager user guide, "Finding AMI IDs with
public parameters"; EC2 user guide, "Ensuring idempotency". An instance that is launched is like the scenario's ``defaults``, on
the fresh image below.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from lab.aws.ec2_describe import WINDOWS_IMAGE, describe
from lab.aws.ec2_power import check_dry_run, check_quota
from lab.aws.errors import AwsError, invalid_value, not_implemented
from lab.aws.filters import Getter, select
from lab.aws.instance_types import size_of
from lab.aws.interfaces import SECURITY_GROUP, SUBNETS, VPC_ID
from lab.aws.policy import Need
from lab.aws.request import Operation, Request, Result
from lab.world import Host

PUBLIC_PARAMETERS = "/aws/service/ami-windows-latest/"
IMAGES = ("Windows_Server-2019-English-Full-Base", "Windows_Server-2022-English-Full-Base")
ROOT_DEVICE = "/dev/sda1"
IMAGE_GIB = 30
FRESH: dict[str, Any] = {
    "disk": {"size_gib": IMAGE_GIB, "free_gib": 12},
    "updates": [
        {"kb": "KB5031364", "severity": "critical", "reboot": True, "seconds": 300, "gib": 1},
        {"kb": "KB5030216", "severity": "important", "class": "other"},
    ],
    "windows": {"self_ending_services": ["Amazon EC2Launch"]},
}
"""What an image of AWS's is like some weeks after it came out."""
KNOWN = {
    "BlockDeviceMappings",
    "ClientToken",
    "CreditSpecification",
    "DryRun",
    "IamInstanceProfile",
    "ImageId",
    "InstanceType",
    "MaxCount",
    "MetadataOptions",
    "MinCount",
    "SecurityGroupIds",
    "SubnetId",
    "TagSpecifications",
}


def describe_subnets(request: Request) -> Result:
    ids = request.params.get("SubnetIds") or [name for name, _az in SUBNETS]
    known = dict(SUBNETS)
    for identifier in ids:
        if identifier not in known:
            raise _no_subnet(identifier)
    return {"Subnets": [_subnet(request, identifier, known[identifier]) for identifier in ids]}


def _no_subnet(identifier: str) -> AwsError:
    return AwsError("InvalidSubnetID.NotFound", f"The subnet ID '{identifier}' does not exist")


def _subnet(request: Request, identifier: str, az: str) -> dict[str, Any]:
    return {
        "SubnetId": identifier,
        "SubnetArn": request.arns.of("ec2", request.region, f"subnet/{identifier}"),
        "VpcId": VPC_ID,
        "AvailabilityZone": request.region + az,
        "CidrBlock": f"10.20.{ord(az) - ord('a')}.0/24",
        "DefaultForAz": False,
        "MapPublicIpOnLaunch": False,
        "AssignIpv6AddressOnCreation": False,
        "Ipv6CidrBlockAssociationSet": [],
        "State": "available",
        "AvailableIpAddressCount": 200,
    }


def describe_images(request: Request) -> Result:
    getters: dict[str, Getter[str]] = {"image-id": lambda identifier: [identifier]}
    ids = request.params.get("ImageIds") or [WINDOWS_IMAGE]
    for identifier in ids:
        if identifier != WINDOWS_IMAGE:
            raise AwsError("InvalidAMIID.NotFound", f"The image id '[{identifier}]' does not exist")
    ids = select(ids, request.params.get("Filters", []), getters, lambda _identifier: {})
    return {"Images": [_image(identifier) for identifier in ids]}


def _image(identifier: str) -> dict[str, Any]:
    root = {"SnapshotId": "snap-0a1b2c3d4e5f60718", "VolumeSize": IMAGE_GIB, "VolumeType": "gp2", "Encrypted": False}
    return {
        "ImageId": identifier,
        "Name": f"{IMAGES[-1]}-2026.10.14",
        "OwnerId": "801119661308",
        "Architecture": "x86_64",
        "Platform": "windows",
        "RootDeviceName": ROOT_DEVICE,
        "RootDeviceType": "ebs",
        "State": "available",
        "CreationDate": "2026-10-14T06:00:00.000Z",
        "BlockDeviceMappings": [{"DeviceName": ROOT_DEVICE, "Ebs": {**root, "DeleteOnTermination": True}}],
    }


def get_parameter(request: Request) -> Result:
    """Those by which AWS names its newest Windows images."""
    name = request.params["Name"]
    if name not in [PUBLIC_PARAMETERS + image for image in IMAGES]:
        raise AwsError("ParameterNotFound", "")
    arn = request.arns.of_aws("ssm", request.region, f"parameter{name}")
    return {"Parameter": {"Name": name, "Type": "String", "Value": WINDOWS_IMAGE, "Version": 87, "ARN": arn}}


def run_instances(request: Request) -> Result:
    """One instance of a Windows image. A token that was used already gives the instance that it made."""
    params = request.params
    _check(request)
    check_dry_run(request)
    check_quota(request, [params["InstanceType"]])
    launched = request.account.launched
    token = params.get("ClientToken")
    if token not in launched:
        host = _launch(request, f"launched-{len(launched) + 1:02}")
        launched[token or host.name] = host
    else:
        host = launched[token]
    return {
        "ReservationId": host.reservation_id,
        "OwnerId": request.arns.account_id,
        "Groups": [],
        "Instances": [describe(request, host)],
    }


def _check(request: Request) -> None:
    params = request.params
    if params.keys() - KNOWN or (params["MinCount"], params["MaxCount"]) != (1, 1):
        raise not_implemented(f"RunInstances with {', '.join(sorted(params.keys() - KNOWN)) or 'several instances'}")
    size_of(params["InstanceType"])
    if "CreditSpecification" in params and not re.match(r"t\d", params["InstanceType"]):
        raise AwsError("Unsupported", "The requested configuration is currently not supported.")
    if params["ImageId"] != WINDOWS_IMAGE:
        raise AwsError("InvalidAMIID.NotFound", f"The image id '[{params['ImageId']}]' does not exist")
    if params["SubnetId"] not in [name for name, _az in SUBNETS]:
        raise _no_subnet(params["SubnetId"])
    for group in params.get("SecurityGroupIds", ()):
        if group != SECURITY_GROUP:
            raise AwsError("InvalidGroup.NotFound", f"The security group '{group}' does not exist")
    profile = profile_of(request)
    if profile and request.account.roles.of_profile(profile) is None:
        raise invalid_value(
            f"Value ({profile}) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name"
        )


def profile_of(request: Request) -> str:
    return str(request.params.get("IamInstanceProfile", {}).get("Name", ""))


def tags_given(request: Request, kind: str) -> dict[str, str]:
    """The tags that a launch gives to resources of a kind."""
    specs = [spec for spec in request.params.get("TagSpecifications") or [] if spec["ResourceType"] == kind]
    return {tag["Key"]: tag.get("Value", "") for spec in specs for tag in spec["Tags"]}


def _launch(request: Request, name: str) -> Host:
    params = request.params
    (az,) = [az for subnet, az in SUBNETS if subnet == params["SubnetId"]]
    own = {"type": params["InstanceType"], "region": request.region, "az": az, "tags": tags_given(request, "instance")}
    host = request.world.launch(name, FRESH, {**own, **_agent(request)})
    host.profile = profile_of(request) or None
    host.tags.set(own["tags"], host.visible_at)  # no more than were given
    request.account.faults.add(host)
    encrypted = {mapping["DeviceName"]: mapping["Ebs"].get("Encrypted") for mapping in _mappings(params)}
    for volume in host.volumes:
        volume.tags.set(tags_given(request, "volume"), host.visible_at)
        volume.encrypted |= bool(encrypted.get(volume.device or ""))
    return host


def _mappings(params: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from params.get("BlockDeviceMappings") or []


def _agent(request: Request) -> dict[str, Any]:
    """Without the agent's rights, of a role or of Default Host Management Configuration, the node never registers."""
    account, profile = request.account, profile_of(request)
    role = account.roles.of_profile(profile) if profile else account.management_roles.get(request.region)
    needed = Need("ssm:UpdateInstanceInformation", "*", {})
    may = bool(role) and account.gate.decide(str(role), needed).decision == "allowed"
    return {} if may else {"agent": "no_role"}


OPERATIONS: dict[str, Operation] = {
    "DescribeImages": describe_images,
    "DescribeSubnets": describe_subnets,
    "RunInstances": run_instances,
}
SSM_OPERATIONS: dict[str, Operation] = {"GetParameter": get_parameter}
