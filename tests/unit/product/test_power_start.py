# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
from email.utils import format_datetime
from itertools import pairwise
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError

from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import Deferred, PatchFleetError
from ansible_collections.patchfleet.windows.plugins.module_utils._host.instances import CONSISTENCY_SECONDS
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.instance_power import OPERATION
from ansible_collections.patchfleet.windows.plugins.module_utils._power.launch import is_our_start
from ansible_collections.patchfleet.windows.plugins.module_utils._power.start import NO_CAPACITY, NO_HEADROOM
from operations import perform

from .fakes import DAY, ID, START, by_time, client_error, moment, reservations, shown
from .stage import RUN, Stage, a_host

OFF, PENDING, RUNNING = shown("stopped"), shown("pending", launched=5), shown("running", launched=5)
STARTED: dict[str, Any] = {"StartingInstances": []}


@pytest.fixture
def night(stage: Stage) -> Stage:
    """A stopped host of a run, recorded, that comes up as soon as it is started."""
    stage.open_run()
    stage.record("stopped")
    stage.account.on("start_instances", STARTED)
    stage.account.on("describe_instances", OFF, PENDING, RUNNING)
    return stage


def start(stage: Stage, *, check_mode: bool = False, **params: Any) -> dict[str, Any]:
    options = {"run_id": RUN, "host": ID, "instance_id": ID, "state": "started", **params}
    return perform(OPERATION, stage.context(OPERATION, check_mode=check_mode, **options))


def refusal(stage: Stage, **params: Any) -> PatchFleetError:
    with pytest.raises(PatchFleetError) as caught:
        start(stage, **params)
    return caught.value


def starts(stage: Stage) -> int:
    return len(stage.account.of("start_instances"))


# What is started, and what is not


@pytest.mark.parametrize(("launched", "is_ours"), [(5, True), (500, False)], ids=["by us", "by others"])
def test_the_time_on_of_a_host_that_a_killed_run_left_on_is_known(night: Stage, launched: int, is_ours: bool) -> None:
    night.ledger.note_start(ID, "killed", START)
    night.ledger.note_launch(ID, moment(5).timestamp())
    night.account.on("describe_instances", shown("running", launched=launched))
    start(night)
    on_since = moment(5).timestamp() if is_ours else None
    assert (night.facts().get("started_by_run"), night.facts().get("on_since")) == (is_ours or None, on_since)


def test_a_start_forgets_when_the_host_was_found_off_before(night: Stage) -> None:
    """The restore before a capacity retry records that; the time on would be negative."""
    night.ledger.update_facts(RUN, ID, {"off_at": START - 100})
    start(night)
    assert night.facts().get("off_at") is None


def test_a_stopped_host_is_started_and_seen_running(night: Stage) -> None:
    result = start(night)
    assert result == {"changed": True, "state": "running", "started": True, "launch_time": moment(5).timestamp()}
    assert night.account.of("start_instances")[0].params == {"InstanceIds": [ID]}
    assert night.facts()["started_by_run"] is True
    assert night.facts()["on_since"] == START


def test_the_start_is_in_the_ledger_before_it_is_asked_for(night: Stage) -> None:
    """Other tools tag after the start, so a crash in between loses the state."""
    records = []

    def answer(**_params: Any) -> dict[str, Any]:
        records.append(night.ledger.power(ID))
        return STARTED

    night.account.on("start_instances", answer)
    start(night)
    (record,) = records
    assert record is not None
    assert (record.started_by, record.start_requested_at, record.original_state) == (RUN, START, "stopped")


def test_a_start_that_was_asked_for_late_is_noted_with_its_own_time(night: Stage) -> None:
    """Throttled, or its controller stood still: who restores knows it by that time while no LaunchTime is known."""

    def late(**_params: Any) -> dict[str, Any]:
        night.clock.sleep(3000)
        return STARTED

    night.account.on("start_instances", late)
    night.account.on("describe_instances", OFF)
    assert refusal(night).code == "start_timeout"
    record = night.ledger.power(ID)
    assert record is not None
    assert (record.started_by, record.start_requested_at) == (RUN, START + 3000)


def test_the_launch_time_is_noted_as_soon_as_it_is_seen(night: Stage) -> None:
    night.account.on("describe_instances", OFF, PENDING, client_error("RequestExpired"))
    assert refusal(night).code == "credentials_expired"
    record = night.ledger.power(ID)
    assert record is not None
    assert record.launch_time == moment(5).timestamp()


def test_what_is_not_recorded_is_not_started(stage: Stage) -> None:
    stage.open_run()
    error = refusal(stage)
    assert error.code == "not_recorded"
    assert stage.account.calls == []


def test_what_runs_already_is_left_as_it_is(night: Stage) -> None:
    night.account.on("describe_instances", shown("running"))
    result = start(night)
    assert (result["changed"], result["started"]) == (False, False)
    assert starts(night) == 0
    assert "started_by_run" not in night.facts()


def test_what_others_stopped_while_it_was_to_run_is_not_started(stage: Stage) -> None:
    stage.open_run()
    stage.record("running")
    stage.account.on("describe_instances", OFF)
    assert refusal(stage).code == "stopped_by_others"
    assert starts(stage) == 0


def test_check_mode_starts_nothing(night: Stage) -> None:
    result = start(night, check_mode=True)
    assert (result["changed"], result["started"]) == (True, True)
    assert starts(night) == 0
    record = night.ledger.power(ID)
    assert record is not None
    assert record.started_by is None


# States in between


def test_a_stopping_host_is_waited_for(night: Stage) -> None:
    """amazon.aws#1060, community.aws#1533."""
    night.account.on("describe_instances", shown("stopping"), shown("stopping"), OFF, PENDING, RUNNING)
    assert start(night)["started"] is True
    assert len(night.account.of("describe_instances")) == 5


def test_a_pending_host_is_waited_for_and_was_not_started_by_us(night: Stage) -> None:
    night.account.on("describe_instances", shown("pending"), shown("running"))
    assert start(night)["started"] is False
    assert starts(night) == 0


def test_a_host_that_stays_between_two_states_is_given_up(night: Stage) -> None:
    night.account.on("describe_instances", shown("stopping"))
    assert refusal(night).code == "not_settled"
    assert night.clock.passed == 900


@pytest.mark.parametrize("state", ["terminated", "shutting-down"])
def test_a_host_that_is_being_terminated_is_gone(night: Stage, state: str) -> None:
    night.account.on("describe_instances", shown(state))
    assert refusal(night).code == "instance_gone"


def test_a_host_that_ec2_does_not_know_any_more_is_gone(night: Stage) -> None:
    night.account.on("describe_instances", client_error("InvalidInstanceID.NotFound"))
    assert refusal(night).code == "instance_gone"
    night.account.on("describe_instances", reservations())
    assert refusal(night).code == "instance_gone"


def test_a_host_that_is_terminated_while_it_starts_is_gone(night: Stage) -> None:
    night.account.on("describe_instances", OFF, PENDING, reservations())
    assert refusal(night).code == "instance_gone"


# No room


@pytest.mark.parametrize("code", sorted(NO_CAPACITY | NO_HEADROOM))
def test_a_start_without_room_is_tried_again(night: Stage, code: str) -> None:
    night.account.on("start_instances", client_error(code), client_error(code), STARTED)
    assert start(night)["started"] is True
    assert night.clock.pauses[:2] == [30, 45]
    assert night.message[0] == f"no capacity yet: {code}"


@pytest.mark.parametrize(
    ("code", "reason_code"),
    [*((code, "no_capacity") for code in sorted(NO_CAPACITY)), ("VcpuLimitExceeded", "no_headroom")],
)
def test_a_host_without_room_in_all_that_time_is_deferred_untouched(night: Stage, code: str, reason_code: str) -> None:
    """One host that cannot start fails the whole batch: instance-scheduler-on-aws#266, #281, #304; cloud-custodian#5235."""
    night.account.on("start_instances", client_error(code))
    error = refusal(night)
    assert isinstance(error, Deferred)
    assert (error.code, code in error.reason) == (reason_code, True)
    assert night.clock.passed == 900
    host, record = night.ledger.host(RUN, ID), night.ledger.power(ID)
    assert (host.outcome, host.phase, host.reason_code) == ("deferred", "start", reason_code)
    assert record is not None
    assert record.started_by is None
    assert "started_by_run" not in host.facts


def test_the_pauses_for_room_grow_to_two_minutes(night: Stage) -> None:
    night.account.on("start_instances", client_error("InsufficientInstanceCapacity"))
    refusal(night, start_timeout_seconds=1200)
    tried_at = [call.at for call in night.account.of("start_instances")]
    assert [later - at for at, later in pairwise(tried_at)][:6] == [30, 45, 67.5, 101.25, 120, 120]


@pytest.mark.parametrize("code", ["UnsupportedOperation", "IncorrectSpotRequestState", "UnauthorizedOperation"])
def test_a_start_that_is_refused_for_good_fails_at_once(night: Stage, code: str) -> None:
    night.account.on("start_instances", client_error(code, operation="StartInstances"))
    assert "ec2:StartInstances" in refusal(night).reason
    assert (starts(night), night.clock.passed) == (1, 0)
    record = night.ledger.power(ID)
    assert record is not None
    assert record.started_by is None


def test_a_race_that_others_won_leaves_no_start_of_ours(night: Stage) -> None:
    """Another scheduler, or a person, works on the same host: instance-scheduler-on-aws#598."""
    night.account.on("start_instances", client_error("IncorrectInstanceState"))
    assert refusal(night).code == "incorrect_instance_state"
    record = night.ledger.power(ID)
    assert record is not None
    assert (record.started_by, record.launch_time) == (None, None)


def changed_from(state: str) -> dict[str, Any]:
    """The answer of StartInstances for an instance that was in this state."""
    before, now = {"Code": 80, "Name": state}, {"Code": 0, "Name": "pending"}
    return {"StartingInstances": [{"InstanceId": ID, "PreviousState": before, "CurrentState": now}]}


@pytest.mark.parametrize("state", ["pending", "running"])
def test_a_start_that_others_made_right_before_ours_is_theirs(night: Stage, state: str) -> None:
    """EC2 showed the instance stopped from before their start; StartInstances succeeds and starts nothing."""
    night.account.on("start_instances", changed_from(state))
    result = start(night)
    assert (result["state"], result["started"], result["changed"]) == ("running", False, False)
    record = night.ledger.power(ID)
    assert record is not None
    assert (record.started_by, record.launch_time) == (None, None)
    assert "started_by_run" not in night.facts()


def test_the_answer_says_that_the_start_is_ours(night: Stage) -> None:
    night.account.on("start_instances", changed_from("stopped"))
    assert start(night)["started"] is True


@pytest.mark.parametrize("launched", [5, None])
@pytest.mark.parametrize("answer", [changed_from("running"), client_error("UnauthorizedOperation")])
def test_a_start_of_a_dead_run_that_is_not_shown_yet_stays_in_the_record(
    night: Stage, answer: Any, launched: int | None
) -> None:
    """Else the host would be left on, and the record would say that another user has started it."""
    night.ledger.note_start(ID, "dead", START - 1)
    night.ledger.note_launch(ID, moment(5).timestamp()) if launched else None
    night.account.on("start_instances", answer)
    with contextlib.suppress(PatchFleetError):
        start(night)
    record = night.ledger.power(ID)
    assert record is not None
    expected = moment(5).timestamp() if launched else None
    assert (record.started_by, record.start_requested_at, record.launch_time) == ("dead", START - 1, expected)


def test_a_start_that_could_not_be_asked_for_leaves_no_trace(night: Stage) -> None:
    night.account.on("start_instances", EndpointConnectionError(endpoint_url="https://ec2.invalid"))
    assert refusal(night).code == "aws_unreachable"
    record = night.ledger.power(ID)
    assert record is not None
    assert record.started_by is None


def test_the_start_is_written_down_in_awss_time(night: Stage) -> None:
    """The LaunchTime is AWS's as well, and this controller's clock is ten minutes slow."""
    date = format_datetime(moment(600), usegmt=True)
    answered = {**OFF, "ResponseMetadata": {"HTTPHeaders": {"date": date}}}
    up = shown("running", launched=605)
    night.account.on("describe_instances", answered, up)
    records = []

    def answer(**_params: Any) -> dict[str, Any]:
        records.append(night.ledger.power(ID))
        return STARTED

    night.account.on("start_instances", answer)
    start(night)
    assert [record.start_requested_at for record in records if record] == [START + 600]
    record = night.ledger.power(ID)
    assert record is not None
    assert record.launch_time == START + 605


@pytest.mark.parametrize("date", [format_datetime(moment(2 * 3600), usegmt=True), "yesterday"])
def test_a_date_that_cannot_be_awss_is_not_believed(night: Stage, date: str) -> None:
    """AWS would refuse the requests of a controller whose clock is that wrong, so a proxy wrote the date."""
    night.account.on("describe_instances", {**OFF, "ResponseMetadata": {"HTTPHeaders": {"date": date}}}, RUNNING)
    night.account.on("start_instances", {**STARTED, "ResponseMetadata": {"HTTPHeaders": {"date": date}}})
    assert start(night)["started"] is True


# What AWS shows after the start


def test_a_restart_by_others_while_it_starts_is_not_taken_for_our_start(night: Stage) -> None:
    """The controller stood still, and another user restarted the instance meanwhile: a restore must not stop it, however soon."""
    restarted = shown("running", launched=100)
    night.account.on("describe_instances", OFF, restarted)
    assert refusal(night).code == "restarted_by_others"
    record = night.ledger.power(ID)
    assert record is not None
    assert is_our_start(record, restarted["Reservations"][0]["Instances"][0]) is False


def test_a_restart_by_others_after_our_launch_was_seen_is_theirs(night: Stage) -> None:
    night.account.on("describe_instances", OFF, PENDING, shown("running", launched=50))
    assert refusal(night).code == "restarted_by_others"
    record = night.ledger.power(ID)
    assert record is not None
    assert record.launch_time == moment(5).timestamp()


def test_a_state_from_before_the_start_is_no_fall_back(night: Stage) -> None:
    night.account.on("describe_instances", by_time(night.clock, (0, OFF), (100, RUNNING)))
    assert start(night)["state"] == "running"


def test_a_start_that_is_never_seen_fell_back(night: Stage) -> None:
    night.account.on("describe_instances", OFF)
    assert refusal(night).code == "fell_back"
    assert 120 < night.clock.passed < 200


def test_an_old_running_is_not_believed(night: Stage) -> None:
    stale = shown("running", launched=-2 * DAY)
    night.account.on("describe_instances", shown("stopped", launched=-2 * DAY), stale, stale, PENDING, RUNNING)
    assert start(night)["launch_time"] == moment(5).timestamp()


def test_a_host_that_falls_back_is_reported_with_awss_own_reason(night: Stage) -> None:
    reason = {"Code": "Client.VolumeLimitExceeded", "Message": "Client.VolumeLimitExceeded: Volume limit exceeded"}
    night.account.on("describe_instances", OFF, PENDING, shown("stopped", launched=5, StateReason=reason))
    error = refusal(night)
    assert error.code == "fell_back"
    assert error.reason == (
        "The start was accepted, but the instance is stopped: Client.VolumeLimitExceeded: Volume limit exceeded."
    )


def test_a_key_that_may_not_be_used_is_named(night: Stage) -> None:
    reason = {"Code": "Client.InternalError", "Message": "Client.InternalError: Client error on launch"}
    night.account.on("describe_instances", OFF, PENDING, shown("stopped", launched=5, StateReason=reason))
    assert "kms:CreateGrant" in refusal(night).reason


def test_a_fall_back_without_a_reason_says_so(night: Stage) -> None:
    night.account.on("describe_instances", OFF, PENDING, shown("stopped", launched=5))
    assert "EC2 gives no reason" in refusal(night).reason


def test_a_host_that_does_not_get_past_pending_is_given_up(night: Stage) -> None:
    night.account.on("describe_instances", OFF, PENDING)
    assert refusal(night).code == "start_timeout"
    assert night.clock.passed == 900


def test_a_host_whose_whole_time_ends_earlier_is_given_up_then(night: Stage) -> None:
    night.ledger.update_facts(RUN, ID, {"deadline_at": START + 300})
    night.account.on("describe_instances", OFF, PENDING)
    assert refusal(night).code == "start_timeout"
    assert night.clock.passed == 300


def test_a_host_that_another_run_took_over_is_touched_no_more(night: Stage) -> None:
    night.open_run(a_host("i-9", "other"), run_id="other")
    night.ledger.take_over("other", [ID], START, force=True)
    error = refusal(night)
    assert (error.code, error.outcome) == ("lease_lost", "held")
    assert night.account.calls == []


def test_a_host_that_another_run_takes_over_while_there_is_no_room_is_not_started(night: Stage) -> None:
    night.open_run(a_host("i-9", "other"), run_id="other")
    night.account.on("start_instances", client_error("InsufficientInstanceCapacity"))
    night.clock.at(100, lambda: night.ledger.take_over("other", [ID], START + 100, force=True))
    assert refusal(night).code == "lease_lost"
    assert all(call.at < 200 for call in night.account.of("start_instances"))


# A start without an answer

LOST = ReadTimeoutError(endpoint_url="https://ec2.eu-central-1.amazonaws.com")


def test_a_start_whose_answer_was_lost_is_seen_by_its_launch_time(night: Stage) -> None:
    night.account.on("start_instances", LOST)
    assert start(night)["started"] is True
    assert starts(night) == 1
    assert night.facts()["started_by_run"] is True
    record = night.ledger.power(ID)
    assert record is not None
    assert (record.started_by, record.launch_time) == (RUN, moment(5).timestamp())


def test_a_start_that_was_not_made_is_made_again(night: Stage) -> None:
    night.account.on("describe_instances", by_time(night.clock, (0, OFF), (200, PENDING), (220, RUNNING)))
    night.account.on("start_instances", LOST, STARTED)
    assert start(night)["started"] is True
    assert [call.at > CONSISTENCY_SECONDS for call in night.account.of("start_instances")] == [False, True]


@pytest.mark.parametrize("code", ["RequestExpired", "UnauthorizedOperation", "InsufficientInstanceCapacity"])
def test_a_start_without_an_answer_stays_ours_whatever_its_repetition_answers(night: Stage, code: str) -> None:
    """Else the host stays on, its record is closed, and another user is blamed."""
    night.account.on("describe_instances", OFF)
    night.account.on("start_instances", LOST, client_error(code))
    error = refusal(night)
    record = night.ledger.power(ID)
    assert record is not None
    assert record.started_by == RUN
    assert error.outcome == "failed", "it may be on, so nothing is deferred"


def test_a_start_that_is_never_answered_stays_ours(night: Stage) -> None:
    night.account.on("describe_instances", OFF)
    night.account.on("start_instances", LOST)
    assert refusal(night).code == "unanswered"
    record = night.ledger.power(ID)
    assert record is not None
    assert record.started_by == RUN
