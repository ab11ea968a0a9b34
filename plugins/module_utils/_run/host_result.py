# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""How a host ends: with its failure, or with the outcome that its patch phase proposed."""

from __future__ import annotations

from dataclasses import replace

from .._fleet.peers import release_slots
from .._ledger.history import seconds_by_phase
from .._ledger.proposed import proposed_verdict
from .._ledger.records import Host, HostDurations, Verdict
from .._ledger.repeated import with_repetition
from .._model.outcomes import UP_TO_DATE, Outcome
from .._model.phases import Phase
from .._model.reasons import Reason
from .._operation.context import OperationContext
from .._operation.failures import is_recorded, known_failure, record_failure
from .._operation.results import Result
from .._operation.standstill import note_silence
from .messages import host_ended
from .publishing import tag_outcome


class HostResult(Result):
    """How the host ends; both None while it has no outcome."""

    outcome: Outcome | None
    reason: str | None


def fail_host(context: OperationContext) -> HostResult:
    """Write down the failure of a task that is not of this collection. An operation of it has written its own.

    The worst outcomes must not be the quietest: both are a line of progress, since a playbook may end the host with this.

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
    _report_end(context, host)
    return {"changed": written, "outcome": host.outcome, "reason": host.reason}


def finish_host(context: OperationContext) -> HostResult:
    """Give a host that has been restored its outcome, unless it has one: what its patch phase proposed.

    Returns:
        changed, outcome, reason.
    """
    run_id, key = context.required_run_id, context.required_host_key
    host, phases = context.ledger.host_and_phases(run_id, key)
    if host.outcome is None:
        host = _with_outcome(context, host)
    run = note_silence(context)
    context.lease.send_heartbeat()
    if host.outcome in UP_TO_DATE and not host.facts.get("only_a_part"):
        seconds = seconds_by_phase(phases)
        context.ledger.save_durations(HostDurations(key, run_id, context.clock.now(), host.outcome, seconds))
    _report_end(context, host)
    tag_outcome(context, run, host)
    release_slots(context, host)
    return {"changed": True, "outcome": host.outcome, "reason": host.reason}


def _report_end(context: OperationContext, host: Host) -> None:
    """Before anything else that may fail, so that each host has this line."""
    context.report_progress(host_ended(host.outcome, host.reason))


def _with_outcome(context: OperationContext, host: Host) -> Host:
    verdict = with_repetition(context.ledger, host, _proposed(host))
    if not context.ledger.set_outcome(host.run_id, host.key, verdict, has_none=True):
        return context.ledger.host(host.run_id, host.key)
    return replace(
        host, outcome=verdict.outcome, phase=verdict.phase, reason_code=verdict.reason_code, reason=verdict.reason
    )


def _proposed(host: Host) -> Verdict:
    return proposed_verdict(host) or Verdict(
        Outcome.FAILED, Phase.PATCH, Reason.NOT_PROVEN, "The host was not scanned, so nothing proves its state."
    )
