# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What AWS's error codes mean for us. Sources: the services' API references and the EC2 error code list."""

from __future__ import annotations

import re
from typing import Any

from .._base.errors import Failed
from .._model.account import Account
from .._model.reasons import Reason, ReasonCode, reason_of
from . import messages

THROTTLED = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "TooManyRequestsException",
        "SlowDown",
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",  # DynamoDB; an on-demand table says so while it grows
    }
)
SERVER_ERRORS = frozenset(
    {"InternalError", "InternalFailure", "InternalServerError", "ServiceUnavailable", "Unavailable"}
)
"""Something failed inside AWS, before the deed or after it."""
TRANSIENT = frozenset({"TransactionConflictException", "TransactionInProgressException"})
"""DynamoDB: another transaction works on that item at the moment, or this one is still under way."""
NO_CAPACITY = frozenset(
    {
        "HostLimitExceeded",  # Dedicated Hosts
        "InsufficientCapacity",
        "InsufficientCapacityOnHost",  # the instance's Dedicated Host is full
        "InsufficientHostCapacity",
        "InsufficientInstanceCapacity",
        "InsufficientReservedInstanceCapacity",
        "ReservationCapacityExceeded",  # the instance's capacity reservation is full
        "Unsupported",
    }
)
"""Some come with HTTP 500, but a moment changes nothing: a start waits longer, and reports that meanwhile.

Source: EC2 API reference, "Error codes for the Amazon EC2 API".
"""
EXPIRED = frozenset(
    {
        "RequestExpired",
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidClientTokenId",
        "UnrecognizedClientException",
        "AuthFailure",  # an access key that AWS does not know
        "SignatureDoesNotMatch",
        "InvalidSignatureException",  # a wrong secret key, or a clock that is wrong
    }
)
UNKNOWN_KEY = frozenset({"AuthFailure", "UnrecognizedClientException", "InvalidClientTokenId"})
DENIED = frozenset({"UnauthorizedOperation", "AccessDenied", "AccessDeniedException", "Client.UnauthorizedOperation"})
GONE = frozenset({"InvalidInstanceID.NotFound", "InvalidVolume.NotFound"})


class AwsError(Failed):
    """An answer of AWS that refuses a call.

    Attributes:
        aws_code: the service's own error code, e.g. ``IncorrectInstanceState``.
        action: the IAM action of the call, e.g. ``ec2:StartInstances``.
        http_status: of the answer.
        reasons: of a transaction in DynamoDB that was cancelled, one for each of its items ("None" where it was right).
        after_unanswered: an earlier attempt of the same call got no answer, so it may have been done all the same.
    """

    def __init__(
        self,
        action: str,
        aws_code: str,
        message: str,
        resource: str | None = None,
        http_status: int = 400,
        account: Account | None = None,
    ) -> None:
        """``account`` is the one in which a role was assumed; None is that of the credentials."""
        facts = {"denied_action": action} if aws_code in DENIED else {}
        super().__init__(_sentence(action, aws_code, message, resource, account), _reason_code(aws_code), facts)
        self.action = action
        self.aws_code = aws_code
        self.http_status = http_status
        self.reasons: tuple[str, ...] = ()
        self.after_unanswered = False

    @property
    def is_retryable(self) -> bool:
        """Whether the same call may succeed a little later."""
        if self.aws_code in NO_CAPACITY:
            return False
        return self.aws_code in THROTTLED | TRANSIENT | SERVER_ERRORS or self._is_server_error

    @property
    def is_denied(self) -> bool:
        """Whether the credentials lack the right."""
        return self.aws_code in DENIED

    @property
    def may_be_done(self) -> bool:
        """Whether the refused change may have been done: an error inside AWS says nothing of that."""
        if self.aws_code in NO_CAPACITY | THROTTLED:
            return False
        return self.aws_code in SERVER_ERRORS or self._is_server_error

    @property
    def _is_server_error(self) -> bool:
        return self.http_status >= 500 and self.http_status != 501


class NoRegion(Failed):
    """Neither the options, the environment nor the profile name a region."""

    def __init__(self) -> None:
        super().__init__(
            "No AWS region is set. Set patch_regions, the option region, AWS_REGION or a region in the AWS profile, "
            "e.g. eu-central-1.",
            Reason.NO_REGION,
        )


class NotReached(Failed):
    """No attempt of a call reached AWS, or none of a call that only reads was answered.

    Attributes:
        is_retryable: whether the same call may succeed a little later; not in an unknown region.
    """

    def __init__(self, reason: str, unknown_region: str | None = None) -> None:
        super().__init__(messages.not_reached(reason, unknown_region), Reason.AWS_UNREACHABLE)
        self.is_retryable = not unknown_region


class Unanswered(Failed):
    """A call that changes something was sent, and no answer came: whether it was done is not known.

    The caller of the change checks its effect before it decides anything.
    """

    def __init__(self, action: str, resource: str | None, error: str) -> None:
        super().__init__(messages.unanswered(action, resource, error), Reason.UNANSWERED)
        self.action = action


def action_of(service: str, api_operation: str) -> str:
    """The IAM action of an API operation: ec2 and StartInstances make ec2:StartInstances."""
    prefix = {"service-quotas": "servicequotas"}.get(service, service)
    return f"{prefix}:{api_operation}"


def from_client_error(
    service: str,
    api_operation: str,
    response: dict[str, Any],
    resource: str | None,
    region: str | None = None,
    account: Account | None = None,
) -> AwsError:
    """The error of a botocore ClientError's response; ``region`` and ``account`` are where it was asked, as AwsError has it."""
    error = response.get("Error", {})
    code = str(error.get("Code", "Unknown"))
    message = str(error.get("Message", "")).strip()
    named = re.search(r"on resource:? (\S*[^\s.,])", message)
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400))
    on = named.group(1) if named else resource
    if region and code in DENIED and on in (None, "*"):  # rights often end at a region, which no resource names here
        on = f"* in {region}"
    failed = AwsError(action_of(service, api_operation), code, message, on, status, account)
    failed.reasons = tuple(str(reason.get("Code")) for reason in response.get("CancellationReasons") or ())
    return failed


def _reason_code(aws_code: str) -> ReasonCode:
    if aws_code in DENIED:
        return Reason.ACCESS_DENIED
    if aws_code in EXPIRED:
        return Reason.CREDENTIALS_EXPIRED
    if aws_code in THROTTLED:
        return Reason.THROTTLED
    words = re.sub(r"[^A-Za-z0-9]+", "_", aws_code)
    code = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", words).lower().strip("_")
    return reason_of(code or "aws_error")


def _sentence(action: str, aws_code: str, message: str, resource: str | None, account: Account | None) -> str:
    on = f" on {resource}" if resource else ""
    text = re.sub(r"Encoded authorization failure message: \S+", "", message).strip()
    if aws_code in DENIED:
        named = re.search(r"not authorized to perform:? (\w[\w-]*:\w+)", text)
        right = named.group(1) if named else action
        words = _words_of_denial(text)
        who = "The credentials lack" if account is None else f"The role of the account {account} lacks"
        return f"{who} the right {right}{on} ({aws_code}){f': {words}' if words else ''}."
    if aws_code in EXPIRED:
        return messages.credentials_refused(action, aws_code, key_is_unknown=aws_code in UNKNOWN_KEY)
    return f"{action}{on} failed with {aws_code}: {text}" if text else f"{action}{on} failed with {aws_code}."


def _words_of_denial(message: str) -> str:
    """What AWS says beyond that a right is not there: which policy denies it, or which key or boundary is in the way."""
    reason = re.search(r"\b(because .+|with an explicit deny .+)", message, re.DOTALL)
    text = reason.group(1) if reason else message
    text = re.sub(r"You are not authorized to perform this operation\.?", "", " ".join(text.split()))
    return "" if re.fullmatch(r"(User: \S+ is )?not authorized.*", text.strip()) else text.strip().rstrip(".")
