# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The breaker of a run, in which no other host starts: its first reason stays, and each brake is kept beside it."""

from __future__ import annotations

from .._model.run_settings import Brake, BrakeKind
from .records import Ledger, Run
from .stored import has_brake


def brake_without_person(kind: BrakeKind, at: float, reason: str) -> Brake:
    """One that the run itself noticed at this time, in seconds since 1970."""
    return {"kind": kind, "at": at, "by": None, "machine": None, "reason": reason}


def keep_brake(ledger: Ledger, run_id: str, brake: Brake, sentence: str) -> bool:
    """Keep a brake, and open the breaker with this sentence unless it is open, whatever others change in the same moment.

    Returns:
        Whether this call opened the breaker.
    """
    while True:
        breaker = ledger.run(run_id).breaker
        if ledger.change_breaker(run_id, breaker, breaker or sentence, brake):
            return breaker is None


def keep_brake_once(ledger: Ledger, run_id: str, brake: Brake) -> bool:
    """Keep a brake that does not open the breaker, unless the run has one of its kind and account.

    Returns:
        Whether this call kept it.
    """
    while not has_brake((run := ledger.run(run_id)).settings, brake):
        if ledger.change_breaker(run_id, run.breaker, run.breaker, brake, once=True):
            return True
    return False


def standstill_of(run: Run) -> str | None:
    """When the controller of a run stood still, as a sentence; None where it did not."""
    return next(
        (brake["reason"] for brake in run.settings.get("brakes", []) if brake["kind"] == BrakeKind.STANDSTILL), None
    )
