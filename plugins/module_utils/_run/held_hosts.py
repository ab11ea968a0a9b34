# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts that another run at work holds: a plan counts only the hosts that its run will get."""

from __future__ import annotations

from .._model.settings import Settings
from .._operation.context import OperationContext
from .._plan.planning import PlannedRun, plan_run
from .messages import host_leased
from .progress import read_progress


def held_hosts(context: OperationContext, settings: Settings) -> dict[str, str]:
    """The hosts that runs at work hold, by key, each with a sentence; none where this run takes them over.

    Slices are shares of all hosts of their job, so what another slice holds must not change the shares.
    """
    if settings["take_over"] or settings["slice"] or settings.get("slice_of"):
        return {}
    now = context.clock.now()
    held = dict[str, str]()
    for run in context.ledger.runs():
        if run.is_active(now):
            reason = host_leased(read_progress(context.ledger, run.run_id, now))
            held.update(dict.fromkeys(context.ledger.fences(run.run_id), reason))
    return held


def plan_free_hosts(context: OperationContext) -> PlannedRun:
    """What a run would do that starts now; see plan_run."""
    return plan_run(context, held_hosts(context, context.params["settings"]))
