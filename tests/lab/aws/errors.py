# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors as AWS answers them."""

from __future__ import annotations

from typing import Any

# Everything that is not a plain 400. botocore decides by the status, too, whether it tries again.
STATUS_BY_CODE = {
    "AccessDenied": 403,
    "AuthFailure": 401,
    "DryRunOperation": 412,
    "ExpiredToken": 403,
    "InsufficientHostCapacity": 500,
    "InsufficientInstanceCapacity": 500,
    "InternalError": 500,
    "InternalFailure": 500,
    "InternalServerError": 500,
    "InternalServiceException": 500,
    "InvalidAccessKeyId": 403,
    "InvalidClientTokenId": 403,
    "MissingAuthenticationToken": 403,
    "NoSuchBucket": 404,
    "NoSuchKey": 404,
    "NotImplemented": 501,
    "RequestLimitExceeded": 503,
    "ServiceUnavailable": 503,
    "ServiceUnavailableException": 503,
    "Unavailable": 503,
    "UnauthorizedOperation": 403,
}

THROTTLED = {
    "ec2": ("RequestLimitExceeded", "Request limit exceeded."),
    "ssm": ("ThrottlingException", "Rate exceeded"),
    "logs": ("ThrottlingException", "Rate exceeded"),
    "dynamodb": ("ThrottlingException", "Throughput exceeds the current capacity of your table or index."),
    "service-quotas": ("TooManyRequestsException", "Rate exceeded"),
}
EXPIRED = {
    "ec2": ("RequestExpired", "Request has expired."),
    "sts": ("ExpiredToken", "The security token included in the request is expired"),
    "iam": ("ExpiredToken", "The security token included in the request is expired"),
    "cloudformation": ("ExpiredToken", "The security token included in the request is expired"),
    "s3": ("ExpiredToken", "The provided token has expired."),
}
UNKNOWN_KEY = {
    "ec2": ("AuthFailure", "AWS was not able to validate the provided access credentials"),
    "sts": ("InvalidClientTokenId", "The security token included in the request is invalid."),
    "iam": ("InvalidClientTokenId", "The security token included in the request is invalid."),
    "cloudformation": ("InvalidClientTokenId", "The security token included in the request is invalid."),
    "s3": ("InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records."),
}


class AwsError(Exception):
    """What a client gets instead of a result: an error code, a message, an HTTP status, and what a JSON service adds."""

    def __init__(self, code: str, message: str, more: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.more = more or {}
        self.status = STATUS_BY_CODE.get(code, 400)


def not_implemented(what: str) -> AwsError:
    """The lab does not know this; the trace says so, and so does the run."""
    return AwsError("NotImplemented", f"The lab does not know {what}.")


def throttled(service: str) -> AwsError:
    return AwsError(*THROTTLED.get(service, ("Throttling", "Rate exceeded")))


def expired(service: str) -> AwsError:
    return AwsError(
        *EXPIRED.get(service, ("ExpiredTokenException", "The security token included in the request is expired"))
    )


def unknown_key(service: str) -> AwsError:
    return AwsError(
        *UNKNOWN_KEY.get(
            service, ("UnrecognizedClientException", "The security token included in the request is invalid.")
        )
    )


def invalid_value(message: str) -> AwsError:
    """EC2's InvalidParameterValue."""
    return AwsError("InvalidParameterValue", message)


def validation(message: str) -> AwsError:
    """A ValidationException of the JSON services, in their words."""
    return AwsError("ValidationException", f"1 validation error detected: {message}")
