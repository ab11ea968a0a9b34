# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation fleet_info."""

from __future__ import annotations

from typing import Any

from .._fleet.discover import by_tag, check_tag_value, from_inventory, merge
from .._operation.context import OperationContext
from .._operation.operation import Operation
from .._plan.order import exclude


def work(context: OperationContext) -> dict[str, Any]:
    """The hosts that the tag or the inventory names, merged: see hosts.FleetHost for their fields."""
    params = context.params
    regions = params["regions"]
    needs_aws = params["tag_key"] or any(entry.get("instance_id") for entry in params["inventory_hosts"])
    if needs_aws and not regions:
        regions = [context.aws.region]
    tagged = []
    if params["tag_key"]:
        tag_value = check_tag_value(params["tag_value"])
        tagged = by_tag(context.aws, regions, params["tag_key"], tag_value, params["filters"])
    listed = from_inventory(context.aws if needs_aws else None, regions, params["inventory_hosts"])
    hosts = exclude(merge(tagged, listed), params["exclude"])
    rows = [host.as_result() for host in sorted(hosts, key=lambda host: host.name)]
    return {"changed": False, "hosts": rows, "regions": regions}


OPERATION = Operation(
    name="fleet_info",
    arguments={
        "tag_key": {"type": "str", "no_log": False},
        "tag_value": {"type": "str"},
        "filters": {"type": "dict", "default": {}},
        "regions": {"type": "list", "elements": "str", "default": []},
        "inventory_hosts": {"type": "list", "elements": "raw", "default": []},
        "exclude": {"type": "list", "elements": "str", "default": []},
    },
    work=work,
)
