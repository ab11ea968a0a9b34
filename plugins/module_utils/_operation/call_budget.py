# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The API budget of one operation: the poller of the run gives the tokens to all workers of a controller.

Without a poller the operation paces itself, with the share that is left to it.
"""

from __future__ import annotations

from .._aws.budget import Budget, Pace
from .._base.clock import Clock
from .._model.account import Account
from .poller import Answers, Question, Subject


class CallBudget:
    """Asks for a token before each attempt of a call."""

    def __init__(self, pace: Pace, clock: Clock, poller: Answers | None) -> None:
        """``pace`` is that of the controller's run, with the share of this operation where it has no poller."""
        self._own, self._clock, self._poller = Budget(pace), clock, poller

    @property
    def pace(self) -> Pace:
        return self._own.pace

    def seconds_until(self, account: Account | None, region: str, call: str) -> float:
        """For how long the call waits, in seconds. The poller is asked only about calls that may have to wait."""
        if not self.pace.paces(call):
            return 0.0
        answer = self._poller.ask(Question(Subject.CALL, account, region, call)) if self._poller else None
        if answer is not None and answer.row is not None:
            return float(answer.row["WaitSeconds"])
        return self._own.reserve(account, region, call, self._clock.now())
