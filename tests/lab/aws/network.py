# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""EC2: the network that all instances are in: one VPC, whose way out is a NAT gateway."""

from __future__ import annotations

from typing import Any

from lab.aws.ec2_describe import VPC_ID
from lab.aws.filters import Getter, select
from lab.aws.request import ACCOUNT_ID, Operation, Request, Result, page

MAX_RESULTS = 100
TABLE: dict[str, Any] = {
    "RouteTableId": "rtb-0a1b2c3d4e5f60718",
    "VpcId": VPC_ID,
    "OwnerId": ACCOUNT_ID,
    "Associations": [
        {"Main": True, "RouteTableId": "rtb-0a1b2c3d4e5f60718", "AssociationState": {"State": "associated"}}
    ],
    "PropagatingVgws": [],
    "Tags": [],
    "Routes": [
        {
            "DestinationCidrBlock": "10.20.0.0/16",
            "GatewayId": "local",
            "Origin": "CreateRouteTable",
            "State": "active",
        },
        {
            "DestinationCidrBlock": "0.0.0.0/0",
            "NatGatewayId": "nat-0a1b2c3d4e5f60718",
            "Origin": "CreateRoute",
            "State": "active",
        },
    ],
}
IN_VPC: dict[str, Getter[dict[str, Any]]] = {"vpc-id": lambda row: [row["VpcId"]]}


def describe_route_tables(request: Request) -> Result:
    tables = select([TABLE], request.params.get("Filters", []), IN_VPC, lambda _row: {})
    shown, next_token = page(request, tables, MAX_RESULTS)
    return {"RouteTables": shown, **next_token}


def describe_vpc_endpoints(_request: Request) -> Result:
    """There are none."""
    return {"VpcEndpoints": []}


OPERATIONS: dict[str, Operation] = {
    "DescribeRouteTables": describe_route_tables,
    "DescribeVpcEndpoints": describe_vpc_endpoints,
}
