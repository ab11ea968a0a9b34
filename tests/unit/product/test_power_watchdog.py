# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The switch for dead controllers as the steps set, aim, postpone and cancel it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._base.clock import iso
from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import NeedsAttention, PatchFleetError
from ansible_collections.patchfleet.windows.plugins.module_utils._model.phases import Phase
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.instance_power import OPERATION
from ansible_collections.patchfleet.windows.plugins.module_utils._run.closing import set_interrupted_outcomes
from operations import perform

from .fakes import ID, START, Outcome, client_error, moment, shown
from .stage import RUN, Stage

OFF, RUNNING, OFF_AGAIN = shown("stopped"), shown("running", launched=5), shown("stopped", launched=5)
CALLER = {"Arn": "arn:aws:sts::123456789012:assumed-role/PatchFleet-controller-eu-central-1/me"}
MADE = {"ScheduleArn": "arn:aws:scheduler:eu-central-1:123456789012:schedule/PatchFleet/x"}
NAME = f"{ID}-{RUN}"
MARGIN = 3600


@pytest.fixture
def night(stage: Stage) -> Stage:
    """A stopped host of a run that comes up when it is started, in an account where watchdog schedules can be made."""
    stage.open_run()
    stage.record("stopped")
    stage.ledger.update_facts(RUN, ID, {"deadline_at": START + 10_000})
    stage.account.on("get_caller_identity", CALLER)
    stage.account.on("create_schedule", MADE)
    stage.account.on("update_schedule", MADE)
    stage.account.on("delete_schedule", {})
    stage.account.on("start_instances", {"StartingInstances": []})
    stage.account.on("stop_instances", {"StoppingInstances": []})
    stage.account.on("describe_instances", OFF, RUNNING)
    return stage


def power(stage: Stage, state: str = "started", **params: Any) -> dict[str, Any]:
    options = {"run_id": RUN, "host": ID, "instance_id": ID, "state": state, **params}
    return perform(OPERATION, stage.context(OPERATION, **options))


def start(stage: Stage, **params: Any) -> dict[str, Any]:
    return power(stage, dead_man_switch=True, **params)


def operations(stage: Stage) -> list[str]:
    """What was changed, in order."""
    return [
        call.operation for call in stage.account.calls if not call.operation.startswith(("describe", "get", "list"))
    ]


def launched(params: dict[str, Any]) -> tuple[float, float]:
    """Between which seconds since the test began the runbook takes a start for ours."""
    given = json.loads(params["Target"]["Input"])["Parameters"]
    return int(given["LaunchedFrom"][0]) - START, int(given["LaunchedUntil"][0]) - START


def test_nothing_is_scheduled_unless_it_is_asked_for(night: Stage) -> None:
    power(night)
    night.account.on("describe_instances", RUNNING, OFF_AGAIN)
    power(night, "restored")
    assert operations(night) == ["start_instances", "stop_instances"]


def test_it_is_made_before_the_start_and_aimed_after_it(night: Stage) -> None:
    start(night)
    assert operations(night) == ["create_schedule", "start_instances", "update_schedule"]
    made, aimed = night.account.of("create_schedule")[0].params, night.account.of("update_schedule")[0].params
    assert (made["Name"], made["GroupName"]) == (NAME, "PatchFleet")
    assert made["ScheduleExpression"] == f"at({moment(10_000 + MARGIN):%Y-%m-%dT%H:%M:%S})"
    assert (made["ScheduleExpressionTimezone"], made["ActionAfterCompletion"]) == ("UTC", "DELETE")
    assert made["Target"]["RoleArn"] == "arn:aws:iam::123456789012:role/PatchFleet-scheduler-eu-central-1"
    assert json.loads(made["Target"]["Input"])["DocumentName"] == "PatchFleet-stop-host"
    assert json.loads(made["Target"]["Input"])["Parameters"]["KeepTag"] == ["patchfleet:keep"]
    first, last = launched(made)
    assert first <= 0, "AWS gives whole seconds"
    assert last >= 180, "the start itself takes a while"
    assert launched(aimed) == (5, 5)
    assert {**aimed, "Target": None} == {**made, "Target": None}, "an update keeps nothing of what it does not name"


def test_it_is_in_the_ledger_before_it_is_made(night: Stage) -> None:
    names = []

    def answer(**_params: Any) -> dict[str, Any]:
        names.append(night.facts()["switch"]["name"])
        return MADE

    night.account.on("create_schedule", answer)
    start(night)
    assert names == [NAME]


def test_nothing_is_started_without_it(night: Stage) -> None:
    night.account.on("create_schedule", client_error("AccessDeniedException"))
    with pytest.raises(PatchFleetError) as caught:
        start(night)
    assert caught.value.code == "access_denied"
    record = night.ledger.power(ID)
    assert record is not None
    assert record.started_by is None
    assert "start_instances" not in operations(night)


def test_a_start_that_is_refused_cancels_it(night: Stage) -> None:
    night.account.on("start_instances", client_error("VcpuLimitExceeded"), {"StartingInstances": []})
    start(night)
    each_try = ["create_schedule", "start_instances"]
    assert operations(night) == [*each_try, "delete_schedule", *each_try, "update_schedule"]


def test_one_that_an_earlier_try_has_made_is_made_again(night: Stage) -> None:
    """The controller died between the schedule and the start, and the run continues."""
    night.account.on("create_schedule", client_error("ConflictException"))
    start(night)
    assert operations(night) == ["create_schedule", "update_schedule", "start_instances", "update_schedule"]


def test_it_is_cancelled_when_the_host_is_off_again(night: Stage) -> None:
    start(night)
    night.account.on("describe_instances", RUNNING, OFF_AGAIN)
    power(night, "restored")
    assert operations(night)[-2:] == ["stop_instances", "delete_schedule"]
    assert night.account.of("delete_schedule")[0].params == {"Name": NAME, "GroupName": "PatchFleet"}
    assert night.facts().get("switch") is None


def test_one_that_has_happened_is_gone(night: Stage) -> None:
    start(night)
    night.account.on("delete_schedule", client_error("ResourceNotFoundException"))
    night.account.on("describe_instances", OFF_AGAIN)
    assert power(night, "restored")["state"] == "stopped"
    assert night.facts().get("switch") is None


def test_one_that_cannot_be_cancelled_holds_no_one_up(night: Stage) -> None:
    start(night)
    night.account.on("delete_schedule", client_error("AccessDeniedException"))
    night.account.on("describe_instances", RUNNING, OFF_AGAIN)
    assert power(night, "restored")["changed"] is True
    assert night.ledger.power(ID) is None
    assert any("its watchdog schedule stays as it is" in text for text in night.message)


def test_a_host_that_is_another_users_now_needs_none(night: Stage) -> None:
    start(night)
    night.account.on("describe_instances", shown("running", launched=5000))
    with pytest.raises(NeedsAttention) as caught:
        power(night, "restored")
    assert caught.value.code == "restarted_by_others"
    assert operations(night)[-1] == "delete_schedule"


def test_who_waits_for_an_installation_puts_it_off_and_who_gives_up_cancels_it(night: Stage) -> None:
    """The runbook sees commands alone, and Windows may go on without one."""
    start(night)
    night.ledger.update_facts(RUN, ID, {"servicing": True})
    night.clock.sleep(9000)
    night.account.on("describe_instances", RUNNING)
    night.guest.on("servicing_state", Outcome(status="Failed"))
    with pytest.raises(NeedsAttention) as caught:
        power(night, "restored", install_timeout_seconds=7200)
    assert caught.value.code in {"installation_running", "installation_unknown"}
    put_off = night.account.of("update_schedule")[-1]
    due = moment(put_off.at + 7200 + MARGIN)
    assert put_off.params["ScheduleExpression"] == f"at({due:%Y-%m-%dT%H:%M:%S})"
    assert operations(night)[-1] == "delete_schedule"
    assert "stop_instances" not in operations(night)


def test_who_takes_a_host_over_that_is_on_makes_a_switch_of_its_own_first(night: Stage) -> None:
    """Else that of the dead run would stop the host in a pause between two steps."""
    start(night)
    night.clock.sleep(2000)
    later = "20261114T230000Z-0002"
    night.open_run(run_id=later)
    night.ledger.update_facts(later, ID, {"deadline_at": START + 20_000})
    night.account.on("describe_instances", RUNNING)
    assert power(night, run_id=later)["started"] is False
    assert operations(night)[-2:] == ["create_schedule", "delete_schedule"]
    made, gone = night.account.of("create_schedule")[-1].params, night.account.of("delete_schedule")[-1].params
    assert (made["Name"], gone["Name"]) == (f"{ID}-{later}", NAME)
    assert made["ScheduleExpression"] == f"at({moment(20_000 + MARGIN):%Y-%m-%dT%H:%M:%S})"
    assert launched(made) == (5, 5)
    night.account.on("describe_instances", RUNNING, OFF_AGAIN)
    power(night, "restored", run_id=later)
    assert night.account.of("delete_schedule")[-1].params["Name"] == f"{ID}-{later}"


def test_of_a_run_that_died_before_its_start_nothing_is_taken_over(night: Stage) -> None:
    """The host is on because of another user."""
    night.account.on("start_instances", client_error("VcpuLimitExceeded"))
    night.account.on("delete_schedule", client_error("AccessDeniedException"), {})
    with pytest.raises(PatchFleetError):
        start(night)
    later = "20261114T230000Z-0002"
    night.clock.sleep(2000)
    night.open_run(run_id=later)
    night.account.on("describe_instances", RUNNING)
    made = len(night.account.of("create_schedule"))
    assert power(night, run_id=later)["started"] is False
    assert len(night.account.of("create_schedule")) == made
    assert operations(night)[-1] == "delete_schedule"
    assert night.facts().get("switch") is None


def test_without_it_nothing_is_done_in_that_host(night: Stage) -> None:
    start(night)
    night.clock.sleep(2000)
    later = "20261114T230000Z-0002"
    night.open_run(run_id=later)
    night.account.on("describe_instances", RUNNING)
    night.account.on("create_schedule", client_error("AccessDeniedException"))
    with pytest.raises(PatchFleetError) as caught:
        power(night, run_id=later)
    assert caught.value.code == "access_denied"
    assert "delete_schedule" not in operations(night)


def test_one_that_has_happened_is_put_off_by_another(night: Stage) -> None:
    """Its runbook may wait for its next look."""
    start(night)
    night.ledger.update_facts(RUN, ID, {"servicing": True})
    night.clock.sleep(15_000)
    night.account.on("update_schedule", client_error("ResourceNotFoundException"))
    night.account.on("describe_instances", RUNNING)
    night.guest.on("servicing_state", Outcome(status="Failed"))
    with pytest.raises(NeedsAttention):
        power(night, "restored")
    assert night.account.of("create_schedule")[-1].params["Name"] == f"{NAME}-2"
    assert night.account.of("delete_schedule")[-1].params["Name"] == f"{NAME}-2"


def test_a_later_run_cancels_that_of_the_one_it_took_over_from(night: Stage) -> None:
    start(night)
    night.clock.sleep(2000)
    later = "20261114T230000Z-0002"
    night.open_run(run_id=later)
    night.account.on("describe_instances", RUNNING, OFF_AGAIN)
    power(night, "restored", run_id=later)
    assert [call.params["Name"] for call in night.account.of("delete_schedule")] == [NAME]


def found_off(stage: Stage, seconds: float) -> dict[str, Any]:
    """A restore that finds the host off, since a stop at that time; returns the host's facts."""
    start(stage)
    stage.clock.sleep(40_000)
    reason = f"User initiated ({moment(seconds):%Y-%m-%d %H:%M:%S} GMT)"
    stage.account.on("describe_instances", shown("stopped", launched=5, StateTransitionReason=reason))
    power(stage, "restored")
    return stage.facts()


def test_a_host_that_it_stopped_was_on_until_then_and_the_restore_says_so(night: Stage) -> None:
    due = 10_000 + MARGIN
    facts = found_off(night, due + 60)
    assert (facts["off_at"], facts["watchdog_stopped_at"]) == (START + due + 60, START + due + 60)
    message = f"its watchdog schedule was due; it was stopped at {iso(START + due + 60)}"
    assert message in night.message
    night.ledger.begin_phase(RUN, ID, Phase.PATCH, START)
    set_interrupted_outcomes(night.ledger, RUN)
    reason = night.ledger.host(RUN, ID).reason or ""
    assert f"It was stopped at {iso(START + due + 60)}, after its watchdog schedule was due." in reason


def test_one_who_stopped_it_earlier_was_another_user(night: Stage) -> None:
    facts = found_off(night, 9_000)
    assert (facts["off_at"], facts.get("watchdog_stopped_at")) == (START + 9_000, None)


def test_a_stop_that_was_asked_for_a_moment_ago_may_have_ended_just_now(night: Stage) -> None:
    """EC2 shows when the stop was asked for; a host that shuts down is still on."""
    asked_at = 39_900
    facts = found_off(night, asked_at)
    assert facts["off_at"] == night.clock.now() > START + asked_at


def test_a_stop_before_our_start_says_nothing_of_it(night: Stage) -> None:
    facts = found_off(night, 3)
    assert (facts["off_at"], facts.get("watchdog_stopped_at")) == (night.clock.now(), None)
