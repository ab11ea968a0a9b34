# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""How a run ends, and what becomes of its hosts that have not ended by then."""

from __future__ import annotations

from .._ledger.proposed import proposed_verdict
from .._ledger.records import Host, Ledger, Run, Verdict
from .._model.outcomes import Outcome
from .._model.phases import Phase
from .._model.reasons import Reason
from .._operation.context import OperationContext
from .._operation.results import Result
from .messages import host_interrupted
from .no_run_message import move_message
from .publishing import publish_events
from .restore_points import expire_old_points


class Closed(Result, total=False):
    """What could not be published or deleted, as warnings; absent where there is nothing to warn of."""

    warnings: list[str]
    lines: list[str]


def announce_end(context: OperationContext, run: Run) -> list[str]:
    """Tell of a run that is closed: its events, and the message that no run was closed; returns warnings."""
    return publish_events(context, run) + move_message(context, run)


def close_run(context: OperationContext) -> Closed:
    """Every host has an outcome afterwards, and the run is over."""
    run_id = context.required_run_id
    set_interrupted_outcomes(context.ledger, run_id)
    context.ledger.close_run(run_id, context.clock.now())
    run = context.ledger.run(run_id)
    delete_old_runs(context, run)
    lines, warnings = expire_old_points(context)
    warnings = announce_end(context, run) + warnings
    result: Closed = {"changed": True}
    if lines:
        result["lines"] = lines
    if warnings:
        result["warnings"] = warnings
    return result


def delete_old_runs(context: OperationContext, run: Run) -> None:
    """The ledger stays bounded: a run that is closed deletes those that its patch_history_days does not keep.

    A run of an earlier version does not say the days, and deletes nothing.
    """
    days = run.settings.get("history_days")
    if days:
        context.ledger.delete_old_runs(context.clock.now() - days * 86400)


def set_interrupted_outcomes(ledger: Ledger, run_id: str) -> None:
    """Hosts of an interrupted run: those that had started have failed, or have the outcome that was proposed; the others are
    deferred.
    """
    started = {time.host_key for time in ledger.phases(run_id) if time.phase != Phase.ADMIT}
    for host in ledger.hosts(run_id):
        if host.outcome is None:
            ledger.set_outcome(run_id, host.key, _interrupted(ledger, host, host.key in started))


def _interrupted(ledger: Ledger, host: Host, started: bool) -> Verdict:
    if not started:
        return Verdict(
            Outcome.DEFERRED, Phase.ADMIT, Reason.RUN_INTERRUPTED, "The run was interrupted before this host's turn."
        )
    proposed = proposed_verdict(host)
    record = ledger.power(host.key)
    undone = post_tasks_missing(host)
    if proposed and (record is None or record.started_by is None) and not undone:
        return proposed
    return Verdict(
        Outcome.FAILED,
        Phase.PATCH,
        Reason.INTERRUPTED,
        host_interrupted(post_tasks_missing=undone, watchdog_stopped_at=host.facts.get("watchdog_stopped_at")),
    )


def post_tasks_missing(host: Host) -> bool:
    return bool(host.facts.get("pre_tasks")) and host.facts.get("post_tasks") in {None, "started"}
