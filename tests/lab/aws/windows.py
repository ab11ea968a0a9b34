# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SSM: the maintenance windows that stacks have made, when they open, and change calendars, of which there are none.

Sources: Systems Manager API reference; user guide, "Cron and rate expressions for Systems Manager" (six fields; TUE#2 is the
month's second Tuesday; ScheduleOffset counts days after it).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from lab.aws import made_windows
from lab.aws.cloudformation.resources import Resource
from lab.aws.errors import AwsError, not_implemented
from lab.aws.request import Operation, Request, Result, page

if TYPE_CHECKING:
    from lab.aws.cloudformation.stacks import Stacks

CRON = re.compile(r"cron\((?:0 )?(\d+) (\d+) \? \* (\*|[A-Z]{3}(?:#[1-5])?) \*\)")
DAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
WINDOW = "AWS::SSM::MaintenanceWindow"
FAR_DAYS = 70
"""Every schedule that is known here opens within these days."""


def _windows(request: Request) -> list[Resource]:
    made = request.account.stacks.resources(WINDOW)
    return [window for window in made if window.region == request.region]


def openings(window: Resource, first: date) -> Iterator[datetime]:
    """When it opens, from a day on; 501 for a schedule that the lab cannot read."""
    schedule = CRON.fullmatch(window.properties["Schedule"])
    if schedule is None:
        raise not_implemented(f"the schedule {window.properties['Schedule']}")
    at = time(int(schedule[2]), int(schedule[1]), tzinfo=ZoneInfo(window.properties.get("ScheduleTimezone") or "UTC"))
    offset = timedelta(days=int(window.properties.get("ScheduleOffset") or 0))
    for days in range(FAR_DAYS):
        day = first + timedelta(days=days)
        if _is_due(schedule[3], day - offset):
            yield datetime.combine(day, at).astimezone(UTC)


def _is_due(pattern: str, day: date) -> bool:
    name, _, number = pattern.partition("#")
    return name in ("*", DAYS[day.weekday()]) and number in ("", str((day.day - 1) // 7 + 1))


def openings_of(stacks: Stacks, start: datetime, until: datetime) -> list[dict[str, Any]]:
    """Every opening between the day before ``start`` and ``until``: name, id, and ``opens``, ``begin_until`` (without the
    cutoff), ``ends`` in seconds since ``start``.
    """
    return [
        {
            "name": window.properties["Name"],
            "id": window.physical_id,
            "opens": (at - start).total_seconds(),
            "begin_until": (at - start).total_seconds() + 3600.0 * (duration - int(window.properties["Cutoff"])),
            "ends": (at - start).total_seconds() + 3600.0 * duration,
        }
        for window in stacks.resources(WINDOW)
        for duration in [int(window.properties["Duration"])]
        for at in itertools.takewhile(until.__ge__, openings(window, start.date() - timedelta(days=1)))
    ]


def tasks_of(stacks: Stacks, window_id: str) -> list[Resource]:
    """The tasks that are registered with a window, the most urgent first."""
    tasks = [it for it in stacks.resources("AWS::SSM::MaintenanceWindowTask") if it.properties["WindowId"] == window_id]
    return sorted(tasks, key=lambda task: int(task.properties["Priority"]))


def describe_windows(request: Request) -> Result:
    if request.params.get("Filters"):
        raise not_implemented("filters of DescribeMaintenanceWindows")
    now = request.sim.time
    rows = [
        {
            "WindowId": window.physical_id,
            "Name": window.properties["Name"],
            "Enabled": True,
            "Duration": int(window.properties["Duration"]),
            "Cutoff": int(window.properties["Cutoff"]),
            "Schedule": window.properties["Schedule"],
            "ScheduleTimezone": window.properties.get("ScheduleTimezone", "UTC"),
            "NextExecutionTime": f"{next(at for at in openings(window, now.date()) if at > now):%Y-%m-%dT%H:%MZ}",
        }
        for window in _windows(request)
    ]
    part, token = page(request, [*rows, *made_windows.describe(request)], 100, 50)
    return {"WindowIdentities": part, **token}


def describe_executions(request: Request) -> Result:
    """One for each opening; a window without tasks succeeds with nothing to do. How tasks ended is not kept."""
    params = request.params
    found = [window for window in _windows(request) if window.physical_id == params["WindowId"]]
    made = [window for window in made_windows.made_here(request) if window.id == params["WindowId"]]
    if not found and not made:
        raise AwsError("DoesNotExistException", f"Maintenance window {params['WindowId']} does not exist")
    after = {entry["Key"]: entry["Values"][0] for entry in params.get("Filters") or []}
    if after.keys() != {"ExecutedAfter"}:
        raise not_implemented("DescribeMaintenanceWindowExecutions but with ExecutedAfter")
    since, now = datetime.fromisoformat(after["ExecutedAfter"]), request.sim.time
    if made:
        return {"WindowExecutions": made_windows.executions(request, made[0], since)}
    opened = [at for at in openings(found[0], since.date() - timedelta(days=1)) if since < at <= now]
    details = {} if tasks_of(request.account.stacks, params["WindowId"]) else {"StatusDetails": "No tasks to execute."}
    rows = [
        {"WindowId": params["WindowId"], "Status": "SUCCESS", "StartTime": at, **details} for at in reversed(opened)
    ]
    part, token = page(request, rows, 100, 50)
    return {"WindowExecutions": part, **token}


def get_calendar_state(request: Request) -> Result:
    raise AwsError("InvalidDocument", f"Document {request.params['CalendarNames'][0]} does not exist.")


OPERATIONS: dict[str, Operation] = {
    "DescribeMaintenanceWindowExecutions": describe_executions,
    "DescribeMaintenanceWindows": describe_windows,
    "GetCalendarState": get_calendar_state,
}
