# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""EC2: where an instance is in the account's network: its subnet, addresses and network interface."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from lab.aws.request import Request
from lab.world import Host

VPC_ID = "vpc-0a1b2c3d4e5f60718"
SECURITY_GROUP = "sg-0a1b2c3d4e5f60718"
SUBNET = "subnet-0a1b2c3d4e5f6071"
"""The ids of the subnets, without the letter of the zone."""
SUBNETS = tuple((f"{SUBNET}{az}", az) for az in "abc")
ATTACHED_BEFORE = timedelta(days=200)


def subnet_id(host: Host) -> str:
    return f"{SUBNET}{host.spec.az}"


def address(host: Host) -> str:
    """Of an instance or a hybrid node, from the end of its id."""
    number = int((host.id or "i-0")[-4:], 16)
    return f"10.20.{number // 256}.{number % 256}"


def public_address(host: Host) -> str | None:
    """The one that EC2 lends to an instance that is on, a new one at each start; None of an instance that gets none."""
    if not host.spec.public_address or host.instance is None or not host.instance.on:
        return None
    return f"198.51.100.{(int((host.id or 'i-0')[-4:], 16) + host.instance.starts) % 256}"


def private_name(host: Host) -> str:
    suffix = "ec2.internal" if host.spec.region == "us-east-1" else f"{host.spec.region}.compute.internal"
    return f"ip-{address(host).replace('.', '-')}.{suffix}"


def security_groups() -> list[dict[str, Any]]:
    """The VPC's default group."""
    return [{"GroupId": SECURITY_GROUP, "GroupName": "default"}]


def interfaces(request: Request, host: Host) -> list[dict[str, Any]]:
    """The one network interface that an instance is launched with; its ids end as the instance's own."""
    identifier = (host.id or "").removeprefix("i-")
    number, public = int(identifier[-4:], 16), public_address(host)
    lent = {"Association": {"IpOwnerId": "amazon", "PublicDnsName": "", "PublicIp": public}} if public else {}
    return [
        {
            **lent,
            "Attachment": {
                "AttachTime": request.sim.clock.start - ATTACHED_BEFORE,
                "AttachmentId": f"eni-attach-{identifier}",
                "DeleteOnTermination": True,
                "DeviceIndex": 0,
                "Status": "attached",
            },
            "Description": "",
            "Groups": security_groups(),
            "InterfaceType": "interface",
            "Ipv6Addresses": [],
            "MacAddress": f"02:0a:14:1e:{number // 256:02x}:{number % 256:02x}",
            "NetworkInterfaceId": f"eni-{identifier}",
            "OwnerId": request.arns.account_id,
            "PrivateDnsName": private_name(host),
            "PrivateIpAddress": address(host),
            "PrivateIpAddresses": [
                {"Primary": True, "PrivateDnsName": private_name(host), "PrivateIpAddress": address(host)}
            ],
            "SourceDestCheck": True,
            "Status": "in-use",
            "SubnetId": subnet_id(host),
            "VpcId": VPC_ID,
        }
    ]
