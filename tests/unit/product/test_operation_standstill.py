# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A controller that stood still for longer than its lease starts nothing more, and a host in work gets the time back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext, suppress
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._base.clock import SystemClock
from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import Deferred, Failed, LeaseLost
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.breaker import (
    keep_brake,
    standstill_of,
)
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.records import LEASE_SECONDS
from ansible_collections.patchfleet.windows.plugins.module_utils._model.host_facts import HostFacts
from ansible_collections.patchfleet.windows.plugins.module_utils._model.phases import Phase
from ansible_collections.patchfleet.windows.plugins.module_utils._model.reasons import Reason
from ansible_collections.patchfleet.windows.plugins.module_utils._model.run_settings import Brake
from ansible_collections.patchfleet.windows.plugins.module_utils._modules import user_tasks_result
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.host_admission import OPERATION as ADMIT
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.instance_power import OPERATION as POWER
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.arguments import TRACKING_ARGUMENTS
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.context import OperationContext
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.operation import Operation
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.standstill import (
    note_standstill,
    standstill_reason,
    stood_still,
)
from ansible_collections.patchfleet.windows.plugins.module_utils._run import user_tasks
from operations import perform

from .fakes import ID, START, client_error, shown
from .stage import RUN, Stage, a_host, a_run

WORK = Operation("some_operation", dict(TRACKING_ARGUMENTS), lambda _context: {}, phase=Phase.PATCH, uses_aws=False)
LONG = 4 * LEASE_SECONDS


def context_of(stage: Stage, phase: Phase | None = Phase.PATCH, **params: Any) -> OperationContext:
    context = stage.context(WORK, **{"run_id": RUN, "host": ID, **params})
    context.phase = phase
    return context


def stands_still(stage: Stage, seconds: float) -> None:
    """Time passes, and this process does not notice."""
    stage.clock.jump(seconds)


def breaker(stage: Stage) -> str | None:
    return stage.ledger.run(RUN).breaker


def stopped_by_standstill(stage: Stage) -> bool:
    run = stage.ledger.run(RUN)
    return run.breaker is not None and run.breaker == standstill_of(run)


def wakes_during_a_wait(stage: Stage, context: OperationContext, seconds: float, deadline: float) -> list[float]:
    """Wait for nothing, and stand still for that time in the third poll; returns the times of the polls."""
    polls: list[float] = []

    def poll() -> None:
        polls.append(stage.clock.passed)
        if len(polls) == 3:
            stands_still(stage, seconds)

    context.wait(poll, deadline)
    return polls


@pytest.mark.parametrize(("seconds", "notices"), [(LEASE_SECONDS - 60, False), (LONG, True)], ids=["short", "long"])
def test_only_what_is_longer_than_the_lease_counts(stage: Stage, seconds: float, notices: bool) -> None:
    stage.open_run()
    wakes_during_a_wait(stage, context_of(stage), seconds, START + 3000)
    assert stopped_by_standstill(stage) is notices
    assert any("This controller stood still from" in line for line in stage.message) is notices


def test_a_wait_has_all_of_its_time_awake_and_a_last_poll(stage: Stage) -> None:
    stage.open_run()
    polls = wakes_during_a_wait(stage, context_of(stage), LONG, START + 600)
    assert polls[-1] == 600 + LONG


def test_the_host_gets_the_time_back(stage: Stage) -> None:
    stage.open_run()
    stage.ledger.update_facts(RUN, ID, {"deadline_at": START + 5000})
    wakes_during_a_wait(stage, context_of(stage), LONG, START + 600)
    assert stage.facts()["deadline_at"] == START + 5000 + LONG


def test_a_long_pause_is_no_standstill(stage: Stage) -> None:
    stage.open_run()
    context_of(stage).pause(10 * LEASE_SECONDS)
    context_of(stage).clock.sleep(10 * LEASE_SECONDS)
    assert breaker(stage) is None


def test_it_is_noticed_before_a_change_too(stage: Stage) -> None:
    stage.open_run()
    context = context_of(stage)
    stands_still(stage, LONG)
    context.lease.prove()
    assert stopped_by_standstill(stage)


@pytest.mark.parametrize("fails", [False, True], ids=["done", "failed"])
def test_it_is_noticed_at_the_end_of_an_operation(stage: Stage, fails: bool) -> None:
    def work(_context: OperationContext) -> dict[str, object]:
        stands_still(stage, LONG)
        if fails:
            raise Deferred("No capacity.", Reason.NO_CAPACITY)
        return {}

    stage.open_run()
    operation = Operation("some_operation", dict(TRACKING_ARGUMENTS), work, phase=Phase.PATCH, uses_aws=False)
    context = stage.context(operation, run_id=RUN, host=ID)
    with pytest.raises(Deferred, match="No capacity") if fails else nullcontext():
        perform(operation, context)
    assert stopped_by_standstill(stage)


def test_what_another_run_took_over_meanwhile_is_its(stage: Stage) -> None:
    stage.open_run()
    context = context_of(stage)
    context.lease.prove()
    stage.ledger.update_facts(RUN, ID, {"deadline_at": START + 5000})
    stands_still(stage, LONG)
    stage.ledger.open_run(a_run("other", stage.clock.now()), [a_host(run_id="other")], take_over=False)
    with pytest.raises(LeaseLost):
        context.lease.renew()


def test_check_mode_writes_nothing(stage: Stage) -> None:
    stage.open_run()
    context = stage.context(WORK, check_mode=True, run_id=RUN, host=ID)
    stands_still(stage, LONG)
    context.clock.check()
    assert breaker(stage) is None


# What does not start


def test_no_other_host_is_admitted(stage: Stage) -> None:
    stage.open_run()
    stands_still(stage, 1)
    note_standstill(context_of(stage), START, START + LONG)
    result = perform(ADMIT, stage.context(ADMIT, run_id=RUN, host=ID))
    assert (result["admitted"], result["outcome"], result["reason_code"]) == (False, "deferred", Reason.STOOD_STILL)
    assert "stood still from 2026-11-14T22:00:00Z to 2026-11-14T23:00:00Z" in result["reason"]


def start(stage: Stage, **params: Any) -> Mapping[str, object]:
    stage.record("stopped")
    stage.account.on("describe_instances", shown("stopped"))
    return perform(POWER, stage.context(POWER, run_id=RUN, host=ID, instance_id=ID, state="started", **params))


@pytest.mark.parametrize("noticed", [True, False], ids=["by another host", "by the last heartbeat"])
def test_a_host_that_was_admitted_before_is_not_started(stage: Stage, noticed: bool) -> None:
    stage.open_run()
    stands_still(stage, LONG)
    if noticed:
        stage.ledger.heartbeat(RUN, stage.clock.now())
        note_standstill(context_of(stage), START, stage.clock.now())
    with pytest.raises(Deferred) as caught:
        start(stage)
    assert caught.value.code == Reason.STOOD_STILL
    assert stopped_by_standstill(stage)
    assert stage.account.of("start_instances") == []


# What was only admitted


def perform_phase(stage: Stage, phase: Phase) -> None:
    perform(replace(WORK, phase=phase), stage.context(WORK, run_id=RUN, host=ID))


def has_stood_still(stage: Stage) -> None:
    """Noticed by another host's worker."""
    stands_still(stage, LONG)
    stage.ledger.heartbeat(RUN, stage.clock.now())
    reason, now = standstill_reason(START, stage.clock.now()), stage.clock.now()
    brake: Brake = {"kind": "standstill", "at": now, "by": None, "machine": None, "reason": reason}
    keep_brake(stage.ledger, RUN, brake, reason)


@pytest.mark.parametrize("phase", [Phase.READY, Phase.DISK, Phase.REPAIR, Phase.PATCH])
def test_a_host_that_was_on_and_only_admitted_is_given_up(stage: Stage, phase: Phase) -> None:
    """People may be at work on it in the morning."""
    stage.open_run()
    has_stood_still(stage)
    with pytest.raises(Deferred) as caught:
        perform_phase(stage, phase)
    assert caught.value.code == Reason.STOOD_STILL
    assert stage.ledger.host(RUN, ID).outcome == "deferred"


def test_one_that_was_changed_already_has_failed(stage: Stage) -> None:
    """Deferred are only those on which nothing was changed."""
    stage.open_run()
    stage.ledger.update_facts(RUN, ID, {"grown_gib": 20})
    has_stood_still(stage)
    with pytest.raises(Failed) as caught:
        perform_phase(stage, Phase.PATCH)
    assert (caught.value.code, caught.value.outcome) == (Reason.STOOD_STILL, "failed")


@pytest.mark.parametrize(
    ("phase", "facts"),
    [
        (Phase.READY, {"started_by_run": True}),
        (Phase.READY, {"start_tasks": "ok"}),
        (Phase.PATCH, {"installing_command_id": ""}),
        (Phase.VERIFY, {}),
        (Phase.RESTORE, {}),
    ],
    ids=["started", "started by tasks", "installation sent", "verified", "put back"],
)
def test_a_host_in_work_is_finished(stage: Stage, phase: Phase, facts: HostFacts) -> None:
    stage.open_run()
    stage.ledger.update_facts(RUN, ID, facts)
    has_stood_still(stage)
    perform_phase(stage, phase)


@pytest.mark.parametrize("end", [user_tasks.finish_tasks, user_tasks.fail_tasks])
def test_long_tasks_of_the_user_are_no_standstill(stage: Stage, end: Callable[[OperationContext], Any]) -> None:
    """They send no heartbeat; their end does."""
    stage.open_run()
    stage.ledger.update_facts(RUN, ID, {"room_tasks": "started"})
    stands_still(stage, LONG)
    failure = {"msg": "It failed.", "reason_code": "unexpected_error"}
    with suppress(Failed):
        end(stage.context(user_tasks_result.OPERATION, run_id=RUN, host=ID, tasks="room", reason="", failure=failure))
    perform_phase(stage, Phase.DISK)
    assert breaker(stage) is None


@pytest.mark.parametrize("phase", [Phase.READY, Phase.DISK, Phase.REPAIR, Phase.PATCH])
def test_a_standstill_between_two_operations_of_a_host_that_was_on_is_noticed(stage: Stage, phase: Phase) -> None:
    stage.open_run()
    stands_still(stage, LONG)
    with pytest.raises(Deferred) as caught:
        perform_phase(stage, phase)
    assert caught.value.code == Reason.STOOD_STILL
    assert stopped_by_standstill(stage)


def test_no_installation_is_sent_where_the_ledger_answers_after_a_standstill(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.open_run()
    context = context_of(stage)
    fence = stage.ledger.fence

    def late_fence(*host: str) -> int | None:
        stands_still(stage, LONG)
        return fence(*host)

    monkeypatch.setattr(stage.ledger, "fence", late_fence)
    with pytest.raises(Deferred):
        context.before_change()


def test_no_installation_is_sent_after_a_wait_that_was_a_standstill(stage: Stage) -> None:
    stage.open_run()
    context = context_of(stage)
    context.before_change()
    stands_still(stage, LONG)
    with pytest.raises(Deferred):
        context.before_change()


def test_a_host_that_waits_for_capacity_is_not_started_in_the_morning(stage: Stage) -> None:
    stage.open_run()

    def refused(**_params: Any) -> Any:
        stands_still(stage, LONG)
        return client_error("InsufficientInstanceCapacity", status=500)

    stage.account.on("start_instances", refused)
    with pytest.raises(Deferred) as caught:
        start(stage, start_timeout_seconds=int(3 * LONG))
    assert caught.value.code == Reason.STOOD_STILL
    assert len(stage.account.of("start_instances")) == 1
    record = stage.ledger.power(ID)
    assert record is not None
    assert record.started_by is None


@pytest.mark.parametrize(
    ("scale", "gap_seconds", "expected"), [(1, 901, True), (1, 899, False), (240, 6000, False), (140, 7000, True)]
)
def test_a_busy_machine_is_no_standstill_where_the_clock_is_scaled(
    scale: float, gap_seconds: float, expected: bool
) -> None:
    """At 240 seconds in a real one a lease lasts 3.75 s, for which a busy machine lets a process wait."""
    assert stood_still(SystemClock(scale), gap_seconds) is expected


def test_a_standstill_after_a_stop_is_kept_beside_it(stage: Stage) -> None:
    """No host that was only admitted continues, and resume does not lift it."""
    stage.open_run()
    stop: Brake = {"kind": "stop", "at": START, "by": "alice", "machine": "ops1", "reason": "Checkout is down"}
    keep_brake(stage.ledger, RUN, stop, "alice stopped it.")
    has_stood_still(stage)
    assert breaker(stage) == "alice stopped it."
    with pytest.raises(Deferred) as caught:
        perform_phase(stage, Phase.READY)
    assert caught.value.code == Reason.STOOD_STILL
