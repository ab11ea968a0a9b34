# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When the lab's maintenance windows open."""

from __future__ import annotations

from datetime import date
from itertools import islice

import pytest

from lab.aws.arns import Arns
from lab.aws.cloudformation.resources import Resource
from lab.aws.errors import AwsError
from lab.aws.windows import openings


def a_window(schedule: str, **more: object) -> Resource:
    kind = "AWS::SSM::MaintenanceWindow"
    return Resource(Arns(), "patchfleet", "eu-central-1", "Window", kind, {"Schedule": schedule, **more})


@pytest.mark.parametrize(
    ("schedule", "more", "first", "second"),
    [
        ("cron(0 22 ? * TUE#2 *)", {"ScheduleOffset": "4"}, "2026-11-14 22:00", "2026-12-12 22:00"),
        ("cron(30 1 ? * SUN *)", {"ScheduleTimezone": "Europe/Berlin"}, "2026-11-01 00:30", "2026-11-08 00:30"),
        ("cron(0 30 23 ? * * *)", {}, "2026-11-01 23:30", "2026-11-02 23:30"),
    ],
)
def test_a_window_opens_by_its_schedule(schedule: str, more: dict[str, object], first: str, second: str) -> None:
    found = list(islice(openings(a_window(schedule, **more), date(2026, 11, 1)), 2))
    assert [f"{at:%Y-%m-%d %H:%M}" for at in found] == [first, second]


def test_a_schedule_that_the_lab_cannot_read_is_refused() -> None:
    with pytest.raises(AwsError) as caught:
        next(openings(a_window("rate(7 days)"), date(2026, 11, 1)))
    assert caught.value.status == 501
