# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""People stop a run and let it continue, from every machine that reaches its ledger. Hosts at work are finished in any case."""

from __future__ import annotations

from collections.abc import Sequence

from .._base.clock import iso
from .._base.commands import in_text
from .._base.errors import Failed, InvalidOption, NoRun
from .._base.text import clean_text, join_names
from .._ledger import describe_ledger
from .._ledger.breaker import keep_brake, standstill_of
from .._ledger.records import Run
from .._model.phases import Phase
from .._model.reasons import Reason
from .._model.run_settings import ROLL_BACK, Brake, BrakeKind
from .._operation.commands import playbook_command
from .._operation.context import OperationContext
from .._operation.operator import LONGEST, operator_of
from .._operation.results import Result
from .messages import not_resumed, resumed_by, run_at_work, stopped_by, where_hosts_are
from .notices import RESUMED, STOPPED, notify_of_brake
from .slices import runs_of_job, slices

ALL = "all"
NAMED = 10
"""The number of hosts that are named."""


class StoppedRuns(Result):
    """The runs that were stopped, or that continue; ``lines`` is for people."""

    stopped: list[str]
    lines: list[str]


def stop_runs(context: OperationContext) -> StoppedRuns:
    """Nothing new starts in these runs any more, until people let them continue.

    Raises:
        InvalidOption: no reason is given, or several runs are at work and none of them is named.
        NoRun: no run is at work.
    """
    brake = _brake(context, BrakeKind.STOP)
    if not brake["reason"]:
        right = "Say why in one line: it is in the ledger, in the report and in the reason of each host that is not started."
        raise InvalidOption("patch_stop_reason", brake["reason"], right)
    runs = _chosen_runs(context)
    lines: list[str] = []
    for run in runs:
        if not context.check_mode:
            keep_brake(context.ledger, run.run_id, brake, stopped_by(brake))
        notify_of_brake(context, run, STOPPED, stopped_by(brake))
        lines += [f"{run.run_id} starts no other host. {run.breaker or stopped_by(brake)}", *_about_hosts(context, run)]
        if run.breaker is None:
            resume = playbook_command("resume", context.params.get("ledger"), {"patch_run_id": run.run_id})
            lines.append(f"To let it continue while it lives: {in_text(resume)}.")
    return {"changed": True, "stopped": [run.run_id for run in runs], "lines": lines}


def resume_runs(context: OperationContext) -> StoppedRuns:
    """Runs that people or alarms have stopped start hosts again. What else opened a breaker stays.

    Raises:
        InvalidOption: several runs are at work, and none of them is named.
        NoRun: no run is at work.
        Failed: none of these runs can continue.
    """
    brake = _brake(context, BrakeKind.RESUME)
    runs = _with_stopped_slices(context, _chosen_runs(context))
    resumed = [run for run in runs if _is_by_brake(run) and _lift(context, run, brake)]
    refused = [not_resumed(context.ledger.run(run.run_id)) for run in runs if run not in resumed]
    if not resumed:
        raise Failed(" ".join(refused), Reason.INVALID_OPTION)
    lines = list(refused)
    for run in resumed:
        notify_of_brake(context, run, RESUMED, resumed_by(brake))
        lines += [f"{run.run_id} starts hosts again. It was stopped: {run.breaker}", *_about_hosts(context, run)]
    return {"changed": True, "stopped": [run.run_id for run in resumed], "lines": lines}


def _with_stopped_slices(context: OperationContext, runs: Sequence[Run]) -> list[Run]:
    """Runs at work, and slices of their jobs that have a breaker: those that have ended stop the others as well."""
    found = {run.run_id: run for run in runs}
    for run in runs:
        found |= {one.run_id: one for one in slices(context.ledger, run) if one.breaker}
    return list(found.values())


def _brake(context: OperationContext, kind: BrakeKind) -> Brake:
    operator = operator_of(context)
    return {
        "kind": kind,
        "at": context.clock.now(),
        "by": operator.by,
        "machine": operator.machine,
        "reason": clean_text((context.params["reason"] or "").strip(), LONGEST),
    }


def _lift(context: OperationContext, run: Run, brake: Brake) -> bool:
    """Whether the run starts hosts again: not where another reason came in the same moment."""
    return context.check_mode or context.ledger.change_breaker(run.run_id, run.breaker, None, brake)


def _is_by_brake(run: Run) -> bool:
    """Whether people or an alarm opened the breaker; a failure, or a controller that stood still, are not theirs to undo."""
    if standstill_of(run):
        return False
    brakes = run.settings.get("brakes", [])
    sentences = {brake["reason"] for brake in brakes if brake["kind"] == BrakeKind.ALARM}
    sentences |= {stopped_by(brake) for brake in brakes if brake["kind"] == BrakeKind.STOP}
    return run.breaker in sentences


def _chosen_runs(context: OperationContext) -> list[Run]:
    """The run or the job that is named, or the run that is at work. Slices of one job have one breaker, so they count as one."""
    ledger, now = context.existing_ledger(), context.clock.now()
    named = context.run_id
    of_job = [run for run in runs_of_job(ledger, named or "") if run.closed_at is None]
    if of_job:
        return of_job
    if named and named != ALL:
        run = ledger.run(named)
        if run.closed_at is not None:
            raise NoRun(
                f"Run {named} ended at {iso(run.closed_at)}. There is nothing to stop, and nothing to continue."
            )
        return [one for one in slices(ledger, run) if one.closed_at is None]
    at_work = [run for run in ledger.runs() if run.is_active(now) and run.operation != ROLL_BACK]
    if not at_work:
        raise NoRun(f"No run is at work in the ledger {describe_ledger(context.params.get('ledger'))}.")
    if named == ALL or len(at_work) == 1:
        return at_work
    if {run.run_id for run in slices(ledger, at_work[0])} >= {run.run_id for run in at_work}:
        return at_work
    listed = " ".join(run_at_work(run) for run in at_work)
    raise InvalidOption(
        "patch_run_id", named or "", f"Several runs are at work. {listed} Give the id of one, or {ALL}."
    )


def _about_hosts(context: OperationContext, run: Run) -> Sequence[str]:
    """Which hosts are at work, which have not started, and which have had their turn while the run was stopped."""
    hosts = context.ledger.hosts(run.run_id)
    started = {time.host_key for time in context.ledger.phases(run.run_id) if time.phase != Phase.ADMIT}
    at_work = [host.name for host in hosts if host.outcome is None and host.key in started]
    waiting = [host.name for host in hosts if host.outcome is None and host.key not in started]
    missed = [host.name for host in hosts if host.reason_code == Reason.BREAKER]
    return where_hosts_are(*(join_names(names, NAMED) for names in (at_work, waiting, missed)))
