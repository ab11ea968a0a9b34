# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Operations that only the proof of an account calls, with the prover's credentials. A run calls nothing of this.

Sources: EC2, Systems Manager, EventBridge Scheduler and STS API references; Price List API reference (GetProducts); Systems
Manager user guide, "Finding AMI IDs with public parameters"; EC2 user guide, "Burstable performance instances".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from .api import Aws, pages
from .commands import find_invocation
from .ec2 import EC2
from .errors import GONE, AwsError
from .iam import STS
from .scheduler import SCHEDULER
from .ssm import SSM

if TYPE_CHECKING:
    from mypy_boto3_ec2.literals import ResourceTypeType
    from mypy_boto3_ec2.type_defs import (
        ImageTypeDef,
        InstanceTypeDef,
        RunInstancesRequestTypeDef,
        SubnetTypeDef,
        TagSpecificationTypeDef,
        TagTypeDef,
    )
    from mypy_boto3_ssm.type_defs import MaintenanceWindowIdentityTypeDef
    from mypy_boto3_sts.type_defs import CredentialsTypeDef


@dataclass(frozen=True)
class Launch:
    """An instance that is to be launched.

    Attributes:
        token: by which EC2 recognizes a repetition of the same launch.
        root_device: the image's name of its root device.
        tags: of the instance and its volume.
    """

    token: str
    image_id: str
    instance_type: str
    subnet_id: str
    security_group_ids: Sequence[str]
    instance_profile: str | None
    root_device: str
    tags: Mapping[str, str]


# Before the launch


def public_parameter(aws: Aws, name: str) -> str:
    """The value of a parameter of AWS's own; AwsError with ParameterNotFound when there is none."""
    return aws.read(SSM, name).get_parameter(Name=name)["Parameter"]["Value"]


def describe_image(aws: Aws, image_id: str) -> ImageTypeDef:
    return aws.read(EC2, image_id).describe_images(ImageIds=[image_id])["Images"][0]


def describe_subnet(aws: Aws, subnet_id: str) -> SubnetTypeDef:
    """AwsError with InvalidSubnetID.NotFound when there is none."""
    return aws.read(EC2, subnet_id).describe_subnets(SubnetIds=[subnet_id])["Subnets"][0]


# The instance


def refusal_to_launch(aws: Aws, launch: Launch) -> AwsError | None:
    """What EC2 answers to a launch that is not meant (DryRun): None where it would have been made."""
    request = _request(launch)
    request["DryRun"] = True
    try:
        aws.read(EC2, launch.subnet_id).run_instances(**request)
    except AwsError as error:
        return None if error.aws_code == "DryRunOperation" else error
    return None


def launch_instance(aws: Aws, launch: Launch) -> str:
    """Launch one instance; returns its id. Repeated where no answer came: the token makes EC2 launch one only."""
    answer = aws.change(EC2, launch.subnet_id, idempotent=True).run_instances(**_request(launch))
    return answer["Instances"][0]["InstanceId"]


def _request(launch: Launch) -> RunInstancesRequestTypeDef:
    tags: list[TagTypeDef] = [{"Key": key, "Value": value} for key, value in launch.tags.items()]
    kinds: list[ResourceTypeType] = ["instance", "volume"]
    tagged: list[TagSpecificationTypeDef] = [{"ResourceType": kind, "Tags": tags} for kind in kinds]
    request: RunInstancesRequestTypeDef = {
        "ClientToken": launch.token,
        "ImageId": launch.image_id,
        "InstanceType": launch.instance_type,  # type: ignore[typeddict-item]  # AWS has new ones each week
        "MinCount": 1,
        "MaxCount": 1,
        "SubnetId": launch.subnet_id,
        "MetadataOptions": {"HttpTokens": "required", "HttpEndpoint": "enabled"},
        "BlockDeviceMappings": [
            {
                "DeviceName": launch.root_device,
                "Ebs": {"Encrypted": True, "VolumeType": "gp3", "DeleteOnTermination": True},
            }
        ],
        "TagSpecifications": tagged,
    }
    if re.match(r"t\d", launch.instance_type):
        request["CreditSpecification"] = {"CpuCredits": "standard"}  # "unlimited" would cost more than its price
    if launch.security_group_ids:
        request["SecurityGroupIds"] = launch.security_group_ids
    if launch.instance_profile:
        request["IamInstanceProfile"] = {"Name": launch.instance_profile}
    return request


def terminate_instance(aws: Aws, instance_id: str) -> None:
    """No error for one that is gone."""
    try:
        aws.change(EC2, instance_id, idempotent=True).terminate_instances(InstanceIds=[instance_id])
    except AwsError as error:
        if error.aws_code not in GONE:
            raise


# Windows and schedules


def create_window_once(aws: Aws, name: str, opens: str, hours: int, tags: Mapping[str, str]) -> str:
    """A maintenance window without tasks that opens once, at a time in ISO 8601 without an offset (UTC); returns its id."""
    return aws.change(SSM, name, idempotent=True).create_maintenance_window(
        Name=name,
        Schedule=f"at({opens})",
        ScheduleTimezone="UTC",
        Duration=hours,
        Cutoff=0,
        AllowUnassociatedTargets=True,
        ClientToken=name,
        Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
    )["WindowId"]


def tags_of_window(aws: Aws, window: MaintenanceWindowIdentityTypeDef) -> dict[str, str]:
    """Its tags; none for one that is gone."""
    identifier = window["WindowId"]
    try:
        answer = aws.read(SSM, identifier).list_tags_for_resource(
            ResourceType="MaintenanceWindow", ResourceId=identifier
        )
    except AwsError as error:
        if error.aws_code != "InvalidResourceId":
            raise
        return {}
    return {tag["Key"]: tag["Value"] for tag in answer.get("TagList", [])}


def delete_window(aws: Aws, window_id: str) -> None:
    aws.change(SSM, window_id, idempotent=True).delete_maintenance_window(WindowId=window_id)


def schedule_names(aws: Aws, group: str, prefix: str) -> list[str]:
    """The schedules of a group whose names begin so; none where there is no such group."""
    try:
        answer = aws.read(SCHEDULER, group).list_schedules(GroupName=group, NamePrefix=prefix)
    except AwsError as error:
        if error.aws_code != "ResourceNotFoundException":
            raise
        return []
    return [schedule["Name"] for schedule in answer["Schedules"]]


# Asking


def assume_role(aws: Aws, role_arn: str, external_id: str | None) -> CredentialsTypeDef:
    """Credentials of a session of a role, which last an hour; AwsError with AccessDenied where it may not be taken."""
    if external_id:
        answer = aws.change(STS, role_arn, idempotent=True).assume_role(
            RoleArn=role_arn, RoleSessionName="patchfleet-proof", ExternalId=external_id
        )
    else:
        answer = aws.change(STS, role_arn, idempotent=True).assume_role(
            RoleArn=role_arn, RoleSessionName="patchfleet-proof"
        )
    return answer["Credentials"]


def patch_rows(aws: Aws, node_id: str, states: Sequence[str]) -> list[str]:
    """The states of a node's updates that are in one of these states."""
    operation = partial(
        aws.read(SSM, node_id).describe_instance_patches,
        InstanceId=node_id,
        Filters=[{"Key": "State", "Values": list(states)}],
    )
    return [row["State"] for page in pages(operation) for row in page.get("Patches", [])]


def listed_output(aws: Aws, command_id: str, node_id: str) -> str:
    """The output that the list of invocations shows."""
    row = find_invocation(aws, command_id, node_id)
    plugins = row.get("CommandPlugins") or [] if row else []
    return str(plugins[0].get("Output", "")) if plugins else ""


def read_instance(aws: Aws, instance_id: str) -> InstanceTypeDef | None:
    """One read of an instance, as the next replica shows it; None where it shows none."""
    found = aws.read(EC2, instance_id).describe_instances(Filters=[{"Name": "instance-id", "Values": [instance_id]}])
    return next((i for r in found["Reservations"] for i in r["Instances"]), None)


def instances_with_tag(aws: Aws, key: str) -> Iterator[InstanceTypeDef]:
    """The instances of the region that have a tag with this key and are not terminated."""
    states = ["pending", "running", "stopping", "stopped"]
    operation = partial(
        aws.read(EC2).describe_instances,
        Filters=[{"Name": "tag-key", "Values": [key]}, {"Name": "instance-state-name", "Values": states}],
    )
    for page in pages(operation):
        for reservation in page.get("Reservations", []):
            yield from reservation["Instances"]
