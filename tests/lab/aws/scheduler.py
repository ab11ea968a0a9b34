# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""EventBridge Scheduler: schedules that start an Automation or publish a message, once or at a rate.

They are made by calls, in the groups that stacks have made, or by stacks. A rate begins at once.

Source: EventBridge Scheduler API reference; user guide, "Schedule types" and "Using universal targets".
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from lab.aws.errors import AwsError, not_implemented, validation
from lab.aws.request import OTHER, Operation, Request, Result
from lab.aws.schedule_runs import ATTEMPTS, EVENT_AGE_SECONDS, PUBLISH, run
from lab.sim import Process, Timer

if TYPE_CHECKING:
    from lab.aws.account import Account
    from lab.aws.cloudformation.stacks import Stack

OF_STACK = "AWS::Scheduler::Schedule"

DEFAULTS = {
    "GroupName": "default",
    "State": "ENABLED",
    "ScheduleExpressionTimezone": "UTC",
    "ActionAfterCompletion": "NONE",
}
"""Source: API reference, CreateSchedule."""
NAME = re.compile(r"[0-9a-zA-Z\-_.]{1,64}")
ONCE = re.compile(r"at\((\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})\)")
RATE = re.compile(r"rate\((\d+) days\)")
START_AUTOMATION = "aws-sdk:ssm:startAutomationExecution"


@dataclass
class Schedule:
    """One schedule and the timer that lets it happen."""

    arn: str
    params: dict[str, Any]
    created_at: datetime
    changed_at: datetime
    timer: Timer | None = None
    runs: list[Process] = field(default_factory=list)

    def cancel(self) -> None:
        """Whatever of it is still to come does not come."""
        if self.timer:
            self.timer.cancel()
        for run_of_it in self.runs:
            run_of_it.stop()


@dataclass(frozen=True)
class Delivery:
    """How late a schedule's target is called, and how many times: at least once (user guide, "What is EventBridge Scheduler?")."""

    late_seconds: float = 0.0
    times: int = 1


class Schedules:
    """All schedules of the account, by region, group and name."""

    def __init__(self) -> None:
        self.delivery = Delivery()
        self._schedules: dict[tuple[str, str, str], Schedule] = {}

    def find(self, request: Request) -> Schedule:
        key = _key(request)
        if key in self._schedules:
            return self._schedules[key]
        if request.params.get("GroupName", "default") == "default":
            for made in request.account.stacks.resources(OF_STACK):
                if made.physical_id == key[2] and made.region == request.region:
                    start = request.sim.clock.start  # the stack does not keep when it made it
                    return Schedule(made.attribute("Arn"), made.properties, start, start)
        raise AwsError("ResourceNotFoundException", f"Schedule {key[2]} does not exist.")

    def has(self, request: Request) -> bool:
        return _key(request) in self._schedules

    def arm(self, account: Account, before: Stack | None, after: Stack | None) -> None:
        """What a stack's change means for its schedules: CloudFormation touches those alone whose properties have changed."""
        old, new = (_of_stack(stack) for stack in (before, after))
        for name in old.keys() | new.keys():
            if old.get(name) == new.get(name):
                continue
            region = next(stack.region for stack in (before, after) if stack)
            params = {**new.get(name, {}), "Name": name}
            request = Request(account, "scheduler", "CreateSchedule", params, region, OTHER)
            if self.has(request):
                self.remove(request)
            if name in new:
                _check(request)
                self.put(request)

    def put(self, request: Request) -> Schedule:
        """A new one, or all of one that there is: an update keeps nothing (API reference, UpdateSchedule)."""
        now = request.sim.time
        created_at = self.find(request).created_at if self.has(request) else now
        if self.has(request):
            self.remove(request)
        path = f"schedule/{request.params.get('GroupName', 'default')}/{request.params['Name']}"
        schedule = Schedule(request.arns.of("scheduler", request.region, path), dict(request.params), created_at, now)
        self._schedules[_key(request)] = schedule
        self._wait(request, schedule, _seconds(request))
        return schedule

    def _wait(self, request: Request, schedule: Schedule, due: float) -> None:
        """For the next time."""

        def happen() -> None:
            schedule.runs = [request.sim.spawn(run(request, schedule)) for _ in range(self.delivery.times)]
            every = RATE.fullmatch(request.params["ScheduleExpression"])
            if every:
                self._wait(request, schedule, due + int(every[1]) * 86_400)

        schedule.timer = request.sim.at(due + self.delivery.late_seconds, happen)

    def remove(self, request: Request) -> None:
        self.find(request).cancel()
        del self._schedules[_key(request)]

    def forget(self, request: Request, schedule: Schedule) -> None:
        """One that has come to its end, unless another has its name by now."""
        if self._schedules.get(_key(request)) is schedule:
            del self._schedules[_key(request)]

    def names(self, region: str, group: str) -> list[str]:
        """Of a group's schedules, in order."""
        return sorted(name for *scope, name in self._schedules if scope == [region, group])


def _key(request: Request) -> tuple[str, str, str]:
    return request.region, request.params.get("GroupName", "default"), request.params["Name"]


def _seconds(request: Request) -> float:
    """When it is due first, in lab seconds."""
    if RATE.fullmatch(request.params["ScheduleExpression"]):
        return request.sim.now
    moment = ONCE.fullmatch(request.params["ScheduleExpression"])
    if moment is None:
        raise not_implemented(f"the schedule {request.params['ScheduleExpression']}")
    due = datetime.fromisoformat(moment[1]).replace(tzinfo=UTC)
    return (due - request.sim.clock.start).total_seconds()


def _of_stack(stack: Stack | None) -> dict[str, dict[str, Any]]:
    """The properties of a stack's schedules, by their names."""
    found = stack.resources.values() if stack else ()
    return {it.physical_id: it.properties for it in found if it.type == OF_STACK}


def _check(request: Request) -> None:
    params, target = request.params, request.params["Target"]
    if not NAME.fullmatch(params["Name"]):
        raise validation(f"Value '{params['Name']}' at 'name' failed to satisfy constraint")
    if params["FlexibleTimeWindow"] != {"Mode": "OFF"} or params.get("ScheduleExpressionTimezone", "UTC") != "UTC":
        raise not_implemented("a schedule with a flexible time or a time zone")
    if params.get("State", "ENABLED") != "ENABLED" or target["Arn"].removeprefix(
        f"arn:{request.arns.partition}:scheduler:::"
    ) not in {START_AUTOMATION, PUBLISH}:
        raise not_implemented(f"a schedule of {target['Arn']}")
    _group(request, params.get("GroupName", "default"))
    _seconds(request)
    role = target["RoleArn"].rpartition("/")[2]
    if not request.account.stacks.is_trusted(role, "scheduler.amazonaws.com"):
        raise validation("The execution role you provide must allow AWS EventBridge Scheduler to assume the role.")


def _group(request: Request, name: str) -> None:
    groups = request.account.stacks.resources("AWS::Scheduler::ScheduleGroup")
    if name != "default" and not any(it.physical_id == name and it.region == request.region for it in groups):
        raise AwsError("ResourceNotFoundException", f"Schedule group {name} does not exist.")


def create_schedule(request: Request) -> Result:
    _check(request)
    if request.account.schedules.has(request):
        raise AwsError("ConflictException", f"Schedule {request.params['Name']} already exists.")
    return {"ScheduleArn": request.account.schedules.put(request).arn}


def update_schedule(request: Request) -> Result:
    request.account.schedules.find(request)
    _check(request)
    return {"ScheduleArn": request.account.schedules.put(request).arn}


def delete_schedule(request: Request) -> Result:
    request.account.schedules.remove(request)
    return {}


def get_schedule(request: Request) -> Result:
    schedule = request.account.schedules.find(request)
    retries = {"MaximumRetryAttempts": ATTEMPTS, "MaximumEventAgeInSeconds": EVENT_AGE_SECONDS}
    return {
        **DEFAULTS,
        **schedule.params,
        "Arn": schedule.arn,
        "Target": {"RetryPolicy": retries, **schedule.params["Target"]},
        "CreationDate": schedule.created_at,
        "LastModificationDate": schedule.changed_at,
    }


def list_schedules(request: Request) -> Result:
    """Those of a group, or of them those whose names begin so."""
    params = request.params
    if params.keys() - {"GroupName", "NamePrefix"}:
        raise not_implemented(f"ListSchedules with {', '.join(params)}")
    _group(request, params["GroupName"])
    names = request.account.schedules.names(request.region, params["GroupName"])
    wanted = [name for name in names if name.startswith(params.get("NamePrefix", ""))]
    return {"Schedules": [{"Name": name, "GroupName": params["GroupName"], "State": "ENABLED"} for name in wanted]}


def get_schedule_group(request: Request) -> Result:
    name = request.params["Name"]
    _group(request, name)
    arn = request.arns.of("scheduler", request.region, f"schedule-group/{name}")
    return {"Arn": arn, "Name": name, "State": "ACTIVE"}


OPERATIONS: dict[str, Operation] = {
    "CreateSchedule": create_schedule,
    "DeleteSchedule": delete_schedule,
    "GetSchedule": get_schedule,
    "GetScheduleGroup": get_schedule_group,
    "ListSchedules": list_schedules,
    "UpdateSchedule": update_schedule,
}
