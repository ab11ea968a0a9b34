# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One report of several runs: the slices of a job, and those that took over hosts of a dead one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import cast

from .._ledger.records import Ledger, Run
from .._model.outcomes import Outcome
from .._model.run_settings import Targets
from .._run.slices import is_named, runs_of_job
from .._run.taken_over import is_leased_elsewhere
from .build import build_report
from .fields import Report, ReportBrake, ReportHost


def runs_to_report(ledger: Ledger, wanted: str) -> tuple[str, list[Run]]:
    """The name of a report and its runs, the newest first.

    The report of a slice is that of the job once no other slice is at work: what each slice writes at its end is the same.

    Args:
        ledger: of the runs.
        wanted: a run, or a job of several slices.

    Raises:
        UnknownRun: there is neither.
    """
    of_job = runs_of_job(ledger, wanted)
    if of_job:
        return wanted, of_job
    run = ledger.run(wanted)
    if not is_named(run):
        return run.run_id, [run]
    runs = runs_of_job(ledger, run.settings["slice"]["of"])
    if all(not ledger.outcome_counts(one.run_id).get(None, 0) for one in runs):
        return run.settings["slice"]["of"], runs
    return run.run_id, own_runs(runs, run)


def own_runs(runs: Sequence[Run], run: Run) -> list[Run]:
    """Those of them that belong to the same slice: also runs in which it took over hosts."""
    if not is_named(run):
        return [run]
    return [one for one in runs if one.settings["slice"].get("number") == run.settings["slice"]["number"]]


def build_joint_report(ledger: Ledger, name: str, runs: Sequence[Run], now: float) -> Report:
    """The report of these runs, the newest first. A host that a later run took over is reported as it ended there."""
    reports = [build_report(ledger, run.run_id, now) for run in runs]
    if len(reports) == 1:
        return reports[0]
    rows = [row for run in runs for row in ledger.hosts(run.run_id)]
    reported = [host for report in reports for host in report["hosts"]]
    chosen: dict[str, ReportHost] = {}
    for is_leased in (False, True):  # one that another run of the job had leased is reported by that run
        for row, host in zip(rows, reported, strict=True):
            if is_leased_elsewhere(row) is is_leased:
                chosen.setdefault(row.key, host)
    hosts = list(chosen.values())
    totals = Counter(host["outcome"] for host in hosts)
    as_of = max((report["as_of"] for report in reports if report["as_of"]), default=None)
    return {
        **reports[0],
        "run_id": name,
        "started_at": min(str(report["started_at"]) for report in reports),
        "finished_at": None if as_of else max(str(report["finished_at"]) for report in reports),
        "as_of": as_of,
        "breaker": next((report["breaker"] for report in reports if report["breaker"]), None),
        "account_breakers": {account: why for report in reports for account, why in report["account_breakers"].items()},
        "brakes": _brakes([report["brakes"] for report in reports]),
        "targets": _targets([report["targets"] for report in reports], len(hosts)),
        "totals": {outcome: totals[outcome] for outcome in Outcome if outcome in totals},
        "hosts": hosts,
    }


def _brakes(brakes: Sequence[Sequence[ReportBrake]]) -> list[ReportBrake]:
    """In their order. Who stops a job stops each of its runs, which is one brake."""
    every = [brake for of_run in brakes for brake in of_run]
    once = [brake for number, brake in enumerate(every) if brake not in every[:number]]
    return sorted(once, key=lambda brake: str(brake["at"]))


def _targets(targets: Sequence[Targets | Mapping[str, object]], count: int) -> Targets:
    every = cast("Sequence[Targets]", targets)
    return {
        **every[0],
        "regions": sorted({region for one in every for region in one.get("regions", [])}),
        "missing_accounts": sorted({name for one in every for name in one.get("missing_accounts", [])}),
        "count": count,
    }
