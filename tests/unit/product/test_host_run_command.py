# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from ansible_collections.patchfleet.windows.plugins.module_utils._aws.errors import AwsError
from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import PatchFleetError
from ansible_collections.patchfleet.windows.plugins.module_utils._host.invocations import Invocation
from ansible_collections.patchfleet.windows.plugins.module_utils._host.run_command import (
    GRACE_SECONDS,
    LAG_SECONDS,
    RESEND_SECONDS,
    UNSEEN_SECONDS,
    Command,
    refuse_templates,
    run_command,
    send,
)
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.ssm_command import OPERATION as COMMAND
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.windows_update_health import (
    OPERATION as HEALTH,
)

from .fakes import DAY, ID, NODE_ID, START, Outcome, client_error, invocation, moment, reservations, shown
from .stage import RUN, Stage

DOCUMENT = "Some-Document"
COMMAND_ID = "00000001-0000-4000-8000-000000000000"
SENT = {"Command": {"CommandId": COMMAND_ID}}
EMPTY: dict[str, Any] = {"CommandInvocations": []}
SUCCESS = {"CommandInvocations": [invocation(COMMAND_ID, "Success", output="done")]}


@pytest.fixture(autouse=True)
def the_instance_runs(stage: Stage) -> None:
    stage.account.on("describe_instances", shown("running"))


def run(stage: Stage, *, idempotent: bool = False, to: str = ID, **more: Any) -> Invocation:
    command = Command(DOCUMENT, {"Operation": ["Scan"]}, execution_seconds=600, **more)
    return run_command(stage.context(COMMAND), to, command, idempotent)


def trouble(stage: Stage, **more: Any) -> PatchFleetError:
    with pytest.raises(PatchFleetError) as caught:
        run(stage, **more)
    return caught.value


# Sending


def test_a_command_is_sent_to_one_node_by_its_id(stage: Stage) -> None:
    """Never by target, whose first failure would silently end the rest (MaxErrors is 0)."""
    stage.guest.on(DOCUMENT, Outcome(stdout="done"))
    ended = run(stage, comment="x" * 300, delivery_seconds=5)
    assert (ended.status, ended.details, ended.response_code, ended.stdout) == ("Success", "Success", 0, "done")
    (call,) = stage.account.of("send_command")
    assert call.params == {
        "InstanceIds": [ID],
        "DocumentName": DOCUMENT,
        "Parameters": {"Operation": ["Scan"]},
        "TimeoutSeconds": 30,
        "Comment": call.params["Comment"],
    }
    assert re.fullmatch("x{86} [0-9a-f]{12}", call.params["Comment"])


def test_output_goes_to_cloudwatch_when_asked(stage: Stage) -> None:
    stage.guest.on(DOCUMENT, Outcome())
    run(stage, cloudwatch_log_group="/aws/ssm/patch-manager")
    assert stage.account.of("send_command")[0].params["CloudWatchOutputConfig"] == {
        "CloudWatchLogGroupName": "/aws/ssm/patch-manager",
        "CloudWatchOutputEnabled": True,
    }


def test_a_node_that_registered_a_moment_ago_may_be_unknown_yet(stage: Stage) -> None:
    """aws-cli#4006, botocore#1502: InvalidInstanceId shortly after a start."""
    stage.account.on("send_command", client_error("InvalidInstanceId"), client_error("InvalidInstanceId"), SENT)
    stage.account.on("list_command_invocations", SUCCESS)
    assert run(stage).status == "Success"
    assert stage.clock.passed > 0


def test_a_command_that_is_throttled_for_minutes_is_sent_in_the_end(stage: Stage) -> None:
    stage.account.on("send_command", *[client_error("ThrottlingException")] * 16, SENT)
    stage.account.on("list_command_invocations", SUCCESS)
    assert run(stage).status == "Success"
    assert stage.clock.passed > 2 * LAG_SECONDS


def test_a_node_that_stays_unknown_is_reported_in_awss_words(stage: Stage) -> None:
    stage.account.on("send_command", client_error("InvalidInstanceId", operation="SendCommand"))
    error = trouble(stage)
    assert (error.code, stage.clock.passed) == ("invalid_instance_id", LAG_SECONDS)
    assert f"ssm:SendCommand on {ID}" in error.reason


def test_a_right_that_is_missing_is_reported_at_once(stage: Stage) -> None:
    stage.account.on("send_command", client_error("AccessDeniedException", operation="SendCommand"))
    error = trouble(stage)
    assert isinstance(error, AwsError)
    assert (error.code, error.action, stage.clock.passed) == ("access_denied", "ssm:SendCommand", 0)


def test_a_command_whose_answer_was_lost_is_found_and_not_sent_again(stage: Stage) -> None:
    """SendCommand has no token: a repeat would be a second command."""
    stage.guest.on(DOCUMENT, Outcome(stdout="done"))
    stage.guest.loses = ["answer"]
    ended = run(stage, comment="patchfleet: Install r1")
    assert (ended.command_id, ended.stdout) == (COMMAND_ID, "done")
    assert len(stage.account.of("send_command")) == 1


def test_a_command_that_was_not_sent_is_sent_again_under_another_comment(stage: Stage) -> None:
    stage.guest.on(DOCUMENT, Outcome(stdout="done"))
    stage.guest.loses = ["request", "request"]
    assert run(stage, comment="patchfleet: Install r1").stdout == "done"
    calls = stage.account.of("send_command")
    assert len({call.params["Comment"] for call in calls}) == 3
    assert all(later.at - earlier.at >= UNSEEN_SECONDS for earlier, later in pairwise(calls))


def test_an_outage_of_ten_minutes_ends_no_host(stage: Stage) -> None:
    """Server errors in a row are one outage, however many attempts fall into it."""
    stage.guest.on(DOCUMENT, Outcome(stdout="done"))
    stage.guest.loses = ["request"] * 5
    assert run(stage).stdout == "done"
    assert len(stage.account.of("send_command")) == 6


def test_a_command_that_is_never_answered_stays_unknown(stage: Stage) -> None:
    stage.guest.on(DOCUMENT, Outcome())
    stage.guest.loses = ["request"] * 100
    assert trouble(stage).code == "unanswered"
    assert RESEND_SECONDS <= stage.clock.passed < RESEND_SECONDS + 2 * UNSEEN_SECONDS


def test_a_host_whose_time_is_over_is_not_asked_again(stage: Stage) -> None:
    stage.guest.on(DOCUMENT, Outcome())
    stage.guest.loses = ["request"] * 100
    stage.open_run()
    stage.ledger.update_facts(RUN, ID, {"deadline_at": START + 400})
    context = stage.context(HEALTH, run_id=RUN, host=ID)
    with pytest.raises(PatchFleetError) as caught:
        send(context, ID, Command(DOCUMENT, {}, execution_seconds=600))
    assert caught.value.code == "unanswered"
    assert stage.clock.passed < 400 + 2 * UNSEEN_SECONDS


def test_a_refusal_after_a_lost_request_says_that_the_first_may_have_been_sent(stage: Stage) -> None:
    lost = ReadTimeoutError(endpoint_url="https://ssm.eu-central-1.amazonaws.com")
    stage.account.on("send_command", lost, client_error("ExpiredTokenException"))
    error = trouble(stage)
    assert isinstance(error, AwsError)
    assert error.after_unanswered


@pytest.mark.parametrize(
    ("details", "code", "denied"),
    [("Access Denied", "access_denied", "ssm:SendCommand"), ("InvalidPlatform", "not_windows", None)],
)
def test_a_command_that_is_denied_as_an_invocation_ends_at_once(
    stage: Stage, details: str, code: str, denied: str | None
) -> None:
    """A policy that asks for a tag denies a command so."""
    stage.guest.on(DOCUMENT, Outcome("Failed", details))
    error = trouble(stage, idempotent=True)
    assert (error.code, error.facts.get("denied_action")) == (code, denied)
    assert len(stage.account.of("send_command")) == 1


# Waiting


def test_an_invocation_that_is_not_listed_yet_is_waited_for(stage: Stage) -> None:
    """boto3#2701, aws-cli#3546: an empty list right after the send."""
    stage.account.on("send_command", SENT)
    stage.account.on("list_command_invocations", EMPTY, EMPTY, SUCCESS)
    assert run(stage).status == "Success"


def test_an_output_that_does_not_exist_yet_is_no_output(stage: Stage) -> None:
    """boto3#2701: InvocationDoesNotExist."""
    stage.account.on("send_command", SENT)
    stage.account.on("list_command_invocations", {"CommandInvocations": [invocation(COMMAND_ID, "Failed", code=1)]})
    stage.account.on("get_command_invocation", client_error("InvocationDoesNotExist"))
    ended = run(stage)
    assert (ended.status, ended.response_code, ended.stdout, ended.stderr) == ("Failed", 1, "", "")


def test_an_output_that_may_not_be_read_is_reported(stage: Stage) -> None:
    stage.guest.on(DOCUMENT, Outcome("Failed", code=1))
    stage.account.on("get_command_invocation", client_error("AccessDeniedException", operation="GetCommandInvocation"))
    assert trouble(stage).code == "access_denied"


@pytest.mark.parametrize("status", ["Pending", "InProgress", "Delayed", "Cancelling"])
def test_what_is_going_on_is_waited_for(stage: Stage, status: str) -> None:
    stage.account.on("send_command", SENT)
    stage.account.on("list_command_invocations", {"CommandInvocations": [invocation(COMMAND_ID, status)]}, SUCCESS)
    assert run(stage).status == "Success"
    assert len(stage.account.of("list_command_invocations")) == 2


def test_one_command_is_asked_for_at_growing_pauses(stage: Stage) -> None:
    """aws-rfdk#1723: throttled by one-second polling."""
    stage.guest.on(DOCUMENT, Outcome(seconds=590))
    run(stage)
    asked = [call.at for call in stage.account.of("list_command_invocations")]
    assert len(asked) < 30
    assert asked[1] - asked[0] == 5
    assert asked[-1] - asked[-2] == 30


def test_the_poll_ends_with_delivery_and_execution_together(stage: Stage) -> None:
    """boto3#1343, #2558, #2562: delivery and execution timeout confused."""
    stage.guest.on(DOCUMENT, Outcome(seconds=DAY))
    error = trouble(stage, delivery_seconds=100)
    assert stage.clock.passed == 100 + 600 + GRACE_SECONDS
    assert (error.code, error.facts) == ("command_timeout", {"command_id": COMMAND_ID})
    assert stage.account.of("cancel_command") == []


def test_a_command_that_ends_at_the_last_moment_is_seen(stage: Stage) -> None:
    stage.guest.on(DOCUMENT, Outcome(seconds=100 + 600 + GRACE_SECONDS))
    assert run(stage, delivery_seconds=100).status == "Success"


def test_a_command_that_no_node_ran_is_sent_again(stage: Stage) -> None:
    """``Rate Exceeded``: the account's limit of pending invocations; no host failed."""
    stage.guest.on(DOCUMENT, Outcome(stdout="done"))
    stage.guest.loses = ["all", "all", None]
    assert run(stage).stdout == "done"
    assert len(stage.account.of("send_command")) == 3


def test_a_command_that_no_node_ever_runs_is_reported_when_the_time_is_over(stage: Stage) -> None:
    stage.guest.on(DOCUMENT, Outcome())
    stage.guest.loses = ["all"] * 100
    error = trouble(stage)
    assert (error.code, "Rate Exceeded" in error.reason) == ("command_cancelled", True)
    assert RESEND_SECONDS <= stage.clock.passed < RESEND_SECONDS + LAG_SECONDS + 120


def test_a_command_that_is_still_pending_without_invocations_is_waited_for(stage: Stage) -> None:
    stage.account.on("send_command", SENT)
    stage.account.on("list_command_invocations", *[EMPTY] * 12, SUCCESS)
    stage.account.on("list_commands", {"Commands": [{"CommandId": COMMAND_ID, "Status": "Pending"}]})
    assert run(stage).status == "Success"


@pytest.mark.parametrize("state", ["stopping", "stopped", "shutting-down", "terminated"])
def test_an_instance_that_others_end_in_the_middle_is_reported(stage: Stage, state: str) -> None:
    """Its invocation would stay InProgress for ever: amazon-ssm-agent#320."""
    stage.guest.on(DOCUMENT, Outcome(seconds=DAY))
    stage.clock.at(200, lambda: stage.account.on("describe_instances", shown(state)))
    error = trouble(stage)
    assert (error.code, f"The instance is {state}" in error.reason) == (f"instance_{state.replace('-', '_')}", True)
    assert stage.clock.passed < 400


@pytest.mark.parametrize("answer", [reservations(), client_error("InvalidInstanceID.NotFound")], ids=["empty", "error"])
def test_an_instance_that_vanishes_in_the_middle_is_gone(stage: Stage, answer: Any) -> None:
    stage.guest.on(DOCUMENT, Outcome(seconds=DAY))
    stage.clock.at(200, lambda: stage.account.on("describe_instances", answer))
    assert trouble(stage).code == "instance_gone"


def test_an_instance_is_checked_every_four_minutes_and_a_hybrid_node_never(stage: Stage) -> None:
    stage.guest.on(DOCUMENT, Outcome(seconds=590))
    run(stage)
    checked = [call.at for call in stage.account.of("describe_instances")]
    assert len(checked) == 2
    assert all(later - earlier >= 240 for earlier, later in pairwise([0, *checked]))
    run(stage, to=NODE_ID)
    assert len(stage.account.of("describe_instances")) == 2


# How it ended


@pytest.mark.parametrize(
    ("shown_as", "details"),
    [
        ("Delivery Timed Out", "DeliveryTimedOut"),
        ("ExecutionTimedOut", "ExecutionTimedOut"),
        ("Execution Timed Out", "ExecutionTimedOut"),
    ],
)
def test_details_have_one_spelling(stage: Stage, shown_as: str, details: str) -> None:
    stage.guest.on(DOCUMENT, Outcome("TimedOut", shown_as))
    assert run(stage).details == details


@pytest.mark.parametrize("details", ["Delivery Timed Out", "Undeliverable", "Terminated"])
def test_what_was_not_delivered_is_sent_again_if_that_is_harmless(stage: Stage, details: str) -> None:
    stage.guest.on(DOCUMENT, Outcome("TimedOut", details), Outcome())
    assert run(stage, idempotent=True).status == "Success"
    assert len(stage.account.of("send_command")) == 2


def test_what_was_not_delivered_is_sent_again_once(stage: Stage) -> None:
    stage.guest.on(DOCUMENT, Outcome("TimedOut", "DeliveryTimedOut"))
    assert run(stage, idempotent=True).details == "DeliveryTimedOut"
    assert len(stage.account.of("send_command")) == 2


@pytest.mark.parametrize(
    ("details", "idempotent"),
    [("DeliveryTimedOut", False), ("Terminated", False), ("ExecutionTimedOut", True)],
)
def test_what_may_have_run_or_is_refused_is_not_sent_again(stage: Stage, details: str, idempotent: bool) -> None:
    """``DeliveryTimedOut`` does not prove that nothing ran."""
    stage.guest.on(DOCUMENT, Outcome("TimedOut", details), Outcome())
    assert run(stage, idempotent=idempotent).details == details
    assert len(stage.account.of("send_command")) == 1


def test_an_output_that_the_list_cuts_is_read_whole(stage: Stage) -> None:
    """aws-sdk-java#1499: truncated output."""
    text = "".join(f"line {number}\n" for number in range(1000))
    stage.guest.on(DOCUMENT, Outcome(stdout=text))
    assert run(stage).stdout == text
    (call,) = stage.account.of("get_command_invocation")
    assert call.params == {"CommandId": COMMAND_ID, "InstanceId": ID, "PluginName": "runPowerShellScript"}


@pytest.mark.parametrize(
    ("times", "worked_seconds"),
    [
        ([(None, None)], 0.0),
        ([(10, 70)], 60.0),
        ([(10, 70), (70, 71)], 61.0),
        ([(10, None)], None),
    ],
    ids=["never started", "one plugin", "two", "no end was ever sent"],
)
def test_how_long_it_ran_is_reported_by_its_plugins(
    stage: Stage, times: list[tuple[int | None, int | None]], worked_seconds: float | None
) -> None:
    row = invocation(COMMAND_ID, "Success", output="done")
    names = ("ResponseStartDateTime", "ResponseFinishDateTime")
    row["CommandPlugins"] = [
        {
            **row["CommandPlugins"][0],
            **{name: moment(at) for name, at in zip(names, pair, strict=True) if at is not None},
        }
        for pair in times
    ]
    stage.account.on("send_command", SENT)
    stage.account.on("list_command_invocations", {"CommandInvocations": [row]})
    assert run(stage).worked_seconds == worked_seconds


def test_a_short_output_needs_no_further_call(stage: Stage) -> None:
    stage.guest.on(DOCUMENT, Outcome(stdout="x" * 2499))
    assert len(run(stage).stdout) == 2499
    assert stage.account.of("get_command_invocation") == []


@pytest.mark.parametrize("text", ["ä" * 1300, "x" * 2000 + "--output truncated--"], ids=["bytes", "says so"])
def test_the_agent_cuts_bytes_and_says_so(stage: Stage, text: str) -> None:
    stage.guest.on(DOCUMENT, Outcome(stdout=text))
    run(stage)
    assert len(stage.account.of("get_command_invocation")) == 1


def test_what_a_failed_command_complained_of_is_read(stage: Stage) -> None:
    stage.guest.on(DOCUMENT, Outcome("Failed", stderr="Access is denied", code=1))
    ended = run(stage)
    assert (ended.stderr, ended.response_code) == ("Access is denied", 1)


def test_the_output_is_that_of_the_part_of_the_document_that_ran(stage: Stage) -> None:
    """AWS-RunPatchBaseline has a part for each operating system; the others are skipped."""
    row = invocation(COMMAND_ID, "Success")
    row["CommandPlugins"] = [
        {"Name": "PatchLinux", "Status": "Success", "Output": "", "ResponseCode": 0},
        {"Name": "PatchWindows", "Status": "Success", "Output": "installed", "ResponseCode": 7},
    ]
    stage.account.on("send_command", SENT)
    stage.account.on("list_command_invocations", {"CommandInvocations": [row]})
    ended = run(stage)
    assert (ended.stdout, ended.response_code) == ("installed", 7)


# Values of users


@pytest.mark.parametrize(
    "value", ["{{ssm:secret}}", ["fine", "{{ x }}"], {"deep": {"er": ["{{x}}"]}}, ("a", "{{")], ids=str
)
def test_a_value_that_ssm_would_resolve_is_refused(value: object) -> None:
    with pytest.raises(PatchFleetError, match=r"must not hold '\{\{'") as caught:
        refuse_templates("parameters", value)
    assert caught.value.code == "invalid_option"


def test_a_refused_value_is_named_by_where_it_lies() -> None:
    with pytest.raises(PatchFleetError, match=r"^parameters\.commands: "):
        refuse_templates("parameters", {"commands": ["echo {{ssm:secret}}"]})


@pytest.mark.parametrize("value", ["{ {", "}}", "$env:TEMP", ["{", "{"], {"{{": "a name is not sent"}, 5, None])
def test_anything_else_is_not_refused(value: object) -> None:
    refuse_templates("parameters", value)
