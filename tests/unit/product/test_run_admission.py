# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""May this host begin now? Canaries, budget, breaker, deadline, and what has become of the host since the plan."""

from __future__ import annotations

from typing import Any, NoReturn

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import PatchFleetError
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.records import Host, Verdict
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.sqlite import SqliteLedger
from ansible_collections.patchfleet.windows.plugins.module_utils._model.reasons import reason_of
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.host_admission import OPERATION
from operations import perform

from .fakes import ID, START, client_error, instance, reservations, shown, tags
from .stage import RUN, Stage, a_host

AGAIN = "When the cause is fixed, continue: start the run again as before."
FAILED = Verdict("failed", "patch", "still_missing", "KB1 is missing.")


def host(number: int, **more: Any) -> Host:
    key = f"i-{number:017x}"
    return a_host(key, position=number, **{"name": f"dev-{number:02}", "wave": number // 2 + 1, **more})


HOSTS = [host(number) for number in range(6)]
FIRST, SECOND, THIRD = (one.key for one in HOSTS[:3])


@pytest.fixture(autouse=True)
def everything_is_stopped(stage: Stage) -> None:
    def answer(*, InstanceIds: list[str]) -> dict[str, Any]:  # noqa: N803
        return reservations(instance("stopped", InstanceId=InstanceIds[0]))

    stage.account.on("describe_instances", answer)


def admit(stage: Stage, key: str = FIRST) -> dict[str, Any]:
    return perform(OPERATION, stage.context(OPERATION, run_id=RUN, host=key))


def refused(stage: Stage, key: str = FIRST) -> tuple[str, str]:
    """(outcome, reason code), as the task says and the ledger holds."""
    result = admit(stage, key)
    kept = stage.ledger.host(RUN, key)
    assert (result["admitted"], result["changed"]) == (False, False)
    assert (result["outcome"], result["reason_code"], result["reason"]) == (
        kept.outcome,
        kept.reason_code,
        kept.reason,
    )
    return result["outcome"], result["reason_code"]


def starting(stage: Stage) -> list[str]:
    """Hosts whose power state is recorded: who is not let in has none."""
    return [record.host_key for record in stage.ledger.open_power()]


# The original state


@pytest.mark.parametrize(
    ("state", "original"),
    [("stopped", "stopped"), ("stopping", "stopped"), ("running", "running"), ("pending", "running")],
)
def test_who_is_let_in_has_its_original_state_recorded(stage: Stage, state: str, original: str) -> None:
    stage.open_run(*HOSTS)
    stage.account.on("describe_instances", shown(state, InstanceId=FIRST))
    assert admit(stage) == {"changed": False, "admitted": True, "original_state": original}
    record = stage.ledger.power(FIRST)
    assert record is not None
    assert (record.original_state, record.recorded_at, record.run_id) == (original, START, RUN)
    assert stage.ledger.host(RUN, FIRST).facts["original_state"] == original


def test_a_record_that_is_open_is_adopted_whatever_the_host_is_now(stage: Stage) -> None:
    """The first recorded state is the true one."""
    stage.open_run(*HOSTS)
    admit(stage)
    stage.ledger.note_start(FIRST, RUN, START)
    stage.ledger.close_run(RUN, START)
    stage.open_run(host(0, run_id="second"), run_id="second")
    stage.account.on("describe_instances", shown("running", InstanceId=FIRST))
    result = perform(OPERATION, stage.context(OPERATION, run_id="second", host=FIRST))
    assert result["original_state"] == "stopped"


def test_the_hosts_whole_time_begins_when_it_is_let_in(stage: Stage) -> None:
    stage.open_run(*HOSTS, host_timeout_seconds=3600)
    stage.clock.sleep(100)
    admit(stage)
    facts = stage.ledger.host(RUN, FIRST).facts
    assert facts["deadline_at"] == START + 3700


def test_a_host_has_the_time_of_its_own_history(stage: Stage) -> None:
    hosts = [a_host(FIRST, facts={"timeout_seconds": 20_000}), a_host(SECOND, position=1)]
    stage.open_run(*hosts, host_timeout_seconds=30_000)
    for key, seconds in ((FIRST, 20_000), (SECOND, 30_000)):
        assert admit(stage, key)["admitted"] is True
        assert stage.ledger.host(RUN, key).facts["deadline_at"] == stage.clock.now() + seconds


@pytest.mark.parametrize("kind", ["hybrid", "winrm"])
def test_a_host_without_ec2_has_no_power_state(stage: Stage, kind: str) -> None:
    stage.account.on("list_tags_for_resource", {"TagList": tags(Team="sql")})
    stage.open_run(host(0, kind=kind))
    assert admit(stage)["original_state"] == "running"
    assert starting(stage) == []
    assert [call.operation for call in stage.account.calls] == ["list_tags_for_resource"] * (kind == "hybrid")


@pytest.mark.parametrize(
    ("there", "code"),
    [
        ({"PatchGroup": "Windows", "patchfleet:keep": ""}, "keep_tag"),
        ({"PatchGroup": "Windows", "Schedule": "office"}, "scheduled"),
        ({"PatchGroup": "Other"}, "untagged"),
        ({}, "untagged"),
    ],
)
def test_the_tags_of_a_hybrid_node_count_as_those_of_an_instance_do(
    stage: Stage, there: dict[str, str], code: str
) -> None:
    stage.account.on("list_tags_for_resource", {"TagList": tags(**there)})
    stage.open_run(host(0, kind="hybrid", facts={"by_tag": True}), keep_tag="patchfleet:keep", scheduler_tag="Schedule")
    assert refused(stage) == ("excluded", code)


# What has become of it


def test_a_host_that_has_its_outcome_already_is_not_let_in(stage: Stage) -> None:
    stage.open_run(*HOSTS)
    stage.ledger.set_outcome(RUN, FIRST, Verdict("deferred", "plan", "leased", "Another run holds it."))
    assert refused(stage) == ("deferred", "leased")
    assert stage.account.calls == []


def test_a_host_that_the_plan_left_out_gets_the_reason(stage: Stage) -> None:
    """It was never leased, which is not the reason."""
    stage.open_run(host(0, outcome="excluded", reason_code="spot", reason="It is a Spot instance."))
    assert refused(stage) == ("excluded", "spot")


def test_a_host_that_lost_its_tag_is_left_out(stage: Stage) -> None:
    stage.open_run(host(0, facts={"by_tag": True}))
    for there in (tags(Name="dev"), tags(PatchGroup="windows")):
        stage.account.on("describe_instances", shown("stopped", Tags=there))
        assert refused(stage) == ("excluded", "untagged")
    assert starting(stage) == []


@pytest.mark.parametrize(
    ("there", "code"),
    [
        ({"patchfleet__keep": "Ann"}, "keep_tag"),
        ({"Schedule": "nights"}, "scheduled"),
        ({"IS-ManagedBy": "x"}, "scheduled"),
    ],
)
def test_a_host_that_a_user_claimed_since_the_plan_is_left_out(stage: Stage, there: dict[str, str], code: str) -> None:
    stage.open_run(host(0, facts={"scheduler": "Schedule=office-hours"}))
    stage.account.on("describe_instances", shown("stopped", Tags=tags(PatchGroup="Windows", **there)))
    assert refused(stage) == ("excluded", code)
    assert starting(stage) == []


def test_a_host_is_let_in_under_the_scheduler_that_the_plan_accepted(stage: Stage) -> None:
    stage.open_run(host(0, facts={"scheduler": "Schedule=office-hours"}))
    stage.account.on("describe_instances", shown("stopped", InstanceId=FIRST, Tags=tags(Schedule="office-hours")))
    assert admit(stage)["admitted"] is True


def test_a_host_of_the_inventory_needs_no_tag(stage: Stage) -> None:
    stage.open_run(host(0, facts={"by_tag": False}))
    stage.account.on("describe_instances", shown("stopped", Tags=[]))
    assert admit(stage)["admitted"] is True


def test_a_host_that_joined_an_auto_scaling_group_meanwhile_is_left_out(stage: Stage) -> None:
    stage.open_run(*HOSTS)
    group = tags(PatchGroup="Windows", aws__autoscaling__groupName="web")
    stage.account.on("describe_instances", shown("running", Tags=group))
    assert refused(stage) == ("excluded", "auto_scaling_group")


@pytest.mark.parametrize(
    "answer",
    [shown("terminated"), shown("shutting-down"), reservations(), client_error("InvalidInstanceID.NotFound")],
    ids=["terminated", "shutting_down", "empty", "not_found"],
)
def test_a_host_that_is_gone_failed_at_admission(stage: Stage, answer: Any) -> None:
    stage.open_run(*HOSTS)
    stage.account.on("describe_instances", answer)
    assert refused(stage) == ("failed", "instance_gone")
    assert stage.ledger.host(RUN, FIRST).phase == "admit"


def test_a_host_that_cannot_be_checked_failed_at_admission(stage: Stage) -> None:
    stage.open_run(*HOSTS)
    stage.account.on("describe_instances", client_error("UnauthorizedOperation"))
    assert refused(stage) == ("failed", "access_denied")


# Time


def test_a_host_that_could_not_be_finished_before_the_deadline_is_deferred(stage: Stage) -> None:
    stage.open_run(*HOSTS, deadline_at=START + 2699)
    assert refused(stage) == ("deferred", "no_time")
    assert starting(stage) == []


@pytest.mark.parametrize(
    ("basis", "words"), [("host", "its own last workflows"), ("class", "workflows of similar hosts")]
)
def test_what_the_host_itself_took_counts_for_more_than_what_is_expected_of_all(
    stage: Stage, basis: str, words: str
) -> None:
    known = {"expected_from": basis}
    short = host(0, facts={**known, "expected_seconds": 900.0})
    long = host(1, facts={**known, "expected_seconds": 5400.0})
    stage.open_run(short, long, deadline_at=START + 2699)
    assert admit(stage, short.key)["admitted"] is True
    assert refused(stage, long.key) == ("deferred", "no_time")
    assert words in str(stage.ledger.host(RUN, long.key).reason)


def test_a_host_that_can_just_be_finished_is_let_in(stage: Stage) -> None:
    stage.open_run(*HOSTS, deadline_at=START + 2700)
    assert admit(stage)["admitted"] is True


def test_in_the_cutoff_of_the_window_no_host_is_started(stage: Stage) -> None:
    stage.open_run(*HOSTS, begin_until_at=START + 1, deadline_at=START + 9999, window="The window closes soon.")
    assert admit(stage)["admitted"] is True
    stage.clock.sleep(1)
    assert refused(stage, SECOND) == ("deferred", "no_time")


# Credentials that end


def test_a_host_that_could_not_be_put_back_before_the_credentials_end_is_deferred(stage: Stage) -> None:
    stage.open_run(*HOSTS)
    stage.account.expires_at = START + 2700
    assert refused(stage) == ("deferred", "credentials_too_short")
    assert starting(stage) == []
    stage.account.expires_at = START + 3600
    assert admit(stage, SECOND)["admitted"] is True


def test_their_end_may_be_set_by_a_variable(stage: Stage) -> None:
    stage.open_run(*HOSTS, credentials_expire_at=START + 600)
    stage.account.expires_at = START + 36_000
    assert refused(stage) == ("deferred", "credentials_too_short")
    assert "2026-11-14T22:10:00Z" in str(stage.ledger.host(RUN, FIRST).reason)


def test_a_host_without_aws_needs_no_credentials(stage: Stage) -> None:
    stage.open_run(host(0, kind="winrm", instance_id=None))
    stage.account.expires_at = START + 600
    assert admit(stage)["admitted"] is True


def test_credentials_that_have_ended_touch_no_one(stage: Stage) -> None:
    stage.open_run(*HOSTS)
    stage.account.on("describe_instances", client_error("RequestExpired"))
    assert refused(stage) == ("deferred", "credentials_expired")
    assert str(stage.ledger.host(RUN, FIRST).reason).count("patchfleet.windows.restore") == 1


def test_who_comes_after_a_canary_without_credentials_has_none_either(stage: Stage) -> None:
    stage.open_run(*HOSTS, canary=1)
    stage.account.expires_at = START + 600
    assert refused(stage, FIRST) == ("deferred", "credentials_too_short")
    assert refused(stage, SECOND) == ("deferred", "credentials_too_short")
    assert stage.ledger.run(RUN).breaker is None


# A second turn


@pytest.mark.parametrize("code", ["no_capacity", "no_headroom"])
def test_who_found_no_room_is_let_in_once_more(stage: Stage, code: str) -> None:
    stage.open_run(*HOSTS, host_timeout_seconds=3600)
    assert admit(stage)["admitted"] is True
    stage.ledger.set_outcome(RUN, FIRST, Verdict("deferred", "start", code, "No room."))
    stage.clock.sleep(7200)  # the time of its first turn is over
    stage.ledger.heartbeat(RUN, stage.clock.now())  # of other hosts
    assert admit(stage)["admitted"] is True
    again = stage.ledger.host(RUN, FIRST)
    assert (again.outcome, again.phase, again.reason_code, again.reason) == (None, None, None, None)
    assert again.facts["deadline_at"] == START + 7200 + 3600
    stage.ledger.set_outcome(RUN, FIRST, Verdict("deferred", "start", code, "No room."))
    assert admit(stage)["reason_code"] == code  # and that was it


def test_who_has_no_room_and_was_started_is_not_let_in_again(stage: Stage) -> None:
    stage.open_run(*HOSTS)
    stage.ledger.set_outcome(RUN, FIRST, Verdict("failed", "start", "no_capacity", "No room."))
    assert refused(stage) == ("failed", "no_capacity")


def test_a_second_turn_is_checked_like_the_first(stage: Stage) -> None:
    stage.open_run(*HOSTS, deadline_at=START + 3600)
    stage.ledger.set_outcome(RUN, FIRST, Verdict("deferred", "start", "no_capacity", "No room."))
    stage.clock.sleep(3000)
    stage.ledger.heartbeat(RUN, stage.clock.now())
    assert refused(stage) == ("deferred", "no_time")


def test_no_host_is_admitted_after_a_standstill_before_its_admission(stage: Stage) -> None:
    stage.open_run(*HOSTS)
    stage.clock.sleep(3600)
    assert refused(stage) == ("deferred", "stood_still")


def test_a_run_that_lost_the_host_gives_it_no_second_turn(stage: Stage) -> None:
    stage.open_run(*HOSTS)
    stage.ledger.set_outcome(RUN, FIRST, Verdict("deferred", "start", "no_capacity", "No room."))
    stage.ledger.take_over(RUN, [FIRST], stage.clock.now(), force=True)
    with pytest.raises(PatchFleetError, match="taken"):
        perform(OPERATION, stage.context(OPERATION, run_id=RUN, host=FIRST, fence=1))
    assert stage.ledger.host(RUN, FIRST).outcome == "deferred"


# The failure budget of the whole run


def test_failures_within_the_budget_end_nothing(stage: Stage) -> None:
    stage.open_run(*HOSTS, failure_budget_hosts=2)
    for key in (FIRST, SECOND):
        stage.ledger.set_outcome(RUN, key, FAILED)
    assert admit(stage, THIRD)["admitted"] is True


@pytest.mark.parametrize("outcome", ["failed", "held"])
def test_one_failure_more_opens_the_breaker_for_good(stage: Stage, outcome: str) -> None:
    """ansible/ansible#82267, #7019, #56265: failures are counted over the whole run, not a batch."""
    stage.open_run(*HOSTS, failure_budget_hosts=0)
    stage.ledger.set_outcome(RUN, FIRST, Verdict(outcome))
    assert refused(stage, SECOND) == ("deferred", "breaker")
    assert stage.ledger.run(RUN).breaker == f"1 host failed, and patch_failure_budget tolerates 0. {AGAIN}"
    assert refused(stage, THIRD) == ("deferred", "breaker")
    assert starting(stage) == []


def test_the_breaker_says_what_the_failures_have_in_common_and_the_command_that_continues(stage: Stage) -> None:
    command = "ansible-playbook patchfleet.windows.patch -e patch_hosts=web"
    stage.open_run(*HOSTS, failure_budget_hosts=1, started_with=command)
    for key in (FIRST, SECOND):
        stage.ledger.update_facts(RUN, key, {"failed_updates": [{"kb": "KB5046547", "hresult": "0x800F0922"}]})
        stage.ledger.set_outcome(RUN, key, FAILED)
    assert refused(stage, THIRD) == ("deferred", "breaker")
    assert stage.ledger.run(RUN).breaker == (
        "2 hosts failed, and patch_failure_budget tolerates 1. All 2 failed for KB5046547 (0x800F0922). "
        f"To continue without it: {command} -e patch_exclude_kbs=KB5046547"
    )


@pytest.mark.parametrize(
    "code",
    ["instance_gone", "restarted_by_others", "tag_lost", "keep_tag", "instance_terminated", "credentials_expired"],
)
def test_what_says_nothing_of_the_updates_spends_no_failure_budget(stage: Stage, code: str) -> None:
    stage.open_run(*HOSTS, failure_budget_hosts=0)
    stage.ledger.set_outcome(RUN, FIRST, Verdict("failed", "patch", reason_of(code), "Another user did it."))
    assert admit(stage, SECOND)["admitted"] is True


def test_deferred_and_excluded_hosts_are_no_failures(stage: Stage) -> None:
    stage.open_run(*HOSTS, failure_budget_hosts=0)
    stage.ledger.set_outcome(RUN, FIRST, Verdict("deferred"))
    stage.ledger.set_outcome(RUN, SECOND, Verdict("excluded"))
    assert admit(stage, THIRD)["admitted"] is True


# Causes that would meet every host


def ended(stage: Stage, *codes: str, step: str = "patch", outcome: str = "failed", **facts: Any) -> None:
    for one, code in zip(HOSTS, codes, strict=False):
        stage.ledger.update_facts(RUN, one.key, facts)
        stage.ledger.set_outcome(RUN, one.key, Verdict(outcome, step, code))


def breaker(stage: Stage) -> str | None:
    """Why the last of the hosts is not let in; None if it is."""
    if admit(stage, HOSTS[-1].key)["admitted"]:
        return None
    return stage.ledger.run(RUN).breaker


@pytest.mark.parametrize(
    ("step", "code", "outcome"),
    [("patch", "agent_lost", "failed"), ("verify", "agent_lost", "held"), ("patch", "unreachable", "failed")],
)
def test_a_host_that_does_not_boot_after_an_update_ends_the_run_at_once(
    stage: Stage, step: str, code: str, outcome: str
) -> None:
    stage.open_run(*HOSTS, failure_budget_hosts=5)
    ended(stage, code, step=step, outcome=outcome)
    assert (
        breaker(stage)
        == f"dev-00 has not come back from its updates, and the other hosts would get the same updates. {AGAIN}"
    )
    assert starting(stage) == []


def test_a_host_that_does_not_boot_before_its_updates_is_one_failure(stage: Stage) -> None:
    stage.open_run(*HOSTS, failure_budget_hosts=5)
    ended(stage, "agent_lost", step="ready")
    assert breaker(stage) is None


def test_a_user_who_tolerates_every_failure_is_not_stopped_by_a_cause(stage: Stage) -> None:
    stage.open_run(*HOSTS, host(6, wave=None, outcome="excluded"), failure_budget_hosts=len(HOSTS))
    ended(stage, "agent_lost")
    assert breaker(stage) is None


@pytest.mark.parametrize("code", ["update_source_unreachable", "update_proxy", "update_source_forbidden"])
def test_an_update_source_that_no_one_reaches_ends_the_run(stage: Stage, code: str) -> None:
    stage.open_run(*HOSTS, failure_budget_hosts=5)
    ended(stage, code, "update_source_unreachable", step="repair")
    assert admit(stage, HOSTS[4].key)["admitted"] is True  # two may be the hosts' own fault
    ended(stage, code, code, code, step="repair")
    assert breaker(stage) == f"No host has reached its update source yet, and dev-00, dev-01, dev-02 could not. {AGAIN}"


def test_an_update_source_that_one_host_reached_is_there(stage: Stage) -> None:
    stage.open_run(*HOSTS, failure_budget_hosts=5)
    stage.ledger.set_outcome(RUN, HOSTS[3].key, Verdict("compliant"))
    ended(stage, *["update_source_unreachable"] * 3, step="repair")
    assert breaker(stage) is None


def test_a_right_that_every_host_needs_and_two_are_refused_ends_the_run(stage: Stage) -> None:
    stage.open_run(*HOSTS, failure_budget_hosts=5)
    ended(stage, "access_denied", denied_action="ssm:SendCommand")
    assert admit(stage, HOSTS[4].key)["admitted"] is True  # that one may have lost its tag
    ended(stage, "access_denied", "access_denied", denied_action="ssm:SendCommand")
    assert (
        breaker(stage) == f"Every host needs the right ssm:SendCommand, and AWS refused it for dev-00, dev-01. {AGAIN}"
    )


def test_a_right_that_only_some_hosts_need_ends_nothing(stage: Stage) -> None:
    stage.open_run(*HOSTS, failure_budget_hosts=5)
    ended(stage, *["access_denied"] * 4, denied_action="ec2:ModifyVolume")
    assert breaker(stage) is None


def test_what_was_denied_to_a_host_is_kept_with_it(stage: Stage) -> None:
    stage.open_run(*HOSTS)
    stage.account.on("describe_instances", client_error("UnauthorizedOperation", operation="DescribeInstances"))
    assert refused(stage)[1] == "access_denied"
    assert stage.ledger.host(RUN, FIRST).facts["denied_action"] == "ec2:DescribeInstances"


# Canaries


def conclude_later(stage: Stage, key: str, verdict: Verdict, seconds: float) -> None:
    def set_outcome() -> None:
        stage.ledger.set_outcome(RUN, key, verdict)

    stage.clock.at(seconds, set_outcome)


def test_a_host_reads_no_row_but_those_of_canaries_and_failures(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """All rows of a run of 5,000 hosts are 362 read units on DynamoDB, and every host is admitted once."""
    stage.open_run(*HOSTS, canary=1, canary_keys=[FIRST])
    stage.ledger.set_outcome(RUN, FIRST, Verdict("patched"))
    stage.ledger.set_outcome(RUN, SECOND, FAILED)

    def read_all(_ledger: object, _run_id: str) -> list[Host]:
        raise AssertionError("the whole run was read")

    monkeypatch.setattr(SqliteLedger, "hosts", read_all)
    assert admit(stage, THIRD)["admitted"]


def test_a_canary_goes_at_once(stage: Stage) -> None:
    stage.open_run(*HOSTS, canary=2)
    assert admit(stage, SECOND)["admitted"] is True
    assert stage.clock.passed == 0


def test_the_others_wait_until_all_canaries_are_through(stage: Stage) -> None:
    stage.open_run(*HOSTS, canary=2)
    conclude_later(stage, FIRST, Verdict("patched"), 600)
    conclude_later(stage, SECOND, Verdict("compliant"), 1200)
    assert admit(stage, THIRD)["admitted"] is True
    assert stage.clock.passed >= 1200
    assert stage.ledger.host(RUN, THIRD).facts["deadline_at"] >= START + 1200 + 3600


@pytest.mark.parametrize("outcome", ["failed", "held"])
def test_a_canary_that_does_not_come_through_ends_the_roll_out(stage: Stage, outcome: str) -> None:
    """bottlerocket-update-operator#748: a first node that does not boot, and the roll-out continues."""
    stage.open_run(*HOSTS, canary=1, failure_budget_hosts=5)
    conclude_later(stage, FIRST, Verdict(outcome), 600)
    assert refused(stage, SECOND) == ("deferred", "breaker")
    assert stage.ledger.run(RUN).breaker == f"The canary dev-00 failed. {AGAIN}"


def test_a_canary_that_is_not_started_proves_nothing(stage: Stage) -> None:
    stage.open_run(*HOSTS, canary=1)
    conclude_later(stage, FIRST, Verdict("deferred", "start", "no_capacity", "No room."), 600)
    assert refused(stage, SECOND) == ("deferred", "breaker")
    assert stage.ledger.run(RUN).breaker == f"No canary was patched, so nothing is proven. {AGAIN}"


def test_who_comes_after_a_canary_that_is_too_late_is_too_late_too(stage: Stage) -> None:
    stage.open_run(*HOSTS, canary=1, deadline_at=stage.clock.now() + 60)
    assert refused(stage, FIRST) == ("deferred", "no_time")
    assert refused(stage, SECOND) == ("deferred", "no_time")
    assert stage.ledger.run(RUN).breaker is None


def test_a_canary_that_never_ends_lets_no_one_in(stage: Stage) -> None:
    stage.open_run(*HOSTS, canary=1)
    assert refused(stage, SECOND) == ("deferred", "breaker")
    assert stage.clock.passed == 14400 + 3600


def test_hosts_that_are_out_of_the_plan_are_no_canaries(stage: Stage) -> None:
    out = host(0, wave=None, outcome="excluded", reason_code="spot", reason="It is a Spot instance.")
    stage.open_run(out, *HOSTS[1:], canary=1)
    assert admit(stage, SECOND)["admitted"] is True


def test_a_host_that_another_run_holds_is_no_canary(stage: Stage) -> None:
    """Nothing is learned from a host that never started."""
    stage.open_run(*HOSTS, canary=1)
    stage.ledger.set_outcome(RUN, FIRST, Verdict("deferred", "plan", "leased", "Another run holds it."))
    assert admit(stage, SECOND)["admitted"] is True
    conclude_later(stage, SECOND, FAILED, 600)
    assert refused(stage, THIRD) == ("deferred", "breaker")


def test_the_canaries_are_those_that_the_run_has_kept(stage: Stage) -> None:
    stage.open_run(*HOSTS, canary=1, canary_keys=[SECOND])
    assert admit(stage, SECOND)["admitted"] is True
    conclude_later(stage, SECOND, Verdict("patched"), 600)
    assert admit(stage, FIRST)["admitted"] is True
    assert stage.clock.passed >= 600


# Waves


def test_a_wave_pauses_after_the_one_before(stage: Stage) -> None:
    """Ansible hands a wave over when the one before it has ended, so the pause begins when its first host asks."""
    stage.open_run(*HOSTS, pause_seconds=900)
    assert admit(stage, THIRD)["admitted"] is True
    assert stage.clock.passed == 900


def test_all_hosts_of_a_wave_share_its_pause(stage: Stage) -> None:
    stage.open_run(*HOSTS, pause_seconds=900)
    stage.ledger.begin_wave(RUN, 2, START - 600)
    assert admit(stage, THIRD)["admitted"] is True
    assert stage.clock.passed == 300


def test_a_pause_reads_no_rows_of_the_whole_run(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """At 5,000 hosts that would be hundreds of read units for each of them."""

    def all_rows(*_run_id: str) -> NoReturn:
        raise AssertionError("all rows of the run were read")

    stage.open_run(*HOSTS, pause_seconds=900)
    for method in ("hosts", "phases", "fences"):
        monkeypatch.setattr(stage.ledger, method, all_rows)
    assert admit(stage, THIRD)["admitted"] is True


def test_the_first_wave_does_not_pause(stage: Stage) -> None:
    stage.open_run(*HOSTS, pause_seconds=900)
    admit(stage, SECOND)
    assert stage.clock.passed == 0


def test_a_wave_whose_pause_is_over_does_not_pause_again(stage: Stage) -> None:
    """A host is let in late when the workers are busy: what others of its wave do meanwhile is no reason to wait."""
    stage.open_run(*HOSTS, pause_seconds=900)
    stage.ledger.begin_wave(RUN, 2, START - 1000)
    admit(stage, THIRD)
    assert stage.clock.passed == 0


def test_without_a_pause_no_one_waits(stage: Stage) -> None:
    stage.open_run(*HOSTS)
    admit(stage, THIRD)
    assert stage.clock.passed == 0


# Check mode


def test_in_check_mode_it_says_what_it_would_and_writes_nothing(stage: Stage) -> None:
    stage.open_run(*HOSTS, failure_budget_hosts=0)
    checked = stage.context(OPERATION, check_mode=True, run_id=RUN, host=FIRST)
    assert perform(OPERATION, checked) == {"changed": False, "admitted": True, "original_state": "stopped"}
    assert starting(stage) == []
    stage.ledger.set_outcome(RUN, SECOND, FAILED)
    result = perform(OPERATION, stage.context(OPERATION, check_mode=True, run_id=RUN, host=FIRST))
    assert (result["admitted"], result["reason_code"]) == (False, "breaker")
    assert stage.ledger.run(RUN).breaker is None
    assert stage.ledger.host(RUN, FIRST).outcome is None


# Another run


def test_a_host_that_another_run_took_over_is_held(stage: Stage) -> None:
    stage.open_run(a_host())
    stage.open_run(a_host("i-9", "other"), run_id="other")
    stage.ledger.take_over("other", [ID], START, force=True)
    with pytest.raises(Exception, match="Another run has taken") as caught:
        admit(stage, ID)
    assert getattr(caught.value, "code", None) == "lease_lost"
    assert stage.account.calls == []


# A controller that stands still, or that AWS keeps waiting, between the checks and the record


def slow_check(stage: Stage, seconds: float) -> None:
    def answer(*, InstanceIds: list[str]) -> dict[str, Any]:  # noqa: N803
        stage.clock.sleep(seconds)
        return reservations(instance("stopped", InstanceId=InstanceIds[0]))

    stage.account.on("describe_instances", answer)


def test_a_host_that_is_too_late_once_it_is_recorded_is_not_let_in(stage: Stage) -> None:
    stage.open_run(*HOSTS, deadline_at=START + 3600, expected_seconds=1800)
    slow_check(stage, 3000)
    assert refused(stage) == ("deferred", "no_time")
    assert starting(stage) == [], "nothing has to be put back"


def test_a_host_whose_look_took_long_is_let_in_while_there_is_time(stage: Stage) -> None:
    stage.open_run(*HOSTS, deadline_at=START + 7200, expected_seconds=1800)
    slow_check(stage, 3000)
    assert admit(stage)["admitted"] is True
    assert starting(stage) == [FIRST]


def test_what_a_dead_run_has_left_open_stays_recorded(stage: Stage) -> None:
    stage.open_run(host(0, run_id="dead"), run_id="dead")
    perform(OPERATION, stage.context(OPERATION, run_id="dead", host=FIRST))
    stage.ledger.note_start(FIRST, "dead", START)
    stage.ledger.close_run("dead", START)
    stage.open_run(*HOSTS, deadline_at=START + 3600, expected_seconds=1800)
    slow_check(stage, 3000)
    assert refused(stage) == ("deferred", "no_time")
    assert starting(stage) == [FIRST]


def test_no_host_starts_in_a_run_that_another_controller_has_closed(stage: Stage) -> None:
    """Its controller stood still before its hosts had their leases, so that a restore could not take them over."""
    stage.open_run(*HOSTS)
    stage.ledger.close_run(RUN, stage.clock.now())
    assert refused(stage) == ("deferred", "run_interrupted")
    assert stage.account.calls == []
