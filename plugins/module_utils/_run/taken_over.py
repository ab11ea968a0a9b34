# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a slice does when its own hosts have ended: it takes over those that the other slices of its job left.

A slice that died holds its hosts until its leases expire. So each slice that is done waits until all others have ended or died.
The hosts of a dead one get a run of their own here, opened and leased like any other: of several slices that wait, one gets them.
"""

from __future__ import annotations

from collections.abc import Sequence

from .._base.text import join_names
from .._ledger.records import Host, Ledger, Run, Verdict
from .._model.outcomes import Outcome
from .._model.phases import Phase
from .._model.reasons import Reason
from .._model.settings import Settings
from .._operation.context import OperationContext
from .._operation.options import Options
from .closing import set_interrupted_outcomes
from .opening import OpenedRun, open_rest
from .slices import is_named, slices

LONGEST_WAIT_SECONDS = 86_400.0
"""For slices that never end. A run with a deadline ends by it anyway."""
LONGEST_PAUSE_SECONDS = 60.0
NO_SLICE = 0
"""The number of a run that got no host, because another slice was faster."""
NOTHING: OpenedRun = {
    "changed": False,
    "run_id": "",
    "snapshot_id": "",
    "hosts": [],
    "batch_size": 1,
    "estimate_seconds": 0.0,
    "longest_seconds": 0.0,
    "rolling_seconds": None,
    "lines": [],
    "turns": [],
}


def take_over_slices(context: OperationContext) -> OpenedRun:
    """Wait for the other slices of the run, and open a run for the hosts that dead ones left.

    Returns:
        as ``open_rest`` does; without hosts where none is left, or the run is no slice of a job with patch_slice.
    """
    run = context.ledger.run(context.required_run_id)
    if not is_named(run):
        return NOTHING
    fleet, settings = context.params["fleet"], context.params["settings"]
    alone: Settings = {**settings, "slice": None, "canary": 0, "canary_hosts": []}
    until = _deadline_of(context, run)
    while _wait_for_slices(context, run) and context.clock.now() < until:
        runs, now = slices(context.ledger, run), context.clock.now()
        dead = [one for one in runs if one.closed_at is None and not one.is_active(now)]
        keys = _left(context.ledger, runs, dead, [host["key"] for host in fleet])
        if not keys and _at_work(context, run):
            continue  # another slice was faster, and works on what was left
        if not keys:
            break
        left = [host for host in fleet if host["key"] in keys]
        options: Options = {**context.params, "settings": alone, "fleet": left}
        context.params = options
        opened = open_rest(context, _peers(context.ledger, runs))
        ours = {host["key"] for host in opened["hosts"] if host["included"]}
        _join_job(context, opened["run_id"], run, is_ours=bool(ours))
        if ours:
            for one in dead:
                _close_dead(context, one, ours, opened["run_id"])
            return opened
        # Another slice was faster, or a run of another job has the hosts: wait for it, too.
        context.ledger.close_run(opened["run_id"], context.clock.now())
        context.pause(LONGEST_PAUSE_SECONDS)
    return NOTHING


def _peers(ledger: Ledger, runs: Sequence[Run]) -> dict[str, dict[str, int]]:
    """How many peers of each host of the job may be at work: a share is one of the hosts of all slices, and not of those left."""
    hosts = (host for run in runs for host in ledger.hosts(run.run_id))
    return {host.key: host.facts["peers"] for host in hosts if "peers" in host.facts}


def _join_job(context: OperationContext, run_id: str, run: Run, *, is_ours: bool) -> None:
    """Make a run that was opened part of the job, and of the slice where it got hosts."""
    number = run.settings["slice"]["number"] if is_ours else NO_SLICE
    settings = context.ledger.run(run_id).settings
    context.ledger.keep_settings(run_id, {**settings, "slice": {**run.settings["slice"], "number": number}})


def _close_dead(context: OperationContext, run: Run, taken_over: set[str], by: str) -> None:
    """Its hosts that another run has now have not failed: they count for the failure budget as they end there."""
    verdict = Verdict(Outcome.DEFERRED, Phase.PLAN, Reason.LEASED, f"Its controller died, and run {by} took it over.")
    for host in context.ledger.some_hosts(run.run_id, taken_over):
        context.ledger.set_outcome(run.run_id, host.key, verdict)
    set_interrupted_outcomes(context.ledger, run.run_id)
    context.ledger.close_run(run.run_id, context.clock.now())


def _wait_for_slices(context: OperationContext, run: Run) -> bool:
    """Until each other slice that has started has ended or died; whether that is so at the deadline. Meanwhile this one is alive:
    others wait for it, too.
    """
    reported = set[str]()

    def have_ended() -> bool:
        context.ledger.heartbeat(run.run_id, context.clock.now())
        names = {one.run_id for one in _at_work(context, run)}
        if names - reported:
            reported.update(names)
            context.report_progress(f"waiting for the other slices: {join_names(sorted(names), 10)}")
        return not names

    return context.wait_until(have_ended, _deadline_of(context, run), longest=LONGEST_PAUSE_SECONDS)


def _deadline_of(context: OperationContext, run: Run) -> float:
    return run.settings["deadline_at"] or context.clock.now() + LONGEST_WAIT_SECONDS


def _at_work(context: OperationContext, run: Run) -> list[Run]:
    """The other slices that have not ended."""
    return [one for one in slices(context.ledger, run)[1:] if not _has_ended(context, one)]


def _has_ended(context: OperationContext, run: Run) -> bool:
    if not run.is_active(context.clock.now()):
        return True
    return not context.ledger.outcome_counts(run.run_id).get(None, 0)


def _left(ledger: Ledger, runs: Sequence[Run], dead: Sequence[Run], fleet: Sequence[str]) -> set[str]:
    """The keys of hosts that a dead slice has not brought to an end, and of those that no slice has, once all have started."""
    dead_ids = {run.run_id for run in dead}
    rows = [host for run in runs for host in ledger.hosts(run.run_id)]
    settled = {row.key for row in rows if _is_settled(row) or (row.outcome is None and row.run_id not in dead_ids)}
    left = {row.key for row in rows if row.run_id in dead_ids and row.outcome is None}
    slice_of = runs[0].settings["slice"]
    started = {run.settings["slice"].get("number") for run in runs} - {NO_SLICE, None}
    if len(started) == slice_of.get("count"):
        left |= set(fleet) - {row.key for row in rows}
    return left - settled


def _is_settled(host: Host) -> bool:
    """Whether the host has ended in its run. One that another run had leased has not ended in this one."""
    return host.outcome is not None and not is_leased_elsewhere(host)


def is_leased_elsewhere(host: Host) -> bool:
    """Whether this run never had the host."""
    return host.outcome == Outcome.DEFERRED and host.reason_code == Reason.LEASED
