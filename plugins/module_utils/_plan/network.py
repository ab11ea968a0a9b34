# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether an instance's subnet leads to Systems Manager, as far as route tables and endpoints tell.

Only what is certain is said: a route into another network may lead to a proxy or to shared endpoints. Sources: VPC user guide
("Configure route tables"), Systems Manager user guide ("Improve the security of EC2 instances by using VPC endpoints").
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._aws.api import Aws
from .._aws.ec2 import describe_route_tables, describe_vpc_endpoints
from .._aws.errors import AwsError
from .._fleet.hosts import FleetHost

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import FilterTypeDef, RouteTableTypeDef, RouteTypeDef

ENDPOINTS = ("ssm", "ssmmessages")


class Network:
    """Route tables and endpoints of the VPCs of some hosts of a region; unknown where the credentials may not read them."""

    def __init__(self, aws: Aws, hosts: list[FleetHost]) -> None:
        ids = sorted({str(host.vpc_id) for host in hosts if host.vpc_id})
        chosen: list[FilterTypeDef] = [{"Name": "vpc-id", "Values": ids}]
        self._tables: list[RouteTableTypeDef] | None = None
        try:
            if ids:
                self._tables = list(describe_route_tables(aws, chosen))
                self._endpoints = list(describe_vpc_endpoints(aws, chosen))
        except AwsError:
            self._tables = None

    def why_cut_off(self, host: FleetHost) -> str | None:
        """The sentence for a host that cannot reach Systems Manager; None when it can, or it is unknown."""
        missing = self._missing_endpoints(str(host.vpc_id), str(host.region))
        routes = self._routes(host)
        if routes is None or not missing:
            return None
        endpoints = " and ".join(missing)
        internet_routes = [route for route in routes if not _stays_inside(route)]
        if not internet_routes:
            return f"Its subnet {host.subnet_id} has no way out, and its VPC lacks the endpoints {endpoints}."
        to_internet = all(str(route.get("GatewayId", "")).startswith("igw-") for route in internet_routes)
        if to_internet and not host.public_address:
            return (
                f"Its subnet {host.subnet_id} leads to an internet gateway, but it has no public address, and its VPC lacks the "
                f"endpoints {endpoints}."
            )
        return None

    def _routes(self, host: FleetHost) -> list[RouteTypeDef] | None:
        """Of the subnet's own table, else of the VPC's main one."""
        main = None
        for table in self._tables or ():
            for association in table.get("Associations", ()):
                if association.get("SubnetId") == host.subnet_id and host.subnet_id:
                    return list(table["Routes"])
                if association.get("Main") and table["VpcId"] == host.vpc_id:
                    main = list(table["Routes"])
        return main

    def _missing_endpoints(self, vpc_id: str, region: str) -> list[str]:
        if self._tables is None:
            return []
        there = {row["ServiceName"] for row in self._endpoints if row.get("VpcId") == vpc_id}
        names = [f"com.amazonaws.{region}.{service}" for service in ENDPOINTS]
        return [name for name in names if not any(found.endswith(name) for found in there)]


def _stays_inside(route: RouteTypeDef) -> bool:
    """The VPC's own route, one that leads nowhere any more, or one to a gateway endpoint (of S3 or DynamoDB)."""
    gateway = str(route.get("GatewayId", ""))
    return gateway == "local" or gateway.startswith("vpce-") or route.get("State") == "blackhole"
