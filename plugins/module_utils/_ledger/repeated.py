# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host that fails for the same cause as in its last run: no later run will fix that."""

from __future__ import annotations

from dataclasses import replace

from .._base.errors import PatchFleetError
from .._model.outcomes import UNTOUCHED, Outcome
from .._model.reasons import Reason, ReasonCode
from .records import Host, Ledger, Verdict

RUNS_BACK = 5


def with_repetition(ledger: Ledger, host: Host, verdict: Verdict) -> Verdict:
    """The verdict that a host is about to get; if it failed for the same cause in its last run, the reason says so.

    The ledger is read for a host that fails only.
    """
    if verdict.outcome != Outcome.FAILED or not verdict.reason_code:
        return verdict
    before = _last_time(ledger, host)
    if before is None or before.outcome != Outcome.FAILED:
        return verdict
    if _cause(before, before.reason_code) != _cause(host, verdict.reason_code):
        return verdict
    reason = f"{verdict.reason} It failed for the same cause in its last run, {before.run_id}: it needs a person."
    return replace(verdict, reason=reason)


def _cause(host: Host, code: ReasonCode | None) -> tuple[ReasonCode | None, frozenset[str]]:
    """The reason's code; where updates were still missing, with the HRESULTs that kept them out."""
    updates = host.facts.get("failed_updates") or () if code == Reason.STILL_MISSING else ()
    return code, frozenset(str(update["hresult"]) for update in updates if update.get("hresult"))


def _last_time(ledger: Ledger, host: Host) -> Host | None:
    """The host in the last run before this one in which it started, if that is not too long ago."""
    earlier = [run for run in ledger.runs() if run.run_id != host.run_id][:RUNS_BACK]
    for run in earlier:
        try:
            before = ledger.host(run.run_id, host.key)
        except PatchFleetError:
            continue
        if before.outcome is not None and before.outcome not in UNTOUCHED:
            return before
    return None
