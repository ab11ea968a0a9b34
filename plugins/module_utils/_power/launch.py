# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which start of an instance was ours, by its LaunchTime.

A start is written down in AWS's time right before it is asked for, so its LaunchTime follows at once. EC2 does not say who has
started an instance: where a controller died before it saw the LaunchTime, and the instance was launched some minutes after
the request, it may have been the controller, which stood still in between, or another user.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._ledger.records import SKEW_SECONDS, PowerRecord

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import InstanceTypeDef

EARLY_LAUNCH_SECONDS = 30.0
"""AWS gives times in whole seconds, and an answer takes a while; a start that was asked for again is written down afterwards."""
UNSEEN_LAUNCH_SECONDS = 180.0
"""A start within this time after the request is ours, although no controller saw it."""
UNCLEAR_LAUNCH_SECONDS = 900.0
"""A start between UNSEEN_LAUNCH_SECONDS and this time after the request may be ours."""


def launch_window(requested_at: float) -> tuple[float, float]:
    """The earliest and latest LaunchTime of a start that was requested at this time, by AWS's time in seconds since 1970."""
    return requested_at - EARLY_LAUNCH_SECONDS, requested_at + UNSEEN_LAUNCH_SECONDS


def is_our_start(record: PowerRecord, instance: InstanceTypeDef) -> bool | None:
    """Whether the last start of the instance is the one of the record; None where that cannot be known."""
    if record.started_by is None:
        return False
    launched = instance["LaunchTime"].timestamp()
    if record.launch_time is not None:
        return abs(launched - record.launch_time) < 1.0
    requested_at = record.start_requested_at or 0.0
    first, last = launch_window(requested_at)
    if first <= launched <= last:
        return True
    may_be_ours = requested_at - SKEW_SECONDS <= launched <= requested_at + UNCLEAR_LAUNCH_SECONDS
    return None if may_be_ours else False
