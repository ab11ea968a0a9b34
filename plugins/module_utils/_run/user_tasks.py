# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The user's own tasks before and after a host, and those that power it or give it room, as the ledger sees them.

Those after it undo those before it, so they run whenever those before it started. What they cost in time belongs to the
phases ready and restore.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from .._base.errors import Failed, LeaseLost, NeedsAttention, PatchFleetError
from .._model.fact_values import TaskState
from .._model.host_facts import HostFacts
from .._model.phases import Phase
from .._model.reasons import Reason
from .._operation.context import OperationContext
from .._operation.failures import known_failure, record_failure
from .._operation.results import Result
from .._operation.standstill import refuse_after_standstill

PHASES = {
    "pre": Phase.READY,
    "post": Phase.RESTORE,
    "start": Phase.START,
    "stop": Phase.RESTORE,
    "room": Phase.DISK,
    "restore_point": Phase.PATCH,
    "roll_back": Phase.START,
}
FACTS: dict[str, Callable[[TaskState], HostFacts]] = {
    "pre": lambda state: {"pre_tasks": state},
    "post": lambda state: {"post_tasks": state},
    "start": lambda state: {"start_tasks": state},
    "stop": lambda state: {"stop_tasks": state},
    "room": lambda state: {"room_tasks": state},
    "restore_point": lambda state: {"restore_point_tasks": state},
    "roll_back": lambda state: {"roll_back_tasks": state},
}
"""The fact that says how far they came."""


def start_tasks(context: OperationContext) -> Result:
    """Write down that they start.

    Raises:
        LeaseLost: another run has taken the host over; what is done to it now is its.
        Deferred: ``stood_still``; so Failed where something was changed on the host.
    """
    run_id, key, which = _of(context)
    context.phase = PHASES[which]  # in a restore a run that is dead stays dead
    try:
        refuse_after_standstill(context)
        context.lease.renew()
        context.ledger.begin_phase(run_id, key, PHASES[which], context.clock.now())
        _check_after_write(context)
    except PatchFleetError as error:
        record_failure(context, error, PHASES[which])
        raise
    context.update_facts(**FACTS[which]("started"))
    context.report_progress(f"running the {which} tasks")
    return {"changed": True}


def _check_after_write(context: OperationContext) -> None:
    """The tasks change the host, and the controller may have stood still while it wrote that they begin.

    Raises:
        LeaseLost, Deferred, Failed: see start_tasks.
    """
    run_id, key, which = _of(context)
    try:
        context.before_change()
    except PatchFleetError:
        with suppress(PatchFleetError):
            context.ledger.end_phase(run_id, key, PHASES[which], context.clock.now(), ok=False)
        raise


def finish_tasks(context: OperationContext) -> Result:
    """Write down that they succeeded."""
    _end(context, ok=True)
    return {"changed": True}


def fail_tasks(context: OperationContext) -> Result:
    """Record that a task failed: the host fails with it.

    Raises:
        Failed: always, with the reason of the task; of those that could not start, the one for which they could not.
        NeedsAttention: those failed that stop the host, so it is still on because of us.
    """
    run_id, key, which = _of(context)
    if not FACTS[which]("started").keys() & context.ledger.host(run_id, key).facts.keys():
        raise known_failure(context.params["failure"])
    _end(context, ok=False)
    reason = f"The tasks of patch_{which}_tasks failed: {context.params['reason']}"
    context.report_progress(reason)
    error = (NeedsAttention if which == "stop" else Failed)(reason, Reason(f"{which}_tasks_failed"))
    record_failure(context, error, PHASES[which])
    raise error


def _end(context: OperationContext, ok: bool) -> None:
    run_id, key, which = _of(context)
    context.phase = PHASES[which]
    with suppress(LeaseLost):  # the operation that follows ends with it
        context.lease.renew()  # they may have taken longer than a lease, and that is no standstill
    context.ledger.end_phase(run_id, key, PHASES[which], context.clock.now(), ok)
    context.update_facts(**FACTS[which]("ok" if ok else "failed"))


def _of(context: OperationContext) -> tuple[str, str, str]:
    return context.required_run_id, context.required_host_key, context.params["tasks"]
