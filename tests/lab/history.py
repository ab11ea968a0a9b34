# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What really happened to a host, by the history in ``state.json``: the judge's witness beside the report and the trace."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lab.records import Run

OFF_STATES = ("stopped", "terminated")
# From the first of each pair to the second the host is being changed.
CHANGES = {"installing": "installed", "rebooting": "booted"}


@dataclass(frozen=True)
class History:
    """The entries of one host, oldest first; times are lab seconds since the start."""

    entries: tuple[dict[str, Any], ...]

    def times(self, *events: str) -> list[float]:
        """When one of these events happened."""
        return [entry["t"] for entry in self.entries if entry.get("event") in events]

    def went_off(self) -> list[float]:
        """When it lost its power, by any cause; that it was off at first is none."""
        return [entry["t"] for entry in self.entries[1:] if entry.get("state") in OFF_STATES]

    def state_at(self, t: float) -> str | None:
        """Its power state at that second."""
        return next((entry["state"] for entry in reversed(self.entries) if "state" in entry and entry["t"] <= t), None)

    def installs_at(self, t: float) -> bool:
        """Whether an installation was under way at that second."""
        ends = ("installing", "installed", "rebooting", "booted")
        return [event for event in self._events_until(t) if event in ends][-1:] == ["installing"]

    def _events_until(self, t: float) -> list[str]:
        return [entry["event"] for entry in self.entries if "event" in entry and entry["t"] <= t]

    def searches(self) -> list[tuple[float, float]]:
        """Begin and end of each search of Windows Update that worked."""
        found, began = [], None
        for entry in self.entries:
            if entry.get("event") == "searching":
                began = entry["t"]
            elif entry.get("event") == "searched" and began is not None:
                found.append((began, entry["t"]))
                began = None
        return found

    def last_change(self, until: float) -> float:
        """When the last installation or reboot before ``until`` was over; -1 where there was none.

        One that is not over by then counts as over at infinity: nothing can be proven while it is under way.
        """
        last, active = -1.0, set()
        for entry in (entry for entry in self.entries if entry["t"] <= until):
            event = entry.get("event")
            if event in CHANGES:
                active.add(event)
            for begin, end in CHANGES.items():
                if event == end and begin in active:
                    active.discard(begin)
                    last = entry["t"]
            if entry.get("state") in OFF_STATES:  # power that goes ends whatever was under way
                active.clear()
        return float("inf") if active else last


def history_of(run: Run, name: str) -> History:
    """The history of a host of the scenario."""
    return History(tuple(run.truth.get(name, {}).get("history", ())))
