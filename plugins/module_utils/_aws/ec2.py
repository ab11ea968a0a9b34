# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Operations of EC2. Source: EC2 API reference."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from .._base.clock import parse_iso
from .api import Aws, Service, pages
from .errors import GONE, AwsError

if TYPE_CHECKING:
    from mypy_boto3_ec2.client import EC2Client
    from mypy_boto3_ec2.literals import InstanceTypeType
    from mypy_boto3_ec2.type_defs import (
        FilterTypeDef,
        InstanceTypeDef,
        InstanceTypeInfoTypeDef,
        RouteTableTypeDef,
        TagTypeDef,
        VpcEndpointTypeDef,
    )

EC2: Service[EC2Client] = Service("ec2")
TRANSITION_TIME = re.compile(r"\((\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) GMT\)")


def enabled_regions(aws: Aws) -> set[str]:
    """The regions that are enabled in the account (API reference, DescribeRegions: without AllRegions no other is listed)."""
    return {str(region.get("RegionName")) for region in aws.read(EC2).describe_regions()["Regions"]}


# Instances


def describe_instance(aws: Aws, instance_id: str) -> InstanceTypeDef | None:
    """One instance; None when EC2 does not know it (any more)."""
    try:
        answer = aws.read(EC2, instance_id).describe_instances(InstanceIds=[instance_id])
    except AwsError as error:
        if error.aws_code in GONE:
            return None
        raise
    return next((i for r in answer["Reservations"] for i in r["Instances"]), None)


def describe_instances(aws: Aws, filters: Sequence[FilterTypeDef]) -> Iterator[InstanceTypeDef]:
    """All instances that pass the filters; managed ones, which an account may hide, where botocore knows how to ask for them."""
    operation = partial(aws.read(EC2).describe_instances, Filters=filters)
    if aws.knows(EC2, "DescribeInstances", "IncludeManagedResources"):
        operation = partial(operation, IncludeManagedResources=True)
    for page in pages(operation):
        for reservation in page.get("Reservations", []):
            yield from reservation["Instances"]


def is_stop_protected(aws: Aws, instance_id: str) -> bool:
    """Whether its attribute disableApiStop is set; False for one that is gone."""
    try:
        answer = aws.read(EC2, instance_id).describe_instance_attribute(
            InstanceId=instance_id, Attribute="disableApiStop"
        )
    except AwsError as error:
        if error.aws_code in GONE:
            return False
        raise
    return bool(answer.get("DisableApiStop", {}).get("Value"))


class Start(NamedTuple):
    """What StartInstances has answered.

    Attributes:
        state_before: where it is not ``stopped``, nothing was started now.
        answered_at: by AWS's time, in seconds since 1970; the LaunchTime of this start is not later.
    """

    state_before: str
    answered_at: float


def start_instance(aws: Aws, instance_id: str) -> Start:
    """One instance a call: a call with several is all or nothing, and one bad id would fail the others.

    Raises:
        Unanswered: it may have been started.
    """
    answer = aws.change(EC2, instance_id).start_instances(InstanceIds=[instance_id])
    changes = [change for change in answer["StartingInstances"] if change.get("InstanceId") == instance_id]
    return Start(changes[0]["PreviousState"]["Name"] if changes else "stopped", aws.answered_at(answer))


def stop_instance(aws: Aws, instance_id: str) -> None:
    """Shut it down in order: never by force, and never without the operating system's own shutdown.

    Raises:
        Unanswered: it may have been stopped.
    """
    aws.change(EC2, instance_id).stop_instances(InstanceIds=[instance_id])


def describe_instance_types(aws: Aws, names: Sequence[str]) -> Iterator[InstanceTypeInfoTypeDef]:
    """At most 100 names a call."""
    types = cast("list[InstanceTypeType]", list(names))  # AWS has new ones each week
    for page in pages(partial(aws.read(EC2).describe_instance_types, InstanceTypes=types)):
        yield from page.get("InstanceTypes", [])


# Tags


def tags_of(resource: Mapping[str, Any]) -> dict[str, str]:
    """The tags of an EC2 resource as a mapping."""
    return {tag["Key"]: tag["Value"] for tag in resource.get("Tags", [])}


def create_tag(aws: Aws, resource_id: str, key: str, value: str) -> None:
    """Set a tag; another value of the key is replaced."""
    create_tags(aws, resource_id, {key: value})


def create_tags(aws: Aws, resource_id: str, tags: Mapping[str, str]) -> None:
    """Set tags; other values of their keys are replaced."""
    entries: list[TagTypeDef] = [{"Key": key, "Value": value} for key, value in tags.items()]
    aws.change(EC2, resource_id, idempotent=True).create_tags(Resources=[resource_id], Tags=entries)


def delete_tag(aws: Aws, resource_id: str, key: str, value: str) -> None:
    """Remove a tag, only while it has that value."""
    tag: TagTypeDef = {"Key": key, "Value": value}
    aws.change(EC2, resource_id, idempotent=True).delete_tags(Resources=[resource_id], Tags=[tag])


# Networks


def describe_route_tables(aws: Aws, filters: Sequence[FilterTypeDef]) -> Iterator[RouteTableTypeDef]:
    for page in pages(partial(aws.read(EC2).describe_route_tables, Filters=filters)):
        yield from page.get("RouteTables", [])


def describe_vpc_endpoints(aws: Aws, filters: Sequence[FilterTypeDef]) -> Iterator[VpcEndpointTypeDef]:
    for page in pages(partial(aws.read(EC2).describe_vpc_endpoints, Filters=filters)):
        yield from page.get("VpcEndpoints", [])


# Rights, asked with DryRun: EC2 answers DryRunOperation where the call would have been allowed


def refusal_to_start(aws: Aws, instance_id: str) -> AwsError | None:
    """What EC2 answers to a start that is not meant."""
    try:
        aws.read(EC2, instance_id).start_instances(InstanceIds=[instance_id], DryRun=True)
    except AwsError as error:
        return error
    return None


def refusal_to_stop(aws: Aws, instance_id: str) -> AwsError | None:
    """The same for a stop."""
    try:
        aws.read(EC2, instance_id).stop_instances(InstanceIds=[instance_id], DryRun=True)
    except AwsError as error:
        return error
    return None


def refusal_to_create_tag(aws: Aws, resource_id: str, key: str) -> AwsError | None:
    """The same for a tag with this key."""
    try:
        aws.read(EC2, resource_id).create_tags(
            Resources=[resource_id], Tags=[{"Key": key, "Value": "a run"}], DryRun=True
        )
    except AwsError as error:
        return error
    return None


def refusal_to_delete_tag(aws: Aws, resource_id: str, key: str) -> AwsError | None:
    """The same for taking it away."""
    try:
        aws.read(EC2, resource_id).delete_tags(
            Resources=[resource_id], Tags=[{"Key": key, "Value": "a run"}], DryRun=True
        )
    except AwsError as error:
        return error
    return None


# Words


def stopped_at(instance: InstanceTypeDef) -> float | None:
    """When the last stop was requested, in seconds since 1970; None where EC2 does not show it, as after a shutdown from inside.

    Source: EC2 user guide, "Troubleshoot instance stop issues": StateTransitionReason is ``User initiated (TIME GMT)``.
    """
    found = TRANSITION_TIME.search(instance.get("StateTransitionReason") or "")
    return parse_iso(found[1]) if found else None


def state_reason(instance: InstanceTypeDef) -> str:
    """Why an instance is in its state, in AWS's words; a key that cannot be used is named as that."""
    reason = instance.get("StateReason") or {}
    code, message = reason.get("Code", ""), reason.get("Message", "")
    text = message if code in message else f"{code}: {message}".strip(": ")
    if code == "Client.InternalError":
        return f"{text} (most likely these credentials may not use the KMS key of an encrypted volume: kms:CreateGrant)"
    return text or "EC2 gives no reason"
