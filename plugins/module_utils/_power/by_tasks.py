# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation host_power: hosts without EC2 that their owner's tasks start and stop, with the ledger and rules of instances.

No service shows such a host's power state, so it is derived: one that does not answer may be off, and one that
has booted since the start was asked for was. Only such a one is ever stopped.
Source: Win32_OperatingSystem.LastBootUpTime (Microsoft Learn), read against the host's own clock.
"""

from __future__ import annotations

from .._aws.ssm import tags_of_node
from .._base.clock import iso
from .._base.errors import NeedsAttention, PatchFleetError
from .._fleet.claims import claim_of
from .._host.answers import BootState
from .._host.guest_scripts import run_guest_script
from .._host.installing import still_installing
from .._host.servicing import is_quiet
from .._ledger.earlier import earlier_hosts
from .._ledger.lenient import stored_host
from .._ledger.records import SKEW_SECONDS, PowerRecord
from .._model.phases import Phase
from .._model.reasons import Reason
from .._operation.context import OperationContext
from .._operation.results import Result
from .._update.cluster import resume_node
from .._update.services import restore_services
from .let_go import let_go
from .restore import STOP_TIMEOUT_SECONDS
from .settle import settle_outcome

CLOCK_TOLERANCE_SECONDS = 5.0
"""A boot time is that of this controller's clock less the host's uptime, so it is as exact as the uptime: whole seconds."""
BOOT_SECONDS = 300
LONGEST_BOOT_SECONDS = 900.0
"""Servers with much memory check it for minutes before they boot."""


class HostPowerResult(Result, total=False):
    """One of them, as the option C(state) asks: whether to start the host, whether it was started, or whether to stop it."""

    start: bool
    started: bool
    stop: bool


def work(context: OperationContext) -> HostPowerResult:
    """Do what state asks for; see the functions in STATES."""
    state = context.params["state"]
    try:
        return STATES[state](context)
    except PatchFleetError as error:
        if isinstance(error, NeedsAttention) or state not in RESTORING:
            raise
        raise NeedsAttention(f"It may still be on because of us: {error.reason}", error.code) from error


def _ask(context: OperationContext) -> HostPowerResult:
    """Whether it has to be started; that it was off is written down before anybody starts it.

    Returns:
        changed, start.
    """
    if context.channel.answers():
        return {"changed": False, "start": False}
    if context.check_mode:
        return {"changed": True, "start": True}
    key, run_id, now = context.required_host_key, context.required_run_id, context.clock.now()
    context.lease.renew()
    identity = (key, context.params["instance_id"], str(context.params.get("region") or ""), context.host.name)
    record = context.ledger.record_power(PowerRecord(*identity, "stopped", now, run_id), fence=context.fence)
    if record.start_requested_at is None:  # an earlier run's start may have worked: its time decides whose boot it is
        context.ledger.note_start(key, run_id, now, fence=context.fence)
    context.update_facts(original_state=record.original_state)
    context.report_progress("does not answer: starting it")
    return {"changed": True, "start": True}


def _prove(context: OperationContext) -> HostPowerResult:
    """Once it answers: was it off? One that had booted before was on, and only did not answer; it is left on at the end.

    Returns:
        changed (false), started.
    """
    record = context.ledger.power(context.required_host_key)
    if record is None or record.started_by is None or context.check_mode:
        return {"changed": False, "started": False}
    if record.launch_time is None:
        booted_at = _booted_at(context)
        _refuse_unclear(context, record, booted_at)
        if booted_at < (record.start_requested_at or 0.0) - CLOCK_TOLERANCE_SECONDS:
            _close(context, record, "was_on", "running")
            context.update_facts(original_state="running")
            context.report_progress("had been on all the time: it is left on")
            return {"changed": False, "started": False}
        if not _may_be_ours(context, record, booted_at):
            _close(context, record, "others", "running")
            context.report_progress("another user started it: it is left on")
            return {"changed": False, "started": False}
        context.ledger.note_launch(record.host_key, booted_at, fence=context.fence)
        context.update_facts(started_by_run=True, on_since=booted_at)
    return {"changed": False, "started": True}


def _refuse_unclear(context: OperationContext, record: PowerRecord, booted_at: float) -> None:
    """The start may have been recorded by another controller, whose clock may differ from ours by as much as leases allow.

    Raises:
        NeedsAttention: ``start_unclear``: it booted before the record of another controller by less than that.
    """
    requested_at = record.start_requested_at or 0.0
    is_own = record.started_by == context.run_id and context.phase != Phase.RESTORE
    if not is_own and requested_at - SKEW_SECONDS <= booted_at < requested_at - CLOCK_TOLERANCE_SECONDS:
        raise NeedsAttention(
            f"It booted at {iso(booted_at)}. A run recorded it as off at {iso(requested_at)}, by its clock. That may be ahead, "
            "so it may have been on before. It is left running. If it is not needed, stop it and run "
            f"{context.command('restore')}.",
            Reason.START_UNCLEAR,
        )


def _ask_to_stop(context: OperationContext) -> HostPowerResult:
    """Whether to stop the host: only if it was off and a run started it, and not while Windows installs.

    Returns:
        changed, stop.

    Raises:
        NeedsAttention: its state is unknown (``power_unknown``, ``installation_running``), or no task stops it (``no_stop_tasks``).
    """
    record = context.ledger.power(context.required_host_key)
    if record is None:
        return _stays_on(context)
    if record.started_by is None:
        resume_node(context, failback=True, finish=_wait_until_quiet)
        return _leave(context, record, "restored", "running")
    if not _answers_or_boots(context, record):
        if _start_failed(context, record) or not _may_be_ours(context, record):
            return _leave(context, record, "not_started", "stopped")
        raise NeedsAttention(
            "It was started for this run and does not answer: whether it is on, and what it does, is unknown. Check it, then "
            f"run {context.command('restore')}.",
            Reason.POWER_UNKNOWN,
        )
    if not _prove(context)["started"] and not context.check_mode:
        return _stays_on(context)
    _refuse_claimed(context)
    if not context.params["can_stop"]:
        raise NeedsAttention(
            "It was started for this run, and nothing here stops it: set patch_stop_tasks for it.", Reason.NO_STOP_TASKS
        )
    if not context.check_mode:
        _wait_until_quiet(context)
        restore_services(context)
        resume_node(context, failback=False)
        context.lease.prove()
        context.report_progress("stopping")
    return {"changed": True, "stop": True}


def _stays_on(context: OperationContext) -> HostPowerResult:
    return {"changed": resume_node(context, failback=True, finish=_wait_until_quiet), "stop": False}


def _refuse_claimed(context: OperationContext) -> None:
    """A managed node that its owner has tagged since it was started; its record stays open, as that of an instance does."""
    if context.host.kind != "hybrid":
        return
    tags = tags_of_node(context.aws, context.params["instance_id"])
    claim = claim_of(tags, context.ledger.run(context.required_run_id).settings, context.facts.get("scheduler"))
    if claim is not None:
        raise NeedsAttention(f"{claim[1]} It is left running; without the tag, restore stops it.", claim[0])


def _see_it_stopped(context: OperationContext) -> HostPowerResult:
    """After the tasks that stop it: it does not answer any more, and its record is closed.

    Raises:
        Held: ``still_stopping``.
    """
    record = context.ledger.power(context.required_host_key)
    if record is None or context.check_mode:
        return {"changed": False}
    until = context.clock.now() + STOP_TIMEOUT_SECONDS
    if not context.wait_until(lambda: not context.channel.answers(), until, 10.0, 30.0):
        raise NeedsAttention("The tasks of patch_stop_tasks have ended, but it still answers.", Reason.STILL_STOPPING)
    _close(context, record, "restored", "stopped")
    context.update_facts(off_at=context.clock.now())
    context.report_progress("stopped again, as it was found")
    return {"changed": False}


def _let_go(context: OperationContext) -> HostPowerResult:
    """Close the record of a host and leave the host as it is; see let_go."""
    return {"changed": let_go(context)}


def _booted_at(context: OperationContext) -> float:
    """By our clock, whatever its own shows."""
    state = run_guest_script(context, BootState, BOOT_SECONDS)
    return context.clock.now() - (state.time - state.boot_time)


def _may_be_ours(context: OperationContext, record: PowerRecord, booted_at: float | None = None) -> bool:
    """Whether start tasks of a run can have started the host: they began, and not after its time in the run had ended.

    That they begin is written down before they do. Where a row is missing or damaged, they may have.
    """
    if stored_host(context.ledger, record.started_by or "", record.host_key) is None:
        return True
    hosts = earlier_hosts(context.ledger, [context.run_id, record.started_by], record.host_key)
    began = [host for host in hosts if host.unreadable or host.facts.get("start_tasks") is not None]
    if booted_at is None or any(host.unreadable for host in began):
        return bool(began)
    ends = [host.facts.get("deadline_at") for host in began]
    return any(until is None or booted_at <= until + LONGEST_BOOT_SECONDS for until in ends)


def _answers_or_boots(context: OperationContext, record: PowerRecord) -> bool:
    """Whether it answers. A start may have been made although its tasks call it failed: then the host has the time of a boot."""
    if context.channel.answers():
        return True
    if context.check_mode or not _start_failed(context, record):
        return False
    context.report_progress("its start tasks failed: checking whether it boots nevertheless")
    return context.wait_until(context.channel.answers, context.clock.now() + LONGEST_BOOT_SECONDS, 15.0, 30.0)


def _start_failed(context: OperationContext, record: PowerRecord) -> bool:
    """Whether the tasks that start it failed, and no start was proven."""
    if record.launch_time is not None:
        return False
    hosts = earlier_hosts(context.ledger, [context.run_id, record.started_by], record.host_key)
    return any(host.facts.get("start_tasks") == "failed" for host in hosts)


def _wait_until_quiet(context: OperationContext) -> None:
    instance_id = context.params["instance_id"]
    until = context.clock.now() + context.install_timeout_seconds
    if not context.wait_until(lambda: is_quiet(context, instance_id), until, 60.0, 120.0):
        raise NeedsAttention(
            still_installing(context, instance_id, context.facts.get("working_since")), Reason.INSTALLATION_RUNNING
        )


def _leave(context: OperationContext, record: PowerRecord, how: str, state: str) -> HostPowerResult:
    if not context.check_mode:
        _close(context, record, how, state)
    return {"changed": False, "stop": False}


def _close(context: OperationContext, record: PowerRecord, how: str, state: str) -> None:
    context.ledger.close_power(record.host_key, how, context.clock.now(), fence=context.fence)
    context.update_facts(final_state=state)
    settle_outcome(context)


RESTORING = frozenset({"restored", "stopped"})
STATES = {
    "needed": _ask,
    "started": _prove,
    "restored": _ask_to_stop,
    "stopped": _see_it_stopped,
    "let_go": _let_go,
}
