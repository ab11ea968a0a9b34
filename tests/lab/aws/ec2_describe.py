# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""EC2: what the account shows of its instances, instance types and regions."""

from __future__ import annotations

import re
from typing import Any

from lab.aws.errors import AwsError, invalid_value
from lab.aws.filters import Getter, select
from lab.aws.instance_types import size_of, usual_types
from lab.aws.interfaces import VPC_ID, address, interfaces, private_name, public_address, security_groups, subnet_id
from lab.aws.request import Operation, Request, Result, page
from lab.instance import STATE_CODES
from lab.world import ROOT_DEVICE, Host

# A terminated instance is still listed for about an hour.
TERMINATED_VISIBLE_SECONDS = 3600.0
MAX_RESULTS = 1000
WINDOWS_IMAGE = "ami-0b1a2c3d4e5f60718"
METADATA_OPTIONS = {
    "State": "applied",
    "HttpTokens": "required",
    "HttpPutResponseHopLimit": 2,
    "HttpEndpoint": "enabled",
    "InstanceMetadataTags": "disabled",
}


def instances_in(request: Request) -> list[Host]:
    """The EC2 hosts of the request's region that still exist, in the order of their ids."""
    return [host for host in request.world.ec2_hosts.get(request.region, ()) if not _forgotten(request, host)]


def find_instance(request: Request, identifier: str | None) -> Host | None:
    """The EC2 host with this id, if the region of the request has it."""
    host = request.world.by_id.get(identifier or "")
    if host is None or host.instance is None or host.spec.region != request.region or _forgotten(request, host):
        return None
    return host


def _forgotten(request: Request, host: Host) -> bool:
    """Whether readers do not see it any more, or not yet."""
    assert host.instance
    gone = host.instance.terminated_at
    too_old = gone is not None and request.sim.now - gone > TERMINATED_VISIBLE_SECONDS
    return too_old or request.as_of < host.visible_at


def find_instances(request: Request, ids: list[str]) -> list[Host]:
    """The instances with these ids, in order; the EC2 errors for ids that are malformed or unknown."""
    malformed = [identifier for identifier in ids if not identifier.startswith("i-")]
    if malformed:
        raise AwsError("InvalidInstanceID.Malformed", f'Invalid id: "{malformed[0]}"')
    found = {identifier: find_instance(request, identifier) for identifier in ids}
    unknown = [identifier for identifier, host in found.items() if host is None]
    if len(unknown) == 1:
        raise AwsError("InvalidInstanceID.NotFound", f"The instance ID '{unknown[0]}' does not exist")
    if unknown:
        raise AwsError("InvalidInstanceID.NotFound", f"The instance IDs '{', '.join(unknown)}' do not exist")
    return [host for host in found.values() if host]


def visible_tags(request: Request, host: Host) -> dict[str, str]:
    return host.tags.at(request.as_of)


def _visible_state(request: Request, host: Host) -> str:
    assert host.instance
    return host.instance.view.at(request.as_of).state


def _getters(request: Request) -> dict[str, Getter[Host]]:
    return {
        "architecture": lambda host: ["x86_64"],
        "availability-zone": lambda host: [host.spec.region + host.spec.az],
        "image-id": lambda host: [_image_id(host)],
        "instance-id": lambda host: [host.id or ""],
        "instance-lifecycle": lambda host: ["spot"] if host.spec.spot else [],
        "instance-state-code": lambda host: [str(STATE_CODES[_visible_state(request, host)])],
        "instance-state-name": lambda host: [_visible_state(request, host)],
        "instance-type": lambda host: [host.spec.type],
        "operator.managed": lambda host: [str(host.spec.managed_by_service).lower()],
        "owner-id": lambda host: [request.arns.account_id],
        "platform": lambda host: ["windows"] if host.spec.platform == "windows" else [],
        "platform-details": lambda host: [_platform_details(host)],
        "private-ip-address": lambda host: [address(host)],
        "reservation-id": lambda host: [host.reservation_id],
        "root-device-name": lambda host: ["/dev/sda1"],
        "root-device-type": lambda host: [_root_type(host)],
        "subnet-id": lambda host: [subnet_id(host)],
        "tag-value": lambda host: list(visible_tags(request, host).values()),
        "vpc-id": lambda _host: [VPC_ID],
    }


def describe_instances(request: Request) -> Result:
    """Pages count instances, whatever reservations they are in."""
    params = request.params
    if params.get("InstanceIds"):
        if params.get("MaxResults"):
            raise AwsError(
                "InvalidParameterCombination",
                "The parameter instancesSet cannot be used with the parameter maxResults",
            )
        hosts = find_instances(request, params["InstanceIds"])
    else:
        hosts = instances_in(request)
    _check_max_results(params)
    if not params.get("IncludeManagedResources"):
        hosts = [host for host in hosts if not host.spec.managed_by_service]
    hosts = select(hosts, params.get("Filters", []), _getters(request), lambda host: visible_tags(request, host))
    shown, next_token = page(request, hosts, MAX_RESULTS)
    return {"Reservations": _reservations(request, shown), **next_token}


def _check_max_results(params: dict[str, Any]) -> None:
    size = params.get("MaxResults")
    if size is not None and not 5 <= size <= MAX_RESULTS:
        raise invalid_value(f"Value ( {size} ) for parameter maxResults is invalid. Expecting a value greater than 5.")


def _reservations(request: Request, hosts: list[Host]) -> list[dict[str, Any]]:
    by_id: dict[str, list[dict[str, Any]]] = {}
    for host in hosts:
        by_id.setdefault(host.reservation_id, []).append(describe(request, host))
    return [
        {"ReservationId": identifier, "OwnerId": request.arns.account_id, "Groups": [], "Instances": instances}
        for identifier, instances in by_id.items()
    ]


def describe(request: Request, host: Host) -> dict[str, Any]:
    """One instance as the account shows it at the moment."""
    assert host.instance
    spec = host.spec
    view = host.instance.view.at(request.as_of)
    tags = visible_tags(request, host)
    optional: dict[str, Any] = {}
    if spec.platform == "windows":
        optional["Platform"] = "windows"
    if view.reason:
        optional["StateReason"] = {"Code": view.reason[0], "Message": view.reason[1]}
    if spec.spot:
        optional |= {"InstanceLifecycle": "spot", "SpotInstanceRequestId": "sir-" + (host.id or "")[2:10]}
    if host.profile:
        optional["IamInstanceProfile"] = {"Arn": request.arns.profile(host.profile), "Id": "AIPA" + "LAB" * 5}
    if spec.managed_by_service:
        optional["Operator"] = {"Managed": True, "Principal": "eks.amazonaws.com"}
    if public := public_address(host):
        optional["PublicIpAddress"] = public
    gone = view.state == "terminated"
    if not gone:
        optional |= {"PrivateIpAddress": address(host), "SubnetId": subnet_id(host), "VpcId": VPC_ID}
    return {
        "AmiLaunchIndex": 0,
        "Architecture": "x86_64",
        "BlockDeviceMappings": [] if gone else _block_devices(host),
        "ClientToken": "",
        "EbsOptimized": False,
        "HibernationOptions": {"Configured": spec.hibernated},
        "Hypervisor": "xen",
        "ImageId": _image_id(host),
        "InstanceId": host.id,
        "InstanceType": spec.type,
        "LaunchTime": view.launch_time,
        "MetadataOptions": METADATA_OPTIONS,
        "Monitoring": {"State": "disabled"},
        "NetworkInterfaces": [] if gone else interfaces(request, host),
        "Placement": {"AvailabilityZone": spec.region + spec.az, "GroupName": "", "Tenancy": "default"},
        "PlatformDetails": _platform_details(host),
        "PrivateDnsName": "" if gone else private_name(host),
        "ProductCodes": [],
        "PublicDnsName": "",
        "RootDeviceName": ROOT_DEVICE,
        "RootDeviceType": _root_type(host),
        "SecurityGroups": [] if gone else security_groups(),
        "State": {"Code": STATE_CODES[view.state], "Name": view.state},
        "StateTransitionReason": view.transition_reason,
        "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
        "VirtualizationType": "hvm",
        **optional,
    }


def _block_devices(host: Host) -> list[dict[str, Any]]:
    return [
        {
            "DeviceName": volume.device,
            "Ebs": {
                "VolumeId": volume.id,
                "Status": "attached",
                "AttachTime": volume.created_at,
                "DeleteOnTermination": volume.delete_on_termination,
            },
        }
        for volume in host.volumes
    ]


def _platform_details(host: Host) -> str:
    return "Windows" if host.spec.platform == "windows" else "Linux/UNIX"


def _root_type(host: Host) -> str:
    return "instance-store" if host.spec.instance_store else "ebs"


def _image_id(host: Host) -> str:
    return WINDOWS_IMAGE if host.spec.platform == "windows" else "ami-0f1e2d3c4b5a69788"


def describe_instance_status(request: Request) -> Result:
    """Only running ones, unless IncludeAllInstances; checks pass when Windows is up."""
    params = request.params
    hosts = find_instances(request, params["InstanceIds"]) if params.get("InstanceIds") else instances_in(request)
    if not params.get("IncludeAllInstances"):
        hosts = [host for host in hosts if _visible_state(request, host) == "running"]
    hosts = select(hosts, params.get("Filters", []), _getters(request), lambda host: visible_tags(request, host))
    shown, next_token = page(request, hosts, MAX_RESULTS)
    return {"InstanceStatuses": [_status(request, host) for host in shown], **next_token}


def _status(request: Request, host: Host) -> dict[str, Any]:
    state = _visible_state(request, host)
    check = "not-applicable" if state != "running" else "ok" if host.guest.up else "initializing"
    return {
        "InstanceId": host.id,
        "AvailabilityZone": host.spec.region + host.spec.az,
        "InstanceState": {"Code": STATE_CODES[state], "Name": state},
        "InstanceStatus": {"Status": check},
        "SystemStatus": {"Status": "ok" if state == "running" else "not-applicable"},
    }


def describe_instance_attribute(request: Request) -> Result:
    host = find_instances(request, [request.params["InstanceId"]])[0]
    attribute = request.params["Attribute"]
    values: dict[str, dict[str, Any]] = {
        "disableApiStop": {"DisableApiStop": {"Value": host.spec.stop_protected}},
        "disableApiTermination": {"DisableApiTermination": {"Value": False}},
        "instanceType": {"InstanceType": {"Value": host.spec.type}},
        "rootDeviceName": {"RootDeviceName": {"Value": "/dev/sda1"}},
        "instanceInitiatedShutdownBehavior": {"InstanceInitiatedShutdownBehavior": {"Value": "stop"}},
    }
    if attribute not in values:
        raise AwsError("NotImplemented", f"The lab does not know the attribute {attribute}.")
    return {"InstanceId": host.id, **values[attribute]}


WITH_DISKS = re.compile(r"[a-z]+\d[a-z-]*d[a-z-]*\.")
"""Types with instance store volumes: m5d, c6gd, r5dn (EC2 instance types, "Naming conventions")."""


def describe_instance_types(request: Request) -> Result:
    names = request.params.get("InstanceTypes") or usual_types()
    if len(names) > 100 and request.params.get("InstanceTypes"):
        raise invalid_value("The maximum number of instance types is 100")
    getters: dict[str, Getter[str]] = {"instance-type": lambda name: [name]}
    names = select(names, request.params.get("Filters", []), getters, lambda name: {})
    shown, next_token = page(request, names, 100)
    return {"InstanceTypes": [_instance_type(name) for name in shown], **next_token}


def _instance_type(name: str) -> dict[str, Any]:
    vcpus, mib = size_of(name)
    return {
        "InstanceType": name,
        "VCpuInfo": {"DefaultVCpus": vcpus, "DefaultCores": max(1, vcpus // 2), "DefaultThreadsPerCore": 2},
        "MemoryInfo": {"SizeInMiB": mib},
        "Hypervisor": "xen" if name[:2] in ("t2", "m4", "c4", "r4") else "nitro",
        "CurrentGeneration": True,
        "InstanceStorageSupported": bool(WITH_DISKS.match(name)),
    }


def describe_regions(request: Request) -> Result:
    used = {request.account.spec.region, *(host.spec.region for host in request.world.hosts.values())}
    names = sorted(used | set(request.arns.usual_regions))
    wanted = request.params.get("RegionNames") or names
    unknown = [name for name in wanted if name not in names]
    if unknown:
        raise invalid_value(f"Invalid region name: {unknown[0]}")
    return {
        "Regions": [
            {
                "RegionName": name,
                "Endpoint": f"ec2.{name}.{request.arns.url_suffix}",
                "OptInStatus": "opt-in-not-required",
            }
            for name in wanted
        ]
    }


OPERATIONS: dict[str, Operation] = {
    "DescribeInstances": describe_instances,
    "DescribeInstanceStatus": describe_instance_status,
    "DescribeInstanceAttribute": describe_instance_attribute,
    "DescribeInstanceTypes": describe_instance_types,
    "DescribeRegions": describe_regions,
}
