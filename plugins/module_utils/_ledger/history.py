# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Predict the duration of a host's workflow from earlier durations."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .._model.outcomes import Outcome
from .._model.phases import Phase
from .records import HostDurations, PhaseTime


@dataclass(frozen=True)
class Expected:
    """The expected seconds of a workflow: the median of earlier ones, and what nine of ten did not exceed.

    ``basis`` is the source: earlier workflows of the host (``host``), those of its class (``class``), or ``default``.
    ``install_p99_seconds`` is what 99 of 100 of the host's own installations did not exceed, and ``p99_seconds`` the same of its
    own workflows; None where it has none.
    """

    median_seconds: float
    p90_seconds: float
    basis: str
    install_p99_seconds: float | None = None
    p99_seconds: float | None = None


def expect(own: Sequence[HostDurations], peers: Iterable[HostDurations], default_seconds: float) -> Expected:
    """What a workflow will take: by the host's own history, else by that of hosts like it, else the default."""
    for basis, durations in (("host", own), ("class", peers)):
        seconds = sorted(one.total_seconds for one in durations)
        if seconds:
            longest = _share(seconds, 0.99) if basis == "host" else None
            return Expected(
                statistics.median(seconds), _share(seconds, 0.9), basis, _longest_installation(own), longest
            )
    return Expected(default_seconds, default_seconds, "default")


def _longest_installation(own: Sequence[HostDurations]) -> float | None:
    """Where nothing was missing, nothing was installed."""
    installed = [one for one in own if one.outcome == Outcome.PATCHED]
    seconds = sorted(one.seconds[Phase.PATCH] for one in installed if Phase.PATCH in one.seconds)
    return _share(seconds, 0.99) if seconds else None


def _share(ordered: Sequence[float], share: float) -> float:
    """What this share of the values does not exceed."""
    return ordered[math.ceil(share * len(ordered)) - 1]


def seconds_by_phase(times: Iterable[PhaseTime]) -> dict[Phase, float]:
    """How long each phase of one host took; one that has not ended counts for nothing."""
    seconds: dict[Phase, float] = {}
    for time in times:
        if time.finished_at is not None:
            seconds[time.phase] = round(seconds.get(time.phase, 0.0) + time.finished_at - time.started_at, 1)
    return seconds
