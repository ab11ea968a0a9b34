# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""How a host ends: with its failure, or with the outcome that its patch phase proposed."""

from __future__ import annotations

from .._base.errors import PatchFleetError
from .._ledger.history import seconds_by_phase
from .._ledger.proposed import proposed_verdict
from .._ledger.records import Host, HostDurations, Ledger, Verdict
from .._model.outcomes import UNTOUCHED, UP_TO_DATE, Outcome
from .._model.phases import Phase
from .._model.reasons import Reason
from .._operation.context import OperationContext
from .._operation.failures import is_recorded, known_failure, record_failure
from .._operation.results import Result
from .publishing import tag_outcome

RUNS_BACK = 5


class HostResult(Result):
    """How the host ends; both None while it has no outcome."""

    outcome: Outcome | None
    reason: str | None


def fail_host(context: OperationContext) -> HostResult:
    """Write down the failure of a task that is not of this collection. An operation of it has written its own.

    Returns:
        changed, outcome, reason.
    """
    error = known_failure(context.params["failure"])
    run_id, key = context.required_run_id, context.required_host_key
    written = not is_recorded(error)
    if written:
        times = context.ledger.phases(run_id, key)
        record_failure(context, error, times[-1].phase if times else None)
    host = context.ledger.host(run_id, key)
    return {"changed": written, "outcome": host.outcome, "reason": host.reason}


def finish_host(context: OperationContext) -> HostResult:
    """Give a host that has been restored its outcome, unless it has one: what its patch phase proposed.

    Returns:
        changed, outcome, reason.
    """
    run_id, key = context.required_run_id, context.required_host_key
    host = context.ledger.host(run_id, key)
    if host.outcome is None:
        context.ledger.set_outcome(run_id, key, _proposed(host))
    context.ledger.heartbeat(run_id, context.clock.now())
    host = _next_try_note(context, context.ledger.host(run_id, key))
    if host.outcome in UP_TO_DATE:
        seconds = seconds_by_phase(context.ledger.phases(run_id, key))
        context.ledger.save_durations(HostDurations(key, run_id, context.clock.now(), host.outcome, seconds))
    tag_outcome(context, host)
    context.report_progress(f"{host.outcome}" + (f": {host.reason}" if host.reason else ""))
    return {"changed": True, "outcome": host.outcome, "reason": host.reason}


def _proposed(host: Host) -> Verdict:
    return proposed_verdict(host) or Verdict(
        Outcome.FAILED, Phase.PATCH, Reason.NOT_PROVEN, "The host was not scanned, so nothing proves its state."
    )


def _next_try_note(context: OperationContext, host: Host) -> Host:
    """The host. If it failed for the same cause as in its last run, its reason says so: no later run will fix that."""
    if host.outcome != Outcome.FAILED or not host.reason_code:
        return host
    before = _last_time(context.ledger, host)
    if before is None or before.outcome != Outcome.FAILED or _cause(before) != _cause(host):
        return host
    reason = f"{host.reason} It failed for the same cause in its last run, {before.run_id}: it needs a person."
    verdict = Verdict(Outcome.FAILED, host.phase, host.reason_code, reason)
    context.ledger.set_outcome(host.run_id, host.key, verdict, overwrite=True)
    return context.ledger.host(host.run_id, host.key)


def _cause(host: Host) -> tuple[str | None, frozenset[str]]:
    """The reason's code; where updates were still missing, with the HRESULTs that kept them out."""
    updates = host.facts.get("failed_updates") or () if host.reason_code == Reason.STILL_MISSING else ()
    return host.reason_code, frozenset(str(update["hresult"]) for update in updates if update.get("hresult"))


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
