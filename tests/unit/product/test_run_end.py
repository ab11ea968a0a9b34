# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How hosts and runs end: in order, interrupted, and found again by a later command."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._base.clock import iso
from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import (
    Deferred,
    Failed,
    InvalidOption,
    NeedsAttention,
    PatchFleetError,
)
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.records import (
    LEASE_SECONDS,
    HostDurations,
    PowerRecord,
    Verdict,
)
from ansible_collections.patchfleet.windows.plugins.module_utils._model.host_facts import HostFacts
from ansible_collections.patchfleet.windows.plugins.module_utils._model.phases import Phase
from ansible_collections.patchfleet.windows.plugins.module_utils._model.reasons import Reason
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.host_result import OPERATION as RESULT
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.instance_power import OPERATION as POWER
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.patch_report import OPERATION as PATCH_REPORT
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.patch_run import OPERATION
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.run_recovery import OPERATION as RECOVERY
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.context import OperationContext
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.failures import (
    failure_result,
    record_failure,
)
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.operation import Operation
from operations import perform

from .fakes import ID, START, client_error, shown
from .stage import RUN, Stage, a_host

NEVER_STARTED = "i-0fedcba9876543210"
FULL = Failed("C: is full.", Reason.NO_ROOM)


@pytest.fixture(autouse=True)
def a_run_with_two_hosts(stage: Stage) -> None:
    stage.open_run(a_host(), a_host(NEVER_STARTED, position=1, name="dev-02"))


def run(stage: Stage, state: str, *, check_mode: bool = False, **params: Any) -> dict[str, Any]:
    return perform(OPERATION, stage.context(OPERATION, check_mode=check_mode, state=state, **params))


def end(stage: Stage, state: str, **params: Any) -> dict[str, Any]:
    return perform(RESULT, stage.context(RESULT, state=state, **params))


def recover(stage: Stage, state: str, **params: Any) -> dict[str, Any]:
    return perform(RECOVERY, stage.context(RECOVERY, state=state, **params))


def outcome(stage: Stage, key: str = ID) -> tuple[str | None, str | None, str | None]:
    host = stage.ledger.host(RUN, key)
    return host.outcome, host.phase, host.reason_code


def begin(stage: Stage, step: str = "patch") -> None:
    stage.ledger.begin_phase(RUN, ID, step, stage.clock.now())


def switch_on(stage: Stage) -> None:
    """The host was off and our run started it."""
    stage.record("stopped")
    stage.ledger.note_start(ID, RUN, stage.clock.now())
    stage.ledger.note_launch(ID, stage.clock.now())


# A host


def test_a_host_that_went_its_whole_way_gets_what_was_proven(stage: Stage) -> None:
    stage.ledger.update_facts(RUN, ID, {"proposed_outcome": "patched"})
    assert end(stage, "finished", run_id=RUN, host=ID) == {"changed": True, "outcome": "patched", "reason": None}
    assert stage.message == ["patched"]


def test_a_scanned_host_that_lacks_only_a_reboot_says_so(stage: Stage) -> None:
    facts: HostFacts = {"proposed_outcome": "noncompliant", "only_reboot_missing": True}
    stage.ledger.update_facts(RUN, ID, facts)
    end(stage, "finished", run_id=RUN, host=ID)
    host = stage.ledger.host(RUN, ID)
    assert (host.outcome, host.reason_code) == ("noncompliant", "reboot_pending")
    assert host.reason == "No update is missing, but Windows waits for a reboot."


def test_how_long_its_steps_took_is_remembered(stage: Stage) -> None:
    begin(stage, "start")
    stage.clock.sleep(60)
    stage.ledger.end_phase(RUN, ID, "start", stage.clock.now(), ok=True)
    stage.ledger.update_facts(RUN, ID, {"proposed_outcome": "patched"})
    end(stage, "finished", run_id=RUN, host=ID)
    assert stage.ledger.history(ID) == [HostDurations(ID, RUN, START + 60, "patched", {"start": 60.0})]


def test_a_way_that_proved_nothing_or_only_looked_predicts_nothing(stage: Stage) -> None:
    stage.ledger.update_facts(RUN, ID, {"proposed_outcome": "noncompliant"})
    end(stage, "finished", run_id=RUN, host=ID)
    end(stage, "finished", run_id=RUN, host=NEVER_STARTED)
    assert stage.ledger.histories([ID, NEVER_STARTED]) == {}


def test_a_host_that_proved_nothing_failed(stage: Stage) -> None:
    assert end(stage, "finished", run_id=RUN, host=ID)["outcome"] == "failed"
    assert outcome(stage) == ("failed", "patch", "not_proven")


def test_a_host_that_fails_for_the_same_cause_again_is_reported_as_that(stage: Stage) -> None:
    """The run between, which did not begin it, says nothing."""
    for run_id, error, phase in (
        (RUN, Failed("The proxy refuses it.", Reason.UPDATE_PROXY), Phase.REPAIR),
        ("run-2", Deferred("Too late.", Reason.NO_TIME), Phase.ADMIT),
        ("run-3", Failed("The proxy refuses it.", Reason.UPDATE_PROXY), Phase.REPAIR),
    ):
        if run_id != RUN:
            stage.clock.sleep(3600)
            stage.open_run(a_host(run_id=run_id), run_id=run_id)
        record_failure(stage.context(RESULT, run_id=run_id, host=ID), error, phase)
        message = end(stage, "finished", run_id=run_id, host=ID)["reason"]
        stage.ledger.close_run(run_id, stage.clock.now())
    assert message == f"The proxy refuses it. It failed for the same cause in its last run, {RUN}: it needs a person."


@pytest.mark.parametrize(("hresult", "again"), [("0x80073712", True), ("0x80070020", False)])
def test_updates_that_are_missing_again_have_the_same_cause_by_their_hresults(
    stage: Stage, hresult: str, again: bool
) -> None:
    for run_id, code in ((RUN, "0x80073712"), ("run-2", hresult)):
        if run_id != RUN:
            stage.open_run(a_host(run_id=run_id), run_id=run_id)
        stage.ledger.update_facts(
            run_id, ID, {"failed_updates": [{"kb": "KB1", "hresult": code}, {"kb": "KB2", "hresult": None}]}
        )
        error = Failed("Still missing.", Reason.STILL_MISSING)
        record_failure(stage.context(RESULT, run_id=run_id, host=ID), error, Phase.PATCH)
        message = end(stage, "finished", run_id=run_id, host=ID)["reason"]
        stage.ledger.close_run(run_id, stage.clock.now())
        stage.clock.sleep(3600)
    assert ("needs a person" in message) is again


def test_the_reason_of_a_host_without_a_scan_says_that_its_last_run_had_none_either(stage: Stage) -> None:
    end(stage, "finished", run_id=RUN, host=ID)
    stage.ledger.close_run(RUN, stage.clock.now())
    stage.open_run(a_host(run_id="run-2"), run_id="run-2")
    assert "the same cause in its last run" in end(stage, "finished", run_id="run-2", host=ID)["reason"]


class ReadRuns:
    """A ledger that counts how often all runs are read."""

    def __init__(self, ledger: Any) -> None:
        self._ledger, self.times = ledger, 0

    def __getattr__(self, name: str) -> Any:
        self.times += name == "runs"
        return getattr(self._ledger, name)


@pytest.mark.parametrize(
    ("error", "times"), [(None, 0), (Deferred("Too late.", Reason.NO_TIME), 0), (FULL, 1)], ids=str
)
def test_earlier_runs_are_read_once_for_a_host_that_fails_and_for_no_other(
    stage: Stage, error: PatchFleetError | None, times: int
) -> None:
    stage.ledger.update_facts(RUN, ID, {"proposed_outcome": "patched"})
    stage.ledger = ReadRuns(stage.ledger)  # type: ignore[assignment]
    if error:
        record_failure(stage.context(RESULT, run_id=RUN, host=ID), error, Phase.DISK)
    end(stage, "finished", run_id=RUN, host=ID)
    assert stage.ledger.times == times  # type: ignore[attr-defined]


def test_a_host_that_failed_stays_failed_after_it_was_put_back(stage: Stage) -> None:
    stage.ledger.set_outcome(RUN, ID, Verdict("failed", "disk", "no_room", "C: is full."))
    stage.ledger.update_facts(RUN, ID, {"proposed_outcome": "patched"})
    assert end(stage, "finished", run_id=RUN, host=ID)["outcome"] == "failed"
    assert stage.message == ["failed: C: is full."]


def test_a_failure_of_a_task_that_is_not_ours_is_written_down(stage: Stage) -> None:
    begin(stage, "disk")
    host: dict[str, Any] = {"run_id": RUN, "host": ID}
    written = end(stage, "failed", **host, failure={"msg": "template error", "failed": True})
    assert written == {"changed": True, "outcome": "failed", "reason": "template error"}
    assert outcome(stage) == ("failed", "disk", "task_failed")
    end(stage, "failed", **host, failure={"msg": "And another."})
    assert (outcome(stage)[2], stage.ledger.host(RUN, ID).reason) == ("task_failed", "template error And another.")


def test_a_failure_that_its_operation_has_written_is_not_written_again(stage: Stage) -> None:
    error = Failed("C: is full.", Reason.NO_ROOM)
    record_failure(stage.context(RESULT, run_id=RUN, host=ID), error, Phase.DISK)
    written = end(stage, "failed", run_id=RUN, host=ID, failure=failure_result(error))
    assert written == {"changed": False, "outcome": "failed", "reason": "C: is full."}
    assert outcome(stage) == ("failed", "disk", "no_room")


# A run


def test_a_run_that_ends_leaves_no_host_without_an_outcome(stage: Stage) -> None:
    begin(stage)
    run(stage, "closed", run_id=RUN)
    assert outcome(stage) == ("failed", "patch", "interrupted")
    assert outcome(stage, NEVER_STARTED) == ("deferred", "admit", "run_interrupted")
    assert stage.ledger.run(RUN).closed_at == START


def test_a_host_that_was_only_asked_in_was_not_started(stage: Stage) -> None:
    begin(stage, "admit")
    run(stage, "closed", run_id=RUN)
    assert outcome(stage) == ("deferred", "admit", "run_interrupted")


def test_a_host_that_was_proven_and_is_not_on_because_of_us_keeps_what_it_reached(stage: Stage) -> None:
    begin(stage)
    stage.record("running")
    stage.ledger.update_facts(RUN, ID, {"proposed_outcome": "patched"})
    run(stage, "closed", run_id=RUN)
    assert outcome(stage) == ("patched", None, None)


def test_a_host_that_is_still_on_because_of_us_did_not_reach_its_end(stage: Stage) -> None:
    begin(stage)
    switch_on(stage)
    stage.ledger.update_facts(RUN, ID, {"proposed_outcome": "patched"})
    run(stage, "closed", run_id=RUN)
    assert outcome(stage) == ("failed", "patch", "interrupted")


def test_check_mode_concludes_and_closes_nothing(stage: Stage) -> None:
    run(stage, "closed", check_mode=True, run_id=RUN)
    for operation, states in ((RESULT, ("finished", "failed")), (RECOVERY, ("lost_hosts", "closed"))):
        for state in states:
            options = {"run_id": RUN, "host": ID, "state": state, "failure": {"msg": "x"}}
            known = {name: value for name, value in options.items() if name in operation.arguments}
            perform(operation, stage.context(operation, check_mode=True, **known))
    assert outcome(stage) == (None, None, None)
    assert stage.ledger.run(RUN).closed_at is None


# What is found again


def find(stage: Stage, **params: Any) -> dict[str, Any]:
    return recover(stage, "open_hosts", **params)


@pytest.mark.parametrize("wanted", ["dev-01", ID])
def test_one_host_is_listed_to_be_released(stage: Stage, wanted: str) -> None:
    switch_on(stage)
    stage.clock.sleep(LEASE_SECONDS)
    (host,) = find(stage, let_go=wanted)["hosts"]
    assert (host["key"], host["let_go"]) == (ID, True)


def test_a_host_that_is_not_open_cannot_be_released(stage: Stage) -> None:
    """A mistyped name must not release another host, or say that all is well."""
    switch_on(stage)
    stage.clock.sleep(LEASE_SECONDS)
    with pytest.raises(InvalidOption, match=rf"patch_let_go: 'dev-1' is not valid.*Open now: dev-01 \({ID}\)\."):
        find(stage, let_go="dev-1")


def test_a_host_at_work_is_not_released(stage: Stage) -> None:
    switch_on(stage)
    found = find(stage, let_go=ID)
    assert (found["hosts"], len(found["busy"])) == ([], 1)


def test_a_host_that_a_dead_run_left_on_is_found(stage: Stage) -> None:
    switch_on(stage)
    stage.clock.sleep(LEASE_SECONDS)
    (host,) = find(stage)["hosts"]
    assert host == {
        "kind": "ec2",
        "transport": "ssm",
        "key": ID,
        "name": "dev-01",
        "instance_id": ID,
        "region": "eu-central-1",
        "account": None,
        "run_id": RUN,
        "ours": True,
        "unreadable": None,
        "fence": 2,
    }


SERVICES: HostFacts = {
    "services_found": [{"name": "bits", "start_type": "disabled", "status": "stopped", "expected_start_type": "manual"}]
}


def leave_services(stage: Stage, run_id: str, **facts: Any) -> None:
    """A run on a node without EC2, which has no power record, enabled a service there."""
    stage.open_run(a_host("mi-1", run_id, kind="hybrid"), run_id=run_id)
    stage.ledger.update_facts(run_id, "mi-1", {**SERVICES, **facts})


def test_a_node_on_which_a_dead_run_left_services_enabled_is_found(stage: Stage) -> None:
    leave_services(stage, "second")
    assert len(find(stage)["busy"]) == 1
    stage.clock.sleep(LEASE_SECONDS)
    (host,) = find(stage)["hosts"]
    assert (host["key"], host["kind"], host["run_id"], "ours" in host) == ("mi-1", "hybrid", "second", False)
    stage.ledger.close_run("second", stage.clock.now())
    assert [host["key"] for host in find(stage, take_over=True)["hosts"]] == ["mi-1"]
    stage.ledger.update_facts("second", "mi-1", {"services_found": []})
    assert find(stage, take_over=True)["hosts"] == []


def test_services_are_set_back_in_the_name_of_the_run_that_took_the_node_over(stage: Stage) -> None:
    leave_services(stage, "second")
    stage.ledger.close_run("second", stage.clock.now())
    stage.open_run(a_host("mi-1", "third", kind="hybrid"), run_id="third")
    assert find(stage, take_over=True)["hosts"] == [], "the third works on it and knows nothing of them"
    stage.ledger.update_facts("third", "mi-1", {"adopted_from": "second"})
    assert [host["run_id"] for host in find(stage, take_over=True)["hosts"]] == ["third"]


def test_a_host_that_a_living_run_works_on_is_busy(stage: Stage) -> None:
    switch_on(stage)
    found = find(stage)
    assert (found["hosts"], len(found["busy"])) == ([], 1)
    assert "its lease ends at 2026-11-14T22:15:00Z" in found["busy"][0]
    assert found["lines"] == found["busy"]


def test_a_controller_that_is_known_to_be_dead_is_not_waited_for(stage: Stage) -> None:
    switch_on(stage)
    assert len(find(stage, take_over=True)["hosts"]) == 1


def test_who_worked_for_the_dead_run_loses_the_host_to_who_asks(stage: Stage) -> None:
    """Workers that a killed controller left behind, or a controller that was frozen and comes back."""
    switch_on(stage)
    (host,) = find(stage, take_over=True)["hosts"]
    with pytest.raises(NeedsAttention, match="Another run has taken"):
        stage.ledger.update_facts(RUN, ID, {"reboots": 1}, fence=1)
    stage.ledger.update_facts(RUN, ID, {"reboots": 2}, fence=host["fence"])
    assert stage.ledger.host(RUN, ID).facts["reboots"] == 2


def test_a_host_that_another_run_puts_back_right_now_is_busy(stage: Stage) -> None:
    switch_on(stage)
    stage.clock.sleep(LEASE_SECONDS)
    assert len(find(stage)["hosts"]) == 1
    again = find(stage)
    assert (again["hosts"], len(again["busy"])) == ([], 1)
    assert "Another restore puts " in again["busy"][0]
    stage.clock.sleep(LEASE_SECONDS)
    assert len(find(stage)["hosts"]) == 1


def test_check_mode_takes_nothing_over(stage: Stage) -> None:
    switch_on(stage)
    stage.clock.sleep(LEASE_SECONDS)
    (host,) = find(stage, check_mode=True)["hosts"]
    assert "fence" not in host
    assert stage.ledger.fence(RUN, ID) == 1


def test_a_run_can_be_named(stage: Stage) -> None:
    switch_on(stage)
    stage.open_run(a_host("i-9", "other"), run_id="other")
    assert len(find(stage, run_id=RUN, take_over=True)["hosts"]) == 1
    assert find(stage, run_id="other", take_over=True)["hosts"] == []
    with pytest.raises(PatchFleetError, match="knows no run"):
        find(stage, run_id="nonsense")


def test_a_host_that_a_later_run_adopted_is_found_under_the_later_one_too(stage: Stage) -> None:
    """The run that was cut off names itself in its last words."""
    switch_on(stage)
    stage.ledger.close_run(RUN, START)
    stage.open_run(run_id="second")
    assert [host["key"] for host in find(stage, run_id="second", take_over=True)["hosts"]] == [ID]


def test_nothing_open_is_said_with_the_ledger_and_its_last_run(stage: Stage) -> None:
    stage.ledger.close_run(RUN, START)
    lines = find(stage, ledger="dynamodb://Fleet")["lines"]
    assert lines == [
        "Nothing is open: every host is as it was found.",
        f"Ledger dynamodb://Fleet, last run {RUN}, closed {iso(START)}.",
    ]


def test_the_all_clear_names_the_account(stage: Stage) -> None:
    """A reader with credentials of another one has to see that."""
    stage.open_run(a_host("i-8"), run_id="newest", account="123456789012")
    lines = find(stage, ledger="dynamodb://Fleet")["lines"]
    assert lines[2] == "The hosts of that run belong to account 123456789012."


@pytest.mark.parametrize("state", ["open_hosts", "closed"])
def test_hosts_of_another_account_are_not_taken_for_gone(stage: Stage, state: str) -> None:
    """A file on a laptop may hold the runs of two accounts. In the other one AWS knows no such instance."""
    stage.open_run(a_host("i-8"), run_id="there", account="210987654321")
    record = PowerRecord("i-8", "i-8", "eu-central-1", "theirs", "stopped", START, "there")
    stage.ledger.record_power(record)
    stage.ledger.note_start("i-8", "there", START)
    stage.account.on("get_caller_identity", {"Account": "123456789012", "Arn": "arn:aws:iam::123456789012:user/a"})
    if state == "open_hosts":
        found = find(stage, take_over=True)
        assert (found["hosts"], len(found["busy"])) == ([], 1)
        assert "theirs (i-8) belongs to account 210987654321" in found["lines"][0]
        assert stage.ledger.fence("there", "i-8") == 1
    else:
        with pytest.raises(Failed, match=r"theirs \(i-8 in account 210987654321\)"):
            recover(stage, "closed", take_over=True)
    assert stage.ledger.power("i-8") is not None


def test_hosts_of_the_credentials_account_are_found(stage: Stage) -> None:
    stage.open_run(a_host("i-8"), run_id="here", account="123456789012")
    stage.ledger.record_power(PowerRecord("i-8", "i-8", "eu-central-1", "ours", "stopped", START, "here"))
    stage.account.on("get_caller_identity", {"Account": "123456789012", "Arn": "arn:aws:iam::123456789012:user/a"})
    assert [host["key"] for host in find(stage, take_over=True)["hosts"]] == ["i-8"]


def test_credentials_that_have_ended_do_not_hide_what_is_on(stage: Stage) -> None:
    stage.open_run(a_host("i-8"), run_id="here", account="123456789012")
    stage.ledger.record_power(PowerRecord("i-8", "i-8", "eu-central-1", "ours", "stopped", START, "here"))
    stage.account.on("get_caller_identity", client_error("ExpiredToken"))
    assert [host["key"] for host in find(stage, take_over=True)["hosts"]] == ["i-8"]


def test_a_ledger_without_a_run_gives_no_all_clear(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    stage = Stage(tmp_path / "other")
    with pytest.raises(Failed, match="The ledger dynamodb://Fleet holds no run") as caught:
        find(stage, ledger="dynamodb://Fleet")
    assert caught.value.code == "no_run"


@pytest.mark.parametrize("module", [RECOVERY, PATCH_REPORT], ids=lambda operation: operation.name)
def test_a_ledger_that_is_missing_is_refused_and_not_made(module: Operation, tmp_path: Path) -> None:
    path = tmp_path / "typo.sqlite"
    options = {name: spec.get("default") for name, spec in module.arguments.items()}
    with pytest.raises(Failed, match=f"There is no ledger {path}"):
        perform(module, OperationContext({**options, "ledger": str(path), "state": "open_hosts"}))
    assert not path.exists()


# Settling


def test_a_dead_run_of_which_nothing_is_open_is_closed(stage: Stage) -> None:
    begin(stage)
    stage.clock.sleep(LEASE_SECONDS)
    assert recover(stage, "closed") == {"changed": False, "lines": []}
    assert stage.ledger.run(RUN).closed_at == START + LEASE_SECONDS
    assert outcome(stage) == ("failed", "patch", "interrupted")


@pytest.mark.parametrize("verdict", [None, Verdict("deferred", "start", "no_capacity", "No room.")])
def test_a_controller_that_only_stood_still_has_lost_the_hosts_of_a_run_that_was_closed(
    stage: Stage, verdict: Verdict | None
) -> None:
    """Else it would go on with what the restore has called deferred."""
    if verdict:
        stage.ledger.set_outcome(RUN, ID, verdict)
    fence = stage.ledger.fence(RUN, ID)
    stage.clock.sleep(LEASE_SECONDS)
    recover(stage, "closed")
    with pytest.raises(PatchFleetError, match="taken"):
        perform(POWER, stage.context(POWER, run_id=RUN, host=ID, instance_id=ID, state="started", fence=fence))
    stage.open_run(a_host(run_id="next"), run_id="next")  # and it is free at once


def test_a_run_with_a_host_that_another_restore_has_is_left_to_that(stage: Stage) -> None:
    stage.clock.sleep(LEASE_SECONDS)
    stage.ledger.take_over(RUN, [ID], stage.clock.now(), force=False)
    recover(stage, "closed")
    assert stage.ledger.run(RUN).closed_at is None


def test_a_living_run_is_not_closed(stage: Stage) -> None:
    recover(stage, "closed")
    assert stage.ledger.run(RUN).closed_at is None


def test_what_is_still_on_because_of_us_is_reported_and_its_run_stays_open(stage: Stage) -> None:
    switch_on(stage)
    stage.clock.sleep(LEASE_SECONDS)
    with pytest.raises(PatchFleetError, match=rf"Still on because of us: dev-01 \({ID}\)") as caught:
        recover(stage, "closed")
    assert caught.value.code == "still_on"
    assert stage.ledger.run(RUN).closed_at is None


def test_a_restore_that_is_too_early_says_when_it_can_succeed(stage: Stage) -> None:
    switch_on(stage)
    stage.clock.sleep(LEASE_SECONDS / 3)
    with pytest.raises(PatchFleetError) as caught:
        recover(stage, "closed")
    assert caught.value.reason == (
        f"Still on because of us: dev-01 ({ID}). They belong to {RUN}, which may be at work. If it has not renewed its lease, it "
        "ends at 2026-11-14T22:15:00Z; then run `ansible-playbook patchfleet.windows.restore`."
    )


def test_a_host_that_was_recorded_but_not_started_is_nothing_to_fail_for(stage: Stage) -> None:
    stage.record("stopped")
    stage.clock.sleep(LEASE_SECONDS)
    assert recover(stage, "closed") == {"changed": False, "lines": []}


def test_settling_one_run_leaves_the_others(stage: Stage) -> None:
    switch_on(stage)
    stage.open_run(a_host("i-9", "other"), run_id="other")
    stage.clock.sleep(LEASE_SECONDS)
    assert recover(stage, "closed", run_id="other") == {"changed": False, "lines": []}
    assert stage.ledger.run("other").closed_at is not None
    assert stage.ledger.run(RUN).closed_at is None


# Putting back what a dead run left


def put_back(stage: Stage, run_id: str = RUN) -> dict[str, Any]:
    return perform(POWER, stage.context(POWER, run_id=run_id, host=ID, instance_id=ID, state="restored"))


def test_a_dead_run_is_settled_right_after_its_hosts_are_put_back(stage: Stage) -> None:
    """Else its other hosts would stay leased to a dead run, and the next run would defer them."""
    switch_on(stage)
    stage.clock.sleep(LEASE_SECONDS)
    stage.account.on("describe_instances", shown("stopped", launched=0))
    put_back(stage)
    recover(stage, "closed")
    assert stage.ledger.run(RUN).closed_at is not None


def test_a_restore_that_failed_can_be_repeated_at_once(stage: Stage) -> None:
    """Say the right to stop was missing: who repairs that does not wait a quarter of an hour."""
    switch_on(stage)
    stage.clock.sleep(LEASE_SECONDS)
    stage.account.on("describe_instances", shown("running", launched=0))
    stage.account.on("stop_instances", client_error("UnauthorizedOperation", operation="StopInstances"))
    with pytest.raises(PatchFleetError):
        put_back(stage)
    assert len(find(stage)["hosts"]) == 1


def test_a_host_that_two_runs_could_not_put_back_is_put_back(stage: Stage) -> None:
    """The first started it and died, the second adopted it and has its lease; the record says what the first did."""
    switch_on(stage)
    stage.ledger.close_run(RUN, START)
    stage.open_run(run_id="second")
    stage.ledger.close_run("second", START)
    (host,) = find(stage)["hosts"]
    assert host["run_id"] == "second"
    stage.account.on("describe_instances", shown("stopped", launched=0))
    put_back(stage, host["run_id"])
    assert find(stage)["hosts"] == []


def test_a_host_that_a_living_run_adopted_is_busy(stage: Stage) -> None:
    switch_on(stage)
    stage.ledger.close_run(RUN, START)
    stage.open_run(run_id="second")
    assert find(stage)["busy"][0].startswith("Run second, which somebody started on controller (process 1), works on ")


@pytest.mark.parametrize("command", ["ansible-playbook patchfleet.windows.patch -e patch_hosts=web", None])
def test_a_restore_ends_with_the_sums_and_how_to_continue(stage: Stage, command: str | None) -> None:
    stage.ledger.keep_settings(RUN, {**stage.ledger.run(RUN).settings, "started_with": command})
    for key, state, outcome in ((ID, "stopped", "failed"), (NEVER_STARTED, "running", "patched")):
        stage.ledger.update_facts(RUN, key, {"final_state": state})
        stage.ledger.set_outcome(RUN, key, Verdict(outcome, "patch"))
    found = [{"run_id": RUN, "key": key} for key in (ID, NEVER_STARTED)]
    stage.clock.sleep(LEASE_SECONDS)
    lines = perform(RECOVERY, stage.context(RECOVERY, state="closed", hosts=found))["lines"]
    again = f"`{command}`" if command else "start the run again as before"
    assert lines == [
        "2 hosts put back: 1 running, 1 stopped. 0 still open.",
        f"Run {RUN} left hosts unpatched. To continue: {again}.",
    ]


def test_a_restore_that_found_nothing_open_has_no_sums(stage: Stage) -> None:
    stage.clock.sleep(LEASE_SECONDS)
    assert perform(RECOVERY, stage.context(RECOVERY, state="closed"))["lines"] == []
