# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Operations of Amazon CloudWatch. Source: CloudWatch API reference, DescribeAlarms."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import partial
from typing import Protocol, TypedDict

from .._base.clock import iso
from .api import Aws, Service, pages

METRIC, COMPOSITE = "MetricAlarm", "CompositeAlarm"
NAMES_A_CALL = 100


class AlarmRow(TypedDict, total=False):
    """An alarm, as far as it is read here. ``StateTransitionedTimestamp`` is when its state became another one."""

    AlarmName: str
    StateValue: str
    StateReason: str
    StateTransitionedTimestamp: datetime
    StateUpdatedTimestamp: datetime


class AlarmsPage(TypedDict, total=False):
    """One page of alarms."""

    MetricAlarms: list[AlarmRow]
    CompositeAlarms: list[AlarmRow]
    NextToken: str


class AlarmState(TypedDict):
    """The state of an alarm: OK, ALARM or INSUFFICIENT_DATA, since when (ISO 8601), and CloudWatch's own sentence."""

    state: str
    since: str | None
    reason: str
    composite: bool


class CloudWatchClient(Protocol):
    """What is used of boto3's client."""

    def describe_alarms(
        self,
        *,
        AlarmNames: list[str],  # noqa: N803 - boto3's names
        AlarmTypes: list[str],  # noqa: N803
        MaxRecords: int,  # noqa: N803
        NextToken: str = ...,  # noqa: N803
    ) -> AlarmsPage:
        """These alarms, one page."""


CLOUDWATCH: Service[CloudWatchClient] = Service("cloudwatch")


def alarm_states(aws: Aws, names: Iterable[str], *, composite: bool) -> dict[str, AlarmState]:
    """The states of those of these alarms that the region has, by name.

    Args:
        aws: in the account and region of the alarms.
        names: the names of alarms.
        composite: whether some may be composite ones. CloudWatch shows these only where they are asked for, and only to who has
            cloudwatch:DescribeAlarms on "*".
    """
    wanted = list(dict.fromkeys(names))
    kinds = [METRIC, COMPOSITE] if composite else [METRIC]
    found: dict[str, AlarmState] = {}
    for at in range(0, len(wanted), NAMES_A_CALL):
        some = wanted[at : at + NAMES_A_CALL]
        operation = partial(
            aws.read(CLOUDWATCH, some[0]).describe_alarms,
            AlarmNames=some,
            AlarmTypes=kinds,
            MaxRecords=NAMES_A_CALL,
        )
        for page in pages(operation):
            found.update({row["AlarmName"]: _state(row, composite=False) for row in page.get("MetricAlarms", ())})
            found.update({row["AlarmName"]: _state(row, composite=True) for row in page.get("CompositeAlarms", ())})
    return found


def _state(row: AlarmRow, *, composite: bool) -> AlarmState:
    since = row.get("StateTransitionedTimestamp") or row.get("StateUpdatedTimestamp")
    return {
        "state": row["StateValue"],
        "since": iso(since.timestamp()) if since else None,
        "reason": row.get("StateReason", ""),
        "composite": composite,
    }
