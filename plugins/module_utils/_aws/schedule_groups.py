# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Groups of schedules as a whole, which only an administrator may list: the controller of a run knows its own schedules by name.

Source: EventBridge Scheduler API reference.
"""

from __future__ import annotations

from functools import partial

from .api import Aws, pages
from .scheduler import SCHEDULER


def list_schedules(aws: Aws, group: str) -> list[str]:
    """The names of a group's schedules; AwsError with ResourceNotFoundException when there is no such group."""
    operation = partial(aws.read(SCHEDULER, group).list_schedules, GroupName=group)
    return [one["Name"] for page in pages(operation) for one in page["Schedules"]]
