# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host as the inventory describes it, for the search of the fleet."""

from __future__ import annotations

from typing import TypedDict


class NamedEntry(TypedDict):
    """The host's name in the inventory."""

    name: str


class InventoryEntry(NamedEntry, total=False):
    """What its variables say; ``instance_id`` is empty where there is none.

    ``account`` is its AWS account, by id or by its name in patch_accounts. ``connection`` is Ansible's, ``shell_type`` is
    ansible_shell_type, ``addresses`` are those to which its name leads, ``transport`` is patch_transport, ``by_tag`` is whether the
    tag brought it, ``unreadable`` says which variable cannot be rendered, and why, ``refused`` which one Ansible refuses before any
    task, and ``unusable`` why Ansible cannot use the connection.
    """

    instance_id: str | None
    account: str
    region: str | None
    connection: str | None
    shell_type: str
    address: str | None
    addresses: list[str]
    port: int | None
    transport: str | None
    by_tag: bool
    unreadable: str
    refused: str
    unusable: str
