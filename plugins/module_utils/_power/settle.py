# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Give a held host its final outcome, once its power state is restored."""

from __future__ import annotations

from .._base.clock import iso
from .._ledger.lenient import stored_host
from .._ledger.proposed import proposed_verdict
from .._ledger.records import Verdict, verdict_from
from .._model.outcomes import Outcome
from .._operation.context import OperationContext


def settle_outcome(context: OperationContext) -> None:
    """A host that is held no longer ends as it did before: with the failure that came first, or with its proven outcome.

    Otherwise the report sends a person in the morning to a host that is off.
    """
    if context.tracked_host is None:
        return
    host = context.row or stored_host(context.ledger, *context.tracked_host)
    if host is None or host.outcome != Outcome.HELD:
        return
    before, proposed = host.facts.get("verdict_before"), proposed_verdict(host)
    if before:
        verdict = verdict_from(before)
    elif proposed:
        verdict = proposed
    else:
        verdict = Verdict(Outcome.FAILED, host.phase, host.reason_code, host.reason)
    if verdict.reason:
        put_back = f"It was put back at {iso(context.clock.now())}."
        verdict = Verdict(verdict.outcome, verdict.phase, verdict.reason_code, f"{verdict.reason} {put_back}")
    context.ledger.set_outcome(host.run_id, host.key, verdict, overwrite=True)
