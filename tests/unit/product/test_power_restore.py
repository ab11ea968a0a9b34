# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import re
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from ansible_collections.patchfleet.windows.plugins.module_utils._aws.commands import send_command
from ansible_collections.patchfleet.windows.plugins.module_utils._base.clock import iso, parse_iso
from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import NeedsAttention, PatchFleetError
from ansible_collections.patchfleet.windows.plugins.module_utils._host.instances import CONSISTENCY_SECONDS
from ansible_collections.patchfleet.windows.plugins.module_utils._host.servicing import LATE_DELIVERY_SECONDS
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.records import SKEW_SECONDS, Verdict
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.instance_power import OPERATION
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.failures import record_failure
from ansible_collections.patchfleet.windows.plugins.module_utils._power.restore import STOP_ATTEMPTS
from ansible_collections.patchfleet.windows.plugins.module_utils._report.build import build_report
from ansible_collections.patchfleet.windows.plugins.module_utils._update.foreign_runs import QUIET_SECONDS
from operations import perform

from .fakes import DAY, ID, START, Answer, Outcome, answered, by_time, client_error, moment, reservations, shown, tags
from .foreign_runs import a_command, an_association
from .stage import RUN, Stage, a_host, a_run

LAUNCHED = 10.0
OURS, OFF = shown("running", launched=LAUNCHED), shown("stopped", launched=LAUNCHED)
STOPPING = shown("stopping", launched=LAUNCHED)
INSTALLING = "00000001-0000-4000-8000-000000000000"


@pytest.fixture
def night(stage: Stage) -> Stage:
    """A host that was off, that our run started ten minutes ago, and that stops when it is asked to."""
    stage.open_run()
    stage.record("stopped")
    stage.ledger.note_start(ID, RUN, START)
    stage.ledger.note_launch(ID, START + LAUNCHED)
    stage.clock.sleep(600)
    stage.account.on("describe_instances", OURS)
    stage.account.on("stop_instances", stopping_as_asked(stage))
    return stage


def stopping_as_asked(stage: Stage, *afterwards: dict[str, Any], launched: float = LAUNCHED) -> Answer:
    """StopInstances is accepted, and DescribeInstances shows what comes of it."""

    def answer(**_params: Any) -> dict[str, Any]:
        shown_then = afterwards or [shown("stopped", launched=launched)]
        stage.account.on("describe_instances", shown("stopping", launched=launched), *shown_then)
        return {"StoppingInstances": []}

    return answer


def restore(stage: Stage, *, check_mode: bool = False, **params: Any) -> dict[str, Any]:
    options = {"run_id": RUN, "host": ID, "instance_id": ID, "state": "restored", "scripts": {"servicing_state": ""}}
    return perform(OPERATION, stage.context(OPERATION, check_mode=check_mode, **{**options, **params}))


def held(stage: Stage, **params: Any) -> NeedsAttention:
    with pytest.raises(NeedsAttention) as caught:
        restore(stage, **params)
    assert stage.ledger.host(params.get("run_id", RUN), ID).outcome == "held"
    return caught.value


def reported(stage: Stage) -> tuple[Any, Any]:
    """The state and the seconds of the host in the report."""
    (host,) = build_report(stage.ledger, RUN, stage.clock.now())["hosts"]
    return host["final_state"], host["on_seconds"]


def stops(stage: Stage) -> int:
    return len(stage.account.of("stop_instances"))


def is_open(stage: Stage) -> bool:
    return stage.ledger.power(ID) is not None


# What is stopped


def test_a_host_that_we_started_is_stopped_again(night: Stage) -> None:
    """Never stopped afterwards: instance-scheduler-on-aws#101, #215, #384."""
    assert restore(night) == {"changed": True, "state": "stopped", "note": None}
    assert not is_open(night)
    assert night.facts()["final_state"] == "stopped"
    assert night.facts()["off_at"] == night.clock.now()


def test_a_stop_is_a_plain_one(night: Stage) -> None:
    """``Force`` and ``SkipOsShutdown`` risk data."""
    restore(night)
    (call,) = night.account.of("stop_instances")
    assert call.params == {"InstanceIds": [ID]}


@pytest.mark.parametrize(
    ("taken_by", "code"),
    [
        ({"Tags": tags(aws__autoscaling__groupName="web")}, "auto_scaling_group"),
        ({"Operator": {"Managed": True, "Principal": "eks.amazonaws.com"}}, "managed_by_service"),
        ({"Tags": tags(Schedule="office-hours")}, "scheduled"),
    ],
    ids=["group", "service", "scheduler"],
)
def test_a_host_that_was_given_to_something_else_is_left_to_it(
    night: Stage, taken_by: dict[str, Any], code: str
) -> None:
    """An Auto Scaling group replaces a member that stops."""
    night.account.on("describe_instances", shown("running", launched=LAUNCHED, **taken_by))
    error = held(night)
    assert (error.code, stops(night), is_open(night)) == (code, 0, False)
    assert error.reason.endswith("It did not when we started it; it is left running.")
    assert night.facts()["final_state"] == "running"


def test_a_host_that_a_user_wants_on_is_left_on_until_they_take_the_tag_away(night: Stage) -> None:
    night.account.on("describe_instances", shown("running", launched=LAUNCHED, Tags=tags(patchfleet__keep="Ann")))
    error = held(night)
    assert (error.code, stops(night), is_open(night)) == ("keep_tag", 0, True)
    assert "without the tag, restore stops it" in error.reason
    night.account.on("describe_instances", OURS)
    assert restore(night)["changed"] is True


def test_a_tag_that_comes_while_an_installation_is_waited_for_is_seen(night: Stage) -> None:
    """What was read before a long wait is old: the host is checked again right before the stop."""
    night.ledger.update_facts(RUN, ID, {"servicing": True})
    kept = shown("running", launched=LAUNCHED, Tags=tags(patchfleet__keep=""))
    night.account.on("describe_instances", OURS, kept)
    night.guest.answers("servicing_state", {"installing": True}, {"installing": False})
    assert held(night).code == "keep_tag"
    assert stops(night) == 0


PATCHING = [a_command("InProgress")]


def test_another_users_patch_run_is_not_cut_off(night: Stage) -> None:
    """A host is stopped in the middle of a patch: instance-scheduler-on-aws#101."""
    ends = night.clock.now() + 900
    night.guest.answers("servicing_state", {"installing": True})
    night.guest.foreign_commands = lambda: [] if night.clock.now() >= ends else PATCHING
    assert restore(night)["changed"] is True
    (stop,) = night.account.of("stop_instances")
    assert START + stop.at >= ends


def test_an_association_that_patches_is_not_cut_off_either(night: Stage) -> None:
    """A patch policy's, which Run Command does not list."""
    ends = night.clock.now() + 900
    night.guest.answers("servicing_state", {"installing": True})
    night.guest.associations = lambda: [an_association("InProgress" if night.clock.now() < ends else "Success")]
    assert restore(night)["changed"] is True
    (stop,) = night.account.of("stop_instances")
    assert START + stop.at >= ends


def test_a_host_that_another_user_patches_for_too_long_is_held(night: Stage) -> None:
    night.guest.foreign_commands = lambda: PATCHING
    night.guest.answers("servicing_state", {"installing": True})
    error = held(night, install_timeout_seconds=1800)
    assert (error.code, stops(night), is_open(night)) == ("others_patching", 0, True)
    assert "AWS-RunPatchBaseline (command" in error.reason
    assert night.clock.passed <= 600 + 1800 + 120


def test_others_that_come_one_after_the_other_have_one_time_together(night: Stage) -> None:
    night.guest.foreign_commands = lambda: [] if int(night.clock.now()) // 300 % 2 else PATCHING
    night.guest.answers("servicing_state", {"installing": True})
    with contextlib.suppress(NeedsAttention):
        restore(night, install_timeout_seconds=1800)
    assert night.clock.passed <= 600 + 1800 + 120


def test_a_command_that_only_seems_to_go_on_keeps_no_one_waiting_for_ever(night: Stage) -> None:
    """Its agent was rebooted under it, and never reports how it ended."""
    night.guest.foreign_commands = lambda: PATCHING
    night.guest.answers("servicing_state", {"installing": True}, {"installing": True}, {"installing": False})
    assert restore(night)["changed"] is True
    (stop,) = night.account.of("stop_instances")
    assert 600 + QUIET_SECONDS + 600 <= stop.at < 600 + QUIET_SECONDS + 1200


@pytest.mark.parametrize(
    "row",
    [
        a_command("Success"),
        a_command("Pending"),
        a_command("InProgress", DocumentName="AWS-RunPowerShellScript"),
        a_command("InProgress", Comment=f"patchfleet: Scan {RUN}"),
    ],
    ids=["ended", "not begun", "another document", "our own scan"],
)
def test_what_is_no_patch_run_of_others_keeps_no_one_waiting(night: Stage, row: dict[str, Any]) -> None:
    night.guest.foreign_commands = lambda: [row]
    restore(night)
    assert night.account.of("stop_instances")[0].at == 600


@pytest.mark.parametrize(("now", "stopped"), [("office-hours", True), ("nights", False)])
def test_a_host_of_a_scheduler_is_put_back_while_its_schedule_is_the_same(
    night: Stage, now: str, stopped: bool
) -> None:
    night.ledger.update_facts(RUN, ID, {"scheduler": "Schedule=office-hours"})
    there = tags(Schedule=now, **{"IS-ManagedBy": "a hub that has put its own tag on it since"})
    night.account.on("describe_instances", shown("running", launched=LAUNCHED, Tags=there))
    if stopped:
        assert restore(night)["changed"] is True
    else:
        assert held(night).code == "scheduled"


def test_a_host_whose_patch_failed_is_stopped_too(night: Stage) -> None:
    """AWS's own sample runbook aborts before its restore step when a patch fails."""
    night.ledger.set_outcome(RUN, ID, Verdict("failed", "patch", "still_missing", "KB1 is missing."))
    assert restore(night)["changed"] is True
    assert night.ledger.host(RUN, ID).reason_code == "still_missing"


def test_a_host_that_just_starts_is_waited_for_and_stopped(night: Stage) -> None:
    """A stop of a pending instance is an error."""
    night.account.on("describe_instances", shown("pending", launched=LAUNCHED), OURS)
    assert restore(night)["changed"] is True
    calls = [call.operation for call in night.account.calls]
    assert calls[: calls.index("stop_instances")].count("describe_instances") == 2


def test_the_ledger_of_a_later_run_stops_what_an_earlier_one_started(night: Stage) -> None:
    night.ledger.close_run(RUN, night.clock.now())
    night.open_run(run_id="second")
    assert restore(night, run_id="second")["changed"] is True


def test_a_start_whose_launch_was_never_seen_is_ours_by_its_time(night: Stage) -> None:
    """The controller died between StartInstances and the next DescribeInstances."""
    night.ledger.note_start(ID, RUN, START)
    assert restore(night)["changed"] is True


@pytest.mark.parametrize("launched", [-30, 0, 180])
def test_a_launch_right_after_an_unseen_start_is_ours(night: Stage, launched: float) -> None:
    night.ledger.note_start(ID, RUN, START)
    night.account.on("describe_instances", shown("running", launched=launched))
    night.account.on("stop_instances", stopping_as_asked(night, launched=launched))
    assert restore(night)["changed"] is True


@pytest.mark.parametrize("launched", [-300, -31, 181, 900])
def test_a_launch_that_may_be_ours_or_another_users_is_asked_about(night: Stage, launched: float) -> None:
    """The controller stood still and died, or another user started the instance after it had died."""
    night.ledger.note_start(ID, RUN, START)
    night.account.on("describe_instances", shown("running", launched=launched))
    error = held(night)
    assert error.code == "start_unclear"
    assert "stop it and run `ansible-playbook patchfleet.windows.restore" in error.reason
    assert reported(night) == ("running", None)
    assert (stops(night), is_open(night)) == (0, True)
    night.account.on("describe_instances", shown("stopped", launched=launched))
    restore(night)
    assert not is_open(night), "the user has stopped it"


@pytest.mark.parametrize("launched", [-301, 901])
def test_a_launch_far_from_an_unseen_start_is_another_users(night: Stage, launched: float) -> None:
    night.ledger.note_start(ID, RUN, START)
    night.account.on("describe_instances", shown("running", launched=launched))
    assert held(night).code == "restarted_by_others"
    assert stops(night) == 0


def test_a_stopped_that_is_older_than_our_start_is_checked_again(stage: Stage) -> None:
    """Eventual consistency: else a host that starts a second later would stay on."""
    stage.open_run()
    stage.record("stopped")
    stage.ledger.note_start(ID, RUN, START)
    stage.account.on("describe_instances", by_time(stage.clock, (0, shown("stopped")), (60, OURS)))
    stage.account.on("stop_instances", stopping_as_asked(stage))
    assert restore(stage)["changed"] is True
    assert stage.account.of("stop_instances")[0].at == 120


def test_a_start_that_never_came_is_closed_after_that_look(stage: Stage) -> None:
    stage.open_run()
    stage.record("stopped")
    stage.ledger.note_start(ID, RUN, START)
    stage.account.on("describe_instances", shown("stopped"))
    assert restore(stage) == {"changed": False, "state": "stopped", "note": None}
    assert stage.clock.passed == 120
    assert not is_open(stage)


@pytest.mark.parametrize("requested", [-3000, -SKEW_SECONDS, SKEW_SECONDS])
def test_whatever_the_record_says_of_its_time_a_start_may_be_a_moment_old(stage: Stage, requested: float) -> None:
    """Another's clock differs, or the controller stood still."""
    stage.open_run()
    stage.record("stopped")
    stage.ledger.note_start(ID, RUN, START + requested)
    launched = requested + 170
    ours = shown("running", launched=launched)
    stage.account.on("describe_instances", by_time(stage.clock, (0, shown("stopped")), (110, ours)))
    stage.account.on("stop_instances", stopping_as_asked(stage, launched=launched))
    assert restore(stage)["changed"] is True


# What is left alone


def test_a_host_without_a_record_is_left_alone(stage: Stage) -> None:
    stage.open_run()
    assert restore(stage) == {"changed": False, "state": None, "note": None}
    assert stage.account.calls == []


@pytest.mark.parametrize("state", ["running", "stopped"])
def test_a_host_that_was_running_is_only_closed(stage: Stage, state: str) -> None:
    stage.open_run()
    stage.record("running")
    stage.account.on("describe_instances", shown(state))
    assert restore(stage) == {"changed": False, "state": state, "note": None}
    assert not is_open(stage)
    assert stage.facts()["final_state"] == state


def test_a_host_that_we_did_not_start_is_left_running(stage: Stage) -> None:
    stage.open_run()
    stage.record("stopped")
    stage.account.on("describe_instances", shown("running"))
    assert restore(stage)["note"] == "Another user started it; it is left running."
    assert not is_open(stage)
    assert stops(stage) == 0


def test_a_host_that_was_never_started_is_only_closed(stage: Stage) -> None:
    stage.open_run()
    stage.record("stopped")
    stage.account.on("describe_instances", shown("stopped"))
    assert restore(stage)["changed"] is False
    assert stage.clock.passed == 0
    assert not is_open(stage)


def test_a_host_that_is_left_to_others_is_held_before_its_record_is_closed(
    night: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The controller dies before the one or the other: the record or the outcome names the host."""

    def die(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    night.account.on("describe_instances", shown("running", launched=300))
    monkeypatch.setattr(night.ledger, "close_power", die)
    with pytest.raises(KeyboardInterrupt):
        restore(night)
    host = night.ledger.host(RUN, ID)
    assert (host.outcome, host.reason_code, is_open(night)) == ("held", "restarted_by_others", True)


def test_a_host_that_others_restarted_is_theirs(night: Stage) -> None:
    """Another scheduler, or a person, works on the same host: instance-scheduler-on-aws#598."""
    night.account.on("describe_instances", shown("running", launched=300))
    assert held(night).code == "restarted_by_others"
    assert stops(night) == 0
    assert not is_open(night)
    assert night.facts()["final_state"] == "running"


def test_a_host_that_others_stopped_is_as_it_was(night: Stage) -> None:
    night.account.on("describe_instances", STOPPING, OFF)
    assert restore(night) == {"changed": False, "state": "stopped", "note": None}
    assert stops(night) == 0
    assert not is_open(night)


@pytest.mark.parametrize("state", ["terminated", "shutting-down"])
def test_a_host_that_is_gone_is_closed(night: Stage, state: str) -> None:
    night.account.on("describe_instances", shown(state))
    assert restore(night)["state"] == "gone"
    assert not is_open(night)
    night.account.on("describe_instances", reservations())
    assert restore(night) == {"changed": False, "state": None, "note": None}


def test_a_host_that_ec2_does_not_know_is_closed(night: Stage) -> None:
    night.account.on("describe_instances", client_error("InvalidInstanceID.NotFound"))
    assert restore(night)["state"] == "gone"
    assert not is_open(night)


def test_a_host_that_is_terminated_while_it_stops_is_closed(night: Stage) -> None:
    night.account.on("stop_instances", stopping_as_asked(night, shown("terminated", launched=LAUNCHED)))
    assert restore(night)["state"] == "stopped"
    assert not is_open(night)


# What needs a person


@pytest.mark.parametrize("code", ["UnauthorizedOperation", "OperationNotPermitted", "RequestExpired"])
def test_a_host_that_cannot_be_stopped_is_held_and_stays_open(night: Stage, code: str) -> None:
    night.account.on("stop_instances", client_error(code, operation="StopInstances"))
    error = held(night)
    assert error.reason.startswith("It is still on because of us: ")
    assert "ec2:StopInstances" in error.reason
    assert is_open(night)


@pytest.mark.parametrize("code", ["UnauthorizedOperation", "RequestExpired"])
def test_a_host_that_cannot_even_be_checked_is_held_and_stays_open(night: Stage, code: str) -> None:
    """Credentials of a chained role last an hour; what we started is on, whatever else is known."""
    night.account.on("describe_instances", client_error(code, operation="DescribeInstances"))
    assert "ec2:DescribeInstances" in held(night).reason
    assert is_open(night)


def test_a_host_that_is_not_on_because_of_us_is_not_held_for_that(stage: Stage) -> None:
    stage.open_run()
    stage.record("running")
    stage.account.on("describe_instances", client_error("RequestExpired"))
    with pytest.raises(PatchFleetError) as caught:
        restore(stage)
    assert (caught.value.outcome, caught.value.code) == ("failed", "credentials_expired")
    assert is_open(stage)


def test_a_host_whose_start_was_not_written_is_reported_as_on_because_of_us(night: Stage) -> None:
    """Its controller died before its start phase had ended."""
    night.account.on("stop_instances", client_error("OperationNotPermitted", operation="StopInstances"))
    held(night)
    assert reported(night) == ("running", 600 - LAUNCHED)
    night.account.on("stop_instances", stopping_as_asked(night))
    restore(night)
    assert reported(night)[0] == "stopped"
    assert night.facts()["off_at"] - night.facts()["on_since"] == reported(night)[1]


def test_a_start_that_was_written_keeps_its_time(night: Stage) -> None:
    night.ledger.update_facts(RUN, ID, {"started_by_run": True, "on_since": START + 20})
    restore(night)
    assert night.facts()["on_since"] == START + 20


def test_a_host_that_does_not_stop_in_time_is_held_and_stays_open(night: Stage) -> None:
    night.account.on("stop_instances", stopping_as_asked(night, STOPPING))
    assert held(night).code == "still_stopping"
    assert night.clock.passed == 600 + 1200
    assert is_open(night)
    assert night.ledger.host(RUN, ID).facts["final_state"] == "stopping"


def test_why_it_failed_before_is_kept_in_the_reason(night: Stage) -> None:
    night.ledger.set_outcome(RUN, ID, Verdict("failed", "patch", "still_missing", "KB1 is missing."))
    night.account.on("stop_instances", client_error("OperationNotPermitted"))
    held(night)
    reason = str(night.ledger.host(RUN, ID).reason)
    assert reason.startswith("KB1 is missing. It is still on because of us: ")


def test_a_host_that_another_run_took_over_is_not_stopped(night: Stage) -> None:
    night.open_run(a_host("i-9", "other"), run_id="other")
    night.ledger.take_over("other", [ID], START, force=True)
    assert held(night).code == "lease_lost"
    assert stops(night) == 0


def test_the_time_for_the_hosts_way_does_not_keep_it_on(night: Stage) -> None:
    night.ledger.update_facts(RUN, ID, {"deadline_at": START})
    assert restore(night)["changed"] is True


def test_a_host_that_another_run_takes_over_while_it_is_checked_is_not_stopped(stage: Stage) -> None:
    stage.open_run()
    stage.record("stopped")
    stage.ledger.note_start(ID, RUN, START)
    stage.open_run(a_host("i-9", "other"), run_id="other")
    stage.account.on("describe_instances", by_time(stage.clock, (0, shown("stopped")), (100, OURS)))
    stage.clock.at(90, lambda: stage.ledger.take_over("other", [ID], START + 90, force=True))
    assert held(stage).code == "lease_lost"
    assert stops(stage) == 0


def test_check_mode_says_what_would_be_stopped(night: Stage) -> None:
    assert restore(night, check_mode=True) == {"changed": True, "state": "running", "note": None}


@pytest.mark.parametrize("answer", [OURS, shown("running", launched=300), OFF], ids=["ours", "theirs", "off"])
def test_check_mode_stops_and_closes_nothing(night: Stage, answer: dict[str, Any]) -> None:
    night.account.on("describe_instances", answer)
    with contextlib.suppress(NeedsAttention):
        restore(night, check_mode=True)
    assert stops(night) == 0
    assert is_open(night)


# Never in the middle of an installation


def installs(stage: Stage, outcome: Outcome, run_id: str = RUN, **facts: Any) -> None:
    """Let the ledger say that an installation is under way, whose command ends so."""
    stage.guest.on("AWS-RunPatchBaseline", outcome)
    send_command(stage.aws, ID, "AWS-RunPatchBaseline", {}, delivery_seconds=600, comment="")
    stage.ledger.update_facts(run_id, ID, {"installing_command_id": INSTALLING, **facts})


def test_an_installation_under_way_is_waited_for(night: Stage) -> None:
    """A host is stopped in the middle of a patch: instance-scheduler-on-aws#101, #215, #384."""
    installs(night, Outcome(seconds=3000))
    assert restore(night)["changed"] is True
    assert night.account.of("stop_instances")[0].at >= 600 + 3000
    assert night.facts()["installing_command_id"] == ""


def test_a_host_that_others_restarted_during_that_wait_is_theirs(night: Stage) -> None:
    """What was read before a wait of an hour proves nothing afterwards."""
    installs(night, Outcome(seconds=3000))
    night.account.on("describe_instances", by_time(night.clock, (0, OURS), (2000, shown("running", launched=1900))))
    assert held(night).code == "restarted_by_others"
    assert stops(night) == 0


@pytest.mark.parametrize(
    ("ended", "worked_seconds"),
    [(Outcome(seconds=3000), 3000), (Outcome("TimedOut", "ExecutionTimedOut"), 765), (Outcome(seconds=DAY), None)],
    ids=["by its command", "by the host's word", "not at all"],
)
def test_what_the_installation_took_is_counted_once(night: Stage, ended: Outcome, worked_seconds: int | None) -> None:
    installs(night, ended, working_since=night.clock.now() - 100)
    night.guest.answers("servicing_state", *[{"installing": True}] * 6, {"installing": False})
    if worked_seconds is None:
        held(night)
        assert night.facts()["working_since"] == START + 500
        assert "work" not in night.facts()
    else:
        restore(night)
        assert [seconds for _ended, seconds in night.facts()["work"]] == [worked_seconds]
        assert night.facts().get("working_since") is None


@pytest.mark.parametrize(
    ("log", "worked_seconds"),
    [
        ({}, 605),
        ({"last_progress_at": iso(START + 300), "time": iso(START + 600)}, 305),
        ({"last_progress_at": iso(START + 1300), "time": iso(START + 1600)}, 305),
        ({"last_progress_at": iso(START - 300), "time": iso(START + 600)}, 0),
        ({"last_progress_at": iso(START + 900), "time": iso(START + 600)}, 605),
    ],
    ids=["no log", "until the log ends", "by another clock", "nothing was done", "no negative age"],
)
def test_a_clean_up_counts_until_the_servicing_log_ends(night: Stage, log: dict[str, Any], worked_seconds: int) -> None:
    """Its controller was killed, and restore came long after it had ended."""
    night.ledger.update_facts(RUN, ID, {"servicing": True, "working_since": START})
    night.guest.answers("servicing_state", {"installing": False, **log})
    restore(night)
    work = night.facts().get("work", [])
    assert sum(seconds for _ended, seconds in work) == worked_seconds
    assert night.facts().get("working_since") is None


def test_an_installation_that_failed_is_over(night: Stage) -> None:
    installs(night, Outcome("Failed", seconds=60))
    assert restore(night)["changed"] is True
    assert night.guest.names == ["AWS-RunPatchBaseline"]


def test_an_installation_that_does_not_end_holds_the_host(night: Stage) -> None:
    """Windows Update hangs: ansible.windows#463, #524, #564."""
    installs(night, Outcome(seconds=DAY))
    error = held(night, install_timeout_seconds=3600)
    assert error.code == "installation_running"
    assert stops(night) == 0
    assert is_open(night)


def test_where_ssm_gave_up_the_host_itself_is_asked(night: Stage) -> None:
    installs(night, Outcome("TimedOut", "Execution Timed Out"))
    night.guest.answers("servicing_state", {"installing": True}, {"installing": True}, {"installing": False})
    assert restore(night)["changed"] is True
    assert night.guest.names == ["AWS-RunPatchBaseline", *["servicing_state"] * 3]


def test_an_installation_that_was_overdue_already_is_not_waited_for_again(night: Stage) -> None:
    installs(night, Outcome("TimedOut", "ExecutionTimedOut"), installation_overdue=True)
    night.guest.answers("servicing_state", {"installing": True})
    assert held(night).code == "installation_running"
    assert night.guest.names.count("servicing_state") == 1
    night.guest.answers("servicing_state", {"installing": False})
    assert restore(night)["changed"] is True


def test_what_others_install_or_a_repair_writes_is_not_cut_off_either(night: Stage) -> None:
    """No command of ours shows when that has ended, so the host is asked."""
    night.ledger.update_facts(RUN, ID, {"servicing": True})
    night.guest.answers("servicing_state", {"installing": True}, {"installing": False})
    assert restore(night)["changed"] is True
    assert (night.guest.names, night.facts()["servicing"]) == (["servicing_state"] * 2, False)


def test_an_installation_of_others_that_hangs_holds_the_host(night: Stage) -> None:
    night.ledger.update_facts(RUN, ID, {"servicing": True, "installation_overdue": True})
    night.guest.answers("servicing_state", {"installing": True})
    assert (held(night).code, stops(night)) == ("installation_running", 0)


def test_a_host_that_cannot_say_whether_it_installs_is_held(night: Stage) -> None:
    installs(night, Outcome("TimedOut", "DeliveryTimedOut"))
    night.guest.on("servicing_state", Outcome("Failed", stderr="Access is denied"))
    error = held(night)
    assert error.code == "installation_unknown"
    assert "Access is denied" in error.reason
    assert stops(night) == 0


def test_who_loses_the_host_while_it_installs_says_nothing_of_its_installation(night: Stage) -> None:
    installs(night, Outcome(seconds=9000))

    def take_over() -> None:
        night.ledger.open_run(a_run("second", night.clock.now()), [a_host(run_id="second")], take_over=True)

    night.clock.at(night.clock.passed + 600, take_over)
    assert (held(night).code, night.ledger.host(RUN, ID).outcome, stops(night)) == ("lease_lost", "held", 0)


def test_without_a_way_to_ask_the_host_is_held(night: Stage) -> None:
    installs(night, Outcome("TimedOut"))
    assert held(night, scripts={}).code == "installation_unknown"


def test_the_installation_of_a_run_that_adopted_the_host_is_waited_for(night: Stage) -> None:
    """The run that installs need not be the one that started the host."""
    night.ledger.close_run(RUN, night.clock.now())
    night.open_run(run_id="second")
    installs(night, Outcome(seconds=3000), run_id="second")
    assert restore(night, run_id="second")["changed"] is True
    assert night.account.of("stop_instances")[0].at >= 600 + 3000


def test_the_installation_of_the_dead_run_that_started_the_host_is_waited_for(night: Stage) -> None:
    installs(night, Outcome(seconds=3000))
    night.ledger.close_run(RUN, night.clock.now())
    night.open_run(run_id="second")
    restore(night, run_id="second")
    assert night.account.of("stop_instances")[0].at >= 600 + 3000


def test_other_trouble_while_looking_at_it_is_reported(night: Stage) -> None:
    installs(night, Outcome())
    night.account.on("list_command_invocations", client_error("AccessDeniedException", operation="ListInvocations"))
    error = held(night)
    assert error.code == "installation_unknown"
    assert isinstance(error.__cause__, PatchFleetError)
    assert moment(600).timestamp() == night.clock.now()


@pytest.mark.parametrize("installing", [False, True])
def test_where_associations_may_not_be_read_windows_itself_is_asked(night: Stage, installing: bool) -> None:
    denied = client_error("AccessDeniedException", operation="DescribeInstanceAssociationsStatus")
    night.account.on("describe_instance_associations_status", denied)
    night.guest.answers("servicing_state", {"installing": installing})
    if installing:
        assert held(night).code == "access_denied"
    else:
        assert restore(night)["changed"] is True
        acts = [call.operation for call in night.account.calls]
        asked = len(acts) - acts[::-1].index("send_command")
        assert "describe_instances" in acts[asked : acts.index("stop_instances")], "its state is checked again"
    assert stops(night) == int(not installing)


# A stop without an answer, and views that are too old

LOST = ReadTimeoutError(endpoint_url="https://ec2.eu-central-1.amazonaws.com")


def test_a_stop_whose_answer_was_lost_is_seen_by_the_state(night: Stage) -> None:
    def lost(**_params: Any) -> Exception:
        night.account.on("describe_instances", STOPPING, OFF)
        return LOST

    night.account.on("stop_instances", lost)
    assert restore(night) == {"changed": True, "state": "stopped", "note": None}
    assert stops(night) == 1


def test_a_stop_that_was_not_made_is_made_again_after_all_looks(night: Stage) -> None:
    night.account.on("stop_instances", LOST, stopping_as_asked(night))
    assert restore(night)["changed"] is True
    first, second = night.account.of("stop_instances")
    assert second.at - first.at >= CONSISTENCY_SECONDS


def test_a_stop_that_is_never_answered_leaves_the_host_held_and_its_record_open(night: Stage) -> None:
    night.account.on("stop_instances", LOST)
    assert held(night).code == "unanswered"
    assert stops(night) == STOP_ATTEMPTS
    assert is_open(night)


def test_a_stopped_from_before_our_start_is_not_believed(night: Stage) -> None:
    """EC2's reads are not monotonic: the record would be closed, and the host stay on."""
    night.account.on("describe_instances", shown("stopped"), OURS)
    assert restore(night)["changed"] is True
    assert stops(night) == 1


def test_what_no_one_foresaw_leaves_the_host_held_and_its_record_open(night: Stage) -> None:
    broken = {"Reservations": [{"Instances": [{"InstanceId": ID, "State": {"Name": "running"}}]}]}
    night.account.on("describe_instances", broken)
    error = held(night)
    assert error.code == "unexpected_error"
    assert "KeyError" in error.reason
    assert "then run `ansible-playbook patchfleet.windows.restore`." in error.reason
    assert is_open(night)


def test_an_installation_whose_answer_was_lost_is_waited_for(night: Stage) -> None:
    """Its id never came into the ledger; its comment says whose it is."""
    comment = f"patchfleet: Install {RUN} 0123456789ab"

    def rows() -> list[dict[str, Any]]:
        return [a_command("InProgress" if night.clock.passed < 3000 else "Success", started_at=600, Comment=comment)]

    night.guest.foreign_commands = rows
    night.guest.answers("servicing_state", {"installing": True})
    assert restore(night)["changed"] is True
    assert night.account.of("stop_instances")[0].at >= 3000


def test_a_scan_of_ours_keeps_no_one_waiting(night: Stage) -> None:
    night.guest.foreign_commands = lambda: [
        a_command("InProgress", started_at=600, Comment=f"patchfleet: Scan {RUN} 0123456789ab")
    ]
    assert restore(night)["changed"] is True
    assert night.account.of("stop_instances")[0].at < 700


def test_an_installation_that_no_node_ran_has_ended(night: Stage) -> None:
    """``Rate Exceeded``: else the host is held and left on, each time again."""
    night.guest.on("AWS-RunPatchBaseline", Outcome())
    night.guest.loses = ["all"]
    command_id = send_command(night.aws, ID, "AWS-RunPatchBaseline", {}, delivery_seconds=600, comment="")
    night.ledger.update_facts(RUN, ID, {"installing_command_id": command_id})
    assert restore(night)["changed"] is True
    assert not is_open(night)


def test_an_installation_that_may_be_delivered_late_is_waited_for(night: Stage) -> None:
    night.guest.on("AWS-RunPatchBaseline", Outcome("TimedOut", "DeliveryTimedOut"))
    night.guest.on("servicing_state", *(answered("servicing_state", installing=busy) for busy in (False, True, False)))
    command_id = send_command(night.aws, ID, "AWS-RunPatchBaseline", {}, delivery_seconds=600, comment="")
    night.ledger.update_facts(RUN, ID, {"installing_command_id": command_id})
    assert restore(night)["changed"] is True
    assert night.account.of("stop_instances")[0].at >= 600 + LATE_DELIVERY_SECONDS


# A host that was held


@pytest.mark.parametrize(
    ("proposed", "settled"),
    [
        (None, ("failed", "patch", "still_missing", "KB1 is missing. It was put back at 2026-11-14T22:00:00Z.")),
        ("patched", ("patched", None, None, None)),
    ],
    ids=["failed before", "patched before"],
)
def test_a_host_that_is_put_back_is_no_longer_held(
    stage: Stage, proposed: str | None, settled: tuple[str | None, ...]
) -> None:
    stage.open_run()
    stage.record("stopped")
    if proposed:
        stage.ledger.update_facts(RUN, ID, {"proposed_outcome": proposed})
    else:
        stage.ledger.set_outcome(RUN, ID, Verdict("failed", "patch", "still_missing", "KB1 is missing."))
    context = stage.context(OPERATION, run_id=RUN, host=ID, instance_id=ID, state="restored")
    for sentence in ("EC2 says no.", "EC2 still says no."):
        record_failure(context, NeedsAttention(sentence, "still_on"), "restore")
    held = stage.ledger.host(RUN, ID)
    assert (held.outcome, held.reason) == (
        "held",
        "EC2 still says no." if proposed else "KB1 is missing. EC2 still says no.",
    )
    stage.account.on("describe_instances", shown("stopped"))
    restore(stage)
    host = stage.ledger.host(RUN, ID)
    assert (host.outcome, host.phase, host.reason_code, host.reason) == settled


# Services that a repair has enabled

FOUND = [{"name": "wuauserv", "start_type": "disabled", "status": "stopped", "expected_start_type": "manual"}]
WITH_SERVICES = {"scripts": {"servicing_state": "", "restore_services": ""}}


@pytest.fixture
def enabled(night: Stage) -> Stage:
    """A host on which a repair has enabled what was disabled on purpose."""
    night.ledger.update_facts(RUN, ID, {"services_found": FOUND})
    night.guest.answers("servicing_state", {"installing": False})
    night.guest.answers("restore_services", {"restored": [{"name": "wuauserv", "changed_by_others": False}]})
    return night


def test_services_are_set_back_before_the_host_is_stopped(enabled: Stage) -> None:
    restore(enabled, **WITH_SERVICES)
    assert enabled.guest.inputs("restore_services") == [{"services": FOUND}]
    assert (stops(enabled), enabled.facts()["services_found"]) == (1, [])
    last_script = max(call.at for call in enabled.account.of("send_command"))
    assert last_script <= enabled.account.of("stop_instances")[0].at


def test_services_are_set_back_on_a_host_that_stays_on(stage: Stage) -> None:
    stage.open_run()
    stage.record("running")
    stage.account.on("describe_instances", shown("running"))
    stage.ledger.update_facts(RUN, ID, {"services_found": FOUND})
    stage.guest.answers("servicing_state", {"installing": False})
    stage.guest.answers("restore_services", {"restored": []})
    restore(stage, **WITH_SERVICES)
    assert stage.guest.inputs("restore_services") == [{"services": FOUND}]
    assert not is_open(stage)


def test_a_host_whose_services_cannot_be_set_back_is_stopped_and_held(enabled: Stage) -> None:
    enabled.guest.on("restore_services", Outcome("Failed", stderr="Access is denied"))
    error = held(enabled, **WITH_SERVICES)
    assert (error.code, stops(enabled), is_open(enabled)) == ("services_left", 1, False)
    assert "wuauserv" in error.reason
    assert enabled.facts()["services_found"] == FOUND


def test_a_later_run_sets_back_what_the_first_one_found(enabled: Stage) -> None:
    """It finds the service enabled by the run that died."""
    later = a_run("20261115T220000Z-0002", enabled.clock.now())
    enabled.ledger.open_run(later, [a_host(run_id=later.run_id)], take_over=True)
    restore(enabled, run_id=later.run_id, **WITH_SERVICES)
    assert enabled.guest.inputs("restore_services") == [{"services": FOUND}]
    assert enabled.facts()["services_found"] == []


# An installation that does not end


def test_the_reason_says_since_when_the_last_progress_and_every_command(night: Stage) -> None:
    """A person who is woken at night has this sentence alone."""
    installs(night, Outcome("TimedOut", "ExecutionTimedOut"), installation_overdue=True, working_since=START + 60)
    now = night.clock.now()
    wrote = {"last_progress_at": iso(now - 7200), "time": iso(now), "processes": ["TiWorker"]}
    night.guest.answers("servicing_state", {"installing": True, **wrote})
    reason = held(night, ledger="/srv/night ledger.sqlite").reason
    assert f"since {iso(START + 60)}. The command is {INSTALLING}." in reason
    written_at = re.search(r"The servicing log was last written at (\S+)\. ", reason)
    assert written_at is not None
    assert 0 <= parse_iso(written_at[1]) - (now - 7200) < 120  # by the controller's clock, after the script has run
    assert "Servicing processes: TiWorker." in reason
    ledger = '-e \'{"patch_ledger": "/srv/night ledger.sqlite"}\''
    assert re.findall("`(.+?)`", reason) == [
        f"aws ssm start-session --target {ID} --region eu-central-1",
        f"ansible-playbook patchfleet.windows.restore {ledger}",
        "Restart-Computer -Force",
        f"ansible-playbook patchfleet.windows.restore -e patch_let_go={ID} {ledger}",
    ]


def test_a_host_is_asked_for_its_progress_where_only_run_command_was(night: Stage) -> None:
    installs(night, Outcome(seconds=DAY))
    now = night.clock.now()
    night.guest.answers("servicing_state", {"installing": True, "last_progress_at": iso(now), "time": iso(now)})
    assert "The servicing log was last written at " in held(night, install_timeout_seconds=3600).reason


def test_a_person_releases_a_host_and_it_stays_on(night: Stage) -> None:
    installs(night, Outcome("TimedOut", "ExecutionTimedOut"), installation_overdue=True)
    night.guest.answers("servicing_state", {"installing": True})
    before = held(night).reason
    commands = len(night.guest.names)
    assert restore(night, state="let_go", by="carol")["changed"] is True
    assert (stops(night), is_open(night), len(night.guest.names)) == (0, False, commands)
    host = night.ledger.host(RUN, ID)
    assert (host.outcome, host.reason_code) == ("held", "let_go")
    assert host.reason is not None
    assert host.reason.startswith("carol released it from ")
    assert host.reason.endswith(f"it is left running, and no run stops it any more. Before: {before}")
    (shown_host,) = build_report(night.ledger, RUN, night.clock.now())["hosts"]
    assert shown_host["let_go"] is not None
    assert (shown_host["let_go"]["by"], shown_host["final_state"]) == ("carol", "running")


def test_a_release_of_a_host_in_check_mode_changes_nothing(night: Stage) -> None:
    assert restore(night, state="let_go", check_mode=True)["changed"] is True
    assert is_open(night)


def test_a_host_without_a_record_has_nothing_to_release(stage: Stage) -> None:
    stage.open_run()
    assert restore(stage, state="let_go")["changed"] is False


def test_no_one_releases_a_host_whose_root_volume_is_exchanged(night: Stage) -> None:
    plan = {"is_made": False, "old_volume_id": "vol-1", "new_volume_id": None, "snapshot_id": "snap-1"}
    night.ledger.update_facts(RUN, ID, {"roll_back": {**plan, "of_run": RUN, "device": "/dev/sda1", "token": "t"}})
    with pytest.raises(NeedsAttention) as caught:
        restore(night, state="let_go")
    assert (caught.value.code, is_open(night)) == ("root_not_replaced", True)
