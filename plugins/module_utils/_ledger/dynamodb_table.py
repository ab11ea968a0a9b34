# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A DynamoDB table as the ledger uses it: strongly consistent reads, conditional writes, everything read to its last page.

Sources: DynamoDB API reference (TransactWriteItems: at most 100 items; BatchGetItem: at most 100 keys, the rest comes back as
UnprocessedKeys; Query: pages of 1 MB), developer guide "Managing complex workflows with transactions".
"""

from __future__ import annotations

import random
import re
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qs

from .._aws import dynamodb
from .._aws.api import Aws, NoCaller
from .._aws.errors import AwsError, NoRegion
from .._aws.iam import caller_account
from .._base.clock import Clock
from .._base.errors import Failed, InvalidOption
from .._model.reasons import Reason

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import TableDescriptionTypeDef, TransactWriteItemTypeDef

TOKEN_SECONDS = 540.0
"""The time for which a transaction is retried: DynamoDB knows its token for ten minutes, and the last attempt may take one more."""
MOST_ITEMS = 100
"""In one transaction, and in one batch that is read."""
TRANSIENT_REASONS = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})
URL = re.compile(r"dynamodb://(?P<table>[A-Za-z0-9_.:/-]{3,255})(?:\?(?P<query>.*))?")
KEYS = {"pk": "HASH", "sk": "RANGE"}
USABLE = frozenset({"ACTIVE", "UPDATING"})
STATUSES = {
    "CREATING": "DynamoDB is still creating it. Wait a minute and run again.",
    "DELETING": "DynamoDB is deleting it. Find out who removes it; a deleted table comes back with point-in-time recovery.",
    "INACCESSIBLE_ENCRYPTION_CREDENTIALS": "DynamoDB cannot use the KMS key of the table. Enable the key and its grants again.",
}

R = TypeVar("R")
Item = dict[str, Any]
Key = tuple[str, str]


class ConditionFailedError(Exception):
    """A conditional write whose condition did not hold: nothing was changed by this attempt.

    An earlier attempt of the same write may have been done and its answer lost; then the writer finds its own state.
    ``failed`` are the positions of the changes whose condition did not hold.
    """

    def __init__(self, failed: Collection[int] = ()) -> None:
        super().__init__("a condition did not hold")
        self.failed = frozenset(failed)


class _UntilTokenExpires(NoCaller):
    """Ends the repetition of a transaction while its token still counts; its conditions hold the fencing numbers."""

    def __init__(self, clock: Clock, deadline: float) -> None:
        super().__init__(clock)
        self._deadline = deadline

    def retry_until(self) -> float:
        return self._deadline


@dataclass(frozen=True)
class TableUrl:
    """``dynamodb://TABLE`` or ``dynamodb://TABLE?region=REGION``; TABLE may be the ARN of a table in another account."""

    url: str
    table: str
    region: str | None


def parse_url(url: str) -> TableUrl:
    """The parts of a URL; InvalidOption where it is not valid."""
    found = URL.fullmatch(url)
    query = parse_qs(found["query"] or "", keep_blank_values=True) if found else {}
    if found is None or set(query) - {"region"}:
        raise InvalidOption(
            "patch_ledger",
            url,
            "It must be the path of an SQLite file, e.g. /var/lib/patchfleet/ledger.sqlite, or a DynamoDB table: "
            "dynamodb://TABLE or dynamodb://TABLE?region=eu-central-1.",
        )
    table = found["table"]
    region = query.get("region", [None])[-1] or (table.split(":")[3] if table.startswith("arn:") else None)
    return TableUrl(url, table, region)


class Table:
    """Reads and writes items; values are str, int, float, bool, None (left out), dict (of such) and set of str."""

    def __init__(self, where: TableUrl, aws: Aws, clock: Clock) -> None:
        self.where = where
        self._aws = aws
        self._clock = clock
        self._random = random.Random()

    def account(self) -> str:
        """The AWS account of the credentials."""
        return caller_account(self._aws)

    def describe(self) -> TableDescriptionTypeDef:
        """Name, status and keys of the table.

        Raises:
            InvalidOption: it cannot be used at present, or its keys are others.
        """
        description = self._ask(dynamodb.describe_table)
        if description["TableStatus"] not in USABLE:
            raise InvalidOption("patch_ledger", self.where.url, _status_sentence(description["TableStatus"]))
        keys = {key["AttributeName"]: key["KeyType"] for key in description["KeySchema"]}
        types = {key["AttributeName"]: key["AttributeType"] for key in description["AttributeDefinitions"]}
        if keys != KEYS or any(types.get(name) != "S" for name in KEYS):
            raise InvalidOption(
                "patch_ledger", self.where.url, "Its keys must be pk (S, HASH) and sk (S, RANGE); see docs/ledger.md."
            )
        return description

    def missing_items(self, description: TableDescriptionTypeDef) -> list[str]:
        """What the ledger does not need and a team should have: expiry of old runs, and protection against a mistake."""
        missing = []
        if not description.get("DeletionProtectionEnabled"):
            missing.append("deletion protection")
        ttl = self._ask(dynamodb.time_to_live)
        if ttl.get("AttributeName") != "expires_at":
            missing.append("time to live on the attribute expires_at (old runs stay for ever)")
        recovery = self._ask(dynamodb.continuous_backups).get("PointInTimeRecoveryDescription", {})
        if recovery.get("PointInTimeRecoveryStatus") != "ENABLED":
            missing.append("point-in-time recovery")
        return missing

    # Reading

    def get(self, key: Key) -> Item | None:
        item = self._ask(partial(dynamodb.get_item, key=_key(key)))
        return _decode_item(item) if item else None

    def get_many(self, keys: Iterable[Key]) -> dict[Key, Item]:
        """The items that are there."""
        wanted = list(dict.fromkeys(keys))
        found: dict[Key, Item] = {}
        for start in range(0, len(wanted), MOST_ITEMS):
            asked: Sequence[Mapping[str, Any]] = [_key(key) for key in wanted[start : start + MOST_ITEMS]]
            while asked:
                answer = self._ask(partial(dynamodb.batch_get_items, keys=asked))
                for items in answer.get("Responses", {}).values():
                    found.update({(item["pk"], item["sk"]): item for item in map(_decode_item, items)})
                asked = [key for left in answer.get("UnprocessedKeys", {}).values() for key in left["Keys"]]
                if asked:
                    self._pause()
        return found

    def query(self, pk: str, begins: str = "") -> Iterator[Item]:
        """All items of a partition whose sort keys begin so, in their order."""
        condition, values = "pk = :pk", {":pk": pk}
        if begins:
            condition, values = f"{condition} AND begins_with(sk, :begins)", {**values, ":begins": begins}
        encoded, start = encode_item(values), None
        while True:
            page = self._ask(partial(dynamodb.query_page, condition=condition, values=encoded, start=start))
            yield from map(_decode_item, page["Items"])
            start = page.get("LastEvaluatedKey")
            if not start:
                return

    # Writing

    def update(self, change: dict[str, Any]) -> Item:
        """One conditional update, as made by dynamodb_changes.update; the item as it is then.

        Raises:
            ConditionFailedError: nothing was changed.
        """
        try:
            return _decode_item(self._ask(partial(dynamodb.update_item, change=change["Update"])))
        except AwsError as error:
            if error.aws_code == "ConditionalCheckFailedException":
                raise ConditionFailedError from error
            raise

    def transact(self, changes: list[dict[str, Any]]) -> None:
        """All of these changes or none; a repeated attempt does nothing twice, by its token.

        An attempt that was cancelled has ended, so the next one gets a new token. Where an attempt got no answer it may have been
        done, so the token stays, whatever later attempts answer.

        Raises:
            ConditionFailedError: nothing was changed, unless an attempt without an answer was done.
        """
        named: list[TransactWriteItemTypeDef] = [
            {kind: {"TableName": self.where.table, **body}}  # type: ignore[misc]  # dynamodb_changes makes no other kinds
            for change in changes
            for kind, body in change.items()
        ]
        deadline = self._clock.now() + TOKEN_SECONDS
        token, unanswered = str(uuid.uuid4()), False
        while True:
            try:
                self._transact_once(named, token, deadline)
            except AwsError as error:
                if self._clock.now() >= deadline or not TRANSIENT_REASONS & set(error.reasons):
                    raise
                unanswered = unanswered or error.after_unanswered
            else:
                return
            if not unanswered:
                token = str(uuid.uuid4())
            self._pause()

    def _transact_once(self, named: list[TransactWriteItemTypeDef], token: str, deadline: float) -> None:
        def transact(aws: Aws, table: str) -> None:
            caller = _UntilTokenExpires(self._clock, deadline)
            dynamodb.transact_write_items(aws.called_by(caller), table, changes=named, token=token)

        try:
            self._ask(transact)
        except AwsError as error:
            failed = [index for index, reason in enumerate(error.reasons) if reason == "ConditionalCheckFailed"]
            if failed:
                raise ConditionFailedError(failed) from error
            raise

    def repeat(self, attempt: Callable[[], R | None], what: str) -> R:
        """What the first attempt returns that is not None; there is a pause after each of the others.

        Raises:
            Failed: ``ledger_failed``, when none came to an end in TOKEN_SECONDS.
        """
        deadline, longest_pause_seconds = self._clock.now() + TOKEN_SECONDS, 0.5
        while (result := attempt()) is None:
            if self._clock.now() >= deadline:
                raise Failed(
                    f"The ledger {self.where.url} did not take a change for {TOKEN_SECONDS / 60:.0f} minutes: {what}.",
                    Reason.LEDGER_FAILED,
                )
            self._pause(longest_pause_seconds)
            longest_pause_seconds = min(2 * longest_pause_seconds, 30.0)
        return result

    def _pause(self, seconds: float = 0.5) -> None:
        self._clock.sleep(self._random.uniform(seconds / 10, seconds))

    def _ask(self, operation: Callable[[Aws, str], R]) -> R:
        """What an operation on the table answers; a missing table is an invalid option."""
        try:
            return operation(self._aws, self.where.table)
        except AwsError as error:
            if error.aws_code == "ResourceNotFoundException":
                raise InvalidOption(
                    "patch_ledger",
                    self.where.url,
                    f"There is no DynamoDB table {self.where.table} in {self._aws.region} for these credentials. It is "
                    "not made by a run; docs/ledger.md has the command that makes it.",
                ) from error
            raise
        except NoRegion as error:
            raise InvalidOption(
                "patch_ledger", self.where.url, "Say where the table is: dynamodb://TABLE?region=eu-central-1."
            ) from error


def _status_sentence(status: str) -> str:
    return STATUSES.get(status, f"DynamoDB says that its status is {status}, so it cannot be used.")


def _key(key: Key) -> dict[str, Any]:
    return {"pk": {"S": key[0]}, "sk": {"S": key[1]}}


def encode(value: Any) -> dict[str, Any]:
    """A value as DynamoDB's API wants it."""
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, (int, float)):
        return {"N": repr(value)}
    if isinstance(value, dict):
        return {"M": encode_item(value)}
    if isinstance(value, set):
        return {"SS": sorted(value)}
    return {"NULL": True} if value is None else {"S": str(value)}


def encode_item(item: Item) -> dict[str, Any]:
    """The same for each value of a mapping; None is left out."""
    return {name: encode(value) for name, value in item.items() if value is not None}


def _decode_item(item: Mapping[str, Any]) -> Item:
    return {name: _decode(value) for name, value in item.items()}


def _decode(value: Mapping[str, Any]) -> Any:
    ((kind, content),) = value.items()
    if kind == "N":
        return float(content) if set(content) & set(".eE") else int(content)
    if kind == "M":
        return _decode_item(content)
    return None if kind == "NULL" else content
