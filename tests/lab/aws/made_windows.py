# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SSM: maintenance windows that are made by a call and open once; they have no tasks.

Source: Systems Manager API reference (CreateMaintenanceWindow, DeleteMaintenanceWindow, ListTagsForResource); user guide, "Cron
and rate expressions for Systems Manager" (``at(…)``). That a window without tasks has an execution is a belief.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from lab.aws.errors import AwsError, not_implemented, validation
from lab.aws.ssm_nodes import list_tags_for_resource as tags_of_node
from lab.world import make_id

if TYPE_CHECKING:
    from lab.aws.request import Operation, Request, Result

ONCE = re.compile(r"at\((\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})\)")
NAME = re.compile(r"[a-zA-Z0-9_\-.]{3,128}")
EXECUTED_WITHOUT_TASKS = True
KNOWN = {
    "Name",
    "Schedule",
    "ScheduleTimezone",
    "Duration",
    "Cutoff",
    "AllowUnassociatedTargets",
    "Tags",
    "ClientToken",
}


@dataclass(frozen=True)
class MadeWindow:
    """One that opens once."""

    id: str
    region: str
    name: str
    schedule: str
    duration: int
    cutoff: int
    tags: dict[str, str]
    token: str | None

    @property
    def opens_at(self) -> datetime:
        found = ONCE.fullmatch(self.schedule)
        assert found
        return datetime.fromisoformat(found[1]).replace(tzinfo=UTC)


def create(request: Request) -> Result:
    params, made = request.params, request.account.made_windows
    if (
        params.keys() - KNOWN
        or params.get("ScheduleTimezone", "UTC") != "UTC"
        or not ONCE.fullmatch(params["Schedule"])
    ):
        raise not_implemented(f"CreateMaintenanceWindow with {params['Schedule']} and {', '.join(sorted(params))}")
    if not NAME.fullmatch(params["Name"]) or not params["Cutoff"] < params["Duration"] <= 24:
        raise validation(
            f"Value '{params['Name']}' at 'name', or its duration and cutoff, failed to satisfy constraint"
        )
    again = next((it for it in made.values() if it.token and it.token == params.get("ClientToken")), None)
    if again is None:
        identifier = make_id(request.sim, "mw", request.region, len(made))
        tags = {tag["Key"]: tag["Value"] for tag in params.get("Tags", ())}
        schedule = (params["Schedule"], params["Duration"], params["Cutoff"])
        again = MadeWindow(identifier, request.region, params["Name"], *schedule, tags, params.get("ClientToken"))
        made[identifier] = again
    return {"WindowId": again.id}


def delete(request: Request) -> Result:
    """Also of one that is not there."""
    identifier = request.params["WindowId"]
    request.account.made_windows.pop(identifier, None)
    return {"WindowId": identifier}


def made_here(request: Request) -> Iterator[MadeWindow]:
    """Those of the request's region."""
    return (window for window in request.account.made_windows.values() if window.region == request.region)


def describe(request: Request) -> list[dict[str, Any]]:
    """Rows of DescribeMaintenanceWindows."""
    return [
        {
            "WindowId": window.id,
            "Name": window.name,
            "Enabled": True,
            "Duration": window.duration,
            "Cutoff": window.cutoff,
            "Schedule": window.schedule,
            "ScheduleTimezone": "UTC",
            **(
                {"NextExecutionTime": f"{window.opens_at:%Y-%m-%dT%H:%MZ}"}
                if window.opens_at > request.sim.time
                else {}
            ),
        }
        for window in made_here(request)
    ]


def executions(request: Request, window: MadeWindow, since: datetime) -> list[dict[str, Any]]:
    """Rows of DescribeMaintenanceWindowExecutions."""
    opened = since < window.opens_at <= request.sim.time
    if not opened or not EXECUTED_WITHOUT_TASKS:
        return []
    row = {"WindowId": window.id, "Status": "SUCCESS", "StatusDetails": "No tasks to execute."}
    return [{**row, "StartTime": window.opens_at}]


def list_tags(request: Request) -> Result:
    """Of a window, or of a hybrid node."""
    kind, identifier = request.params["ResourceType"], request.params["ResourceId"]
    if kind != "MaintenanceWindow":
        return tags_of_node(request)
    window = request.account.made_windows.get(identifier)
    if window is None:
        raise AwsError("InvalidResourceId", "The resource ID is not valid.")
    return {"TagList": [{"Key": key, "Value": value} for key, value in sorted(window.tags.items())]}


OPERATIONS: dict[str, Operation] = {
    "CreateMaintenanceWindow": create,
    "DeleteMaintenanceWindow": delete,
    "ListTagsForResource": list_tags,
}
