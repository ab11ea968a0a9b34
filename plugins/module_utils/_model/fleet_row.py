# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host of the fleet as JSON: what fleet_info returns and patch_run takes. FleetHost says what each field means."""

from __future__ import annotations

from typing import TypedDict


class ListedNode(TypedDict, total=False):
    """What SSM says of a managed node. ``last_ping_at`` is ISO 8601 in UTC."""

    ping_status: str | None
    last_ping_at: str | None
    agent_version: str | None
    platform_name: str | None


class AccountRow(TypedDict):
    """An account with its hosts; ``regions`` are those to search."""

    id: str
    name: str
    role_arn: str | None
    external_id: str | None
    regions: tuple[str, ...]


class FleetRow(TypedDict):
    """One host."""

    key: str
    name: str
    kind: str
    state: str
    power: str
    instance_id: str | None
    region: str | None
    az: str | None
    type: str | None
    inventory_name: str | None
    by_tag: bool
    tags: dict[str, str]
    exclusion_code: str | None
    exclusion_reason: str | None
    node: ListedNode
    profile_arn: str | None
    private_address: str | None
    public_address: str | None
    other_addresses: tuple[str, ...]
    port: int | None
    vpc_id: str | None
    subnet_id: str | None
    root_volume_id: str | None
    transport: str
    account: AccountRow | None
