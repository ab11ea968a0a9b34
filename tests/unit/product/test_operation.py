# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every operation has in common: its place in a run, its deadline, its lease, and what it leaves in the ledger."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._aws.ec2 import EC2
from ansible_collections.patchfleet.windows.plugins.module_utils._aws.errors import AwsError
from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import (
    Deferred,
    Failed,
    LeaseLost,
    NeedsAttention,
    NotRecorded,
    PatchFleetError,
)
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.records import LEASE_SECONDS, Verdict
from ansible_collections.patchfleet.windows.plugins.module_utils._model.reasons import Reason
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.arguments import TRACKING_ARGUMENTS
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.commands import playbook_command
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.context import (
    HEARTBEAT_SECONDS,
    OperationContext,
)
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.failures import failure_result
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.operation import Operation
from operations import perform

from .fakes import ID, START, client_error, shown
from .stage import RUN, Stage, a_host

Work = Callable[[OperationContext], dict[str, Any]]


def operation(work: Work, phase: str | dict[str, str] | None = "disk") -> Operation:
    arguments = {**TRACKING_ARGUMENTS, "step": {"type": "str"}, "state": {"type": "str"}}
    return Operation("some_operation", arguments, work, phase=phase, uses_aws=False)


def run(stage: Stage, work: Work, phase: str | dict[str, str] | None = "disk", **params: Any) -> dict[str, Any]:
    some_operation = operation(work, phase)
    return perform(some_operation, stage.context(some_operation, **{"run_id": RUN, "host": ID, **params}))


def fails(stage: Stage, error: PatchFleetError, **params: Any) -> PatchFleetError:
    def work(_context: OperationContext) -> dict[str, Any]:
        raise error

    with pytest.raises(PatchFleetError) as caught:
        run(stage, work, **params)
    return caught.value


def nothing(_context: OperationContext) -> dict[str, Any]:
    return {"changed": False}


# In the ledger


def test_an_operation_leaves_its_times_in_the_run(stage: Stage) -> None:
    stage.open_run()

    def work(context: OperationContext) -> dict[str, Any]:
        context.clock.sleep(90)
        return {"changed": True}

    assert run(stage, work) == {"changed": True}
    (phase,) = stage.ledger.phases(RUN)
    assert (phase.phase, phase.started_at, phase.finished_at, phase.ok) == ("disk", START, START + 90, True)


def test_an_operation_may_go_on_to_the_next_and_back(stage: Stage) -> None:
    """Several passes of patching and scanning are one step of Ansible, and several of the report."""
    stage.open_run()

    def work(context: OperationContext) -> dict[str, Any]:
        for phase in ("patch", "patch", "verify", "patch"):
            context.enter(phase)
            context.clock.sleep(10)
        return {}

    run(stage, work, phase="patch")
    assert [(one.phase, one.started_at - START, one.finished_at, one.ok) for one in stage.ledger.phases(RUN)] == [
        ("patch", 0, START + 20, True),
        ("verify", 20, START + 30, True),
        ("patch", 30, START + 40, True),
    ]


def test_an_operation_that_fails_concludes_its_host_there(stage: Stage) -> None:
    stage.open_run()
    error = fails(stage, Failed("C: is full.", Reason.NO_ROOM))
    host = stage.ledger.host(RUN, ID)
    assert (host.outcome, host.phase, host.reason_code, host.reason) == ("failed", "disk", "no_room", "C: is full.")
    assert error.facts == {"step": "disk", "outcome": "failed"}
    assert stage.ledger.phases(RUN)[0].ok is False


@pytest.mark.parametrize("kind", [Failed, NeedsAttention])
@pytest.mark.parametrize("host", [{}, {"run_id": None, "host": None}], ids=["of a run", "of no run"])
def test_credentials_that_ended_name_the_command_that_puts_hosts_back(
    stage: Stage, kind: type[PatchFleetError], host: dict[str, Any]
) -> None:
    stage.open_run()
    error = fails(stage, kind("The AWS credentials have expired. Get new ones.", Reason.CREDENTIALS_EXPIRED), **host)
    ledger = stage.context(operation(nothing)).params["ledger"]
    command = playbook_command("restore", ledger)
    assert f"Get new ones. Then `{command}` puts back what is still on because of a run" in error.reason
    if not host:
        assert error.reason in str(stage.ledger.host(RUN, ID).reason)


def test_an_operation_that_defers_concludes_its_host_as_that(stage: Stage) -> None:
    stage.open_run()
    fails(stage, Deferred("2 people are logged on.", Reason.SESSIONS), phase="repair")
    host = stage.ledger.host(RUN, ID)
    assert (host.outcome, host.phase) == ("deferred", "repair")


def test_the_first_reason_of_a_host_stays(stage: Stage) -> None:
    stage.open_run()
    fails(stage, Failed("C: is full.", Reason.NO_ROOM))
    fails(stage, Failed("Later trouble.", Reason.TASK_FAILED), phase="restore")
    assert stage.ledger.host(RUN, ID).reason_code == Reason.NO_ROOM


def test_a_host_that_is_held_afterwards_says_both(stage: Stage) -> None:
    stage.open_run()
    fails(stage, Failed("C: is full.", Reason.NO_ROOM))
    fails(stage, NeedsAttention("It is still on.", Reason.STILL_STOPPING), phase="restore")
    host = stage.ledger.host(RUN, ID)
    assert (host.outcome, host.reason) == ("held", "C: is full. It is still on.")


def test_a_failure_that_the_ledger_does_not_take_is_left_to_host_result(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its task says why it failed, and not what is wrong with the ledger; without an outcome the rescue hands it on."""
    stage.open_run()

    def refuse(*_arguments: Any, **_more: Any) -> None:
        raise NotRecorded("The ledger is gone.")

    monkeypatch.setattr(stage.ledger, "set_outcome", refuse)
    error = fails(stage, Failed("C: is full.", Reason.NO_ROOM))
    assert (error.reason, error.facts) == ("C: is full.", {})


def test_an_operation_whose_end_cannot_be_written_has_failed(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.open_run()

    def refuse(*_arguments: Any, **_more: Any) -> None:
        raise LeaseLost(ID)

    monkeypatch.setattr(stage.ledger, "end_phase", refuse)
    with pytest.raises(LeaseLost):
        run(stage, nothing)
    assert stage.ledger.host(RUN, ID).reason_code == Reason.LEASE_LOST


def test_a_bug_is_no_verdict_but_ends_the_operation(stage: Stage) -> None:
    stage.open_run()

    def work(_context: OperationContext) -> dict[str, Any]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(stage, work)
    assert stage.ledger.host(RUN, ID).outcome is None
    assert stage.ledger.phases(RUN)[0].ok is False


def test_an_operation_outside_a_run_writes_nothing(stage: Stage) -> None:
    stage.open_run()

    def work(context: OperationContext) -> dict[str, Any]:
        context.update_facts(reboots=1)
        return {"place": context.tracked_host}

    assert run(stage, work, run_id=None) == {"place": None}
    assert run(stage, work, host="") == {"place": None}
    assert stage.ledger.phases(RUN) == []
    assert stage.facts() == {}


def test_check_mode_writes_nothing_into_the_run(stage: Stage) -> None:
    stage.open_run()

    def work(context: OperationContext) -> dict[str, Any]:
        context.update_facts(reboots=1)
        raise Failed("C: is full.", Reason.NO_ROOM)

    some_operation = operation(work)
    context = stage.context(some_operation, check_mode=True, run_id=RUN, host=ID)
    with pytest.raises(PatchFleetError):
        perform(some_operation, context)
    assert stage.ledger.phases(RUN) == []
    assert stage.ledger.host(RUN, ID) == a_host()


def test_what_a_step_learns_is_written_at_once(stage: Stage) -> None:
    stage.open_run()

    def work(context: OperationContext) -> dict[str, Any]:
        context.update_facts(free_gib_before=3.5)
        return dict(stage.facts())

    assert run(stage, work) == {"free_gib_before": 3.5}


@pytest.mark.parametrize(
    ("phase", "params", "expected"),
    [
        ("ready", {}, "ready"),
        ({"started": "start", "restored": "restore"}, {"state": "restored"}, "restore"),
        (None, {"step": "repair"}, "repair"),
        (None, {}, None),
    ],
)
def test_the_reports_step_follows_from_the_options(phase: Any, params: dict[str, Any], expected: str | None) -> None:
    assert operation(nothing, phase).phase_of(params) == expected


def test_a_task_that_fails_shows_reason_and_code() -> None:
    error = Failed("C: is full.", Reason.NO_ROOM, {"free_gib": 1})
    assert failure_result(error) == {"msg": "C: is full.", "reason_code": "no_room", "free_gib": 1}


# Deadlines


def test_a_wait_ends_at_its_own_deadline_or_at_that_of_the_host(stage: Stage) -> None:
    stage.open_run(a_host(facts={"deadline_at": START + 100}))
    deadlines: list[float] = []

    def work(context: OperationContext) -> dict[str, Any]:
        deadlines.extend(context.deadline(seconds) - START for seconds in (60, 600))
        return {}

    run(stage, work)
    run(stage, work, phase="restore")
    run(stage, work, run_id=None)
    assert deadlines == [60, 100, 60, 600, 60, 600]


def test_an_operation_that_begins_after_the_hosts_time_is_refused(stage: Stage) -> None:
    stage.open_run(a_host(facts={"deadline_at": START}))
    with pytest.raises(PatchFleetError, match="patch_host_timeout_seconds") as caught:
        run(stage, nothing)
    assert caught.value.code == Reason.HOST_TIMEOUT
    assert run(stage, nothing, phase="restore") == {"changed": False}


# The lease


def test_a_long_wait_keeps_the_lease(stage: Stage) -> None:
    """A lock that expires while its holder still works: terraform-hcloud-kube-hetzner#1182."""
    stage.open_run()

    def work(context: OperationContext) -> dict[str, Any]:
        return {"seen": context.wait(lambda: None, START + 3 * LEASE_SECONDS)}

    run(stage, work)
    assert stage.ledger.run(RUN).heartbeat_at >= START + 3 * LEASE_SECONDS - HEARTBEAT_SECONDS


def test_a_wait_does_not_write_at_every_look(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.open_run()
    beats: list[float] = []
    monkeypatch.setattr(stage.ledger, "heartbeat", lambda _run, now: beats.append(now - START))

    def work(context: OperationContext) -> dict[str, Any]:
        return {"seen": context.wait(lambda: None, START + 600, first_pause_seconds=1, longest=1)}

    run(stage, work)
    assert len(beats) == 11
    assert all(later - earlier >= HEARTBEAT_SECONDS for earlier, later in pairwise(beats))


def test_a_wait_ends_when_another_run_takes_the_host(stage: Stage) -> None:
    stage.open_run()
    stage.open_run(a_host("i-9", "other"), run_id="other")
    stage.clock.at(300, lambda: stage.ledger.take_over("other", [ID], START + 300, force=True))

    def work(context: OperationContext) -> dict[str, Any]:
        return {"seen": context.wait(lambda: None, START + 6000)}

    with pytest.raises(NeedsAttention, match="Another run has taken") as caught:
        run(stage, work)
    assert caught.value.code == Reason.LEASE_LOST
    assert 300 <= stage.clock.passed <= 300 + HEARTBEAT_SECONDS + 30


def test_an_operation_on_a_host_that_is_not_ours_does_nothing(stage: Stage) -> None:
    stage.open_run()
    stage.ledger.set_outcome(RUN, ID, Verdict("deferred"))
    stage.open_run(a_host("i-9", "other"), run_id="other")
    stage.ledger.take_over("other", [ID], START, force=True)

    def work(_context: OperationContext) -> dict[str, Any]:
        pytest.fail("worked on a host of another run")

    with pytest.raises(NeedsAttention):
        run(stage, work)


class Gone(BaseException):
    """The worker has ended."""


@pytest.mark.parametrize("tracked", [True, False])
def test_a_worker_without_its_controller_gives_no_heartbeat_and_changes_nothing(stage: Stage, tracked: bool) -> None:
    stage.open_run()

    def end() -> None:
        if stage.clock.passed >= 300:
            raise Gone

    def work(context: OperationContext) -> dict[str, Any]:
        context.end_if_orphaned = end
        with pytest.raises(Gone):
            context.wait(lambda: None, START + 6000)
        with pytest.raises(Gone):
            sending(context)
        return {"changed": False}

    run(stage, work, **({} if tracked else {"run_id": None}))
    assert stage.clock.passed <= 330
    assert stage.account.calls == []
    assert stage.ledger.run(RUN).heartbeat_at < START + 300


# Fencing


def sending(context: OperationContext) -> dict[str, Any]:
    context.aws.in_region("eu-west-1").change(EC2, ID).start_instances(InstanceIds=[ID])
    return {"changed": True}


def test_the_lease_is_checked_right_before_each_change(stage: Stage) -> None:
    """Not once a minute, and again before each attempt: EC2 and SSM know no fencing numbers."""
    stage.open_run()
    stage.account.on("start_instances", client_error("RequestLimitExceeded"))
    stage.clock.at(20, lambda: stage.ledger.take_over(RUN, [ID], START + 20, force=True))
    with pytest.raises(NeedsAttention) as caught:
        run(stage, sending)
    assert caught.value.code == Reason.LEASE_LOST
    assert 20 <= stage.clock.passed < HEARTBEAT_SECONDS
    assert all(call.at < 20 for call in stage.account.of("start_instances"))


def reads_of_the_lease(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    read, fence = list[float](), stage.ledger.fence
    monkeypatch.setattr(stage.ledger, "fence", lambda *of: (read.append(stage.clock.passed), fence(*of))[1])
    return read


def test_the_lease_is_read_right_before_each_change(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also in the moment after a write or another read: the clock of a machine that stood still may not show it."""
    stage.open_run()
    stage.account.on("start_instances", {"StartingInstances": []})
    read = reads_of_the_lease(stage, monkeypatch)

    def work(context: OperationContext) -> dict[str, Any]:
        for number in range(1, 4):
            before = len(read)
            sending(context)
            assert len(read) > before
            context.update_facts(reboots=number)
        return {"changed": True}

    run(stage, work, fence=1)


def test_what_is_only_seen_is_written_before_the_next_change_and_when_the_phase_ends(stage: Stage) -> None:
    stage.open_run()
    stage.account.on("start_instances", {"StartingInstances": []})
    known = list[dict[str, Any]]()

    def work(context: OperationContext) -> dict[str, Any]:
        context.note_facts(sessions=2)
        known.append(stage.facts())
        assert context.facts["sessions"] == 2
        sending(context)
        known.append(stage.facts())
        context.note_facts(sessions=3)
        return {"changed": False}

    run(stage, work, fence=1)
    assert [facts.get("sessions") for facts in (*known, stage.facts())] == [None, 2, 3]


def test_what_is_only_seen_is_written_before_a_failure_is_judged(stage: Stage) -> None:
    stage.open_run()

    def work(context: OperationContext) -> dict[str, Any]:
        context.note_facts(started_by_run=True)
        raise Deferred("No capacity.", Reason.NO_CAPACITY)

    with pytest.raises(PatchFleetError):
        run(stage, work, fence=1)
    assert stage.ledger.host(RUN, ID).outcome == "failed"


def test_an_operation_whose_findings_are_not_written_has_failed(stage: Stage) -> None:
    stage.open_run()

    def work(context: OperationContext) -> dict[str, Any]:
        context.note_facts(sessions=2)
        stage.ledger.take_over(RUN, [ID], START, force=True)
        return {"changed": False}

    with pytest.raises(NeedsAttention) as caught:
        run(stage, work, fence=1)
    assert caught.value.code == Reason.LEASE_LOST
    assert "sessions" not in stage.facts()


def test_what_only_looks_or_tries_needs_no_lease(stage: Stage) -> None:
    stage.open_run()
    stage.account.on("describe_instances", shown())
    stage.account.on("start_instances", client_error("DryRunOperation"))

    def poll(context: OperationContext) -> dict[str, Any]:
        stage.ledger.take_over(RUN, [ID], START, force=True)
        context.aws.read(EC2).describe_instances()
        with pytest.raises(AwsError, match="DryRunOperation"):
            context.aws.read(EC2).start_instances(InstanceIds=[ID], DryRun=True)
        return {"changed": False}

    run(stage, poll)


def test_an_operation_of_who_lost_the_host_does_nothing_even_when_its_run_has_it(stage: Stage) -> None:
    """A controller that was frozen, while restore took the host over for the same run."""
    stage.open_run()
    stage.ledger.take_over(RUN, [ID], START, force=True)
    with pytest.raises(NeedsAttention):
        run(stage, sending, fence=1)
    assert stage.account.calls == []
    assert stage.ledger.phases(RUN) == []


def test_who_lost_a_host_does_not_change_the_verdict_on_it(stage: Stage) -> None:
    stage.open_run()
    stage.ledger.set_outcome(RUN, ID, Verdict("patched"))
    stage.ledger.take_over(RUN, [ID], START, force=True)
    with pytest.raises(NeedsAttention):
        run(stage, sending, fence=1)
    assert stage.ledger.host(RUN, ID).outcome == "patched"


def test_a_host_of_a_dead_run_is_kept_while_it_is_put_back_and_released_then(stage: Stage) -> None:
    stage.open_run()
    stage.clock.sleep(LEASE_SECONDS)
    stage.ledger.take_over(RUN, [ID], stage.clock.now(), force=False)

    def work(context: OperationContext) -> dict[str, Any]:
        context.wait(lambda: None, stage.clock.now() + 2 * LEASE_SECONDS)
        assert stage.ledger.take_over("other", [ID], stage.clock.now(), force=False).held == {ID: RUN}
        return {"changed": False}

    run(stage, work, phase="restore")
    assert stage.ledger.run(RUN).heartbeat_at == START, "a dead run stays dead"
    stage.open_run(run_id="other")


# Waiting while AWS does not answer


def waiting(context: OperationContext) -> dict[str, Any]:
    poll = context.aws.read(EC2).describe_instances
    return {"changed": False, "seen": context.wait(poll, context.clock.now() + 3600) is not None}


def test_a_wait_outlasts_a_throttling_that_is_longer_than_a_calls_own_timeout(stage: Stage) -> None:
    """Of a thousand hosts at once some are throttled for longer than ten minutes."""
    throttled = client_error("RequestLimitExceeded", operation="DescribeInstances")
    stage.open_run()
    stage.account.on("describe_instances", throttled)
    stage.clock.at(1500, lambda: stage.account.on("describe_instances", shown()))
    assert run(stage, waiting)["seen"] is True
    assert 1500 <= stage.clock.passed < 1700


def test_a_wait_that_was_throttled_to_its_end_says_so(stage: Stage) -> None:
    stage.open_run()
    stage.account.on("describe_instances", client_error("RequestLimitExceeded", operation="DescribeInstances"))
    with pytest.raises(AwsError) as caught:
        run(stage, waiting)
    assert caught.value.code == "throttled"
    assert stage.clock.passed == pytest.approx(3600)


def test_a_wait_ends_at_once_where_a_right_is_missing(stage: Stage) -> None:
    stage.open_run()
    stage.account.on("describe_instances", client_error("UnauthorizedOperation", operation="DescribeInstances"))
    with pytest.raises(AwsError):
        run(stage, waiting)
    assert stage.clock.passed == 0


def test_a_pause_keeps_the_lease(stage: Stage) -> None:
    def pausing(context: OperationContext) -> dict[str, Any]:
        context.pause(2 * LEASE_SECONDS)
        return {"changed": False}

    stage.open_run()
    run(stage, pausing)
    assert stage.ledger.run(RUN).is_active(stage.clock.now())
