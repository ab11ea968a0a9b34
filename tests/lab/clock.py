# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's time: seconds since the start, and the date that AWS and the hosts show."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """What the simulation needs of a clock; start is the date at second 0, scale lab seconds in a real one."""

    start: datetime
    scale: float

    def seconds(self) -> float: ...

    def now(self) -> datetime: ...


class LabClock:
    """Runs scale times as fast as real time, from the moment it is made or restarted."""

    def __init__(self, scale: float, start: datetime) -> None:
        self.scale = scale
        self.start = start
        self.restart()

    def restart(self) -> None:
        """Begin again at second 0."""
        self._real_epoch = time.time()

    def move_on(self, seconds: float) -> None:
        """Be ``seconds`` lab seconds later at once."""
        self._real_epoch -= seconds / self.scale

    def seconds(self) -> float:
        return (time.time() - self._real_epoch) * self.scale

    def now(self) -> datetime:
        return self.start + timedelta(seconds=self.seconds())

    def env_value(self, ahead_seconds: float = 0.0) -> str:
        """What ``PATCHFLEET_CLOCK`` has to be for a process whose clock is so much ahead of this one."""
        return f"{self.scale:g},{self.start.timestamp() + ahead_seconds:.6f},{self._real_epoch:.6f}"


class VirtualClock:
    """Stands still until a test moves it: for tests in one process that must not wait."""

    scale = 1.0

    def __init__(self, start: datetime | None = None) -> None:
        self.start = start or datetime(2026, 11, 14, 22, tzinfo=UTC)
        self._seconds = 0.0

    def seconds(self) -> float:
        return self._seconds

    def now(self) -> datetime:
        return self.start + timedelta(seconds=self._seconds)

    def move_to(self, seconds: float) -> None:
        """Set the time; it never goes back."""
        self._seconds = max(self._seconds, seconds)
