# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Slices of one job, of AWX or by patch_slice: runs of their own that share what counts for all hosts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import InvalidOption
from ansible_collections.patchfleet.windows.plugins.module_utils._fleet.hosts import FleetHost
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.records import (
    LEASE_SECONDS,
    PowerRecord,
    Verdict,
)
from ansible_collections.patchfleet.windows.plugins.module_utils._model.account import Account
from ansible_collections.patchfleet.windows.plugins.module_utils._model.outcomes import Outcome
from ansible_collections.patchfleet.windows.plugins.module_utils._model.phases import Phase
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.host_admission import OPERATION
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.patch_report import OPERATION as REPORT
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.patch_run import OPERATION as RUN_OPERATION
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.run_recovery import OPERATION as RECOVERY
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.context import OperationContext
from ansible_collections.patchfleet.windows.plugins.module_utils._plan.variables import check_together, read
from ansible_collections.patchfleet.windows.plugins.module_utils._run import taken_over
from ansible_collections.patchfleet.windows.plugins.module_utils._run.opening import OpenedRun
from ansible_collections.patchfleet.windows.plugins.module_utils._run.slices import (
    failure_budget,
    kept_settings,
    slices,
)
from operations import perform

from .fakes import client_error, instance, reservations
from .stage import RUN, Stage, a_host

OTHER = "20261114T220000Z-0002"
KEYS = [f"i-{number:017x}" for number in range(6)]


@pytest.fixture(autouse=True)
def everything_is_stopped(stage: Stage) -> None:
    def answer(*, InstanceIds: list[str]) -> dict[str, Any]:  # noqa: N803
        return reservations(instance("stopped", InstanceId=InstanceIds[0]))

    stage.account.on("describe_instances", answer)


def deal(stage: Stage, budget: object, jobs: tuple[str | None, str | None] = ("41", "41")) -> None:
    """Six hosts dealt round robin to two slices, as AWX does."""
    for run_id, job, keys in zip((RUN, OTHER), jobs, (KEYS[::2], KEYS[1::2]), strict=True):
        hosts = [a_host(key, run_id, at, name=key) for at, key in enumerate(keys)]
        own = 0 if isinstance(budget, str) else budget
        stage.open_run(*hosts, run_id=run_id, failure_budget_hosts=own, **kept_settings(job, budget, len(hosts)))


def fail(stage: Stage, run_id: str, key: str) -> None:
    stage.ledger.set_outcome(run_id, key, Verdict("failed", "patch", "still_missing", "KB1 is missing."))


def admit(stage: Stage, run_id: str, key: str) -> dict[str, Any]:
    return perform(OPERATION, stage.context(OPERATION, run_id=run_id, host=key))


def test_failures_of_another_slice_count(stage: Stage) -> None:
    deal(stage, 1)
    fail(stage, RUN, KEYS[0])
    assert admit(stage, OTHER, KEYS[1])["admitted"] is True
    fail(stage, OTHER, KEYS[3])
    refused = admit(stage, OTHER, KEYS[5])
    assert (refused["admitted"], refused["reason_code"]) == (False, "breaker")
    assert stage.ledger.run(OTHER).breaker == (
        "2 hosts failed, and patch_failure_budget tolerates 1. All 2 failed with the reason code still_missing. "
        "When the cause is fixed, continue: start the run again as before."
    )


def test_a_percentage_is_one_of_the_hosts_of_all_slices(stage: Stage) -> None:
    deal(stage, "34%")  # one of three, but two of six
    fail(stage, RUN, KEYS[0])
    fail(stage, RUN, KEYS[2])
    assert admit(stage, RUN, KEYS[4])["admitted"] is True
    fail(stage, OTHER, KEYS[1])
    assert admit(stage, OTHER, KEYS[3])["reason_code"] == "breaker"


def test_a_breaker_that_opened_in_one_slice_holds_in_all(stage: Stage) -> None:
    deal(stage, 3)
    stage.open_breaker("The canary dev-00 failed.")
    refused = admit(stage, OTHER, KEYS[1])
    assert refused["reason"] == "No other host starts in this run. The canary dev-00 failed."
    assert stage.ledger.open_power() == []


@pytest.mark.parametrize("jobs", [("41", "42"), (None, "41"), ("41", None), (None, None)])
def test_runs_of_different_jobs_have_nothing_to_do_with_each_other(
    stage: Stage, jobs: tuple[str | None, str | None]
) -> None:
    deal(stage, 0, jobs)
    fail(stage, RUN, KEYS[0])
    assert admit(stage, OTHER, KEYS[1])["admitted"] is True


# ---- patch_slice: several controllers that share one plan


FLEET = [f"i-{number:017x}" for number in range(10, 17)]
JOB = {"patch_run_id": "night-1", "patch_failure_budget": "30%"}


@pytest.fixture
def rights(stage: Stage) -> None:
    dry_run = client_error("DryRunOperation", "Request would have succeeded, but DryRun flag is set.")
    for operation in ("start_instances", "stop_instances"):
        stage.account.on(operation, dry_run)
    stage.account.on("describe_document", {"Document": {"Parameters": []}})
    for operation in ("list_command_invocations", "describe_instance_patch_states"):
        stage.account.on(operation, {})
    stage.account.on("simulate_principal_policy", client_error("AccessDenied"))


def fleet_of(*keys: str) -> list[dict[str, Any]]:
    return [
        FleetHost(
            key,
            f"dev-{key[-2:]}",
            "ec2",
            "stopped",
            instance_id=key,
            region="eu-central-1",
            tags={"Role": "web"},
            account=Account("123456789012"),
        ).as_result()
        for key in keys or FLEET
    ]


def settings_of(part: str, **variables: Any) -> dict[str, Any]:
    settings: dict[str, Any] = {**read({**JOB, "patch_slice": part, **variables})}
    return {**settings, "slice_of": settings["run_id"]}


def open_slice(stage: Stage, part: str, *keys: str, **variables: Any) -> dict[str, Any]:
    settings = settings_of(part, **variables)
    return perform(
        RUN_OPERATION, stage.context(RUN_OPERATION, state="opened", settings=settings, fleet=fleet_of(*keys))
    )


def take_over(stage: Stage, opened: dict[str, Any], part: str, *keys: str, **variables: Any) -> dict[str, Any]:
    options = {"state": "taken_over", "run_id": opened["run_id"], "settings": settings_of(part, **variables)}
    return perform(RUN_OPERATION, stage.context(RUN_OPERATION, **options, fleet=fleet_of(*keys)))


def keys_of(opened: dict[str, Any]) -> list[str]:
    return [host["key"] for host in opened["hosts"] if host["included"]]


def finish(stage: Stage, opened: dict[str, Any], outcome: str = "patched") -> None:
    for key in keys_of(opened):
        stage.ledger.set_outcome(opened["run_id"], key, Verdict(Outcome(outcome), None))


def report_of(stage: Stage, run_id: str, folder: Path) -> dict[str, Any]:
    context = stage.context(REPORT, run_id=run_id, report_dir=str(folder))
    return perform(REPORT, context)


@pytest.mark.usefixtures("rights")
def test_slices_deal_the_planned_hosts_and_count_the_failure_budget_over_all(stage: Stage) -> None:
    opened = [open_slice(stage, f"{number}/3") for number in (1, 2, 3)]
    assert [keys_of(one) for one in opened] == [FLEET[0::3], FLEET[1::3], FLEET[2::3]]
    first = stage.ledger.run(opened[0]["run_id"])
    assert failure_budget(slices(stage.ledger, first)) == 2  # 30 % of seven


@pytest.mark.usefixtures("rights")
def test_the_failure_budget_counts_the_hosts_of_slices_that_have_not_started(stage: Stage) -> None:
    opened = open_slice(stage, "2/3")
    assert failure_budget(slices(stage.ledger, stage.ledger.run(opened["run_id"]))) == 2


@pytest.mark.usefixtures("rights")
@pytest.mark.parametrize("outcome", ["patched", "failed"])
def test_hosts_wait_for_a_canary_of_another_slice(stage: Stage, outcome: str) -> None:
    first, second = (open_slice(stage, part, patch_canary=1) for part in ("1/2", "2/2"))
    stage.clock.at(600.0, lambda: finish(stage, first, outcome))
    beats(stage, first, second)
    refused = admit(stage, second["run_id"], FLEET[1])
    assert stage.clock.passed >= 600.0
    assert refused["admitted"] is (outcome == "patched")
    assert refused.get("reason_code") == (None if outcome == "patched" else "breaker")


@pytest.mark.usefixtures("rights")
def test_hosts_wait_for_a_canary_of_their_own_slice_longer_than_a_lease_lasts(stage: Stage) -> None:
    first, second = (open_slice(stage, part, patch_canary=1) for part in ("1/2", "2/2"))
    beats(stage, first, second)
    stage.clock.at(LEASE_SECONDS * 2, lambda: finish(stage, first))
    assert admit(stage, first["run_id"], FLEET[2])["admitted"] is True
    assert stage.clock.passed >= LEASE_SECONDS * 2


@pytest.mark.usefixtures("rights")
def test_a_canary_whose_controller_died_proves_nothing(stage: Stage) -> None:
    open_slice(stage, "1/2", patch_canary=1)
    second = open_slice(stage, "2/2", patch_canary=1)
    refused = admit(stage, second["run_id"], FLEET[1])
    assert (refused["admitted"], refused["reason_code"]) == (False, "breaker")
    assert LEASE_SECONDS <= stage.clock.passed < LEASE_SECONDS + 120.0


def beats(stage: Stage, *alive: dict[str, Any]) -> None:
    """Their controllers live for an hour."""
    for at in range(0, 3600, 300):
        for one in alive:
            stage.clock.at(float(at), lambda one=one: stage.ledger.heartbeat(one["run_id"], stage.clock.now()))


@pytest.mark.usefixtures("rights")
def test_a_slice_that_is_done_takes_over_what_a_dead_one_left(stage: Stage, tmp_path: Path) -> None:
    first, second, dead = (open_slice(stage, f"{number}/3") for number in (1, 2, 3))
    stage.ledger.set_outcome(dead["run_id"], FLEET[2], Verdict(Outcome.PATCHED, None))
    stage.ledger.begin_phase(dead["run_id"], FLEET[5], Phase.START, stage.clock.now())
    finish(stage, first)
    beats(stage, first, second)
    stage.clock.at(1800.0, lambda: finish(stage, second))
    taken = take_over(stage, first, "1/3")
    assert stage.clock.passed >= 1800.0
    assert keys_of(taken) == [FLEET[5]]
    assert stage.ledger.run(dead["run_id"]).closed_at is not None
    assert stage.ledger.outcome_counts(dead["run_id"]) == {Outcome.PATCHED: 1, Outcome.DEFERRED: 1}
    finish(stage, taken, "failed")
    assert take_over(stage, second, "2/3")["hosts"] == []
    result = report_of(stage, first["run_id"], tmp_path)
    assert (result["run_id"], result["report"]["totals"]) == ("night-1", {"patched": 6, "failed": 1})
    assert list(result["verdicts"]) == [FLEET[5]]
    assert report_of(stage, second["run_id"], tmp_path)["verdicts"] == {}
    assert report_of(stage, "night-1", tmp_path)["report"]["targets"]["count"] == 7


@pytest.mark.usefixtures("rights")
def test_a_slice_that_finds_nothing_left_waits_for_the_one_that_took_it(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its report would lack these hosts."""
    first, second, _dead = (open_slice(stage, f"{number}/3") for number in (1, 2, 3))
    for one in (first, second):
        finish(stage, one)
    beats(stage, first, second)
    wait, taken = taken_over._wait_for_slices, list[dict[str, Any]]()  # noqa: SLF001 - the moment between two of its steps

    def wait_and_lose(context: OperationContext, run: Any) -> bool:
        monkeypatch.setattr(taken_over, "_wait_for_slices", wait)
        ended = wait(context, run)
        taken.append(take_over(stage, second, "2/3"))
        beats(stage, taken[0])
        stage.clock.at(stage.clock.passed + 600.0, lambda: finish(stage, taken[0]))
        return ended

    monkeypatch.setattr(taken_over, "_wait_for_slices", wait_and_lose)
    assert take_over(stage, first, "1/3")["hosts"] == []
    assert keys_of(taken[0]) == FLEET[2::3]
    assert stage.ledger.outcome_counts(taken[0]["run_id"]) == {Outcome.PATCHED: 2}


@pytest.mark.usefixtures("rights")
def test_of_two_slices_that_are_done_one_takes_over_and_the_other_waits_for_it(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, _dead = (open_slice(stage, f"{number}/3") for number in (1, 2, 3))
    for one in (first, second):
        finish(stage, one)
    beats(stage, first, second)
    taken = list[dict[str, Any]]()
    plan = taken_over.open_rest

    def rival_first(context: OperationContext, peers: dict[str, dict[str, int]]) -> OpenedRun:
        monkeypatch.setattr(taken_over, "open_rest", plan)
        taken.append(take_over(stage, second, "2/3"))
        beats(stage, taken[0])
        stage.clock.at(stage.clock.passed + 600.0, lambda: finish(stage, taken[0]))
        return plan(context, peers)

    monkeypatch.setattr(taken_over, "open_rest", rival_first)
    before = stage.clock.passed
    assert take_over(stage, first, "1/3")["hosts"] == []
    assert keys_of(taken[0]) == FLEET[2::3]
    assert stage.clock.passed >= before + 600.0
    assert failure_budget(slices(stage.ledger, stage.ledger.run(first["run_id"]))) == 2


@pytest.mark.usefixtures("rights")
def test_a_slice_waits_for_a_run_of_another_job_that_has_the_hosts(stage: Stage) -> None:
    """It asks once a minute, and each time opens no more than one run."""
    first, _dead = (open_slice(stage, f"{number}/2") for number in (1, 2))
    finish(stage, first)
    beats(stage, first)
    stage.clock.sleep(LEASE_SECONDS + 60.0)
    stage.open_run(*(a_host(key, OTHER) for key in FLEET[1::2]), run_id=OTHER)
    before = stage.clock.passed
    taken = take_over(stage, first, "1/2")
    assert keys_of(taken) == FLEET[1::2]
    waited = stage.clock.passed - before
    assert waited >= LEASE_SECONDS
    assert len(stage.ledger.runs()) <= 4 + waited / 60.0


@pytest.mark.usefixtures("rights")
def test_hosts_that_no_slice_has_are_taken_over_once_all_have_started(stage: Stage) -> None:
    """The fleet changed between two plans, so that a host moved from one share to another."""
    first = open_slice(stage, "1/2", *FLEET[1:])
    finish(stage, first)
    assert take_over(stage, first, "1/2")["hosts"] == []  # the other slice may have it
    second = open_slice(stage, "2/2", *FLEET)
    finish(stage, second)
    twice = {host["key"] for host in first["hosts"]} & {host["key"] for host in second["hosts"]}
    assert twice or set(keys_of(first)) | set(keys_of(second)) != set(FLEET)
    left = set(FLEET) - set(keys_of(first)) - set(keys_of(second))
    assert set(keys_of(take_over(stage, second, "2/2"))) == left


@pytest.mark.usefixtures("rights")
def test_a_share_of_peers_is_one_of_the_hosts_of_all_slices_also_where_few_are_left(stage: Stage) -> None:
    """Half of seven is three, but half of the two of a slice is one."""
    limit = {"patch_at_most": [{"tag": "Role", "share": "50%"}]}
    first, second, dead = (open_slice(stage, f"{number}/3", **limit) for number in (1, 2, 3))
    assert peers_of(stage, first, FLEET[0]) == peers_of(stage, dead, FLEET[2]) == {"tag Role=web": 3}
    finish(stage, first)
    finish(stage, second)
    taken = take_over(stage, first, "1/3", **limit)
    assert keys_of(taken) == FLEET[2::3]
    assert peers_of(stage, taken, FLEET[2]) == {"tag Role=web": 3}


def peers_of(stage: Stage, opened: dict[str, Any], key: str) -> object:
    return stage.ledger.host(opened["run_id"], key).facts.get("peers")


@pytest.mark.usefixtures("rights")
def test_a_percentage_of_an_account_is_one_of_its_hosts_in_all_slices(stage: Stage) -> None:
    """Also of slices that have not started: a third of six is two, and a third of three is one."""
    budget = {"patch_account_failure_budget": "34%", "patch_failure_budget": "100%"}
    opened = open_slice(stage, "2/2", *FLEET[:6], **budget)
    own = keys_of(opened)
    for key in own[:2]:
        fail(stage, opened["run_id"], key)
        assert admit(stage, opened["run_id"], own[2])["admitted"] is True


@pytest.mark.usefixtures("rights")
def test_the_report_of_a_slice_has_its_own_hosts_while_others_are_at_work(stage: Stage, tmp_path: Path) -> None:
    first, _second = (open_slice(stage, part) for part in ("1/2", "2/2"))
    finish(stage, first)
    result = report_of(stage, first["run_id"], tmp_path)
    assert (result["run_id"], result["report"]["totals"]) == (first["run_id"], {"patched": 4})


@pytest.mark.usefixtures("rights")
@pytest.mark.parametrize(("part", "message"), [("2/3", "works on this slice"), ("1/4", "of 3 slices")])
def test_a_slice_that_is_at_work_and_another_number_of_slices_are_refused(
    stage: Stage, part: str, message: str
) -> None:
    open_slice(stage, "2/3")
    with pytest.raises(InvalidOption, match=message):
        open_slice(stage, part)
    assert len(stage.ledger.runs()) == 1


@pytest.mark.usefixtures("rights")
def test_the_name_of_a_slice_that_has_ended_is_refused(stage: Stage) -> None:
    """Its breaker and its canaries are those of another night."""
    stage.ledger.close_run(open_slice(stage, "2/3")["run_id"], stage.clock.now())
    with pytest.raises(InvalidOption, match="Slice 2/3 of this job has ended"):
        open_slice(stage, "2/3", patch_take_over=True)
    assert keys_of(open_slice(stage, "1/3")) == FLEET[0::3]


@pytest.mark.usefixtures("rights")
def test_more_slices_than_hosts_are_refused(stage: Stage) -> None:
    with pytest.raises(InvalidOption, match="The plan has 2 hosts"):
        open_slice(stage, "3/3", *FLEET[:2])


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"patch_slice": "6/5"}, "from 1/5 to 5/5"),
        ({"patch_slice": "0/5"}, "from 1/5 to 5/5"),
        ({"patch_slice": "two"}, "a number of a number of slices"),
        ({"patch_slice": "2/5", "patch_run_id": None}, "patch_slice needs it"),
        ({"patch_slice": "2/5", "patch_run_id": "../night"}, "letters, digits"),
    ],
)
def test_what_is_no_slice_is_refused_by_name(variables: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidOption, match=message):
        check_together(read({**JOB, **variables}), 5, 0.0)


@pytest.mark.usefixtures("rights")
def test_restore_takes_the_name_of_a_job(stage: Stage) -> None:
    first, second = (open_slice(stage, part) for part in ("1/2", "2/2"))
    other = "i-00000000000000099"
    stage.open_run(a_host(other, OTHER), run_id=OTHER)
    for run_id, key in ((first["run_id"], FLEET[0]), (second["run_id"], FLEET[1]), (OTHER, other)):
        record = PowerRecord(key, key, "eu-central-1", key, "stopped", stage.clock.now(), run_id)
        stage.ledger.record_power(record)
    options = {"state": "open_hosts", "run_id": "night-1", "take_over": True}
    found = perform(RECOVERY, stage.context(RECOVERY, **options))["hosts"]
    assert [host["key"] for host in found] == FLEET[:2]
