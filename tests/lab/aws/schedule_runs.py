# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A schedule that is due: its role calls its target, again where that may help, and a failure goes to a dead-letter queue.

Source: EventBridge Scheduler user guide, "Schedule types" (60 seconds of precision), "Configuring a dead-letter queue" (errors
of the client are not tried again), "Retry policy".
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lab.aws.automation import start_automation
from lab.aws.errors import STATUS_BY_CODE, AwsError
from lab.aws.request import Request, Result
from lab.sim import Steps

if TYPE_CHECKING:
    from lab.aws.scheduler import Schedule

PRECISION_SECONDS = 60.0
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 30.0, 900.0
PUBLISH = "aws-sdk:sns:publish"
ATTEMPTS, EVENT_AGE_SECONDS = 185, 86_400
# A schedule that has done its last attempt is listed for a moment still.
REMOVED_AFTER_SECONDS = 30.0


@dataclass(frozen=True)
class DeadLetter:
    """What a dead-letter queue has of a schedule that could not call its target."""

    queue: str
    schedule: str
    error: str
    body: str


def run(request: Request, schedule: Schedule) -> Steps[None]:
    """All attempts of one schedule, from the second for which it was set."""
    yield request.sim.random("scheduler", schedule.arn).uniform(0.0, PRECISION_SECONDS)
    target = request.params["Target"]
    error = yield from _attempts(request, target)
    if error is not None:
        _bury(request, schedule, target, error)
    if request.params.get("ActionAfterCompletion") == "DELETE":
        yield REMOVED_AFTER_SECONDS
        request.account.schedules.forget(request, schedule)


def _attempts(request: Request, target: dict[str, Any]) -> Steps[AwsError | None]:
    """The error of the last attempt, None when the target was called."""
    policy = target.get("RetryPolicy", {})
    attempts = 1 + policy.get("MaximumRetryAttempts", ATTEMPTS)
    ends_at = request.sim.now + policy.get("MaximumEventAgeInSeconds", EVENT_AGE_SECONDS)
    pause = FIRST_PAUSE_SECONDS
    while True:
        try:
            _call(request, target)
        except AwsError as error:
            attempts -= 1
            if not _may_pass(error) or not attempts or request.sim.now + pause > ends_at:
                return error
        else:
            return None
        yield pause
        pause = min(2 * pause, LONGEST_PAUSE_SECONDS)


def _call(request: Request, target: dict[str, Any]) -> None:
    caller = request.account.gate.session_of(target["RoleArn"].rpartition("/")[2])
    wanted = json.loads(target["Input"])
    if target["Arn"].endswith(PUBLISH):
        _publish(Request(request.account, "sns", "Publish", wanted, request.region, caller))
    else:
        start_automation(request.account, request.region, wanted, caller)


def _publish(request: Request) -> None:
    """The subscribers of the topic get it outside of the lab."""

    def publish() -> Result:
        request.account.published.append(request.params)
        return {"MessageId": f"{len(request.account.published):08x}"}

    request.account.carry_out(request, publish)


def _may_pass(error: AwsError) -> bool:
    return STATUS_BY_CODE.get(error.code, 400) >= 500 or "Throttling" in error.code


def _bury(request: Request, schedule: Schedule, target: dict[str, Any], error: AwsError) -> None:
    """Without a queue only the trace and the metric that an alarm may watch show it."""
    if error.code == "NotImplemented":
        raise error
    account = request.account
    account.failed_schedules.append(schedule.arn)
    queue = target.get("DeadLetterConfig", {}).get("Arn")
    if queue:
        account.dead_letters.append(DeadLetter(queue, schedule.arn, error.code, target["Input"]))
