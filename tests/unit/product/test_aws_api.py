# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from functools import partial
from typing import Any

import botocore.exceptions
import botocore.parsers
import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._aws.api import (
    FIRST_PAUSE_SECONDS,
    LONGEST_PAUSE_SECONDS,
    RETRY_BUDGET_SECONDS,
    Aws,
    pages,
)
from ansible_collections.patchfleet.windows.plugins.module_utils._aws.ec2 import (
    EC2,
    create_tag,
    describe_instance,
    describe_instances,
)
from ansible_collections.patchfleet.windows.plugins.module_utils._aws.errors import (
    NO_CAPACITY,
    SERVER_ERRORS,
    THROTTLED,
    TRANSIENT,
    AwsError,
    NotReached,
    Unanswered,
)
from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import PatchFleetError
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.operation import Operation

from .fakes import ID, START, client_error, reservations, shown
from .stage import RUN, Stage

NETWORK_ERRORS = [
    botocore.exceptions.EndpointConnectionError(endpoint_url="https://ec2.eu-central-1.amazonaws.com"),
    botocore.exceptions.ConnectTimeoutError(endpoint_url="https://ec2.eu-central-1.amazonaws.com"),
    botocore.exceptions.ReadTimeoutError(endpoint_url="https://ec2.eu-central-1.amazonaws.com"),
    botocore.exceptions.ConnectionClosedError(endpoint_url="https://ec2.eu-central-1.amazonaws.com"),
    botocore.exceptions.HTTPClientError(error="reset"),
]


def start(stage: Stage) -> dict[str, Any]:
    return stage.aws.change(EC2, ID).start_instances(InstanceIds=[ID])


@pytest.mark.parametrize("code", sorted(THROTTLED))
def test_a_throttled_call_is_repeated_by_our_clock(stage: Stage, code: str) -> None:
    """aws-rfdk#1723: EC2 says RequestLimitExceeded, SSM ThrottlingException, which amazon.aws's retries do not know."""
    stage.account.on("describe_instances", client_error(code), client_error(code), shown())
    assert stage.aws.read(EC2).describe_instances() == shown()
    assert len(stage.clock.pauses) == 2


def test_pauses_double_are_drawn_at_random_and_end_with_our_timeout(stage: Stage) -> None:
    stage.account.on("describe_instances", client_error("ThrottlingException", "Rate exceeded"))
    with pytest.raises(AwsError, match=r"ec2:SomeOperation failed with ThrottlingException: Rate exceeded") as caught:
        stage.aws.read(EC2).describe_instances()
    assert caught.value.code == "throttled"
    assert stage.clock.passed == pytest.approx(RETRY_BUDGET_SECONDS)
    longest = FIRST_PAUSE_SECONDS
    for pause in stage.clock.pauses[:-1]:
        assert longest / 2 <= pause <= longest
        longest = min(longest * 2, LONGEST_PAUSE_SECONDS)


@pytest.mark.parametrize("code", sorted(SERVER_ERRORS | TRANSIENT))
def test_an_error_inside_aws_is_repeated(stage: Stage, code: str) -> None:
    stage.account.on("describe_instances", client_error(code), shown())
    assert stage.aws.read(EC2).describe_instances() == shown()


def test_capacity_is_waited_for_by_the_start_and_not_by_each_call(stage: Stage) -> None:
    """EC2 says it with HTTP 500."""
    stage.account.on("start_instances", client_error("InsufficientInstanceCapacity", status=500))
    with pytest.raises(AwsError):
        stage.aws.change(EC2, ID).start_instances(InstanceIds=[ID])
    assert stage.clock.passed == 0


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_an_answer_above_499_is_repeated_whatever_its_code(stage: Stage, status: int) -> None:
    stage.account.on("describe_instances", client_error("Strange", status=status), shown())
    assert stage.aws.read(EC2).describe_instances() == shown()


def test_what_the_service_does_not_know_is_not_repeated(stage: Stage) -> None:
    stage.account.on("describe_instances", client_error("NotImplemented", status=501))
    with pytest.raises(AwsError):
        stage.aws.read(EC2).describe_instances()
    assert len(stage.account.calls) == 1


def test_an_error_for_good_is_raised_at_once(stage: Stage) -> None:
    error = client_error("IncorrectInstanceState", "The instance is not in a state", "StartInstances")
    stage.account.on("start_instances", error)
    with pytest.raises(AwsError) as caught:
        start(stage)
    assert (caught.value.aws_code, caught.value.code) == ("IncorrectInstanceState", "incorrect_instance_state")
    assert caught.value.action == "ec2:StartInstances"
    assert caught.value.reason == (
        f"ec2:StartInstances on {ID} failed with IncorrectInstanceState: The instance is not in a state"
    )
    assert (len(stage.account.calls), stage.clock.passed) == (1, 0)


def test_credentials_that_were_renewed_meanwhile_are_taken(stage: Stage) -> None:
    stage.account.renewals = 1
    stage.account.on("describe_instances", client_error("RequestExpired"), shown())
    assert stage.aws.read(EC2).describe_instances() == shown()
    assert stage.clock.passed == 0


def test_new_credentials_that_are_no_better_are_not_tried_for_ever(stage: Stage) -> None:
    stage.account.renewals = 9
    stage.account.on("describe_instances", client_error("ExpiredTokenException"))
    with pytest.raises(AwsError) as caught:
        stage.aws.read(EC2).describe_instances()
    assert caught.value.code == "credentials_expired"
    assert len(stage.account.calls) == 2


@pytest.mark.parametrize(
    "error",
    [
        botocore.exceptions.CredentialRetrievalError(provider="custom-process", error_msg="no"),
        botocore.exceptions.UnauthorizedSSOTokenError(),
        RuntimeError("Credentials were refreshed, but the refreshed credentials are still expired."),
    ],
    ids=lambda error: type(error).__name__,
)
def test_credentials_that_cannot_be_renewed_are_reported_with_the_remedy(stage: Stage, error: Exception) -> None:
    stage.account.on("describe_instances", error)
    with pytest.raises(PatchFleetError, match=r"could not be renewed.+ Get new ones\.") as caught:
        stage.aws.read(EC2).describe_instances()
    assert caught.value.code == "credentials_expired"


@pytest.mark.parametrize("error", NETWORK_ERRORS, ids=lambda error: type(error).__name__)
def test_a_lost_connection_is_repeated(stage: Stage, error: Exception) -> None:
    stage.account.on("describe_instances", error, shown())
    assert stage.aws.read(EC2).describe_instances() == shown()


@pytest.mark.parametrize("error", NETWORK_ERRORS, ids=lambda error: type(error).__name__)
def test_a_network_that_stays_away_is_reported_when_our_timeout_ends(stage: Stage, error: Exception) -> None:
    stage.account.on("describe_instances", error)
    with pytest.raises(PatchFleetError, match=r"AWS cannot be reached: .+") as caught:
        stage.aws.read(EC2).describe_instances()
    assert caught.value.code == "aws_unreachable"
    assert stage.clock.passed == pytest.approx(RETRY_BUDGET_SECONDS)


def test_an_endpoint_in_a_region_that_no_one_knows_is_not_waited_for(stage: Stage) -> None:
    stage.account.on("describe_instances", NETWORK_ERRORS[0])
    with pytest.raises(
        PatchFleetError, match=r"knows no region 'eu-centrall-1'; did you mean eu-central-1\?"
    ) as caught:
        stage.aws.in_region("eu-centrall-1").read(EC2).describe_instances()
    assert caught.value.code == "aws_unreachable"
    assert stage.clock.pauses == []


def test_a_certificate_that_does_not_fit_is_reported_at_once(stage: Stage) -> None:
    stage.account.on(
        "describe_instances", botocore.exceptions.SSLError(endpoint_url="https://x", error=ValueError("self-signed"))
    )
    with pytest.raises(PatchFleetError, match="self-signed"):
        stage.aws.read(EC2).describe_instances()
    assert stage.clock.passed == 0


@pytest.mark.parametrize(
    "error",
    [
        botocore.exceptions.NoCredentialsError(),
        botocore.exceptions.PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_no_credentials_are_reported_with_the_options_to_give_them(stage: Stage, error: Exception) -> None:
    stage.account.on("describe_instances", error)
    with pytest.raises(PatchFleetError, match=r"No AWS credentials were found.+AWS_PROFILE.+AWX") as caught:
        stage.aws.read(EC2).describe_instances()
    assert (caught.value.code, stage.clock.passed) == ("no_credentials", 0)


def test_any_other_trouble_of_botocore_is_reported_with_the_call(stage: Stage) -> None:
    stage.account.on("describe_instances", botocore.exceptions.ParamValidationError(report="Unknown parameter"))
    with pytest.raises(PatchFleetError, match=r"ec2 describe_instances: .+ Unknown parameter") as caught:
        stage.aws.read(EC2).describe_instances()
    assert caught.value.code == "aws_client"


def test_no_region_is_reported_with_the_options_to_set_one(stage: Stage) -> None:
    stage.account.region = None
    with pytest.raises(PatchFleetError, match=r"No AWS region is set.+patch_regions.+AWS_REGION") as caught:
        Aws(stage.account, stage.clock).read(EC2).describe_instances()
    assert caught.value.code == "no_region"
    assert stage.account.calls == []


def test_another_region_is_called_with_the_same_credentials(stage: Stage) -> None:
    stage.account.on("describe_instances", reservations())
    stage.aws.in_region("us-east-1").read(EC2).describe_instances()
    stage.aws.in_region(None).read(EC2).describe_instances()
    assert [call.region for call in stage.account.calls] == ["us-east-1", "eu-central-1"]


def test_all_pages_are_read_lazily(stage: Stage) -> None:
    first, second = shown()["Reservations"], shown("stopped")["Reservations"]
    stage.account.on(
        "describe_instances", {"Reservations": first, "NextToken": "more"}, {"Reservations": second, "NextToken": ""}
    )
    found = pages(partial(stage.aws.read(EC2).describe_instances, InstanceIds=[ID]))
    assert next(found)["Reservations"] == first
    assert len(stage.account.calls) == 1
    assert [page["Reservations"] for page in found] == [second]
    assert [call.params.get("NextToken") for call in stage.account.calls] == [None, "more"]
    assert all(call.params["InstanceIds"] == [ID] for call in stage.account.calls)


def test_an_empty_page_in_the_middle_ends_nothing(stage: Stage) -> None:
    stage.account.on("describe_instances", {"NextToken": "more"}, shown())
    assert len(list(describe_instances(stage.aws, []))) == 1


def test_it_knows_what_the_installed_botocore_knows(stage: Stage) -> None:
    assert stage.aws.knows(EC2, "DescribeInstances", "InstanceIds")
    assert not stage.aws.knows(EC2, "DescribeInstances", "Nonsense")


# Changes

NOT_SENT_ERRORS, UNANSWERED_ERRORS = NETWORK_ERRORS[:2], NETWORK_ERRORS[2:]
UNREADABLE = botocore.parsers.ResponseParserError("Unable to parse response, invalid XML received: b'<Start'")


@pytest.mark.parametrize("error", [*UNANSWERED_ERRORS, UNREADABLE], ids=lambda error: type(error).__name__)
def test_a_change_without_an_answer_is_not_repeated(stage: Stage, error: Exception) -> None:
    """SendCommand and StartInstances have no token: a repeat is a second command, or disowns the start."""
    stage.account.on("start_instances", error, {"StartingInstances": []})
    with pytest.raises(Unanswered, match=rf"ec2:StartInstances on {ID} was sent, but AWS gave no answer") as caught:
        start(stage)
    assert (caught.value.code, len(stage.account.calls), stage.clock.passed) == ("unanswered", 1, 0)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_an_error_inside_aws_says_nothing_of_whether_a_change_was_done(stage: Stage, status: int) -> None:
    stage.account.on("start_instances", client_error("Strange", status=status), {"StartingInstances": []})
    with pytest.raises(Unanswered, match="Strange"):
        start(stage)
    assert len(stage.account.calls) == 1


@pytest.mark.parametrize("code", sorted(SERVER_ERRORS))
def test_nor_does_its_code(stage: Stage, code: str) -> None:
    stage.account.on("start_instances", client_error(code), {"StartingInstances": []})
    with pytest.raises(Unanswered):
        start(stage)


@pytest.mark.parametrize("error", NOT_SENT_ERRORS, ids=lambda error: type(error).__name__)
def test_a_change_that_was_not_sent_is_repeated(stage: Stage, error: Exception) -> None:
    stage.account.on("start_instances", error, {"StartingInstances": []})
    start(stage)
    assert len(stage.account.calls) == 2


@pytest.mark.parametrize("error", NOT_SENT_ERRORS, ids=lambda error: type(error).__name__)
def test_a_change_that_could_not_be_sent_is_reported_as_that(stage: Stage, error: Exception) -> None:
    stage.account.on("start_instances", error)
    with pytest.raises(NotReached):
        start(stage)


@pytest.mark.parametrize("code", sorted(THROTTLED))
def test_a_throttled_change_was_not_done_and_is_repeated(stage: Stage, code: str) -> None:
    """EC2 throttles with HTTP 503."""
    stage.account.on("start_instances", client_error(code, status=503), {"StartingInstances": []})
    start(stage)
    assert len(stage.account.calls) == 2


@pytest.mark.parametrize("code", sorted(NO_CAPACITY))
def test_a_change_without_capacity_was_not_done(stage: Stage, code: str) -> None:
    stage.account.on("start_instances", client_error(code, status=500))
    with pytest.raises(AwsError) as caught:
        start(stage)
    assert not caught.value.after_unanswered


def test_an_idempotent_change_is_repeated_and_a_later_refusal_says_that_it_may_be_done(stage: Stage) -> None:
    stage.account.on("create_tags", UNANSWERED_ERRORS[0], client_error("UnauthorizedOperation"))
    with pytest.raises(AwsError) as caught:
        create_tag(stage.aws, ID, "patchfleet:run", "r1")
    assert caught.value.after_unanswered
    stage.account.on("create_tags", UNANSWERED_ERRORS[0], {})
    create_tag(stage.aws, ID, "patchfleet:run", "r1")


def test_an_idempotent_change_that_is_never_answered_stays_unknown(stage: Stage) -> None:
    stage.account.on("create_tags", UNANSWERED_ERRORS[0], client_error("Throttling"), NOT_SENT_ERRORS[0])
    with pytest.raises(Unanswered):
        create_tag(stage.aws, ID, "patchfleet:run", "r1")
    assert stage.clock.passed == pytest.approx(RETRY_BUDGET_SECONDS)


def test_an_answer_that_cannot_be_read_passes_where_nothing_changes(stage: Stage) -> None:
    stage.account.on("describe_instances", UNREADABLE, shown())
    assert stage.aws.read(EC2).describe_instances() == shown()


def test_what_changes_something_cannot_be_asked_for_as_a_read_nor_the_other_direction(stage: Stage) -> None:
    with pytest.raises(TypeError, match="changes something"):
        stage.aws.read(EC2).start_instances(InstanceIds=[ID])
    with pytest.raises(TypeError, match="changes nothing"):
        stage.aws.change(EC2).describe_instances()
    assert stage.account.calls == []


def test_no_call_is_repeated_after_its_callers_deadline(stage: Stage) -> None:
    """A host that may work until its window ends must not go on for another ten minutes."""
    stage.account.on("describe_instances", client_error("RequestLimitExceeded"))
    stage.open_run()
    stage.ledger.update_facts(RUN, ID, {"deadline_at": START + 60})
    operation = Operation("probe", {"run_id": {}, "host": {}}, lambda context: {})
    context = stage.context(operation, run_id=RUN, host=ID)
    with pytest.raises(AwsError):
        context.wait(lambda: describe_instance(context.aws, ID), START + 30)
    assert stage.clock.passed == pytest.approx(60)


def test_a_short_wait_gives_a_throttled_call_its_usual_time(stage: Stage) -> None:
    """A wait of two minutes for a fresh view of an instance left hosts on while EC2 throttled for three."""

    def throttled_for_three_minutes(**_params: Any) -> Any:
        return client_error("RequestLimitExceeded") if stage.clock.passed < 180 else shown("running")

    stage.account.on("describe_instances", throttled_for_three_minutes)
    context = stage.context(Operation("probe", {}, lambda context: {}))
    assert context.wait(lambda: describe_instance(context.aws, ID), START + 60) is not None
