# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long commands of ours ran in a host: what is left of the time that it was on is idle."""

from __future__ import annotations

from .._model.host_facts import HostFacts


class WorkLog:
    """What an operation has not written into the ledger yet."""

    def __init__(self) -> None:
        self._ended: list[list[float]] = []
        self._is_unknown = False

    def add(self, seconds: float | None, now: float) -> None:
        """A command has just ended that ran for this time; None: how long it ran is not known."""
        if seconds is None:
            self._is_unknown = True
        elif seconds > 0.0:
            self._ended.append([round(now), round(seconds, 1)])

    @property
    def is_pending(self) -> bool:
        """Whether there is something to write."""
        return bool(self._ended) or self._is_unknown

    def take(self, known: HostFacts) -> HostFacts:
        """The facts to write now, with what the ledger knows already."""
        facts = HostFacts()
        if self._ended:
            facts["work"] = [*known.get("work", []), *self._ended]
        if self._is_unknown:
            facts["work_unknown"] = True
        self._ended, self._is_unknown = [], False
        return facts
