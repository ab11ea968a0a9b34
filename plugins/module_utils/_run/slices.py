# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs that are slices of one job of AWX: each is a run of its own, and they have one failure budget.

AWX deals the hosts of a sliced job round robin and starts a job for each share, so whatever ends one patching ends the others too:
they have the same updates. A percentage is one of the hosts of all slices that have started.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .._ledger.records import Ledger, Run
from .._model.run_settings import RunSettings
from .._plan.order import hosts_of_share


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


def slices(ledger: Ledger, run: Run) -> list[Run]:
    """The run, and those that are slices of the same job."""
    job = _job_of(run)
    if job is None:
        return [run]
    other_runs = [other for other in ledger.runs() if other.run_id != run.run_id]
    return [run, *(other for other in other_runs if _job_of(other) == job)]


def _job_of(run: Run) -> str | None:
    return run.settings["slice"]["of"] if "slice" in run.settings else None


def failure_budget(runs: Sequence[Run]) -> int:
    """The number of hosts of these runs, slices of one job or one run alone, that may fail."""
    first = runs[0].settings
    if "slice" not in first:
        return first["failure_budget_hosts"]
    return hosts_of_share(first["slice"]["failure_budget"], sum(run.settings["slice"]["hosts"] for run in runs))
