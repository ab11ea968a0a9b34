# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The user's own tasks before and after a host, and those that power it or give it room, as the ledger sees them.

Those after it undo those before it, so they run whenever those before it started. What they cost in time belongs to the
steps ready and restore.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._base.errors import NeedsAttention
from .._ledger.records import Verdict
from .._model.host_facts import HostFacts, TaskState
from .._model.outcomes import Outcome
from .._model.phases import Phase
from .._model.reasons import Reason
from .._operation.context import OperationContext

PHASES = {
    "pre": Phase.READY,
    "post": Phase.RESTORE,
    "start": Phase.START,
    "stop": Phase.RESTORE,
    "room": Phase.DISK,
}
FACTS: dict[str, Callable[[TaskState], HostFacts]] = {
    "pre": lambda state: {"pre_tasks": state},
    "post": lambda state: {"post_tasks": state},
    "start": lambda state: {"start_tasks": state},
    "stop": lambda state: {"stop_tasks": state},
    "room": lambda state: {"room_tasks": state},
}
"""The fact that says how far they came."""


def begin_tasks(context: OperationContext) -> dict[str, Any]:
    """Write down that they begin.

    Raises:
        LeaseLost: another run has taken the host over; what is done to it now is its.
    """
    run_id, key, which = _of(context)
    try:
        context.renew_lease()
    except NeedsAttention as error:
        verdict = Verdict(error.outcome, PHASES[which], error.code, error.reason)
        context.ledger.set_outcome(run_id, key, verdict, overwrite=True)
        raise
    context.ledger.begin_phase(run_id, key, PHASES[which], context.clock.now())
    context.update_facts(**FACTS[which]("started"))
    context.report_progress(f"running the {which} tasks")
    return {"changed": True}


def end_tasks(context: OperationContext) -> dict[str, Any]:
    """Write down that they went well."""
    _end(context, ok=True)
    return {"changed": True}


def fail_tasks(context: OperationContext) -> dict[str, Any]:
    """Record that a task failed: the host failed, and its reason also names an earlier failure."""
    run_id, key, which = _of(context)
    if not FACTS[which]("started").keys() & context.ledger.host(run_id, key).facts.keys():
        return {"changed": False}  # they never began, and who ended that has said why
    _end(context, ok=False)
    reason = f"The tasks of patch_{which}_tasks failed: {context.params['reason']}"
    context.report_progress(reason)
    host = context.ledger.host(run_id, key)
    if which == "stop":  # it is still on because of us
        verdict = Verdict(Outcome.HELD, PHASES[which], Reason.STOP_TASKS_FAILED, _after(host.reason, reason))
    elif host.outcome is None:
        verdict = Verdict(Outcome.FAILED, PHASES[which], Reason(f"{which}_tasks_failed"), reason)
    else:
        verdict = Verdict(host.outcome, host.phase, host.reason_code, _after(host.reason, reason))
    context.ledger.set_outcome(run_id, key, verdict, overwrite=True)
    return {"changed": True}


def _after(before: str | None, reason: str) -> str:
    return " ".join(filter(None, [before, reason]))


def _end(context: OperationContext, ok: bool) -> None:
    run_id, key, which = _of(context)
    context.ledger.end_phase(run_id, key, PHASES[which], context.clock.now(), ok)
    context.update_facts(**FACTS[which]("ok" if ok else "failed"))


def _of(context: OperationContext) -> tuple[str, str, str]:
    return str(context.run_id), str(context.host_key), str(context.params["tasks"])
