# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which start of an instance was ours, by its LaunchTime."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._ledger.records import SKEW_SECONDS, PowerRecord

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import InstanceTypeDef

UNSEEN_LAUNCH_SECONDS = 600.0
"""A crash may come between a start and its LaunchTime: a start within this time after the request is ours."""


def launch_window(requested_at: float) -> tuple[float, float]:
    """The earliest and latest LaunchTime of a start that was requested at this time, by either clock."""
    return requested_at - SKEW_SECONDS, requested_at + UNSEEN_LAUNCH_SECONDS + SKEW_SECONDS


def is_our_start(record: PowerRecord, instance: InstanceTypeDef) -> bool:
    """Whether the last start of the instance is the one that the record speaks of."""
    if record.started_by is None:
        return False
    launched = instance["LaunchTime"].timestamp()
    if record.launch_time is not None:
        return abs(launched - record.launch_time) < 1.0
    first, last = launch_window(record.start_requested_at or 0.0)
    return first <= launched <= last
