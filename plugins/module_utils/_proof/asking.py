# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asks all beliefs, one after the other, and writes down each answer at once: what an interruption leaves is still of use."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .._base.errors import PatchFleetError
from .._operation.context import OperationContext
from .belief import Answer, Belief, NotAnswered, Observation, Status
from .prover import Prover

MISFIT = (LookupError, TypeError, ValueError, AttributeError)
"""An answer of an account or a host that has another form than expected must not cost the beliefs after it."""


def ask_all(prover: Prover, beliefs: Sequence[Belief], written: Callable[[Sequence[Answer]], object]) -> list[Answer]:
    """The answers in order; ``written`` is called after each with all so far."""
    answers: list[Answer] = []
    for belief in beliefs:
        prover.context.report_progress(f"asking {belief.id}")
        answers.append(ask(prover, belief))
        prover.context.report_progress(f"{belief.id}: {answers[-1].status}")
        written(answers)
    return answers


def ask(prover: Prover, belief: Belief) -> Answer:
    """One belief; what keeps it from being answered is its reason."""
    context = prover.context
    began = context.clock.now()
    observed: Observation | None = None
    reason = None
    try:
        _refuse_after_expiry(prover, context)
        observed = belief.ask(prover)
    except PatchFleetError as error:
        reason = error.reason
    except MISFIT as error:
        reason = f"An answer had another form than expected ({type(error).__name__}: {error})."
    seconds = round(context.clock.now() - began, 1)
    if observed is None:
        return Answer(belief, Status.NOT_ANSWERED, None, reason, {}, seconds)
    status = Status.AS_EXPECTED if observed.as_expected else Status.DIFFERS
    return Answer(belief, status, observed.text, None, observed.values, seconds)


def _refuse_after_expiry(prover: Prover, context: OperationContext) -> None:
    if prover.expires_at is None or context.clock.now() >= prover.expires_at:
        raise NotAnswered("The time of the proof is over (prove_hours).")
