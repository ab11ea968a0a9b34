# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Operations of EventBridge Scheduler. Source: EventBridge Scheduler API reference."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .api import Aws, Service
from .errors import AwsError

if TYPE_CHECKING:
    from mypy_boto3_scheduler.client import EventBridgeSchedulerClient
    from mypy_boto3_scheduler.type_defs import CreateScheduleInputTypeDef

SCHEDULER: Service[EventBridgeSchedulerClient] = Service("scheduler")
NOT_FOUND = "ResourceNotFoundException"


@dataclass(frozen=True)
class Schedule:
    """A schedule that calls an operation of AWS once and deletes itself then.

    Attributes:
        due_at: seconds since 1970.
        target_arn: the operation, as a universal target names it.
        request: what it is called with.
        about: what errors name.
        is_kept: whether it stays when it has called, so that it can be moved on again.
    """

    name: str
    group: str
    description: str
    due_at: float
    target_arn: str
    role_arn: str
    request: dict[str, Any]
    about: str
    is_kept: bool = False


@dataclass(frozen=True)
class Target:
    """What a schedule calls, with which role and request."""

    arn: str
    role_arn: str
    request: dict[str, Any]


def create_schedule(aws: Aws, schedule: Schedule) -> None:
    """Repeated where no answer came; AwsError with ConflictException when one of that name is there."""
    aws.change(SCHEDULER, schedule.about, idempotent=True).create_schedule(**_request(schedule))


def update_schedule(aws: Aws, schedule: Schedule) -> None:
    """UpdateSchedule keeps nothing of what was there; AwsError with ResourceNotFoundException when there is none."""
    aws.change(SCHEDULER, schedule.about, idempotent=True).update_schedule(**_request(schedule))


def delete_schedule(aws: Aws, group: str, name: str, about: str) -> None:
    """No error for one that is not there: it has been called, and has deleted itself."""
    try:
        aws.change(SCHEDULER, about, idempotent=True).delete_schedule(Name=name, GroupName=group)
    except AwsError as error:
        if error.aws_code != NOT_FOUND:
            raise


def get_target(aws: Aws, group: str, name: str) -> Target:
    """What a schedule calls; AwsError with ResourceNotFoundException when there is none."""
    found = aws.read(SCHEDULER, name).get_schedule(Name=name, GroupName=group)["Target"]
    return Target(found["Arn"], found["RoleArn"], json.loads(found.get("Input", "{}")))


def get_schedule_group(aws: Aws, name: str) -> None:
    """AwsError with ResourceNotFoundException when there is none."""
    aws.read(SCHEDULER, name).get_schedule_group(Name=name)


def _request(schedule: Schedule) -> CreateScheduleInputTypeDef:
    due = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(schedule.due_at))
    return {
        "Name": schedule.name,
        "GroupName": schedule.group,
        "Description": schedule.description,
        "ScheduleExpression": f"at({due})",
        "ScheduleExpressionTimezone": "UTC",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "ActionAfterCompletion": "NONE" if schedule.is_kept else "DELETE",
        "Target": {
            "Arn": schedule.target_arn,
            "RoleArn": schedule.role_arn,
            "Input": json.dumps(schedule.request, allow_nan=False),
            "RetryPolicy": {"MaximumRetryAttempts": 20, "MaximumEventAgeInSeconds": 3600},
        },
    }
