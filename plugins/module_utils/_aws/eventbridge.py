# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Operations of Amazon EventBridge. Source: EventBridge API reference (PutEvents: at most 10 entries a call)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .api import Aws, Service
from .errors import AwsError

if TYPE_CHECKING:
    from mypy_boto3_events.client import EventBridgeClient
    from mypy_boto3_events.type_defs import PutEventsRequestEntryTypeDef

EVENTS: Service[EventBridgeClient] = Service("events")
ENTRIES_A_CALL = 10


@dataclass(frozen=True)
class Event:
    """An event: its detail type, what it is about (ARNs or ids), and its detail, which is JSON."""

    detail_type: str
    resources: Sequence[str]
    detail: Mapping[str, object]


def put_events(aws: Aws, bus: str, source: str, events: Sequence[Event]) -> None:
    """Put events on a bus, named or by its ARN.

    A repeated call may put an event twice: EventBridge knows no token, and delivers at least once anyway.

    Raises:
        AwsError: the call was refused, or one of its events.
    """
    for at in range(0, len(events), ENTRIES_A_CALL):
        entries = [_entry(bus, source, event) for event in events[at : at + ENTRIES_A_CALL]]
        answer = aws.change(EVENTS, bus, idempotent=True).put_events(Entries=entries)
        refused = next((entry for entry in answer["Entries"] if entry.get("ErrorCode")), None)
        if refused is not None:
            raise AwsError("events:PutEvents", refused["ErrorCode"], refused.get("ErrorMessage", ""), bus)


def _entry(bus: str, source: str, event: Event) -> PutEventsRequestEntryTypeDef:
    return {
        "EventBusName": bus,
        "Source": source,
        "DetailType": event.detail_type,
        "Resources": list(event.resources),
        "Detail": json.dumps(event.detail, allow_nan=False),
    }
