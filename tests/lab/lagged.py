# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Eventual consistency: what was written is read only some time later."""

from __future__ import annotations

from typing import Generic, TypeVar

from lab.sim import Simulation

Value = TypeVar("Value")


class Lag:
    """When readers see what is written now: at most ``seconds`` later, at least half of that."""

    def __init__(self, sim: Simulation, seconds: float) -> None:
        self._sim = sim
        self._seconds = seconds
        self._random = sim.random("lag")

    def visible_at(self) -> float:
        """In lab seconds since the start."""
        return self._sim.now + self._seconds * self._random.uniform(0.5, 1.0)


class Lagged(Generic[Value]):
    """A value whose changes readers see late, but in order. What they saw earlier is remembered, for stale reads."""

    def __init__(self, value: Value) -> None:
        self.latest = value
        self._first = value
        self._changes: list[tuple[float, Value]] = []

    def set(self, value: Value, visible_at: float) -> None:
        """From that lab second on readers see it, or once they see the change before it, if that is later."""
        if self._changes:
            visible_at = max(visible_at, self._changes[-1][0])
        self.latest = value
        self._changes.append((visible_at, value))

    def at(self, at: float) -> Value:
        """What a reader saw, or sees, at that lab second."""
        return next((value for visible_at, value in reversed(self._changes) if visible_at <= at), self._first)
