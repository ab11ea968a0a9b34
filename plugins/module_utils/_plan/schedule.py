# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When the hosts of a plan start, by how long each of them is expected to take."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Rollout:
    """How the hosts of a controller follow each other.

    Attributes:
        at_once: hosts at work at the same time.
        rolling: a sliding window; else waves.
        pause_seconds: between two waves.
        canaries: how many of the first hosts go before all others.
        canaries_end_after_seconds: when the last canary of all slices ends, counted from the start of the run.
    """

    at_once: int
    rolling: bool
    pause_seconds: float = 0.0
    canaries: int = 0
    canaries_end_after_seconds: float = 0.0

    def earliest(self, position: int) -> float:
        """When the host at this position may start at the earliest: canaries at once, the others after them."""
        return 0.0 if position < self.canaries else self.canaries_end_after_seconds


def starts(seconds: Sequence[float], rollout: Rollout) -> list[float]:
    """When each host starts, in seconds since the start of the run, by what each of them takes."""
    return _in_window(seconds, rollout) if rollout.rolling else _in_waves(seconds, rollout)


def makespan(seconds: Sequence[float], rollout: Rollout) -> float:
    """When the last host ends, in seconds since the start of the run."""
    return max((start + one for start, one in zip(starts(seconds, rollout), seconds, strict=True)), default=0.0)


def _in_window(seconds: Sequence[float], rollout: Rollout) -> list[float]:
    """Each host takes the first slot that is free."""
    slots, found = [0.0] * rollout.at_once, list[float]()
    for position, one in enumerate(seconds):
        found.append(max(slots[0], rollout.earliest(position)))
        heapq.heapreplace(slots, found[-1] + one)
    return found


def _in_waves(seconds: Sequence[float], rollout: Rollout) -> list[float]:
    """A wave takes as long as its longest host."""
    found, began = list[float](), 0.0
    for first in range(0, len(seconds), rollout.at_once):
        wave = seconds[first : first + rollout.at_once]
        found += [max(began, rollout.earliest(first + at)) for at in range(len(wave))]
        ends = (start + one for start, one in zip(found[first:], wave, strict=True))
        began = max(ends) + rollout.pause_seconds
    return found
