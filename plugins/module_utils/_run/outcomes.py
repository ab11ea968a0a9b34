# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a host ends, and how a run does."""

from __future__ import annotations

from typing import Any

from .._base.errors import PatchFleetError
from .._ledger.history import seconds_by_phase
from .._ledger.records import Host, HostDurations, Ledger, Verdict
from .._model.outcomes import UNTOUCHED, UP_TO_DATE, Outcome
from .._model.phases import Phase
from .._model.reasons import Reason, reason_of
from .._operation.context import OperationContext

RUNS_BACK = 5


def fail_host(context: OperationContext) -> dict[str, Any]:
    """Write down why a host failed, unless its step has done so: for failures outside our own steps."""
    params = context.params
    verdict = Verdict(
        Outcome.FAILED,
        Phase(params["failed_step"]) if params["failed_step"] else None,
        reason_of(params["reason_code"] or Reason.TASK_FAILED),
        params["reason"],
    )
    changed = context.ledger.set_outcome(params["run_id"], params["host"], verdict)
    return {"changed": changed}


def finish_host(context: OperationContext) -> dict[str, Any]:
    """Give a host that went its whole way the outcome that its patch step proposed."""
    run_id, key = context.params["run_id"], context.params["host"]
    host = context.ledger.host(run_id, key)
    proposed = host.facts.get("proposed_outcome")
    if proposed:
        remarks = " ".join(host.facts.get("remarks", []))
        context.ledger.set_outcome(run_id, key, Verdict(Outcome(proposed), reason=remarks or None))
    else:
        verdict = Verdict(
            Outcome.FAILED, Phase.PATCH, Reason.NOT_PROVEN, "The host's way ended without a scan that proves anything."
        )
        context.ledger.set_outcome(run_id, key, verdict)
    context.ledger.heartbeat(run_id, context.clock.now())
    host = _next_try_note(context, context.ledger.host(run_id, key))
    if host.outcome in UP_TO_DATE:
        seconds = seconds_by_phase(context.ledger.phases(run_id, key))
        context.ledger.save_durations(HostDurations(key, run_id, context.clock.now(), host.outcome, seconds))
    context.report_progress(f"{host.outcome}" + (f": {host.reason}" if host.reason else ""))
    return {"changed": True, "outcome": host.outcome, "reason": host.reason}


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
        if before.outcome is not None and before.outcome is not None and before.outcome not in UNTOUCHED:
            return before
    return None


def lost_hosts(context: OperationContext) -> dict[str, Any]:
    """Hosts that left their play in the middle of their way: Ansible found them unreachable, or a task ended their play.

    They have failed; returns those that may have to be put back, under hosts (key, name, instance_id, region).
    """
    run_id, ledger = context.params["run_id"], context.ledger
    last = {time.host_key: time.phase for time in ledger.phases(run_id) if time.phase != Phase.ADMIT}
    lost = [host for host in ledger.hosts(run_id) if host.outcome is None and host.key in last]
    for host in lost:
        reason = f"Ansible lost it at the step {last[host.key]}: a task found it unreachable, or ended its play."
        if _post_tasks_missing(host):
            reason += " Its patch_post_tasks have not run."
        power = ledger.power(host.key)
        on = host.kind != "ec2" and power is not None and power.started_by is not None
        if on:  # what stops it would run on the host that has left
            reason += " It was started for this run and is still on: run the playbook restore."
        ledger.set_outcome(
            run_id,
            host.key,
            Verdict(Outcome.HELD if on else Outcome.FAILED, last[host.key], Reason.UNREACHABLE, reason),
        )
        context.report_progress(f"{host.name}: {reason}")
    fields = ("key", "name", "instance_id", "region")
    return {
        "changed": bool(lost),
        "hosts": [
            {field: getattr(host, field) for field in fields}
            for host in lost
            if host.kind == "ec2" and ledger.power(host.key)
        ],
    }


def close_run(context: OperationContext) -> dict[str, Any]:
    """Every host has an outcome afterwards, and the run is over."""
    run_id = context.params["run_id"]
    set_interrupted_outcomes(context.ledger, run_id)
    context.ledger.close_run(run_id, context.clock.now())
    return {"changed": True}


def set_interrupted_outcomes(ledger: Ledger, run_id: str) -> None:
    """Hosts of a run that was cut off: those that had started failed, or are what they had reached; the others are deferred."""
    started = {time.host_key for time in ledger.phases(run_id) if time.phase != Phase.ADMIT}
    for host in ledger.hosts(run_id):
        if host.outcome is None:
            ledger.set_outcome(run_id, host.key, _interrupted(ledger, host, host.key in started))


def _interrupted(ledger: Ledger, host: Host, started: bool) -> Verdict:
    if not started:
        return Verdict(
            Outcome.DEFERRED, Phase.ADMIT, Reason.RUN_INTERRUPTED, "The run was interrupted before this host's turn."
        )
    proposed = host.facts.get("proposed_outcome")
    record = ledger.power(host.key)
    undone = " Its patch_post_tasks have not run." if _post_tasks_missing(host) else ""
    if proposed and (record is None or record.started_by is None) and not undone:
        return Verdict(Outcome(proposed))
    return Verdict(
        Outcome.FAILED,
        Phase.PATCH,
        Reason.INTERRUPTED,
        f"The run was interrupted while it worked on this host.{undone}",
    )


def _post_tasks_missing(host: Host) -> bool:
    return bool(host.facts.get("pre_tasks")) and host.facts.get("post_tasks") in {None, "started"}
