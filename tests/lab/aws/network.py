# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""EC2: the network that all instances are in: one VPC, whose way out is a NAT gateway, until a test takes it away.

Only who asks sees that: agents that have registered stay in touch, as if over connections that were there.
"""

from __future__ import annotations

import json
from typing import Any

from lab.aws.errors import AwsError
from lab.aws.filters import Getter, select
from lab.aws.interfaces import SUBNET, VPC_ID, security_groups
from lab.aws.request import Operation, Request, Result, page

MAX_RESULTS = 100
TABLE_ID = "rtb-0a1b2c3d4e5f60718"
OPEN_POLICY = {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]}
IN_VPC: dict[str, Getter[dict[str, Any]]] = {"vpc-id": lambda row: [row["VpcId"]]}


class Network:
    """Of one region."""

    def __init__(self) -> None:
        self.endpoints: list[dict[str, Any]] = []
        self.routes: list[dict[str, Any]] = [
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
        ]

    def table(self, owner: str) -> dict[str, Any]:
        """The VPC's main table, which all subnets use."""
        main = {
            "Main": True,
            "RouteTableAssociationId": TABLE_ID.replace("rtb-", "rtbassoc-"),
            "RouteTableId": TABLE_ID,
            "AssociationState": {"State": "associated"},
        }
        return {
            "RouteTableId": TABLE_ID,
            "VpcId": VPC_ID,
            "OwnerId": owner,
            "Associations": [main],
            "PropagatingVgws": [],
            "Tags": [],
            "Routes": self.routes,
        }


def _network(request: Request) -> Network:
    return request.account.networks.setdefault(request.region, Network())


def describe_route_tables(request: Request) -> Result:
    tables = select(
        [_network(request).table(request.arns.account_id)], request.params.get("Filters", []), IN_VPC, lambda _row: {}
    )
    shown, next_token = page(request, tables, MAX_RESULTS)
    return {"RouteTables": shown, **next_token}


def delete_route(request: Request) -> Result:
    network, gone = _network(request), request.params["DestinationCidrBlock"]
    kept = [route for route in network.routes if route["DestinationCidrBlock"] != gone]
    if len(kept) == len(network.routes):
        raise AwsError("InvalidRoute.NotFound", f"no route with destination-cidr-block {gone}")
    network.routes = kept
    return {}


def create_vpc_endpoint(request: Request) -> Result:
    network = _network(request)
    kind = request.params.get("VpcEndpointType", "Gateway")
    service = request.params["ServiceName"]
    interface = kind == "Interface"
    dns = {
        "DnsName": f"{service.rpartition('.')[2]}.{request.region}.{request.arns.url_suffix}",
        "HostedZoneId": "Z0LAB",
    }
    endpoint = {
        "VpcEndpointId": f"vpce-{len(network.endpoints):017x}",
        "VpcId": request.params["VpcId"],
        "ServiceName": service,
        "VpcEndpointType": kind,
        "State": "available",
        "CreationTimestamp": request.sim.time,
        "DnsEntries": [dns] if interface else [],
        "Groups": security_groups() if interface else [],
        "NetworkInterfaceIds": [f"eni-{len(network.endpoints):017x}"] if interface else [],
        "OwnerId": request.arns.account_id,
        "PolicyDocument": json.dumps(OPEN_POLICY),
        "PrivateDnsEnabled": interface,
        "RequesterManaged": False,
        "RouteTableIds": [] if interface else [TABLE_ID],
        "SubnetIds": [f"{SUBNET}a"] if interface else [],
        "Tags": [],
    }
    network.endpoints.append(endpoint)
    return {"VpcEndpoint": endpoint}


def describe_vpc_endpoints(request: Request) -> Result:
    found = select(_network(request).endpoints, request.params.get("Filters", []), IN_VPC, lambda _row: {})
    return {"VpcEndpoints": found}


OPERATIONS: dict[str, Operation] = {
    "CreateVpcEndpoint": create_vpc_endpoint,
    "DeleteRoute": delete_route,
    "DescribeRouteTables": describe_route_tables,
    "DescribeVpcEndpoints": describe_vpc_endpoints,
}
