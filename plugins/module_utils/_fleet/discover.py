# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Find the hosts: by tag in some regions, or by what the inventory says, merged with what EC2 and SSM know.

Sources: EC2 API reference (DescribeInstances, DescribeInstanceAttribute), SSM API reference (DescribeInstanceInformation: at
most 50 a page; stopped nodes are not listed).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from .._aws.api import Aws
from .._aws.ec2 import describe_instances, is_stop_protected, tags_of
from .._aws.ssm import NODES_A_PAGE, describe_nodes, tags_of_node
from .._base.clock import iso
from .._base.errors import Failed, InvalidOption
from .._base.text import clean_text
from .._model.account import Account
from .._model.fleet_row import ListedNode
from .._model.inventory_entry import InventoryEntry
from .._model.reasons import Reason
from .accounts import Search
from .duplicates import merge_duplicates
from .eligibility import exclusion_of, power_exclusion
from .hosts import OFF_STATES, FleetHost, Location

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import FilterTypeDef, InstanceTypeDef
    from mypy_boto3_ssm.type_defs import InstanceInformationTypeDef

LIVE_STATES = ["pending", "running", "stopping", "stopped"]
IDS_A_CALL = 100
TRANSPORTS = ("auto", "ssm", "connection")
WINDOWS_CONNECTIONS = frozenset({"winrm", "psrp"})
WINDOWS_SHELLS = frozenset({"powershell", "cmd"})
NO_WINDOWS_SHELL = (
    "The inventory gives an ssh connection and no shell of Windows. For OpenSSH on Windows set ansible_shell_type to "
    "powershell or cmd."
)
NO_WAY_IN = (
    "The inventory gives neither an instance_id (i-… or mi-…) nor a connection to Windows (ansible_connection: winrm, psrp or "
    "ssh)."
)


def by_tag(
    aws: Aws,
    locations: Iterable[Location],
    tag: tuple[str, str],
    filters: dict[str, list[str]],
    search: Search | None = None,
    *,
    stop_protection: bool = True,
) -> list[FleetHost]:
    """Instances and hybrid nodes that carry the tag (key and value), in all these regions.

    ``stop_protection`` is read with one call for each stopped instance.
    """

    def find(location: Location) -> list[FleetHost]:
        there = aws.at(location.account, location.region)
        wanted: list[FilterTypeDef] = [
            {"Name": f"tag:{tag[0]}", "Values": [tag[1]]},
            {"Name": "instance-state-name", "Values": LIVE_STATES},
        ]
        wanted += [{"Name": name, "Values": values} for name, values in filters.items()]
        found = [_from_instance(there, instance, stop_protection) for instance in describe_instances(there, wanted)]
        hybrid = [] if filters else list(_hybrid_by_tag(there, *tag))
        tagged = _with_nodes(there, [replace(host, by_tag=True) for host in found]) + hybrid
        return [replace(host, account=location.account) for host in tagged]

    return (search or Search()).each(locations, find)


def from_inventory(
    aws: Aws | None, locations: list[Location], entries: list[InventoryEntry], search: Search | None = None
) -> list[FleetHost]:
    """The inventory's hosts.

    An entry has name, and where known instance_id, account, region, connection, address, port, addresses (of its name), transport;
    unreadable, which variable of it cannot be read and why, and refused and unusable, why Ansible cannot work on it.

    Raises:
        InvalidOption: a transport that is none.
    """
    hosts: dict[str, FleetHost] = {}
    for entry in entries:
        if not str(entry.get("instance_id") or "") and not entry.get("unreadable"):
            hosts[entry["name"]] = _without_aws(entry)
    by_location = _by_location(entries, locations)

    def describe(location: Location) -> list[FleetHost]:
        if aws is None:
            return []
        described = _describe_named(aws.at(location.account, location.region), by_location[location])
        return [replace(host, account=location.account) for host in described.values()]

    for host in (search or Search()).each(by_location, describe):
        hosts[str(host.inventory_name)] = host
    readable = [entry for entry in entries if not entry.get("unreadable")]
    accounts = {location.account for location in locations}
    found = [_by_its_transport(hosts.get(entry["name"]) or _gone(entry, accounts), entry) for entry in readable]
    return merge_duplicates(found) + [_unreadable(entry) for entry in entries if entry.get("unreadable")]


def _unreadable(entry: InventoryEntry) -> FleetHost:
    """A host whose connection variables cannot be read. The run continues with the other hosts."""
    exclusion = (Reason.CONNECTION_SETTINGS, str(entry["unreadable"]))
    name = str(entry["name"])
    return FleetHost(key=name, name=name, kind="winrm", inventory_name=name, exclusion=exclusion)


def _by_its_transport(host: FleetHost, entry: InventoryEntry) -> FleetHost:
    """How the host is reached: auto is SSM where there is a managed node, else the inventory's connection to Windows."""
    wanted = str(entry.get("transport") or "auto")
    if wanted not in TRANSPORTS:
        raise InvalidOption("patch_transport", wanted, f"It must be one of {', '.join(TRANSPORTS)}.")
    if wanted == "ssm" and not host.instance_id:
        raise InvalidOption("patch_transport", wanted, f"{host.name} has no instance_id, so SSM does not know it.")
    if wanted == "connection" and not _leads_to_windows(entry):
        raise InvalidOption(
            "patch_transport",
            wanted,
            f"{host.name} needs a connection to Windows (ansible_connection: winrm, psrp or ssh).",
        )
    unmanaged = host.power == "running" and host.state != "gone" and not host.node and _leads_to_windows(entry)
    by_connection = wanted == "connection" or not host.instance_id or (wanted == "auto" and unmanaged)
    if entry.get("refused"):
        host = replace(host, exclusion=(Reason.CONNECTION_SETTINGS, str(entry["refused"])))
    elif by_connection and entry.get("unusable") and host.exclusion is None:
        host = replace(host, exclusion=(Reason.CONNECTION_SETTINGS, str(entry["unusable"])))
    return replace(host, transport="connection" if by_connection else "ssm")


def _leads_to_windows(entry: InventoryEntry) -> bool:
    """winrm and psrp do; ssh does where the inventory names a shell of Windows (Ansible user guide, "Windows SSH")."""
    connection = _connection_of(entry)
    return connection in WINDOWS_CONNECTIONS or (connection == "ssh" and entry.get("shell_type") in WINDOWS_SHELLS)


def _connection_of(entry: InventoryEntry) -> str:
    return str(entry.get("connection") or "").rpartition(".")[2]


def _without_aws(entry: InventoryEntry) -> FleetHost:
    name, exclusion = entry["name"], None
    if not _leads_to_windows(entry):
        exclusion = (Reason.NO_WAY_IN, NO_WINDOWS_SHELL if _connection_of(entry) == "ssh" else NO_WAY_IN)
    return FleetHost(
        key=name,
        name=name,
        kind="winrm",
        inventory_name=name,
        exclusion=exclusion,
        private_address=entry.get("address"),
        other_addresses=tuple(entry.get("addresses") or ()),
        port=entry.get("port"),
        connection=_connection_of(entry) or None,
    )


def _by_location(entries: Iterable[InventoryEntry], locations: list[Location]) -> dict[Location, list[InventoryEntry]]:
    """Entries with an id, by where to search; an entry without a region is searched in each, and so is one without an account."""
    there: dict[Location, list[InventoryEntry]] = {}
    accounts = list(dict.fromkeys(location.account for location in locations))
    for entry in entries:
        if not entry.get("instance_id"):
            continue
        region, named = entry.get("region"), entry.get("account")
        chosen = [Location(account, region) for account in accounts] if region else locations
        for location in chosen:
            if not named or _is_named(location.account, named):
                there.setdefault(location, []).append(entry)
    return there


def _is_named(account: Account | None, word: str) -> bool:
    """Also by an account that is not known: whether the credentials are of the named one shows when it is searched."""
    return account is None or word in {account.id, account.name}


def _describe_named(aws: Aws, entries: list[InventoryEntry]) -> dict[str, FleetHost]:
    named = {str(entry["instance_id"]): entry["name"] for entry in entries}
    instances = [key for key in named if key.startswith("i-")]
    found = [_from_instance(aws, instance) for instance in _instances(aws, instances)]
    hosts = _with_nodes(aws, found)
    for row in _nodes(aws, [key for key in named if key.startswith("mi-")]):
        hosts.append(_from_node(aws, row))
    tagged = {str(entry["instance_id"]) for entry in entries if entry.get("by_tag")}
    return {named[h.key]: _named(h, named[h.key], h.key in tagged) for h in hosts if h.key in named}


def _named(host: FleetHost, inventory_name: str, by_tag: bool) -> FleetHost:
    """The name that people know: the inventory's, or the host's own where the inventory has an id or an address of AWS.

    The inventory plugin amazon.aws.aws_ec2 calls instances by ids or by addresses, depending on its ``hostnames``.
    """
    made_by_aws = {host.key, host.private_address, host.public_address, *host.other_addresses}
    name = host.name if by_tag or inventory_name in made_by_aws else inventory_name
    return replace(host, name=name, inventory_name=inventory_name, by_tag=by_tag)


def _gone(entry: InventoryEntry, accounts: Collection[Account | None]) -> FleetHost:
    key, named = str(entry["instance_id"]), entry.get("account")
    exclusion = None
    if named and not any(_is_named(account, named) for account in accounts):
        reason = f"It is of the account {named}, which is neither that of the credentials nor one of patch_accounts."
        exclusion = (Reason.INSTANCE_GONE, reason)
    return FleetHost(
        key=key,
        name=entry["name"],
        kind="hybrid" if key.startswith("mi-") else "ec2",
        state="gone",
        instance_id=key,
        region=entry.get("region"),
        inventory_name=entry["name"],
        exclusion=exclusion,
    )


def _instances(aws: Aws, ids: list[str]) -> Iterator[InstanceTypeDef]:
    for at in range(0, len(ids), IDS_A_CALL):
        chosen: list[FilterTypeDef] = [
            {"Name": "instance-state-name", "Values": LIVE_STATES},
            {"Name": "instance-id", "Values": ids[at : at + IDS_A_CALL]},
        ]
        yield from describe_instances(aws, chosen)


def _from_instance(aws: Aws, instance: InstanceTypeDef, stop_protection: bool = True) -> FleetHost:
    tags, instance_id = tags_of(instance), instance["InstanceId"]
    exclusion = exclusion_of(instance)
    if exclusion is None and instance["State"]["Name"] in OFF_STATES:
        exclusion = power_exclusion(instance, stop_protection and is_stop_protected(aws, instance_id))
    return FleetHost(
        key=instance_id,
        name=clean_text(tags.get("Name") or instance_id),
        kind="ec2",
        state=instance["State"]["Name"],
        instance_id=instance_id,
        region=aws.region,
        az=instance.get("Placement", {}).get("AvailabilityZone"),
        type=instance.get("InstanceType"),
        tags=tags,
        exclusion=exclusion,
        profile_arn=instance.get("IamInstanceProfile", {}).get("Arn"),
        private_address=instance.get("PrivateIpAddress"),
        public_address=instance.get("PublicIpAddress"),
        other_addresses=tuple(filter(None, (instance.get("PrivateDnsName"), instance.get("PublicDnsName")))),
        vpc_id=instance.get("VpcId"),
        subnet_id=instance.get("SubnetId"),
        root_volume_id=_root_volume_id(instance),
    )


def _root_volume_id(instance: InstanceTypeDef) -> str | None:
    root = instance.get("RootDeviceName")
    devices = (device for device in instance.get("BlockDeviceMappings", ()) if device.get("DeviceName") == root)
    return next((device["Ebs"]["VolumeId"] for device in devices if "Ebs" in device), None)


def _with_nodes(aws: Aws, hosts: list[FleetHost]) -> list[FleetHost]:
    running = [host.key for host in hosts if host.power == "running" and host.exclusion is None]
    nodes = {row["InstanceId"]: _node_facts(row) for row in _nodes(aws, running)}
    return [replace(host, node=nodes.get(host.key, {})) for host in hosts]


def _nodes(aws: Aws, ids: list[str]) -> Iterator[InstanceInformationTypeDef]:
    for at in range(0, len(ids), NODES_A_PAGE):
        yield from describe_nodes(aws, [{"Key": "InstanceIds", "Values": ids[at : at + NODES_A_PAGE]}])


def _hybrid_by_tag(aws: Aws, tag_key: str, tag_value: str) -> Iterator[FleetHost]:
    rows = describe_nodes(aws, [{"Key": f"tag:{tag_key}", "Values": [tag_value]}])
    for row in rows:
        if row.get("ResourceType") == "ManagedInstance":
            yield replace(_from_node(aws, row), by_tag=True)


def _from_node(aws: Aws, row: InstanceInformationTypeDef) -> FleetHost:
    node_id = row["InstanceId"]
    name = row.get("Name") or row.get("ComputerName") or node_id
    exclusion = (
        None if row.get("PlatformType", "Windows") == "Windows" else (Reason.NOT_WINDOWS, "It is not a Windows host.")
    )
    return FleetHost(
        key=node_id,
        name=name,
        kind="hybrid",
        instance_id=node_id,
        region=aws.region,
        tags=tags_of_node(aws, node_id),
        exclusion=exclusion,
        node=_node_facts(row),
        private_address=row.get("IPAddress"),
        other_addresses=tuple(filter(None, (row.get("ComputerName"),))),
    )


def _node_facts(row: InstanceInformationTypeDef) -> ListedNode:
    last_ping = row.get("LastPingDateTime")
    return {
        "ping_status": row.get("PingStatus"),
        "last_ping_at": iso(last_ping.timestamp()) if last_ping else None,
        "agent_version": row.get("AgentVersion"),
        "platform_name": row.get("PlatformName"),
    }


def merge(tagged: list[FleetHost], listed: list[FleetHost]) -> list[FleetHost]:
    """Hosts that the tag and the inventory both name are one: the inventory's name, the tag's membership.

    Raises:
        PatchFleetError: two inventory entries are the same host.
    """
    hosts = {host.key: host for host in tagged}
    names: dict[str, str] = {}
    for host in listed:
        if host.key in names:
            raise Failed(
                f"The inventory names {host.key} twice: {names[host.key]} and {host.name}. Leave one of them out.",
                Reason.AMBIGUOUS_HOST,
            )
        names[host.key] = host.name
        hosts[host.key] = replace(host, by_tag=host.by_tag or host.key in hosts)
    return list(hosts.values())


def check_tag_value(value: object) -> str:
    """The value of the targets' tag.

    Raises:
        InvalidOption: it is empty, or would select more than it says: EC2 reads * and ? as wildcards.
    """
    text = str(value or "")
    if not text:
        raise InvalidOption(
            "patch_tag_value", text, "It must not be empty: an empty value selects nothing that was meant."
        )
    if set(text) & set("*?"):
        raise InvalidOption("patch_tag_value", text, "It must be one exact value: * and ? are refused.")
    return text
