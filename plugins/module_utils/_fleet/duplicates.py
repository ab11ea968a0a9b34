# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts that two sources name, and that are one machine: the inventory by a connection and AWS by an id, or the inventory twice."""

from __future__ import annotations

import ipaddress
from dataclasses import replace

from .._base.errors import Failed, PatchFleetError
from .._base.text import join_sentences
from .._model.reasons import Reason
from .hosts import FleetHost

STANDARD_PORTS = frozenset({None, 22, 5985, 5986})
"""Of ssh and WinRM. One machine may listen on all of them, whereas other ports are forwarded to machines of their own."""
LABELS_OF_A_FULL_NAME = 3
"""``web-1.corp.local``; a name such as ``web.1`` is no DNS name."""


def merge_duplicates(hosts: list[FleetHost]) -> list[FleetHost]:
    """The hosts, with each machine once: what AWS knows of it, under the inventory's name.

    A host without an id is the instance or managed node that has one of its addresses, or its name and no other address.

    Raises:
        PatchFleetError: ``ambiguous_host``; several instances fit, one has the name and another address, or two hosts of the
            inventory without an id lead to one machine.
    """
    known = [host for host in hosts if host.kind != "winrm"]
    without_id = [host for host in hosts if host.kind == "winrm"]
    same: dict[str, FleetHost] = {}
    for host in without_id:
        match = _matching_instance(host, known)
        if match is None:
            continue
        if match.key in same:
            raise _ambiguous(host, f"It and {same[match.key].name} are both {match.key}.")
        same[match.key] = host
    named = [
        replace(host, name=same[host.key].name, inventory_name=same[host.key].inventory_name)
        if host.key in same
        else host
        for host in known
    ]
    alone = [host for host in without_id if host not in same.values()]
    _refuse_duplicates(alone)
    return named + alone


def _refuse_duplicates(hosts: list[FleetHost]) -> None:
    """Two names for one machine would patch it twice at the same time, and one reboot would cut the other's installation off."""
    earlier: dict[str, list[FleetHost]] = {}
    for host in hosts:
        keys = _addresses(host) | {_short(name) for name in _names(host)}
        for other in (other for key in sorted(keys) for other in earlier.get(key, ())):
            if _is_same_machine(host, other):
                raise _ambiguous(host, f"It leads to the same machine as {other.name}.")
        for key in keys:
            earlier.setdefault(key, []).append(host)


def _is_same_machine(host: FleetHost, other: FleetHost) -> bool:
    if host.port != other.port and not {host.port, other.port} <= STANDARD_PORTS:
        return False
    if any(map(_is_ip, _addresses(host))) and any(map(_is_ip, _addresses(other))):
        return bool(_addresses(host) & _addresses(other))
    return bool(_addresses(host) & _addresses(other)) or _share_a_name(host, other)


def _matching_instance(host: FleetHost, known: list[FleetHost]) -> FleetHost | None:
    own = _addresses(host)
    found = [other for other in known if own & _addresses(other)]
    if not found:
        found = [other for other in known if _share_a_name(host, other)]
        address = host.private_address or host.name
        if len(found) == 1 and _is_ip(address) and found[0].private_address:
            raise _ambiguous(
                host,
                f"It has the name of {found[0].key}, whose address is {found[0].private_address} and not {address}.",
            )
    if len(found) > 1:
        raise _ambiguous(host, f"It could be {' or '.join(sorted(other.key for other in found))}.")
    return found[0] if found else None


def _addresses(host: FleetHost) -> set[str]:
    """IP addresses and full DNS names that lead to it."""
    given = (host.private_address or (host.name if host.kind == "winrm" else None), host.public_address)
    return {text.lower() for text in (*given, *host.other_addresses) if text and (_is_ip(text) or "." in text)}


def _names(host: FleetHost) -> set[str]:
    names = {host.name, host.inventory_name or "", host.tags.get("Name", ""), *host.other_addresses}
    if host.kind == "winrm" and host.private_address:
        names.add(host.private_address)
    return {name.lower() for name in names if name and not _is_ip(name)}


def _share_a_name(host: FleetHost, other: FleetHost) -> bool:
    """The same name, or one with a domain and one without, as people and Windows write it."""
    own, its = _names(host), _names(other)
    return bool(own & its or own & {_short(name) for name in its} or {_short(name) for name in own} & its)


def _short(name: str) -> str:
    """A full DNS name without its domain; every other name as it is."""
    labels = name.split(".")
    return labels[0] if len(labels) >= LABELS_OF_A_FULL_NAME and labels[-1].isalpha() else name


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _ambiguous(host: FleetHost, why: str) -> PatchFleetError:
    """The error for a host that could be several machines; ``why`` is a sentence."""
    message = join_sentences(
        f"It is not clear which host the inventory's {host.name} is.",
        why,
        "Give it its instance_id, or leave one of them out. Nothing was touched.",
    )
    return Failed(message, Reason.AMBIGUOUS_HOST)
