# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""May this host begin now?

Nothing is admitted while the canaries are under way, in an alarm, once the breaker is open or the failure budget of the whole
run is spent, once a cause is seen that would meet every host (causes.py), or when the host could not be finished and put back
before the deadline. The state of the host since the plan is checked here too, and its original power state is recorded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace

from .._aws.ec2 import describe_instance, tags_of
from .._aws.ssm import tags_of_node
from .._base.clock import iso
from .._base.errors import Deferred, Excluded, InstanceGone, PatchFleetError
from .._base.text import join_sentences
from .._fleet.claims import claim_of
from .._fleet.eligibility import Exclusion, exclusion_of
from .._fleet.hosts import OFF_STATES
from .._fleet.peers import release_slots, wait_for_peers
from .._ledger.breaker import standstill_of
from .._ledger.records import Host, PowerRecord, Run, Verdict
from .._model.outcomes import FAILURES, PROVEN, Outcome
from .._model.phases import Phase
from .._model.reasons import Reason, ReasonCode
from .._model.run_settings import BrakeKind
from .._operation.context import OperationContext
from .._operation.failures import record_failure
from .._operation.results import Result
from .._plan.account_windows import limits_of
from .._plan.credentials import refuse_short_credentials
from .account_breakers import account_id, cause_in_account, has_several_accounts
from .brakes import NotStarted, announce_refusal, open_breaker, refuse_in_alarm
from .common_causes import BreakerCause, BreakerCode, common_cause, spends_budget
from .common_facts import common_facts
from .messages import (
    breaker_reason,
    canaries_not_ended,
    command_to_continue,
    host_ended,
    in_common,
    no_host_of_account_starts,
    no_host_starts,
)
from .slices import failure_budget, is_named, slices, targets
from .slots import confirm_slot, wait_for_slot

STANDSTILL_SECONDS = 60.0
"""What was checked longer ago is checked again before a host starts."""
TOO_LATE = frozenset({Reason.NO_TIME, Reason.CREDENTIALS_TOO_SHORT})


class Admission(Result, total=False):
    """Of a host that is admitted its original power state; of another one why not."""

    admitted: bool
    original_state: str
    outcome: Outcome
    reason_code: ReasonCode | None
    reason: str | None


def admit(context: OperationContext) -> Admission:
    """Decide, and record the original power state of a host that is admitted.

    Returns:
        admitted; of a host that is not: outcome, reason_code and reason; of one that is: original_state.
    """
    host = context.host
    if host.outcome is not None and not _may_retry_capacity(context, host):
        return _refused(host.outcome, host.reason_code, host.reason)
    run = context.recent_run()
    try:
        _wait_for_canaries_and_wave(context, run, host)
        original_state = None
        while original_state is None:
            original_state = _check_admission(context, run, host)
    except PatchFleetError as failure:
        # With new credentials a later run may take it: nothing of it was touched.
        error = Deferred(failure.reason, failure.code) if failure.code == Reason.CREDENTIALS_EXPIRED else failure
        record_failure(context, error, Phase.ADMIT)
        release_slots(context, host)
        context.report_progress(host_ended(error.outcome, error.reason))
        announce_refusal(context, run, host, error)
        return _refused(error.outcome, error.code, error.reason)
    now = context.clock.now()
    context.note_facts(
        deadline_at=now + host.facts.get("timeout_seconds", run.settings["host_timeout_seconds"]),
        original_state=original_state,
    )
    return {"changed": False, "admitted": True, "original_state": original_state}


def _may_retry_capacity(context: OperationContext, host: Host) -> bool:
    """A host without capacity is tried once more, after the other hosts: capacity returns, and theirs is free again."""
    code = host.reason_code
    if host.outcome != Outcome.DEFERRED or code is None or not code.retry_later or host.facts.get("capacity_retry"):
        return False
    if not context.check_mode:
        context.lease.renew()
        context.update_facts(capacity_retry=True)
        context.ledger.set_outcome(host.run_id, host.key, Verdict(None), overwrite=True)
    return True


def _check_admission(context: OperationContext, run: Run, host: Host) -> str | None:
    """The original state of a host that may begin; None after a wait for a slot, when everything is checked again."""
    checked_at = context.clock.now()
    for check in ADMISSION_CHECKS:
        check(context, run, host)
    state = _read_state(context, run, host)
    if state is not None and context.clock.now() > checked_at + STANDSTILL_SECONDS:
        _check_again(context, run, host)
    return state


def _check_again(context: OperationContext, run: Run, host: Host) -> None:
    """AWS was slow, or the controller stood still, since the host was checked. One that is too late now leaves no record."""
    try:
        for check in ADMISSION_CHECKS:
            check(context, run, host)
    except PatchFleetError:
        record = None if context.check_mode else context.ledger.power(host.key)
        if record and record.run_id == run.run_id and record.started_by is None:
            context.ledger.close_power(host.key, "not started", context.clock.now(), fence=context.fence)
        raise


def _refused(outcome: Outcome, code: ReasonCode | None, reason: str | None) -> Admission:
    return {"changed": False, "admitted": False, "outcome": outcome, "reason_code": code, "reason": reason}


def _wait_for_canaries_and_wave(context: OperationContext, run: Run, host: Host) -> None:
    """Canaries go first, alone. Between waves there may be a pause: a wave asks to start when the one before it has ended."""
    canaries = _canaries(context, run)
    if canaries and host.key not in canaries:
        _wait_for_canaries(context, run, set(canaries))
    pause, wave = run.settings["pause_seconds"], host.wave or 0
    if pause and wave > 1 and not context.check_mode:
        context.pause_until(context.ledger.begin_wave(run.run_id, wave, context.clock.now()) + pause)


def _canaries(context: OperationContext, run: Run) -> list[str]:
    """The keys of the hosts that go first. A run that an earlier version opened has not kept them.

    Those of the slice that was opened first are the canaries of all: the fleet may have changed since.
    """
    if is_named(run):
        run = min(slices(context.ledger, run), key=lambda one: (one.opened_at, one.run_id))
    if "canary_keys" in run.settings or not run.settings["canary"]:
        return run.settings.get("canary_keys", [])
    hosts = context.ledger.hosts(run.run_id)
    ours = [host.key for host in hosts if host.wave is not None and host.phase != Phase.PLAN]  # no other run's
    return ours[: run.settings["canary"]]


def _wait_for_canaries(context: OperationContext, run: Run, canaries: set[str]) -> None:
    def ended_hosts() -> list[Host] | None:
        # Each waiting host polls: not the rows of the whole run.
        runs = slices(context.ledger, run)
        hosts = [host for one in runs for host in context.ledger.some_hosts(one.run_id, canaries)]
        if is_named(run):
            return _ended_in_slices(runs, hosts, canaries, context.clock.now())
        return hosts if all(host.outcome is not None for host in hosts) else None

    timeout_seconds = (run.settings["host_timeout_seconds"] + 3600.0) * len(canaries)
    ended = context.wait(ended_hosts, context.clock.now() + timeout_seconds)
    if ended is None:
        names = _names_of_canaries(context, run, canaries)
        raise NotStarted(canaries_not_ended(names), BrakeKind.CANARIES, canaries_not_ended(names))
    bad = [host.name for host in ended if host.outcome in FAILURES]
    if bad:
        _open_breaker(context, run, BreakerCause(BreakerCode.CANARY_FAILED, tuple(bad)))
    elif not any(host.outcome in PROVEN for host in ended) and any(host.reason_code not in TOO_LATE for host in ended):
        # Where the canaries came too late, the others do too, with the same reason.
        _open_breaker(context, run, BreakerCause(BreakerCode.CANARY_NOT_PATCHED))


def _names_of_canaries(context: OperationContext, run: Run, canaries: set[str]) -> list[str]:
    """Of those that have not ended."""
    hosts = [host for one in slices(context.ledger, run) for host in context.ledger.some_hosts(one.run_id, canaries)]
    return [host.name for host in hosts if host.outcome is None]


def _ended_in_slices(runs: list[Run], hosts: list[Host], canaries: set[str], now: float) -> list[Host] | None:
    """The canaries, when each has an outcome or its slice has died. Their slice may not have started yet."""
    active = {one.run_id for one in runs if one.is_active(now)}
    at_work = {host.key for host in hosts if host.outcome is None and host.run_id in active}
    return hosts if canaries <= {host.key for host in hosts} and not at_work else None


def _check_run(_context: OperationContext, run: Run, _host: Host) -> None:
    """Its controller may have stood still between the run's row and the leases of its hosts, when no other could take them over."""
    if run.closed_at is not None:
        raise Deferred(
            "Another controller took this run for dead and closed it. Start the run again.", Reason.RUN_INTERRUPTED
        )


def _check_breaker(context: OperationContext, run: Run, host: Host) -> None:
    """Only the hosts that failed are read, not the rows of the whole run."""
    read = [context.ledger.run_and_counts(one.run_id) for one in slices(context.ledger, run)]
    runs = [one for one, _counts in read]
    counts = sum((Counter(some) for _one, some in read), Counter[Outcome | None]())
    failed = list[Host]()
    if any(counts[outcome] for outcome in FAILURES):
        failed = [other for one in runs for other in context.ledger.failed_hosts(one.run_id)]
    if failed and (cause := _cause_of_breaker(runs, counts, failed)):
        _open_breaker(context, run, cause)
    for one in (context.ledger.run(run.run_id) if failed else runs[0], *runs[1:]):
        if one.breaker:
            raise _closed(one.breaker, standstill_of(one))
    if cause := cause_in_account(runs, failed, account_id(host)):
        raise NotStarted(no_host_of_account_starts(cause), BrakeKind.ACCOUNT, breaker_reason(cause))


def _cause_of_breaker(runs: list[Run], counts: Counter[Outcome | None], failed: list[Host]) -> BreakerCause | None:
    failures, budget = sum(spends_budget(host) for host in failed), failure_budget(runs)
    if failures > budget:
        return BreakerCause(BreakerCode.BUDGET_SPENT, failures=failures, budget=budget)
    hosts = targets(runs) or counts.total() - counts[Outcome.EXCLUDED]
    if not failures or budget >= hosts:
        return None
    any_proven = any(counts[outcome] for outcome in PROVEN)
    return common_cause(failed, any_proven=any_proven, several_accounts=has_several_accounts(runs))


def _open_breaker(context: OperationContext, run: Run, cause: BreakerCause) -> None:
    """The hosts of the whole run are read once, to find what the failures have in common."""
    reason = breaker_reason(cause)
    if context.check_mode:
        raise _closed(reason)
    if context.ledger.run(run.run_id).breaker:
        return
    hosts = [host for one in slices(context.ledger, run) for host in context.ledger.hosts(one.run_id)]
    common = common_facts(cause, hosts)
    command = command_to_continue(common, run.settings.get("started_with"))
    open_breaker(context, run, BrakeKind.FAILURES, join_sentences(reason, in_common(common), command))


def _closed(reason: str, standstill: str | None = None) -> Deferred:
    return Deferred(no_host_starts(reason), Reason.STOOD_STILL if reason == standstill else Reason.BREAKER)


EXPECTED_FROM = {
    "host": "the duration of its own last workflows",
    "class": "the duration of workflows of similar hosts",
    None: "patch_expected_seconds",
}


def _check_cutoff(context: OperationContext, run: Run, host: Host) -> None:
    limits = limits_of(run.settings, account_id(host))
    until = limits["begin_until_at"]
    if until is not None and context.clock.now() >= until:
        raise Deferred(f"The window's cutoff has started: {limits['window']}", Reason.NO_TIME)


def _expected_seconds(run: Run, host: Host) -> float:
    return host.facts.get("expected_seconds") or run.settings["expected_seconds"]


def _check_deadline(context: OperationContext, run: Run, host: Host) -> None:
    deadline_at, expected = limits_of(run.settings, account_id(host))["deadline_at"], _expected_seconds(run, host)
    if deadline_at is not None and context.clock.now() + expected > deadline_at:
        basis = EXPECTED_FROM[host.facts.get("expected_from")]
        raise Deferred(
            f"Its workflow would take about {expected / 60:.0f} min ({basis}) and could not be finished and put back by "
            f"{iso(deadline_at)}, the end of the window or patch_deadline.",
            Reason.NO_TIME,
        )


def _check_credentials(context: OperationContext, run: Run, host: Host) -> None:
    refuse_short_credentials(context, run, host, _expected_seconds(run, host))


ADMISSION_CHECKS: tuple[Callable[[OperationContext, Run, Host], None], ...] = (
    _check_run,
    _check_breaker,
    refuse_in_alarm,
    _check_cutoff,
    _check_deadline,
    _check_credentials,
    wait_for_peers,
)
"""What must hold before a host starts, in this order. A check raises Deferred, Excluded or Failed; a new one is added here."""


def _read_state(context: OperationContext, run: Run, host: Host) -> str | None:
    """The host as it is now; returns the original state that is recorded for it, None where it had no place."""
    context.lease.renew()
    if host.kind == "hybrid":
        _refuse_claimed(run, host, tags_of_node(context.aws, str(host.instance_id)))
    if host.kind != "ec2":
        known = context.ledger.power(host.key)  # one that an earlier run's tasks had started
        return known.original_state if known else "running"
    instance_id = str(host.instance_id)
    instance = describe_instance(context.aws, instance_id)
    if instance is None or instance["State"]["Name"] in {"terminated", "shutting-down"}:
        raise InstanceGone
    _refuse_claimed(run, host, tags_of(instance), exclusion_of(instance))
    state = "stopped" if instance["State"]["Name"] in OFF_STATES else "running"
    if context.check_mode:
        known = context.ledger.power(host.key)
        return known.original_state if known else state
    return _record(context, run, host, state)


def _refuse_claimed(run: Run, host: Host, tags: Mapping[str, str], exclusion: Exclusion = None) -> None:
    """Tags may have changed since the plan: the targets' tag gone, or one that claims the host come."""
    tag_key = run.settings.get("tag_key")
    if host.facts.get("by_tag") and tags.get(tag_key or "") != run.settings.get("tag_value"):
        raise Excluded(f"It no longer carries the tag {tag_key}={run.settings.get('tag_value')}.", Reason.UNTAGGED)
    exclusion = exclusion or claim_of(tags, run.settings, host.facts.get("scheduler"))
    if exclusion is not None:
        raise Excluded(exclusion[1], exclusion[0])


def _record(context: OperationContext, run: Run, host: Host, state: str) -> str | None:
    limit = run.settings.get("max_running")
    timeout_seconds = run.settings["host_timeout_seconds"]
    if state == "stopped" and wait_for_slot(context, host.key, limit, timeout_seconds):
        return None
    now = context.clock.now()
    record = PowerRecord(host.key, str(host.instance_id), str(host.region), host.name, state, now, run.run_id)
    account = host.facts.get("account")
    if account and account.get("role_arn"):
        record = replace(record, account=account)
    known = context.ledger.record_power(record, fence=context.fence)
    if known == record and not confirm_slot(context, record, limit):
        return None
    return known.original_state
