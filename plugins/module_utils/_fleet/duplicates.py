# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts that the inventory knows by a connection and AWS by an id, and that are one machine."""

from __future__ import annotations

import ipaddress
from dataclasses import replace

from .._base.errors import Failed, PatchFleetError
from .._model.reasons import Reason
from .hosts import FleetHost


def merge_duplicates(hosts: list[FleetHost]) -> list[FleetHost]:
    """The hosts, those named twice as one: what AWS knows of it, under the inventory's name.

    A host without an id is the instance that has its address, or its name (the tag Name) and no other address.

    Raises:
        PatchFleetError: ``ambiguous_host``; several instances fit, or one has the name and another address.
    """
    known = [host for host in hosts if host.kind != "winrm"]
    same: dict[str, FleetHost] = {}
    for host in hosts:
        if host.kind != "winrm":
            continue
        match = _matching_instance(host, known)
        if match is None:
            continue
        if match.key in same:
            raise _ambiguous(host, f"it and {same[match.key].name} are both {match.key}")
        same[match.key] = host
    named = [
        replace(host, name=same[host.key].name, inventory_name=same[host.key].inventory_name)
        if host.key in same
        else host
        for host in known
    ]
    return named + [host for host in hosts if host.kind == "winrm" and host not in same.values()]


def _matching_instance(host: FleetHost, known: list[FleetHost]) -> FleetHost | None:
    address = host.private_address or host.name
    found = [other for other in known if other.private_address and other.private_address == address]
    if not found:
        found = [other for other in known if _names(host) & _names(other)]
        if len(found) == 1 and _is_ip(address) and found[0].private_address:
            raise _ambiguous(
                host,
                f"it has the name of {found[0].key}, whose address is {found[0].private_address} and not {address}",
            )
    if len(found) > 1:
        raise _ambiguous(host, f"it could be {' or '.join(sorted(other.key for other in found))}")
    return found[0] if found else None


def _names(host: FleetHost) -> set[str]:
    names = {host.name, host.inventory_name or "", host.tags.get("Name", "")}
    return {name.lower() for name in names if name}


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _ambiguous(host: FleetHost, why: str) -> PatchFleetError:
    return Failed(
        f"It is not clear which host the inventory's {host.name} is: {why}. Give it its instance_id, or leave one of them out.",
        Reason.AMBIGUOUS_HOST,
    )
