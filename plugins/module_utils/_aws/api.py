# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How AWS is called: reads are repeated until they are answered, changes only where they were provably not done.

The operations themselves are functions in the modules beside this one (ec2, ssm, …), typed by boto3-stubs.
Sources: AWS Builders' Library ("Timeouts, retries, and backoff with jitter"; "Making retries safe with idempotent APIs").
"""

from __future__ import annotations

import difflib
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any, Generic, Protocol, TypeVar, cast

from .._base.clock import Clock
from .._base.errors import Failed, PatchFleetError
from .._model.account import Account
from .._model.reasons import Reason
from .connect import HAS_BOTO3, Connection, known_regions
from .errors import EXPIRED, AwsError, NoRegion, NotReached, Unanswered, action_of, from_client_error
from .messages import credentials_not_renewed

if HAS_BOTO3:
    import botocore
    import botocore.exceptions
    import botocore.parsers

    # Not all of botocore's ConnectionError: a certificate that does not fit (SSLError) will not fit later either.
    NOT_SENT = (
        botocore.exceptions.EndpointConnectionError,
        botocore.exceptions.ConnectTimeoutError,
        botocore.exceptions.ProxyConnectionError,
    )
    NO_ANSWER = (
        botocore.exceptions.HTTPClientError,  # a read timeout and a closed connection among them
        botocore.exceptions.IncompleteReadError,
        botocore.parsers.ResponseParserError,
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
LONGEST_SKEW_SECONDS = 900.0
"""AWS refuses what was signed longer ago (IAM user guide, Signature Version 4), so a date that is further away is a proxy's."""
ASSUME_ROLE = "AssumeRole"
SESSION_NAME = "patchfleet"
READING = ("describe_", "list_", "get_", "simulate_", "batch_get_", "query")
"""Operations that begin so change nothing; every other one does, unless it is asked with DryRun."""

C = TypeVar("C")
P = TypeVar("P", bound=Mapping[str, Any])


class Service(Generic[C]):
    """A service by boto3's name, with the type of its client."""

    def __init__(self, name: str) -> None:
        self.name = name


class Caller(Protocol):
    """What a call asks of the operation of a run that makes it."""

    def before_attempt(self, account: Account | None, region: str, call: str) -> None:
        """Asked before each attempt of a call (``ec2.start_instances``); waits for the API budget."""

    def before_change(self) -> None:
        """Asked right before each attempt of a change; may raise."""

    def pause(self, seconds: float) -> None:
        """Wait between two attempts."""

    def retry_until(self) -> float | None:
        """When the caller's own time is over, in seconds since 1970: no attempt is repeated after it."""


class NoCaller:
    """The caller of calls that belong to no operation of a run."""

    def __init__(self, clock: Clock) -> None:
        self.pause = clock.sleep

    def before_attempt(self, account: Account | None, region: str, call: str) -> None:
        """Nothing is asked."""

    def before_change(self) -> None:
        """Nothing is asked."""

    def retry_until(self) -> float | None:
        """There is no end but that of the budget."""
        return None


@dataclass(frozen=True)
class _Call:
    """One call of an operation, named as boto3 does (``start_instances``).

    Attributes:
        changes: it changes something.
        idempotent: doing it twice is doing it once, so it is repeated although an attempt got no answer.
    """

    service: str
    operation: str
    parameters: dict[str, Any]
    resource: str | None
    changes: bool
    idempotent: bool

    @property
    def action(self) -> str:
        """The IAM action."""
        return action_of(self.service, "".join(part.capitalize() for part in self.operation.split("_")))


class Aws:
    """Calls AWS in one region.

    What may pass (throttling, a connection that was refused; for reads also a lost answer and an error inside AWS) is repeated
    for RETRY_BUDGET_SECONDS, and never after the caller's own deadline, with a pause that doubles and is drawn at random
    ("full jitter"). Everything else is raised at once. So is an endpoint that cannot be reached in a region that botocore does
    not know, which is a typo more often than an outage.
    """

    def __init__(
        self,
        connection: Connection,
        clock: Clock,
        region: str | None = None,
        caller: Caller | None = None,
        retry_budget_seconds: float = RETRY_BUDGET_SECONDS,
        account: Account | None = None,
    ) -> None:
        """``account`` is the one in which ``connection`` has assumed a role."""
        self._retry_budget_seconds = retry_budget_seconds
        self._connection = connection
        self._clock = clock
        self._region = region or connection.region
        self._caller = caller or NoCaller(clock)
        self._account = account
        self._random = random.Random()
        self._ahead_seconds: float | None = None

    def now(self) -> float:
        """AWS's time in seconds since 1970, by the answers of this object's calls; the clock's own before the first of them."""
        return self._clock.now() + (self._ahead_seconds or 0.0)

    def answered_at(self, answer: Mapping[str, Any]) -> float:
        """When AWS gave this answer, by its time; now, where the dates of its answers cannot be used."""
        date = _date(answer)
        return self.now() if date is None or self._ahead_seconds is None else date

    @property
    def region(self) -> str:
        """The region that is called.

        Raises:
            NoRegion: neither the options, the environment nor the profile name one.
        """
        if not self._region:
            raise NoRegion
        return self._region

    @property
    def expires_at(self) -> float | None:
        """When the credentials end for good, in seconds since 1970, where that is known."""
        return self._connection.expires_at

    def in_region(self, region: str | None) -> Aws:
        """The same credentials in another region."""
        if not region or region == self._region:
            return self
        return Aws(self._connection, self._clock, region, self._caller, self._retry_budget_seconds, self._account)

    def at(self, account: Account | None, region: str | None, session_name: str = SESSION_NAME) -> Aws:
        """The same in an account and a region; the role of the account is assumed, where there is one, with the first call.

        An account without a role, and none, is that of the credentials. CloudTrail shows the name of the session.
        """
        if account is None or account.role_arn is None:
            return self.in_region(region)
        connection = self._connection.assume(account, session_name, self._clock.now)
        return Aws(connection, self._clock, region or self._region, self._caller, self._retry_budget_seconds, account)

    def without_retries(self) -> Aws:
        """The same with one attempt a call, for data that a run can do without: some networks have no route to every service."""
        return Aws(self._connection, self._clock, self._region, self._caller, 0.0, self._account)

    def called_by(self, caller: Caller) -> Aws:
        """The same for an operation that has a lease and a deadline."""
        return Aws(self._connection, self._clock, self._region, caller, self._retry_budget_seconds, self._account)

    def knows(self, service: Service[C], api_operation: str, parameter: str) -> bool:
        """Whether the installed botocore knows a parameter of an operation."""
        model = self._connection.client(service.name, self.region).meta.service_model.operation_model(api_operation)
        return parameter in model.input_shape.members

    def read(self, service: Service[C], resource: str | None = None) -> C:
        """The service's client for operations that change nothing; ``resource`` names in errors what a call is about.

        Its operations raise AwsError for what AWS refuses, NotReached where no answer came in time, and PatchFleetError for
        credentials that are missing or cannot be used.
        """
        return cast("C", _Operations(self, service.name, resource, changes=False, idempotent=False))

    def change(self, service: Service[C], resource: str | None = None, *, idempotent: bool = False) -> C:
        """The service's client for an operation that changes something.

        An operation raises AwsError only where AWS refused it, and Unanswered where an attempt was sent and got no answer. One
        that is ``idempotent`` is repeated then; if AWS refuses it later, the AwsError says so (``after_unanswered``).
        """
        return cast("C", _Operations(self, service.name, resource, changes=True, idempotent=idempotent))

    def signed_link(self, service: Service[C], operation: str, parameters: dict[str, Any], seconds: int) -> str:
        """A link that does one operation with these credentials until its time is over; nothing is called."""
        client = self._connection.client(service.name, self.region)
        return str(client.generate_presigned_url(operation, Params=parameters, ExpiresIn=seconds))

    def perform(self, call: _Call) -> dict[str, Any]:
        """The answer of a call; see ``read`` and ``change`` for what it raises."""
        deadline = self._deadline()
        pause, renewed = FIRST_PAUSE_SECONDS, False
        unanswered: Unanswered | None = None
        while True:
            self._caller.before_attempt(self._account, self.region, f"{call.service}.{call.operation}")
            if call.changes:
                self._caller.before_change()
            try:
                return self._attempt(call)
            except (AwsError, NotReached, Unanswered) as error:
                failed = error
            if isinstance(failed, AwsError) and failed.aws_code in EXPIRED and not renewed and self._connection.renew():
                renewed = True
                continue
            if isinstance(failed, Unanswered):
                unanswered = failed
            self._refuse_repetition(call, failed, unanswered, deadline)
            left = max(deadline - self._clock.now(), 0.0)
            self._caller.pause(min(self._random.uniform(pause / 2, pause), left))
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    def _compare_clocks(self, answer: dict[str, Any]) -> None:
        """An answer needs time to arrive, so that of several the greatest difference is the best."""
        answered = _date(answer)
        ahead = 0.0 if answered is None else answered - self._clock.now()
        if answered is not None and abs(ahead) <= LONGEST_SKEW_SECONDS:
            self._ahead_seconds = ahead if self._ahead_seconds is None else max(self._ahead_seconds, ahead)

    def _deadline(self) -> float:
        own, callers = self._clock.now() + self._retry_budget_seconds, self._caller.retry_until()
        return own if callers is None else min(own, callers)

    def _refuse_repetition(
        self, call: _Call, failed: AwsError | NotReached | Unanswered, unanswered: Unanswered | None, deadline: float
    ) -> None:
        """Raises what the call ends with, unless it may be repeated."""
        if isinstance(failed, AwsError):
            failed.after_unanswered = unanswered is not None
        if isinstance(failed, (AwsError, NotReached)) and not failed.is_retryable:
            raise failed
        if self._clock.now() >= deadline or (unanswered and not call.idempotent):
            raise unanswered or failed

    def _send(self, call: _Call) -> dict[str, Any]:
        client = self._connection.client(call.service, self.region)
        answer = dict(getattr(client, call.operation)(**call.parameters))
        self._compare_clocks(answer)
        return answer

    def _attempt(self, call: _Call) -> dict[str, Any]:
        """Raises AwsError, NotReached, Unanswered (of a change), or PatchFleetError for what no later attempt fixes."""
        try:
            return self._send(call)
        except botocore.exceptions.ClientError as failure:
            operation, answer = failure.operation_name, dict(failure.response)
            if operation == ASSUME_ROLE:  # botocore calls it before the call itself
                raise from_client_error("sts", operation, answer, None) from failure
            error = from_client_error(call.service, operation, answer, call.resource, self.region, self._account)
            if call.changes and error.may_be_done:
                raise Unanswered(error.action, call.resource, error.reason) from failure
            raise error from failure
        except NOT_SENT as failure:
            raise NotReached(str(failure), unknown_region(self.region)) from failure
        except NO_ANSWER as failure:
            if call.changes:
                raise Unanswered(call.action, call.resource, str(failure)) from failure
            raise NotReached(str(failure), unknown_region(self.region)) from failure
        except (botocore.exceptions.BotoCoreError, RuntimeError) as failure:
            raise _message(failure, f"{call.service} {call.operation}") from failure


class _Operations:
    """Stands in for a boto3 client: its operations go through ``Aws.perform``."""

    def __init__(self, aws: Aws, service: str, resource: str | None, *, changes: bool, idempotent: bool) -> None:
        self._aws, self._service, self._resource = aws, service, resource
        self._changes, self._idempotent = changes, idempotent

    def __getattr__(self, operation: str) -> Callable[..., dict[str, Any]]:
        return partial(self._perform, operation)

    def _perform(self, operation: str, **parameters: Any) -> dict[str, Any]:
        reads = operation.startswith(READING) or bool(parameters.get("DryRun"))
        if reads is self._changes:
            kind = "changes nothing" if reads else "changes something"
            raise TypeError(f"{self._service} {operation} {kind}: Aws.{'read' if reads else 'change'} calls it.")
        call = _Call(self._service, operation, parameters, self._resource, self._changes, self._idempotent)
        return self._aws.perform(call)


def _date(answer: Mapping[str, Any]) -> float | None:
    """When AWS gave an answer, by its header Date (RFC 9110), in seconds since 1970; None where there is none."""
    date = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    try:
        return parsedate_to_datetime(date).timestamp() if date else None
    except ValueError:
        return None


def pages(operation: Callable[..., P]) -> Iterator[P]:
    """All pages of an operation that answers with NextToken; ``operation`` is a partial with its parameters."""
    token: dict[str, str] = {}
    while True:
        page = operation(**token)
        yield page
        if not page.get("NextToken"):
            return
        token = {"NextToken": page["NextToken"]}


def _message(failure: Exception, call: str) -> PatchFleetError:
    """What botocore says before it has called AWS."""
    if isinstance(failure, (botocore.exceptions.NoCredentialsError, botocore.exceptions.PartialCredentialsError)):
        return Failed(NO_CREDENTIALS, Reason.NO_CREDENTIALS)
    if isinstance(failure, NOT_RENEWED):
        return Failed(credentials_not_renewed(str(failure)), Reason.CREDENTIALS_EXPIRED)
    return Failed(f"{call}: {failure}", Reason.AWS_CLIENT)


def unknown_region(region: str) -> str | None:
    """A sentence about a region that botocore does not know, None for the others: it may be too new, or mistyped."""
    known = known_regions()
    if region in known:
        return None
    nearest = difflib.get_close_matches(region, known, n=1, cutoff=0.0)[0]
    return f"botocore {botocore.__version__} knows no region {region!r}; did you mean {nearest}?"


NO_CREDENTIALS = (
    "No AWS credentials were found. Give them as environment variables (AWS_ACCESS_KEY_ID …), a profile (AWS_PROFILE or "
    "the option profile), an instance profile, or in AWX an AWS credential."
)

__all__ = ["Aws", "AwsError"]
