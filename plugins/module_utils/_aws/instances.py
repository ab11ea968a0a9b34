# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What EC2 says of an instance. Source: EC2 API reference, DescribeInstances."""

from __future__ import annotations

from typing import Any

from .api import Aws
from .errors import GONE, AwsError


def describe_instance(aws: Aws, instance_id: str) -> dict[str, Any] | None:
    """One instance as DescribeInstances gives it; None when EC2 does not know it (any more)."""
    try:
        answer = aws.call("ec2", "describe_instances", instance_id, InstanceIds=[instance_id])
    except AwsError as error:
        if error.aws_code in GONE:
            return None
        raise
    return next((i for r in answer["Reservations"] for i in r["Instances"]), None)


def tags_of(resource: dict[str, Any]) -> dict[str, str]:
    """The tags of an EC2 resource as a mapping."""
    return {tag["Key"]: tag["Value"] for tag in resource.get("Tags", [])}


def state_reason(instance: dict[str, Any]) -> str:
    """Why an instance is in its state, in AWS's words; a key that cannot be used is named as that."""
    reason = instance.get("StateReason") or {}
    code, message = reason.get("Code", ""), reason.get("Message", "")
    text = message if code in message else f"{code}: {message}".strip(": ")
    if code == "Client.InternalError":
        text += (
            " (most likely the KMS key of an encrypted volume may not be used by these credentials: kms:CreateGrant)"
        )
    return text or "EC2 gives no reason"
