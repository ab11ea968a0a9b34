# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What AWS's error codes mean for us. Sources: the services' API references and the EC2 error code list."""

from __future__ import annotations

import re
from typing import Any

from .._base.errors import PatchFleetError

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
TRANSIENT = frozenset(
    {
        "InternalError",
        "InternalFailure",
        "InternalServerError",
        "ServiceUnavailable",
        "Unavailable",
        "TransactionConflictException",
        "TransactionInProgressException",  # DynamoDB: somebody else is at that item
    }
)
NO_CAPACITY = frozenset(
    {"InsufficientInstanceCapacity", "InsufficientHostCapacity", "InsufficientCapacity", "Unsupported"}
)
"""Some come with HTTP 500, but a moment changes nothing: whoever starts instances waits longer, and says so meanwhile."""
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
DENIED = frozenset({"UnauthorizedOperation", "AccessDenied", "AccessDeniedException", "Client.UnauthorizedOperation"})
GONE = frozenset({"InvalidInstanceID.NotFound", "InvalidVolume.NotFound"})


class AwsError(PatchFleetError):
    """An AWS call that failed and will not succeed by repeating it.

    Attributes:
        aws_code: the service's own error code, e.g. ``IncorrectInstanceState``.
        action: the IAM action of the call, e.g. ``ec2:StartInstances``.
        reasons: of a transaction in DynamoDB that was cancelled, one for each of its items ("None" where it was right).
    """

    reasons: tuple[str, ...] = ()

    def __init__(self, action: str, aws_code: str, message: str, resource: str | None = None) -> None:
        facts = {"denied_action": action} if aws_code in DENIED else {}
        super().__init__(_sentence(action, aws_code, message, resource), _reason_code(aws_code), facts)
        self.action = action
        self.aws_code = aws_code


def is_retryable(aws_code: str, http_status: int) -> bool:
    """Whether the same call may succeed a little later."""
    if aws_code in NO_CAPACITY:
        return False
    return aws_code in THROTTLED or aws_code in TRANSIENT or (http_status >= 500 and http_status != 501)


def action_of(service: str, api_operation: str) -> str:
    """The IAM action of an API operation: ec2 and StartInstances make ec2:StartInstances."""
    prefix = {"service-quotas": "servicequotas"}.get(service, service)
    return f"{prefix}:{api_operation}"


def from_client_error(service: str, api_operation: str, response: dict[str, Any], resource: str | None) -> AwsError:
    """The error of a botocore ClientError's response."""
    error = response.get("Error", {})
    code = str(error.get("Code", "Unknown"))
    message = str(error.get("Message", "")).strip()
    named = re.search(r"on resource:? (\S+)", message)
    failed = AwsError(action_of(service, api_operation), code, message, named.group(1) if named else resource)
    failed.reasons = tuple(str(reason.get("Code")) for reason in response.get("CancellationReasons") or ())
    return failed


def _reason_code(aws_code: str) -> str:
    if aws_code in DENIED:
        return "access_denied"
    if aws_code in EXPIRED:
        return "credentials_expired"
    if aws_code in THROTTLED:
        return "throttled"
    words = re.sub(r"[^A-Za-z0-9]+", "_", aws_code)
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", words).lower().strip("_") or "aws_error"


def not_valid(why: str) -> str:
    """What to do about credentials that AWS does not take (any more)."""
    return (
        f"The AWS credentials have expired or are not valid ({why}). Get new ones; then the playbook restore puts back what is "
        "still on because of a run, and the same run can be started again."
    )


def _sentence(action: str, aws_code: str, message: str, resource: str | None) -> str:
    on = f" on {resource}" if resource else ""
    if aws_code in DENIED:
        return f"The credentials lack the right {action}{on} ({aws_code})."
    if aws_code in EXPIRED:
        return not_valid(f"{action} answered {aws_code}")
    text = re.sub(r"Encoded authorization failure message: \S+", "", message).strip()
    return f"{action}{on} failed with {aws_code}: {text}" if text else f"{action}{on} failed with {aws_code}."
