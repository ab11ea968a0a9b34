# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation fleet_info."""

from __future__ import annotations

from dataclasses import asdict

from .._fleet.accounts import Accounts, MissingAccount, Search, Wanted, find_accounts
from .._fleet.discover import by_tag, check_tag_value, from_inventory, merge
from .._fleet.hosts import FleetHost
from .._model.fleet_row import FleetRow
from .._model.inventory_entry import InventoryEntry
from .._operation.context import OperationContext
from .._operation.operation import Operation
from .._operation.results import Result
from .._plan.order import exclude


class FleetResult(Result):
    """The hosts by name, and the accounts that could not be searched; ``left_out_accounts`` are sentences about the others."""

    hosts: list[FleetRow]
    regions: list[str]
    missing_accounts: list[dict[str, str | None]]
    left_out_accounts: list[str]


def work(context: OperationContext) -> FleetResult:
    """The hosts that the tag or the inventory names, merged: see hosts.FleetHost for their fields."""
    params = context.params
    tag_value = check_tag_value(params["tag_value"]) if params["tag_key"] else ""
    needs_aws = params["tag_key"] or any(entry.get("instance_id") for entry in params["inventory_hosts"])
    found = _accounts(context) if needs_aws else Accounts([], [])
    search, tagged = Search(missing_ok=params["missing_accounts_ok"]), list[FleetHost]()
    if params["tag_key"]:
        tag, protection = (params["tag_key"], tag_value), params["stop_protection"]
        tagged = by_tag(context.aws, found.locations, tag, params["filters"], search, stop_protection=protection)
    left_out = {word for account in found.missing for word in (account.id, account.name)}
    entries = [entry for entry in params["inventory_hosts"] if entry.get("account") not in left_out]
    listed = from_inventory(context.aws if needs_aws else None, found.locations, entries, search)
    unknown = {entry["name"] for entry in entries if any(_is_in(entry, missing) for missing in search.missing)}
    listed = [host for host in listed if host.state != "gone" or host.inventory_name not in unknown]
    hosts = exclude(merge(tagged, listed), params["exclude"])
    return {
        "changed": False,
        "hosts": [host.as_result() for host in sorted(hosts, key=lambda host: host.name)],
        "regions": list(dict.fromkeys(location.region for location in found.locations)) or params["regions"],
        "missing_accounts": [
            {**asdict(account), "name": account.described} for account in (*found.missing, *search.missing)
        ],
        "left_out_accounts": found.left_out,
    }


def _is_in(entry: InventoryEntry, missing: MissingAccount) -> bool:
    """Whether the inventory says that the host is in this region of this account: nothing is known of it."""
    return entry.get("region") == missing.region and entry.get("account") in {None, missing.id, missing.name}


def _accounts(context: OperationContext) -> Accounts:
    params = context.params
    regions = params["regions"] or [context.aws.region]
    wanted = Wanted(params["accounts"], params["organization"] or None, params["missing_accounts_ok"])
    return find_accounts(context.aws, regions, wanted)


OPERATION = Operation(
    name="fleet_info",
    arguments={
        "tag_key": {"type": "str", "no_log": False},
        "tag_value": {"type": "str"},
        "filters": {"type": "dict", "default": {}},
        "stop_protection": {"type": "bool", "default": True},
        "regions": {"type": "list", "elements": "str", "default": []},
        "accounts": {"type": "list", "elements": "dict", "default": []},
        "organization": {"type": "dict"},
        "missing_accounts_ok": {"type": "bool", "default": False},
        "inventory_hosts": {"type": "list", "elements": "raw", "default": []},
        "exclude": {"type": "list", "elements": "str", "default": []},
    },
    work=work,
)
