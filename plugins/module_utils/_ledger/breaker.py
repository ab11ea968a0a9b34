# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The breaker of a run, in which no other host starts: its first reason stays, and each brake is kept beside it."""

from __future__ import annotations

from .._model.run_settings import Brake
from .records import Ledger, Run

STANDSTILL = "standstill"
"""The kind of a brake: the controller stood still for longer than its lease."""


def keep_brake(ledger: Ledger, run_id: str, brake: Brake, sentence: str) -> bool:
    """Keep a brake, and open the breaker with this sentence unless it is open, whatever others change in the same moment.

    Returns:
        Whether this call opened the breaker.
    """
    while True:
        breaker = ledger.run(run_id).breaker
        if ledger.change_breaker(run_id, breaker, breaker or sentence, brake):
            return breaker is None


def standstill_of(run: Run) -> str | None:
    """When the controller of a run stood still, as a sentence; None where it did not."""
    return next((brake["reason"] for brake in run.settings.get("brakes", []) if brake["kind"] == STANDSTILL), None)
