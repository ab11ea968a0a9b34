# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the rights of calls are made of: ARNs, and the condition keys that tags become."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lab.aws.arns import Arns
from lab.aws.request import Request
from lab.world import Host

KEY_ID = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"

Part = tuple[str, str, dict[str, str]]
"""Action, resource, and the condition keys that depend on the resource."""


def key_arn(arns: Arns, region: str) -> str:
    """The customer key of the lab's encrypted volumes."""
    return arns.of("kms", region, f"key/{KEY_ID}")


def host_arn(arns: Arns, host: Host) -> str:
    """Of an instance or a hybrid node."""
    service, kind = ("ssm", "managed-instance") if str(host.id).startswith("mi-") else ("ec2", "instance")
    return arns.of(service, host.spec.region, f"{kind}/{host.id}")


def resource_tags(tags: dict[str, str]) -> dict[str, str]:
    prefixes = ("aws:ResourceTag", "ec2:ResourceTag", "ssm:resourceTag")
    return {f"{prefix}/{key}": value for prefix in prefixes for key, value in tags.items()}


def requested_tags(tags: list[dict[str, Any]]) -> dict[str, str]:
    return {f"aws:RequestTag/{tag['Key']}": tag.get("Value", "") for tag in tags}


def on_hosts(request: Request, hosts: list[Host]) -> Iterator[Part]:
    for host in hosts:
        yield request.action, host_arn(request.arns, host), resource_tags(host.tags.latest)
