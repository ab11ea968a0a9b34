# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A controller's own clock: ahead or behind, jumping, or standing still while the controller does."""

from __future__ import annotations

from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.records import SKEW_SECONDS
from chaos.drawn import WrongClock


class OwnClock:
    """What it shows, by the true time and the acts that its controller has done."""

    def __init__(self, wrong: WrongClock | None = None) -> None:
        self._wrong = wrong or WrongClock()
        self._hidden_seconds, self._hidden_after = 0.0, 0

    @property
    def is_trusted(self) -> bool:
        """Whether it always shows the time within what leases allow."""
        ahead, wrong = self._wrong.ahead_seconds, self._wrong
        after = ahead + (wrong.jumps_seconds if wrong.jumps_after is not None else 0.0)
        return max(abs(ahead), abs(after)) <= SKEW_SECONDS and not wrong.hides_freezes

    @property
    def shows_freezes(self) -> bool:
        """Whether its controller can see that it stood still: time passes for it meanwhile, and it does not jump."""
        return not self._wrong.hides_freezes and self._wrong.jumps_after is None

    @property
    def hides_freezes(self) -> bool:
        """Whether it stands still while its controller does."""
        return self._wrong.hides_freezes

    def shown(self, now: float, acts: list[str]) -> float:
        """Seconds since 1970."""
        wrong = self._wrong
        ahead = wrong.ahead_seconds
        if wrong.jumps_after is not None and len(acts) >= wrong.jumps_after:
            ahead += wrong.jumps_seconds
        if self._hidden_seconds and len(acts) >= self._hidden_after + wrong.corrected_after:
            self._hidden_seconds = 0.0
        return now + ahead - self._hidden_seconds

    def freeze(self, seconds: float, acts: list[str]) -> None:
        """The controller stands still from now on."""
        if self._wrong.hides_freezes:
            self._hidden_seconds += seconds
            self._hidden_after = len(acts)
