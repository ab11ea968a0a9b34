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
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from .._aws.api import RETRY_BUDGET_SECONDS, Aws
from .._aws.errors import AwsError
from .._base.clock import Clock
from .._base.errors import InvalidOption, PatchFleetError

MOST_ITEMS = 100
"""In one transaction, and in one batch that is read."""
TRANSIENT_REASONS = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})
URL = re.compile(r"dynamodb://(?P<table>[A-Za-z0-9_.:/-]{3,255})(?:\?(?P<query>.*))?")
KEYS = {"pk": "HASH", "sk": "RANGE"}

Item = dict[str, Any]
Key = tuple[str, str]


class ConditionFailedError(Exception):
    """A conditional write whose condition did not hold: nothing was changed."""


@dataclass(frozen=True)
class TableUrl:
    """``dynamodb://TABLE`` or ``dynamodb://TABLE?region=REGION``; TABLE may be the ARN of a table in another account."""

    url: str
    table: str
    region: str | None


def parse_url(url: str) -> TableUrl:
    """Raises InvalidOption for what is none."""
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
    """Reads and writes items; values are str, int, float, bool, None (left out), dict and list (of such)."""

    def __init__(self, where: TableUrl, aws: Aws, clock: Clock) -> None:
        self.where = where
        self._aws = aws
        self._clock = clock
        self._random = random.Random()

    def account(self) -> str:
        """The AWS account of the credentials."""
        return str(self._aws.call("sts", "get_caller_identity")["Account"])

    def describe(self) -> dict[str, Any]:
        """Name, status and keys of the table."""
        description: dict[str, Any] = self._call("describe_table")["Table"]
        keys = {key["AttributeName"]: key["KeyType"] for key in description["KeySchema"]}
        if keys != KEYS:
            raise InvalidOption(
                "patch_ledger", self.where.url, "Its keys must be pk (S, HASH) and sk (S, RANGE); see docs/ledger.md."
            )
        return description

    def missing_items(self) -> list[str]:
        """What the ledger does not need and a team should have: expiry of old runs, and recovery after a mistake."""
        missing = []
        ttl = self._call("describe_time_to_live")["TimeToLiveDescription"]
        if ttl.get("AttributeName") != "expires_at":
            missing.append("time to live on the attribute expires_at (old runs stay for ever)")
        backups = self._call("describe_continuous_backups")["ContinuousBackupsDescription"]
        recovery = backups.get("PointInTimeRecoveryDescription", {})
        if recovery.get("PointInTimeRecoveryStatus") != "ENABLED":
            missing.append("point-in-time recovery")
        return missing

    # Reading

    def get(self, key: Key) -> Item | None:
        answer = self._call("get_item", Key=_key(key), ConsistentRead=True)
        return _decode_item(answer["Item"]) if answer.get("Item") else None

    def get_many(self, keys: Iterable[Key]) -> dict[Key, Item]:
        """The items that are there."""
        wanted = list(dict.fromkeys(keys))
        found: dict[Key, Item] = {}
        for start in range(0, len(wanted), MOST_ITEMS):
            asked: list[dict[str, Any]] = [_key(key) for key in wanted[start : start + MOST_ITEMS]]
            while asked:
                request = {self.where.table: {"Keys": asked, "ConsistentRead": True}}
                answer = self._aws_call("batch_get_item", RequestItems=request)
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
        start: dict[str, Any] = {}
        while True:
            answer = self._call(
                "query",
                KeyConditionExpression=condition,
                ExpressionAttributeValues=encode_item(values),
                ConsistentRead=True,
                **start,
            )
            yield from map(_decode_item, answer["Items"])
            if not answer.get("LastEvaluatedKey"):
                return
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    # Writing

    def update(self, change: dict[str, Any]) -> None:
        """One conditional update, as made by dynamodb_changes.update.

        Raises:
            ConditionFailedError: nothing was changed.
        """
        try:
            self._call("update_item", **change["Update"])
        except AwsError as error:
            if error.aws_code == "ConditionalCheckFailedException":
                raise ConditionFailedError from error
            raise

    def transact(self, changes: list[dict[str, Any]]) -> None:
        """All of these changes or none; a repeated attempt does nothing twice, by its token.

        Raises:
            ConditionFailedError: nothing was changed.
        """
        named = [{kind: {"TableName": self.where.table, **body}} for change in changes for kind, body in change.items()]
        deadline = self._clock.now() + RETRY_BUDGET_SECONDS
        while not self._transact_once(named, self._clock.now() >= deadline):
            self._pause()

    def _transact_once(self, named: list[dict[str, Any]], for_good: bool) -> bool:
        """Whether it was done; False when somebody else was at one of the items, unless that ends it for good."""
        try:
            self._aws_call("transact_write_items", TransactItems=named, ClientRequestToken=str(uuid.uuid4()))
        except AwsError as error:
            if "ConditionalCheckFailed" in error.reasons:
                raise ConditionFailedError from error
            if for_good or not TRANSIENT_REASONS & set(error.reasons):
                raise
            return False
        return True

    def _pause(self) -> None:
        self._clock.sleep(self._random.uniform(0.05, 0.5))

    def _call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        return self._aws_call(operation, TableName=self.where.table, **parameters)

    def _aws_call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        try:
            return self._aws.call("dynamodb", operation, self.where.table, **parameters)
        except AwsError as error:
            if error.aws_code == "ResourceNotFoundException":
                raise InvalidOption(
                    "patch_ledger",
                    self.where.url,
                    f"There is no DynamoDB table {self.where.table} in {self._aws.region} for these credentials. It is "
                    "not made by a run; docs/ledger.md has the command that makes it.",
                ) from error
            raise
        except PatchFleetError as error:
            if error.code == "no_region":
                raise InvalidOption(
                    "patch_ledger", self.where.url, "Say where the table is: dynamodb://TABLE?region=eu-central-1."
                ) from error
            raise


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
    return {"NULL": True} if value is None else {"S": str(value)}


def encode_item(item: Item) -> dict[str, Any]:
    """The same for each value of a mapping; None is left out."""
    return {name: encode(value) for name, value in item.items() if value is not None}


def _decode_item(item: dict[str, Any]) -> Item:
    return {name: _decode(value) for name, value in item.items()}


def _decode(value: dict[str, Any]) -> Any:
    ((kind, content),) = value.items()
    if kind == "N":
        return float(content) if set(content) & set(".eE") else int(content)
    if kind == "M":
        return _decode_item(content)
    return None if kind == "NULL" else content
