# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names and times as scenarios write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime

RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")

# Acts of `events` that are about the step under way, not about a host.
CONTROLLER_ACTS = ("expire_credentials", "kill_controller", "suspend_controller", "term_controller")
# And those about an alarm of CloudWatch, with the state that they give it.
ALARM_ACTS = {"set_alarm": "ALARM", "clear_alarm": "OK"}


def expand_names(name: str) -> list[str]:
    """``dev-{01..03}`` → ``["dev-01", "dev-02", "dev-03"]``; a name without a range stands for itself."""
    match = RANGE.search(name)
    if match is None:
        return [name]
    first, last = match.groups()
    width = len(first) if first.startswith("0") else 0
    numbers = [str(number).zfill(width) for number in range(int(first), int(last) + 1)]
    return [name[: match.start()] + number + rest for number in numbers for rest in expand_names(name[match.end() :])]


def parse_time(text: str) -> datetime:
    """An ISO 8601 time with its zone as an aware datetime in UTC; ValueError for anything else."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no zone")
    return moment.astimezone(UTC)


def split_when(when: str) -> tuple[str, str]:
    """``"dev-03 installing"`` → ``("dev-03", "installing")``; the name may hold spaces."""
    host, _, state = when.rpartition(" ")
    return host, state
