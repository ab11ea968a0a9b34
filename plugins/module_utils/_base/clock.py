# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The only place that waits or knows the time.

``PATCHFLEET_CLOCK="SCALE,EPOCH,REAL_EPOCH"`` lets the emulated account run faster than the world: at the real time
REAL_EPOCH it is EPOCH, and SCALE seconds pass in a real one. Without it the clock is the system's. It is refused in a run
against real AWS, where leases and timeouts would run too fast.
"""

from __future__ import annotations

import datetime
import os
import time
from collections.abc import Callable
from typing import Protocol, TypeVar
from urllib.parse import urlsplit

from .errors import InvalidOption

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})

T = TypeVar("T")


class Clock(Protocol):
    """What an operation needs of time."""

    def now(self) -> float:
        """Seconds since 1970, as AWS and the ledger see them."""

    def sleep(self, seconds: float) -> None:
        """Wait for this number of the clock's seconds."""

    def real_seconds(self, seconds: float) -> float:
        """Real seconds, for time-outs that are handed to other people's code."""


class SystemClock:
    """The system's time, scaled when the environment says so."""

    def __init__(self, scale: float = 1.0, epoch: float = 0.0, real_epoch: float = 0.0) -> None:
        self._scale, self._epoch, self._real_epoch = scale, epoch, real_epoch

    def now(self) -> float:
        return self._epoch + (time.time() - self._real_epoch) * self._scale

    def sleep(self, seconds: float) -> None:
        time.sleep(max(seconds, 0.0) / self._scale)

    def real_seconds(self, seconds: float) -> float:
        return seconds / self._scale


def system_clock() -> Clock:
    """The clock that the environment asks for.

    Raises:
        InvalidOption: PATCHFLEET_CLOCK is not three numbers, or no AWS_ENDPOINT_URL leads to this machine.
    """
    setting = os.environ.get("PATCHFLEET_CLOCK")
    if not setting:
        return SystemClock()
    endpoints = (value for name, value in os.environ.items() if name.startswith("AWS_ENDPOINT_URL"))
    if not any(urlsplit(endpoint).hostname in LOOPBACK for endpoint in endpoints):
        right = "Unset it: it makes time run faster, and only an emulated account on this machine (AWS_ENDPOINT_URL) may use it."
        raise InvalidOption("PATCHFLEET_CLOCK", setting, right)
    try:
        scale, epoch, real_epoch = (float(part) for part in setting.split(","))
    except ValueError:
        raise InvalidOption("PATCHFLEET_CLOCK", setting, "It must be three numbers: SCALE,EPOCH,REAL_EPOCH.") from None
    return SystemClock(scale, epoch, real_epoch)


def iso(seconds: float | None) -> str | None:
    """Seconds since 1970 as ISO 8601 in UTC, to the second."""
    if seconds is None:
        return None
    moment = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_iso(text: str) -> float:
    """Seconds since 1970 of an ISO 8601 time; one without an offset is UTC.

    Raises:
        ValueError: not such a time.
    """
    moment = datetime.datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.timezone.utc)
    return moment.timestamp()


def wait_for(
    poll: Callable[[], T | None],
    clock: Clock,
    deadline: float,
    first_pause_seconds: float = 5.0,
    longest_pause_seconds: float = 30.0,
) -> T | None:
    """Poll until there is a result; None when there was none at the deadline.

    The pauses grow by half from the first to the longest. The last poll comes after the deadline: what became true while this
    process was slow still counts.
    """
    pause = first_pause_seconds
    while True:
        overdue = clock.now() >= deadline
        result = poll()
        if result is not None or overdue:
            return result
        clock.sleep(min(pause, max(deadline - clock.now(), 0.0)))
        pause = min(pause * 1.5, longest_pause_seconds)
