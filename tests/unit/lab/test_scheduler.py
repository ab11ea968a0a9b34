# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One-time schedules, and the template's own runbook that they start."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from conftest import MakeLab
from lab.aws.setup import set_up
from virtual_lab import REGION, UPDATE, VirtualLab, error_of

ROLE = "arn:aws:iam::123456789012:role/PatchFleet-scheduler-eu-central-1"


def a_lab(make_lab: MakeLab, **host: Any) -> VirtualLab:
    """With the collection's stack, whose controller's keys are ASIAROLE."""
    lab = make_lab({"name": "a", **host})
    role = set_up(lab.play.account.stacks, lab.play.world.scenario, lab.play.sim.time)
    lab.play.account.gate.admit_key("ASIAROLE", role)
    return lab


def schedule(lab: VirtualLab, after: float = 3600, window_seconds: float = 600, **changed: Any) -> dict[str, Any]:
    """A schedule that stops host ``a`` if its last start was within the last or next ten minutes."""
    now = lab.play.sim.time
    given = {
        "InstanceId": [lab.id("a")],
        "Group": ["PatchFleet"],
        "Schedule": [changed.get("Name", lab.id("a"))],
        "LaunchedFrom": [str(int((now - timedelta(seconds=window_seconds)).timestamp()))],
        "LaunchedUntil": [str(int((now + timedelta(seconds=window_seconds)).timestamp()))],
    }
    target = {
        "Arn": "arn:aws:scheduler:::aws-sdk:ssm:startAutomationExecution",
        "RoleArn": ROLE,
        "Input": json.dumps({"DocumentName": "PatchFleet-stop-host", "Parameters": given}),
    }
    return {
        "Name": lab.id("a"),
        "GroupName": "PatchFleet",
        "ScheduleExpression": f"at({now + timedelta(seconds=after):%Y-%m-%dT%H:%M:%S})",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "ActionAfterCompletion": "DELETE",
        "Target": target,
        **changed,
    }


def reasons(lab: VirtualLab) -> list[str]:
    return [str(step["Why"]) for execution in lab.play.account.executions for step in execution.outputs]


def test_a_host_that_was_left_on_is_stopped_and_the_schedule_is_gone(make_lab: MakeLab) -> None:
    lab = a_lab(make_lab, state="stopped")
    lab.client("scheduler", access_key="ASIAROLE").create_schedule(**schedule(lab))
    lab.start("a")
    lab.run_for(3599)
    assert lab.state("a") == "running"
    lab.run_for(260)
    assert lab.state("a") == "stopped"
    assert reasons(lab) == ["It was left on, and is stopped."]
    assert lab.play.account.schedules.names(REGION, "PatchFleet") == []
    lab.run_for(86_400)
    assert len(reasons(lab)) == 1


def test_a_host_that_another_user_started_since_is_left_alone(make_lab: MakeLab) -> None:
    lab = a_lab(make_lab, state="stopped")
    lab.client("scheduler", access_key="ASIAROLE").create_schedule(**schedule(lab))
    lab.start("a")
    lab.run_for(1200)
    lab.stop("a")
    lab.run_for(120)
    lab.start("a")
    lab.run_for(86_400)
    assert lab.state("a") == "running"
    assert reasons(lab) == ["Another user started it since."]


def test_a_host_that_a_user_wants_on_is_left_on_until_they_take_the_tag_away(make_lab: MakeLab) -> None:
    lab = a_lab(make_lab, state="stopped", tags={"PatchGroup": "Windows", "patchfleet:keep": "Ann"})
    wanted = schedule(lab)
    given = json.loads(wanted["Target"]["Input"])
    given["Parameters"]["KeepTag"] = ["patchfleet:keep"]
    wanted["Target"]["Input"] = json.dumps(given)
    lab.client("scheduler", access_key="ASIAROLE").create_schedule(**wanted)
    lab.start("a")
    lab.run_for(4000)
    assert lab.state("a") == "running"
    lab.client("ec2").delete_tags(Resources=[lab.id("a")], Tags=[{"Key": "patchfleet:keep"}])
    lab.run_for(3600)
    assert lab.state("a") == "stopped"
    assert reasons(lab)[0] == "A tag says to leave it alone."


def test_a_host_that_is_off_is_checked_once(make_lab: MakeLab) -> None:
    lab = a_lab(make_lab, state="stopped")
    lab.client("scheduler", access_key="ASIAROLE").create_schedule(**schedule(lab))
    lab.run_for(86_400)
    assert reasons(lab) == ["It is not on."]


def test_a_command_is_let_come_to_its_end_first(make_lab: MakeLab) -> None:
    lab = a_lab(make_lab, state="stopped", updates=[{**UPDATE, "seconds": 3000, "reboot": False}])
    lab.client("scheduler", access_key="ASIAROLE").create_schedule(**schedule(lab))
    lab.start("a")
    lab.run_for(3000)
    lab.start_patch("a")
    lab.run_for(1200)
    assert lab.state("a") == "running"
    lab.run_for(3600)
    assert reasons(lab) == ["A command is going on in it."] * (len(reasons(lab)) - 1) + [
        "It was left on, and is stopped."
    ]
    assert lab.state("a") == "stopped"
    assert lab.truth("a")["cut_off_by_us"] == 0


def test_a_host_that_a_later_run_has_taken_over_is_that_runs_affair(make_lab: MakeLab) -> None:
    """Also where the runbook had started before: it would see no command between two steps of that run."""
    lab = a_lab(make_lab, state="stopped", updates=[{**UPDATE, "seconds": 3000, "reboot": False}])
    scheduler = lab.client("scheduler", access_key="ASIAROLE")
    scheduler.create_schedule(**schedule(lab))
    lab.start("a")
    lab.run_for(3000)
    lab.start_patch("a")
    lab.run_for(1200)
    scheduler.create_schedule(**schedule(lab, after=36_000, Name=f"{lab.id('a')}-later"))
    lab.run_for(30_000)
    assert lab.state("a") == "running"
    assert reasons(lab) == ["A command is going on in it.", "A later run has it, with a switch of its own."]


@pytest.mark.parametrize("restarted", [False, True])
def test_what_run_command_gave_up_may_still_work(make_lab: MakeLab, restarted: bool) -> None:
    """Windows continues to install when the time of the command is over. What was given up before the start is over."""
    lab = a_lab(make_lab, state="stopped", updates=[{**UPDATE, "seconds": 20_000, "reboot": False}])
    lab.start("a")
    lab.run_for(300)
    lab.start_patch("a", StepTimeoutSeconds="1200")
    lab.run_for(1800)
    if restarted:
        lab.stop("a")
        lab.run_for(300)
        lab.start("a")
    lab.client("scheduler", access_key="ASIAROLE").create_schedule(**schedule(lab, after=300, window_seconds=7200))
    lab.run_for(3600)
    assert (lab.state("a") == "running") is not restarted
    assert reasons(lab)[:1] == (["It was left on, and is stopped."] if restarted else ["A command is going on in it."])


def test_it_gives_up_after_some_rounds(make_lab: MakeLab) -> None:
    lab = a_lab(make_lab, state="stopped", updates=[{**UPDATE, "seconds": 40_000, "reboot": False}])
    lab.client("scheduler", access_key="ASIAROLE").create_schedule(**schedule(lab))
    lab.start("a")
    lab.run_for(1000)
    lab.start_patch("a", StepTimeoutSeconds="100000")
    lab.run_for(86_400)
    assert reasons(lab) == ["A command is going on in it."] * 8
    assert lab.play.account.executions[0].ended


def test_what_its_role_may_not_do_is_not_done(make_lab: MakeLab) -> None:
    """The runbook's role stops hosts with the tag alone; what is unclear is checked again, not stopped."""
    lab = a_lab(make_lab, state="stopped", tags={"PatchGroup": "Others"})
    lab.client("scheduler", access_key="ASIAROLE").create_schedule(**schedule(lab))
    lab.start("a")
    lab.run_for(86_400)
    assert lab.state("a") == "running"
    assert len(reasons(lab)) == 8
    assert "UnauthorizedOperation" in reasons(lab)[0]


def test_a_later_time_replaces_an_earlier_one_and_a_deleted_one_never_comes(make_lab: MakeLab) -> None:
    lab = a_lab(make_lab, state="stopped")
    scheduler = lab.client("scheduler", access_key="ASIAROLE")
    scheduler.create_schedule(**schedule(lab))
    assert error_of(scheduler.create_schedule, **schedule(lab)) == "ConflictException"
    scheduler.update_schedule(**schedule(lab, after=7200))
    lab.start("a")
    lab.run_for(7000)
    assert lab.state("a") == "running"
    scheduler.delete_schedule(Name=lab.id("a"), GroupName="PatchFleet")
    assert error_of(scheduler.delete_schedule, Name=lab.id("a"), GroupName="PatchFleet") == "ResourceNotFoundException"
    assert error_of(scheduler.update_schedule, **schedule(lab)) == "ResourceNotFoundException"
    lab.run_for(86_400)
    assert lab.state("a") == "running"
    assert reasons(lab) == []


def test_the_controller_may_set_schedules_in_its_own_group_with_its_own_role_alone(make_lab: MakeLab) -> None:
    lab = a_lab(make_lab, state="stopped")
    scheduler = lab.client("scheduler", access_key="ASIAROLE")
    assert scheduler.get_schedule_group(Name="PatchFleet")["State"] == "ACTIVE"
    assert error_of(scheduler.get_schedule_group, Name="others") == "AccessDeniedException"
    assert error_of(scheduler.create_schedule, **schedule(lab, GroupName="default")) == "AccessDeniedException"
    other = {**schedule(lab)["Target"], "RoleArn": "arn:aws:iam::123456789012:role/Administrator"}
    assert error_of(scheduler.create_schedule, **schedule(lab, Target=other)) == "AccessDeniedException"


def test_schedules_that_the_account_has_no_room_for(make_lab: MakeLab) -> None:
    """By an administrator, so that no right is in the way."""
    lab = a_lab(make_lab, state="stopped")
    scheduler = lab.client("scheduler")
    assert error_of(scheduler.create_schedule, **schedule(lab, GroupName="none")) == "ResourceNotFoundException"
    role = {**schedule(lab)["Target"], "RoleArn": ROLE.replace("scheduler", "controller")}
    assert error_of(scheduler.create_schedule, **schedule(lab, Target=role)) == "ValidationException"


def test_it_happens_within_a_minute_of_its_time(make_lab: MakeLab) -> None:
    delays = []
    for number in range(1, 9):
        lab = a_lab(make_lab, state="stopped")
        lab.client("scheduler").create_schedule(**schedule(lab, Name=f"{lab.id('a')}-{number}"))
        lab.run_for(3599)
        while not lab.play.account.executions:
            lab.run_for(1)
        delays.append(lab.now - 3600)
    assert all(0 <= delay <= 61 for delay in delays)
    assert max(delays) - min(delays) > 10


def test_an_error_of_the_service_is_tried_again_and_the_schedule_stays_until_the_last_attempt(
    make_lab: MakeLab,
) -> None:
    fault = {"operation": "StartAutomationExecution", "error": "InternalServerError", "times": 3, "with_host": False}
    lab = a_lab(make_lab, state="stopped", api_faults=[fault])
    lab.client("scheduler", access_key="ASIAROLE").create_schedule(**schedule(lab))
    lab.start("a")
    lab.run_for(3600 + 60 + 30)
    assert lab.play.account.schedules.names(REGION, "PatchFleet") == [lab.id("a")]
    lab.run_for(1000)
    assert reasons(lab) == ["It was left on, and is stopped."]
    assert lab.play.account.schedules.names(REGION, "PatchFleet") == []
    assert lab.play.account.failed_schedules == []


@pytest.mark.parametrize("queue", [None, "arn:aws:sqs:eu-central-1:123456789012:dead"])
def test_a_denial_is_final_and_sent_to_the_dead_letter_queue_alone(make_lab: MakeLab, queue: str | None) -> None:
    lab = a_lab(make_lab, state="stopped")
    wanted = schedule(lab)
    if queue:
        wanted["Target"]["DeadLetterConfig"] = {"Arn": queue}
    lab.client("scheduler", access_key="ASIAROLE").create_schedule(**wanted)
    lab.play.account.gate.forget("PatchFleet-scheduler-eu-central-1")
    lab.play.account.stacks.role("PatchFleet-scheduler-eu-central-1").properties["Policies"] = []  # type: ignore[union-attr]
    lab.start("a")
    lab.run_for(86_400)
    assert lab.state("a") == "running"
    started = [it for it in lab.trace() if it["operation"] == "StartAutomationExecution"]
    assert [it["error"] for it in started] == ["AccessDeniedException"]
    assert len(lab.play.account.failed_schedules) == 1
    assert [(it.queue, it.error) for it in lab.play.account.dead_letters] == (
        [(queue, "AccessDeniedException")] if queue else []
    )


@pytest.mark.parametrize("lacking", ["document", "automation-definition", "automation-execution"])
def test_the_runbook_is_started_with_all_rights_that_aws_requires(make_lab: MakeLab, lacking: str) -> None:
    lab = a_lab(make_lab, state="stopped")
    role = lab.play.account.stacks.role("PatchFleet-scheduler-eu-central-1")
    assert role is not None
    (own,) = role.properties["Policies"]
    starting = own["PolicyDocument"]["Statement"][0]
    starting["Resource"] = [arn for arn in starting["Resource"] if f":{lacking}/" not in arn]
    assert len(starting["Resource"]) == 2
    lab.client("scheduler", access_key="ASIAROLE").create_schedule(**schedule(lab))
    lab.run_for(7200)
    assert reasons(lab) == []
    assert len(lab.play.account.failed_schedules) == 1


@pytest.mark.parametrize(
    "changed",
    [
        {"ScheduleExpression": "rate(5 minutes)"},
        {"FlexibleTimeWindow": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 5}},
        {"State": "DISABLED"},
    ],
)
def test_what_the_lab_does_not_know_of_schedules_is_501(make_lab: MakeLab, changed: dict[str, Any]) -> None:
    lab = a_lab(make_lab, state="stopped")
    assert error_of(lab.client("scheduler").create_schedule, **schedule(lab, **changed)) == "NotImplemented"
    assert error_of(lab.client("scheduler").list_schedules, State="ENABLED") == "NotImplemented"
