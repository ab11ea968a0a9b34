# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._aws.errors import (
    DENIED,
    EXPIRED,
    action_of,
    from_client_error,
)

from .fakes import ID


def error_of(code: str, message: str = "", service: str = "ec2", operation: str = "StartInstances") -> Any:
    return from_client_error(service, operation, {"Error": {"Code": code, "Message": message}}, ID)


@pytest.mark.parametrize("code", sorted(DENIED))
def test_a_denial_names_action_and_resource(code: str) -> None:
    error = error_of(code, "You are not authorized to perform this operation.")
    assert error.reason == f"The credentials lack the right ec2:StartInstances on {ID} ({code})."
    assert error.code == "access_denied"


def test_a_denial_names_the_resource_that_aws_names() -> None:
    arn = f"arn:aws:ssm:eu-central-1:123456789012:instance/{ID}"
    message = f"User: arn:aws:iam::1:user/me is not authorized to perform: ssm:SendCommand on resource: {arn} because no policy"
    assert f"ssm:SendCommand on {arn} (" in error_of("AccessDeniedException", message, "ssm", "SendCommand").reason


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (
            (
                "User: arn:aws:sts::1:assumed-role/c/me is not authorized to perform: ec2:StartInstances on resource: "
                "arn:aws:ec2:eu-central-1:1:instance/i-1 with an explicit deny in a service control policy"
            ),
            "with an explicit deny in a service control policy",
        ),
        (
            (
                "You are not authorized to perform this operation. User: arn:aws:sts::1:assumed-role/c/me is not authorized to "
                "perform: ec2:StartInstances on resource: arn:aws:ec2:eu-central-1:1:instance/i-1 because no identity-based policy "
                "allows the ec2:StartInstances action. Encoded authorization failure message: AbCd-123"
            ),
            "because no identity-based policy allows the ec2:StartInstances action",
        ),
        (
            "KMS key access denied error: KMS key arn:aws:kms:eu-central-1:1:key/k is disabled.",
            "KMS key access denied error: KMS key arn:aws:kms:eu-central-1:1:key/k is disabled",
        ),
    ],
)
def test_awss_own_words_of_a_denial_are_kept(message: str, words: str) -> None:
    reason = error_of("UnauthorizedOperation", message).reason
    assert reason.endswith(f"(UnauthorizedOperation): {words}.")
    assert "AbCd" not in reason


def test_a_denial_of_another_right_names_that_one() -> None:
    message = "User: arn:aws:sts::1:assumed-role/c/me is not authorized to perform: kms:Decrypt on resource: arn:aws:kms:x:1:key/k"
    assert "lack the right kms:Decrypt on arn:aws:kms:x:1:key/k" in error_of("AccessDeniedException", message).reason


@pytest.mark.parametrize("code", ["AuthFailure", "UnrecognizedClientException"])
def test_an_unknown_key_may_be_a_region_that_is_not_enabled(code: str) -> None:
    assert "a region that the account has not enabled" in error_of(code).reason
    assert "region" not in error_of("RequestExpired").reason


@pytest.mark.parametrize("code", sorted(EXPIRED))
def test_expired_credentials_have_one_sentence_whatever_the_service_calls_it(code: str) -> None:
    error = error_of(code, "Request has expired.")
    assert error.reason.startswith("The AWS credentials have expired or are not valid (ec2:StartInstances answered")
    assert error.reason.endswith("Get new ones.")
    assert error.code == "credentials_expired"


def test_the_encoded_failure_message_is_left_out() -> None:
    """It is long, says nothing to a person, and may name what others should not read."""
    error = error_of("OperationNotPermitted", "Not now. Encoded authorization failure message: AbCd-123_xyz")
    assert error.reason == f"ec2:StartInstances on {ID} failed with OperationNotPermitted: Not now."


def test_an_error_without_words_is_still_a_sentence() -> None:
    assert error_of("InternalThing").reason == f"ec2:StartInstances on {ID} failed with InternalThing."


def test_an_error_without_code_is_reported() -> None:
    error = from_client_error("ec2", "StartInstances", {}, None)
    assert (error.reason, error.code) == ("ec2:StartInstances failed with Unknown.", "unknown")


@pytest.mark.parametrize(
    ("aws_code", "code"),
    [
        ("InvalidInstanceID.NotFound", "invalid_instance_id_not_found"),
        ("IncorrectInstanceState", "incorrect_instance_state"),
        ("VolumeModificationRateExceeded", "volume_modification_rate_exceeded"),
        ("InvalidInstanceId", "invalid_instance_id"),
        ("...", "aws_error"),
    ],
)
def test_reason_codes_are_in_snake_case(aws_code: str, code: str) -> None:
    assert error_of(aws_code).code == code


def test_actions_are_named_as_iam_names_them() -> None:
    assert action_of("service-quotas", "GetServiceQuota") == "servicequotas:GetServiceQuota"
    assert action_of("ssm", "SendCommand") == "ssm:SendCommand"
