# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an inventory says of a host. Other people's variables have the same names as ours, so nothing is taken for granted."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Iterable, Mapping
from typing import Any

from ansible import context
from ansible.errors import AnsibleError
from jinja2.exceptions import UndefinedError

from ansible_collections.patchfleet.windows.plugins.module_utils._model.inventory_entry import InventoryEntry

INSTANCE_ID = re.compile(r"m?i-[0-9a-f]+")
ACCOUNT_ID = re.compile(r"[0-9]{12}")
REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d+")
"""Many inventories have a variable ``region`` that is none of AWS's."""
REMOTE_CONNECTIONS = frozenset({"winrm", "psrp"})
"""Connections that the user's configuration may set for all hosts. Its default, ssh, does not say that a host is Windows."""
PORTS = ("ansible_port", "ansible_winrm_port", "ansible_psrp_port")
LOOKUP_SECONDS = 5.0


class Unreadable(Exception):
    """A variable of a host that cannot be rendered."""

    def __init__(self, name: str, error: Exception) -> None:
        super().__init__(f"Its variable {name} cannot be rendered: {error}")


def inventory_entry(name: str, variables: Mapping[str, Any]) -> InventoryEntry:
    """An entry for fleet_info; where one of the host's own variables cannot be rendered, with that as ``unreadable``."""
    try:
        return {
            "name": name,
            "instance_id": instance_id_of(variables),
            "account": _account(variables),
            "region": _region(variables),
            "connection": _text(variables, "ansible_connection") or _configured_connection(),
            "shell_type": _text(variables, "ansible_shell_type"),
            "address": _text(variables, "ansible_host") or None,
            "port": _port(variables),
            "transport": _text(variables, "patch_transport"),
            "by_tag": bool(variables.get("patch__by_tag")),
        }
    except Unreadable as error:
        return {"name": name, "unreadable": str(error)}


def instance_id_of(variables: Mapping[str, Any]) -> str:
    """The id of an EC2 instance or managed node; empty where there is none.

    Raises:
        Unreadable: the variable cannot be rendered.
    """
    given = _text(variables, "instance_id")
    return given if INSTANCE_ID.fullmatch(given) else ""


def known_ids(hostvars: Mapping[str, Mapping[str, Any]], names: Iterable[str]) -> dict[str, str]:
    """The inventory's names of instances and managed nodes, by their ids."""
    found = {}
    for name in names:
        try:
            instance_id = instance_id_of(hostvars[name])
        except Unreadable:  # of a host that may be no target at all
            continue
        if instance_id:
            found[instance_id] = name
    return found


def _account(variables: Mapping[str, Any]) -> str:
    """From our own discovery, from a variable of the user's, or from ``owner_id`` of the inventory plugin."""
    owner = _text(variables, "owner_id")
    candidates = (_text(variables, "patch__account"), _text(variables, "patch_account"))
    return next((text for text in candidates if text), owner if ACCOUNT_ID.fullmatch(owner) else "")


def _region(variables: Mapping[str, Any]) -> str | None:
    """From our own discovery, from the aws_ec2 inventory plugin, or from a variable of the user's."""
    placement = value_of(variables, "placement")
    candidates = (
        _text(variables, "patch__region"),
        str(placement.get("region") or "") if isinstance(placement, Mapping) else "",
        _text(variables, "region"),
    )
    return next((text for text in candidates if REGION.fullmatch(text)), None)


def _configured_connection() -> str | None:
    configured = str(context.CLIARGS.get("connection") or "")
    return configured if configured.rpartition(".")[2] in REMOTE_CONNECTIONS else None


def _port(variables: Mapping[str, Any]) -> int | None:
    given = next((text for text in (_text(variables, name) for name in PORTS) if text), "")
    return int(given) if given.isdecimal() else None


def _text(variables: Mapping[str, Any], name: str) -> str:
    value = value_of(variables, name)
    return "" if value is None else str(value).strip()


def value_of(variables: Mapping[str, Any], name: str) -> Any:
    """The value of a variable, None where there is none.

    Raises:
        Unreadable: it cannot be rendered.
    """
    try:
        value = variables.get(name)
        str(value)  # ansible-core 2.19 and later renders some values when they are used
    except (AnsibleError, UndefinedError) as error:
        raise Unreadable(name, error) from error
    return value


def with_addresses(entries: list[InventoryEntry]) -> list[InventoryEntry]:
    """The entries; those without an id that are reached by a DNS name get the addresses to which it leads, as ``addresses``."""
    names = {e["name"]: str(e.get("address") or e["name"]) for e in entries if _has_only_a_connection(e)}
    found = resolve(set(names.values())) if len(entries) > 1 else {}
    return [{**e, "addresses": found[names[e["name"]]]} if names.get(e["name"]) in found else e for e in entries]


def _has_only_a_connection(entry: InventoryEntry) -> bool:
    return bool(entry.get("connection")) and not entry.get("instance_id")


def resolve(names: Iterable[str], seconds: float = LOOKUP_SECONDS) -> dict[str, list[str]]:
    """The addresses of DNS names, as far as name servers say within this time."""
    found: dict[str, list[str]] = {}

    def ask(name: str) -> None:
        try:
            answers = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):  # no such name, or none that DNS could have
            return
        found[name] = sorted({str(address[0]) for *_rest, address in answers})

    threads = [threading.Thread(target=ask, args=(name,), daemon=True) for name in names]
    for thread in threads:
        thread.start()
    ends_at = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(ends_at - time.monotonic(), 0.0))
    return dict(found)
