# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs that are slices of one job: each is a run of its own, and they have one failure budget.

AWX deals the hosts of a sliced job round robin and starts a job for each share, so whatever ends one patching ends the others too:
they have the same updates. A percentage is one of the hosts of all slices that have started.

Controllers with the same patch_run_id and a patch_slice each plan all hosts, so they know how many there are. They have the same
canaries, and a slice that is done takes over the hosts of one that died (taken_over.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .._base.clock import iso
from .._base.errors import InvalidOption
from .._ledger.records import LEASE_SECONDS, Ledger, Run
from .._model.run_settings import RunSettings
from .._model.settings import Settings
from .._plan.order import Plan, hosts_of_share
from .._plan.slices import numbers_of


def sliced_job(variables: Mapping[str, object]) -> str | None:
    """The job that a job with these ``awx_*`` variables is a slice of.

    AWX gives no slice number. It makes a workflow job of a sliced job, with the name of the job template
    (JobTemplate.create_unified_job, awx_meta_vars).
    """
    number, name = variables.get("awx_workflow_job_id"), variables.get("awx_workflow_job_name")
    return str(number) if number and name and name == variables.get("awx_job_template_name") else None


def kept_settings(job: str | None, failure_budget: int | str, hosts: int) -> RunSettings:
    """What a run's settings keep for the other slices: nothing where it is none."""
    return {"slice": {"of": job, "failure_budget": failure_budget, "hosts": hosts}} if job else {}


def kept_of_plan(settings: Settings, plan: Plan) -> RunSettings:
    """The same for a run that is opened."""
    kept = kept_settings(settings.get("slice_of"), settings["failure_budget"], len(plan.included))
    if settings["slice"] and "slice" in kept:
        number, count = numbers_of(settings["slice"])
        kept["slice"] = {**kept["slice"], "number": number, "count": count, "hosts_of_all": len(plan.whole)}
    return kept


def refuse_other_slices(ledger: Ledger, settings: Settings, now: float) -> None:
    """Raises InvalidOption: the job has another number of slices, or this slice of it has ended or is at work."""
    if not settings["slice"]:
        return
    number, count = numbers_of(settings["slice"])
    for other in runs_of_job(ledger, str(settings["run_id"])):
        its = other.settings["slice"]
        if its.get("count") != count:
            right = f"Run {other.run_id} is a slice of the same job, of {its.get('count')} slices. All slices must say the same."
            raise InvalidOption("patch_slice", settings["slice"], right)
        if its.get("number") == number and other.closed_at is not None:
            right = f"Slice {settings['slice']} of this job has ended: run {other.run_id}. Each night needs a name of its own."
            raise InvalidOption("patch_run_id", settings["run_id"], right)
        if its.get("number") == number and other.is_active(now) and not settings["take_over"]:
            right = (
                f"Run {other.run_id} works on this slice. It was last active at {iso(other.heartbeat_at)}; its lease ends at "
                f"{iso(other.heartbeat_at + LEASE_SECONDS)}, unless it renews it."
            )
            raise InvalidOption("patch_slice", settings["slice"], right)


def runs_of_job(ledger: Ledger, job: str) -> list[Run]:
    """All runs that are slices of a job, the newest first."""
    return [run for run in ledger.runs() if _job_of(run) == job]


def is_named(run: Run) -> bool:
    """Whether it is a slice by patch_slice."""
    return "slice" in run.settings and "number" in run.settings["slice"]


def slices(ledger: Ledger, run: Run) -> list[Run]:
    """The run, and those that are slices of the same job, all as they are now. A host that waits has read its run long ago, and
    that heartbeat would look as if its controller were dead.
    """
    job = _job_of(run)
    if job is None:
        return [run]
    return sorted(runs_of_job(ledger, job), key=lambda one: one.run_id != run.run_id)


def _job_of(run: Run) -> str | None:
    return run.settings["slice"]["of"] if "slice" in run.settings else None


def failure_budget(runs: Sequence[Run]) -> int:
    """The number of hosts of these runs, slices of one job or one run alone, that may fail."""
    first = runs[0].settings
    if "slice" not in first:
        return first["failure_budget_hosts"]
    return hosts_of_share(first["slice"]["failure_budget"], targets(runs))


def targets(runs: Sequence[Run]) -> int:
    """The number of hosts of these runs, those of slices that have not started yet too where it is known."""
    kept = [run.settings["slice"] for run in runs if "slice" in run.settings]
    known = [one["hosts_of_all"] for one in kept if "hosts_of_all" in one]
    if known:
        return max(known)
    return sum(one["hosts"] for one in kept) or sum(run.settings.get("included", 0) for run in runs)
