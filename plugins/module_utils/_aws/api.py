# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One way to talk to AWS: every call is repeated by our clock while its error is a passing one."""

from __future__ import annotations

import difflib
import random
from collections.abc import Callable, Iterator
from typing import Any

from .._base.clock import Clock
from .._base.errors import PatchFleetError
from .connect import HAS_BOTO3, Connection, known_regions
from .errors import EXPIRED, AwsError, from_client_error, is_retryable, not_valid

if HAS_BOTO3:
    import botocore
    import botocore.exceptions

    # Not all of botocore's ConnectionError: a certificate that does not fit (SSLError) will not fit later either.
    UNREACHABLE = (
        botocore.exceptions.HTTPClientError,
        botocore.exceptions.EndpointConnectionError,
        botocore.exceptions.ConnectTimeoutError,
        botocore.exceptions.ProxyConnectionError,
    )

    NOT_RENEWED = (
        botocore.exceptions.CredentialRetrievalError,
        botocore.exceptions.SSOTokenLoadError,
        botocore.exceptions.TokenRetrievalError,
        botocore.exceptions.UnauthorizedSSOTokenError,
        RuntimeError,  # "the refreshed credentials are still expired"
    )

RETRY_BUDGET_SECONDS = 600.0
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30.0
READING = ("describe_", "list_", "get_", "simulate_")
"""Operations that begin so change nothing; every other one does."""


class Aws:
    """Calls AWS in one region, patiently.

    Throttling, outages and lost connections are repeated for PATIENCE_SECONDS with a pause that doubles and is drawn at
    random ("full jitter", AWS Builders' Library); everything else is raised as AwsError at once. So is an endpoint that
    cannot be reached in a region that botocore does not know, which is a typo more often than an outage. ``before_change``
    is asked right before each attempt of a call that changes something, and may raise.
    """

    def __init__(
        self,
        connection: Connection,
        clock: Clock,
        region: str | None = None,
        before_change: Callable[[], None] = lambda: None,
        retry_budget_seconds: float = RETRY_BUDGET_SECONDS,
    ) -> None:
        self._retry_budget_seconds = retry_budget_seconds
        self._connection = connection
        self._clock = clock
        self._region = region or connection.region
        self._before_change = before_change
        self._random = random.Random()

    @property
    def region(self) -> str:
        """The region that is called.

        Raises:
            PatchFleetError: neither the options, the environment nor the profile name one.
        """
        if not self._region:
            raise PatchFleetError(
                "No AWS region is set. Set patch_regions, the option region, AWS_REGION or a region in the AWS profile, "
                "e.g. eu-central-1.",
                "no_region",
            )
        return self._region

    @property
    def expires_at(self) -> float | None:
        """When the credentials end for good, in seconds since 1970, where that is known."""
        return self._connection.expires_at

    def in_region(self, region: str | None) -> Aws:
        """The same credentials in another region."""
        if not region or region == self._region:
            return self
        return Aws(self._connection, self._clock, region, self._before_change, self._retry_budget_seconds)

    def without_retries(self) -> Aws:
        """The same for what is only good to know: one attempt a call, since some networks have no way to every service."""
        return Aws(self._connection, self._clock, self._region, self._before_change, 0.0)

    def guarded(self, before_change: Callable[[], None]) -> Aws:
        """The same, with a question before each change."""
        return Aws(self._connection, self._clock, self._region, before_change, self._retry_budget_seconds)

    def knows(self, service: str, api_operation: str, parameter: str) -> bool:
        """Whether the installed botocore knows a parameter of an operation."""
        model = self._connection.client(service, self.region).meta.service_model.operation_model(api_operation)
        return parameter in model.input_shape.members

    def call(self, service: str, operation: str, resource: str | None = None, **parameters: Any) -> dict[str, Any]:
        """The answer of an API operation, named as boto3 does (``start_instances``).

        Raises:
            AwsError: the call failed for good; ``resource`` names in its text what the call was about.
            PatchFleetError: no or unusable credentials, or AWS could not be reached.
        """
        deadline = self._clock.now() + self._retry_budget_seconds
        pause = FIRST_PAUSE_SECONDS
        renewed = False
        while True:
            error = None
            if not operation.startswith(READING) and not parameters.get("DryRun"):
                self._before_change()
            try:
                client = self._connection.client(service, self.region)
                return dict(getattr(client, operation)(**parameters))
            except botocore.exceptions.ClientError as failure:
                api_operation = failure.operation_name
                error = from_client_error(service, api_operation, dict(failure.response), resource)
                status = failure.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400)
                if error.aws_code in EXPIRED and not renewed and self._connection.renew():
                    renewed = True
                    continue
                if not is_retryable(error.aws_code, status) or self._clock.now() >= deadline:
                    raise error from failure
            except UNREACHABLE as failure:
                unknown = _unknown_region(self.region)
                if unknown or self._clock.now() >= deadline:
                    raise PatchFleetError(f"AWS cannot be reached: {failure}{unknown}", "aws_unreachable") from failure
            except (botocore.exceptions.BotoCoreError, RuntimeError) as failure:
                raise _message(failure, f"{service} {operation}") from failure
            self._clock.sleep(self._random.uniform(pause / 2, pause))
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    def rows(self, service: str, operation: str, key: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        """All entries under ``key`` of an operation that answers in pages."""
        token: dict[str, Any] = {}
        while True:
            page = self.call(service, operation, **parameters, **token)
            yield from page.get(key, [])
            if not page.get("NextToken"):
                return
            token = {"NextToken": page["NextToken"]}


def _message(failure: Exception, call: str) -> PatchFleetError:
    """What botocore says before it has called AWS."""
    if isinstance(failure, (botocore.exceptions.NoCredentialsError, botocore.exceptions.PartialCredentialsError)):
        return PatchFleetError(NO_CREDENTIALS, "no_credentials")
    if isinstance(failure, NOT_RENEWED):
        return PatchFleetError(not_valid(f"they could not be renewed: {failure}"), "credentials_expired")
    return PatchFleetError(f"{call}: {failure}", "aws_client")


def _unknown_region(region: str) -> str:
    """A sentence about a region that botocore does not know ("" for the others): it may be too new, or mistyped."""
    known = known_regions()
    if region in known:
        return ""
    nearest = difflib.get_close_matches(region, known, n=1, cutoff=0.0)[0]
    return f" botocore {botocore.__version__} knows no region {region!r}; did you mean {nearest}?"


NO_CREDENTIALS = (
    "No AWS credentials were found. Give them as environment variables (AWS_ACCESS_KEY_ID …), a profile (AWS_PROFILE or "
    "the option profile), an instance profile, or in AWX an AWS credential."
)

__all__ = ["Aws", "AwsError"]
