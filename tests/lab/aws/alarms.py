# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CloudWatch's alarms, as far as their states go: a scenario says how they begin, and events change them.

Source: CloudWatch API reference, DescribeAlarms (composite alarms are shown only where AlarmTypes asks for them; a name that no
alarm has is left out of the answer; at most 100 names and 100 alarms a call).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lab.aws.errors import AwsError, not_implemented
from lab.aws.request import Operation, Request, Result, page
from lab.scenario import Account

METRIC, COMPOSITE = "MetricAlarm", "CompositeAlarm"
KINDS = {METRIC: "MetricAlarms", COMPOSITE: "CompositeAlarms"}
"""What an alarm is called in AlarmTypes, and where the answer has it."""
PAGE, NAMES_AT_MOST = 50, 100
KNOWN_PARAMETERS = {"AlarmNames", "AlarmTypes", "MaxRecords", "NextToken"}


@dataclass
class Alarm:
    """An alarm of the account's own region. ``since`` is when it reached its state."""

    name: str
    kind: str
    state: str
    since: datetime
    reason: str = "The scenario begins so."


def alarms_of(spec: Account, start: datetime) -> dict[str, Alarm]:
    """The alarms with which a scenario begins, by name."""
    alarms = [Alarm(name, METRIC, state, start) for name, state in spec.alarms.items()]
    alarms += [Alarm(name, COMPOSITE, state, start) for name, state in spec.composite_alarms.items()]
    return {alarm.name: alarm for alarm in alarms}


def set_state(alarm: Alarm, state: str, now: datetime) -> None:
    """What has come of the metric: an event of the scenario says it."""
    alarm.reason = "Threshold Crossed: 1 datapoint [7.0] was greater than the threshold (5.0)."
    if state != "ALARM":
        alarm.reason = "Threshold Crossed: 1 datapoint [0.0] was not greater than the threshold (5.0)."
    alarm.state, alarm.since = state, now


def describe_alarms(request: Request) -> Result:
    params = request.params
    if not params.keys() <= KNOWN_PARAMETERS:
        raise not_implemented(f"cloudwatch DescribeAlarms with {', '.join(sorted(params))}")
    names, kinds = params.get("AlarmNames"), params.get("AlarmTypes") or [METRIC]
    if names is not None and len(names) > NAMES_AT_MOST:
        raise AwsError("ValidationError", f"The collection AlarmNames must have {NAMES_AT_MOST} members at most.")
    found = [
        alarm
        for alarm in sorted(request.account.alarms.values(), key=lambda alarm: alarm.name)
        if alarm.kind in kinds
        and (names is None or alarm.name in names)
        and request.region == request.account.spec.region
    ]
    shown, more = page(request, found, params.get("MaxRecords") or PAGE)
    rows = {key: [_row(request, alarm) for alarm in shown if alarm.kind == kind] for kind, key in KINDS.items()}
    return {**rows, **more}


def _row(request: Request, alarm: Alarm) -> dict[str, Any]:
    return {
        "AlarmName": alarm.name,
        "AlarmArn": request.arns.of("cloudwatch", request.region, f"alarm:{alarm.name}"),
        "StateValue": alarm.state,
        "StateReason": alarm.reason,
        "StateUpdatedTimestamp": alarm.since,
        "StateTransitionedTimestamp": alarm.since,
    }


OPERATIONS: dict[str, Operation] = {"DescribeAlarms": describe_alarms}
