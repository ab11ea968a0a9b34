# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SSM: managed nodes, their pings and connections, and what the documents are."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from lab.aws.errors import AwsError, not_implemented, validation
from lab.aws.interfaces import address
from lab.aws.request import Operation, Request, Result, page
from lab.aws.ssm_documents import describe_document
from lab.world import Host

DEFAULT_HOST_MANAGEMENT = "/ssm/managed-instance/default-ec2-instance-management-role"
DEFAULT_PAGE, LARGEST_PAGE = 10, 50


def is_listed(request: Request, host: Host) -> bool:
    """Whether the service shows this node: it has registered, and it is not switched off.

    A "stale" one stays as it was last seen, whatever its power.
    """
    if not host.agent.known:
        return False
    if host.instance is None or host.spec.agent == "stale":
        return True
    return host.instance.view.at(request.as_of).on


def takes_commands(host: Host) -> bool:
    """Whether SendCommand accepts the node: it is there and has registered since it was last switched on."""
    running = host.instance is None or host.instance.state == "running"
    return running and host.agent.known and host.agent.registered


def find_node(request: Request, identifier: str) -> Host | None:
    host = request.world.by_id.get(identifier)
    return host if host and host.spec.region == request.region and host.agent.known else None


def describe_instance_information(request: Request) -> Result:
    """Ten a page unless asked otherwise; 5 to 50 may be asked."""
    params = request.params
    size = params.get("MaxResults")
    if size is not None and not 5 <= size <= LARGEST_PAGE:
        raise validation(
            f"Value '{size}' at 'maxResults' failed to satisfy constraint: Member must have value between 5 and 50"
        )
    nodes = [
        host
        for host in request.world.hosts.values()
        if host.id and host.spec.region == request.region and is_listed(request, host)
    ]
    for key, values in _conditions(params):
        test = _test(request, key)
        nodes = [host for host in nodes if test(host, values)]
    nodes.sort(key=lambda host: host.id or "")
    shown, next_token = page(request, nodes, LARGEST_PAGE, DEFAULT_PAGE)
    return {"InstanceInformationList": [_information(request, host) for host in shown], **next_token}


def _conditions(params: dict[str, Any]) -> list[tuple[str, list[str]]]:
    """Both spellings of the filters: the newer ``Filters`` and the older list."""
    newer = [(entry["Key"], entry["Values"]) for entry in params.get("Filters", ())]
    older = [(entry["key"], entry["valueSet"]) for entry in params.get("InstanceInformationFilterList", ())]
    return newer + older


def _test(request: Request, key: str) -> Callable[[Host, list[str]], bool]:
    now = request.as_of
    if key.startswith("tag:"):
        return lambda host, values: host.tags.at(now).get(key.removeprefix("tag:")) in values
    tests: dict[str, Callable[[Host, list[str]], bool]] = {
        "InstanceIds": lambda host, values: host.id in values,
        "PingStatus": lambda host, values: host.agent.ping_status_at(now) in values,
        "PlatformTypes": lambda host, values: _platform(host) in values,
        "ResourceType": lambda host, values: _resource_type(host) in values,
        "tag-key": lambda host, values: any(value in host.tags.at(now) for value in values),
    }
    if key not in tests:
        raise AwsError("InvalidFilterKey", f"The specified filter key {key} is not valid.")
    return tests[key]


def _platform(host: Host) -> str:
    return "Windows" if host.spec.platform == "windows" else "Linux"


def _resource_type(host: Host) -> str:
    return "EC2Instance" if host.instance else "ManagedInstance"


def _information(request: Request, host: Host) -> dict[str, Any]:
    windows = host.spec.platform == "windows"
    hybrid: dict[str, Any] = {}
    if host.instance is None:
        hybrid = {
            "ActivationId": "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0",
            "IamRole": "service-role/HybridNodes",
            "RegistrationDate": request.sim.clock.start - timedelta(days=90),
            "Name": host.tags.at(request.as_of).get("Name", host.name),
        }
    return {
        "InstanceId": host.id,
        "PingStatus": host.agent.ping_status_at(request.as_of),
        "LastPingDateTime": host.agent.last_ping_at(request.as_of),
        "AgentVersion": "3.3.2299.0",
        "IsLatestVersion": True,
        "PlatformType": _platform(host),
        "PlatformName": "Microsoft Windows Server 2022 Datacenter" if windows else "Amazon Linux",
        "PlatformVersion": "10.0.20348" if windows else "2023",
        "ResourceType": _resource_type(host),
        "ComputerName": host.guest.computer_name,
        "IPAddress": address(host),
        "SourceId": host.id,
        "SourceType": "AWS::EC2::Instance" if host.instance else "AWS::SSM::ManagedInstance",
        **hybrid,
    }


def list_tags_for_resource(request: Request) -> Result:
    """Of managed nodes only; EC2's instances have their tags at EC2."""
    kind, identifier = request.params["ResourceType"], request.params["ResourceId"]
    if kind != "ManagedInstance":
        raise not_implemented(f"tags of a {kind}")
    node = find_node(request, identifier)
    if node is None or node.instance is not None:
        raise AwsError(
            "InvalidResourceId", "The resource ID is not valid. Verify that you entered the correct ID and try again."
        )
    tags = node.tags.at(request.as_of)
    return {"TagList": [{"Key": key, "Value": value} for key, value in sorted(tags.items())]}


def get_connection_status(request: Request) -> Result:
    """Live, unlike the pings; an unknown target is simply not connected."""
    target = request.params["Target"]
    host = find_node(request, target)
    connected = bool(host and host.agent.link.at(request.as_of).connected)
    return {"Target": target, "Status": "connected" if connected else "notconnected"}


def get_service_setting(request: Request) -> Result:
    """Which role Default Host Management Configuration gives in the region, as long as it is not set: none."""
    setting = request.params["SettingId"]
    if setting != DEFAULT_HOST_MANAGEMENT:
        raise not_implemented(f"the service setting {setting}")
    role = request.account.management_roles.get(request.region)
    return {
        "ServiceSetting": {
            "SettingId": setting,
            "SettingValue": role or "$None",
            "ARN": request.arns.of("ssm", request.region, f"servicesetting{setting}"),
            "Status": "Customized" if role else "Default",
        }
    }


def describe_instance_associations_status(request: Request) -> Result:
    """The account has no associations of State Manager; a test sets the state of those that a user has added to a host."""
    node = find_node(request, request.params["InstanceId"])
    if node is None:
        raise AwsError("InvalidInstanceId", "")
    return {"InstanceAssociationStatusInfos": [dict(row, InstanceId=node.id) for row in node.associations]}


def update_service_setting(request: Request) -> Result:
    """The instances that have no instance profile find the role at their agents' next try."""
    setting, role = request.params["SettingId"], request.params["SettingValue"]
    if setting != DEFAULT_HOST_MANAGEMENT:
        raise not_implemented(f"the service setting {setting}")
    request.account.management_roles[request.region] = role
    for host in request.world.hosts.values():
        if host.instance and host.spec.region == request.region and not host.profile:
            host.agent.gets_role()
    return {}


OPERATIONS: dict[str, Operation] = {
    "DescribeInstanceAssociationsStatus": describe_instance_associations_status,
    "DescribeInstanceInformation": describe_instance_information,
    "GetConnectionStatus": get_connection_status,
    "GetServiceSetting": get_service_setting,
    "UpdateServiceSetting": update_service_setting,
    "DescribeDocument": describe_document,
}
