# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The positions of the phases in time: windows, ticks and segments, as shares of a window.

A host's ``timeline`` is a list of ``{"step", "started_at", "finished_at", "ok"}`` with ISO 8601 times; ``finished_at``
is null for a phase that was never seen to end.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterable
from dataclasses import dataclass

from ansible_collections.patchfleet.windows.plugins.module_utils._report import _format as f

_MOST_TICKS = 9
_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_NICE_SECONDS = (
    *(n * _MINUTE for n in (1, 2, 5, 10, 15, 30)),
    *(n * _HOUR for n in (1, 2, 3, 6, 12)),
    *(n * _DAY for n in (1, 2, 7, 14, 30, 90, 365)),
)


@dataclass(frozen=True)
class PhaseSpan:
    """One phase of one host; times in seconds since 1970, ``end`` None where no end is known."""

    name: str
    start: float
    end: float | None
    ok: bool | None

    @property
    def seconds(self) -> float | None:
        return None if self.end is None else self.end - self.start


@dataclass(frozen=True)
class Window:
    """A stretch of time, in seconds since 1970 or since each host's own start."""

    start: float
    end: float

    def percent(self, moment: float) -> float:
        """The position of a time, from 0 to 100."""
        return 100 * (min(max(moment, self.start), self.end) - self.start) / (self.end - self.start)


def phases_of(host: f.Host) -> list[PhaseSpan]:
    """The phases that started, in order of time."""
    spans = [
        PhaseSpan(f.plain(entry.get("step")), start, f.seconds_of(entry.get("finished_at")), entry.get("ok"))
        for entry in host.get("timeline") or []
        if (start := f.seconds_of(entry.get("started_at"))) is not None
    ]
    return sorted(spans, key=lambda span: span.start)


def clock_window(report: f.Report, workflows: Iterable[list[PhaseSpan]]) -> Window:
    """From the first phase of all hosts to the end of the last one, or of the run where phases have no end."""
    workflows = [spans for spans in workflows if spans]
    starts = [spans[0].start for spans in workflows]
    ends = [span.end if span.end is not None else span.start for spans in workflows for span in spans]
    finished = f.seconds_of(report.get("finished_at"))
    if finished is not None and any(span.end is None for spans in workflows for span in spans):
        ends.append(finished)
    return _window(min(starts, default=0.0), max(ends, default=0.0))


def own_window(clock: Window, workflows: Iterable[list[PhaseSpan]]) -> Window:
    """From 0 to the longest workflow of a host."""
    lengths = [max(end_of(span, clock) for span in spans) - spans[0].start for spans in workflows if spans]
    return _window(0.0, max(lengths, default=0.0))


def end_of(span: PhaseSpan, clock: Window) -> float:
    """The end of a phase on the page: without an end it extends to the end of the window."""
    return clock.end if span.end is None else span.end


def clock_ticks(window: Window) -> list[tuple[float, str]]:
    """Percentages and labels of round UTC times; with the day where the window spans several days."""
    labels = []
    for tick in _ticks(window):
        moment = datetime.datetime.fromtimestamp(tick, datetime.timezone.utc)
        midnight = moment.hour == moment.minute == 0
        labels.append((window.percent(tick), moment.strftime("%d %b") if midnight else moment.strftime("%H:%M")))
    return labels


def own_ticks(window: Window) -> list[tuple[float, str]]:
    """Percentages and labels of round durations."""
    return [(window.percent(tick), f.duration(tick) if tick else "start") for tick in _ticks(window)]


def _window(start: float, end: float) -> Window:
    """A window is never empty: everything in it is a share of its length."""
    return Window(start, end if end > start else start + 1.0)


def _ticks(window: Window) -> list[float]:
    length = window.end - window.start
    pause = next((nice for nice in _NICE_SECONDS if length / nice <= _MOST_TICKS), _NICE_SECONDS[-1])
    first = math.ceil(window.start / pause) * pause
    return [float(first + n * pause) for n in range(int((window.end - first) // pause) + 1)]
