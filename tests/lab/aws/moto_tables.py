# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""DynamoDB: moto keeps the tables. The account has those that its controllers' ledgers may lie in, made when one first asks."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from werkzeug.exceptions import HTTPException

from lab.aws.arns import ACCOUNT_ID
from lab.scenario import Scenario

USUAL_TABLE = "PatchFleet-ledger"
"""What the stack of `setup_aws` calls it."""
LEDGER = re.compile(r"dynamodb://([A-Za-z0-9_.-]+)(?:\?region=([a-z0-9-]+))?")
TTL_ATTRIBUTE = "expires_at"
# DynamoDB deletes what has expired within a few days; most of it is gone much sooner.
EXPIRED_AFTER_SECONDS = 3600.0
# So often the lab looks for what has expired: at every request it would cost more than the request.
EXPIRY_POLL_SECONDS = 600.0
OPERATIONS = {
    "BatchGetItem",
    "DescribeContinuousBackups",
    "DescribeTable",
    "DescribeTimeToLive",
    "GetItem",
    "Query",
    "TransactWriteItems",
    "UpdateItem",
}
"""What the ledger calls; it makes no table."""
HANDLERS = {
    "BatchGetItem": "batch_get_item",
    "GetItem": "get_item",
    "Query": "query",
    "TransactWriteItems": "transact_write_items",
    "UpdateItem": "update_item",
}
"""Methods of moto's handler for the operations on items, whose results are JSON as they are."""


class MotoTables:
    """``PatchFleet-ledger`` in the account's region, and every table that the scenario names as ``patch_ledger``."""

    def __init__(self, scenario: Scenario) -> None:
        self._names = {(USUAL_TABLE, scenario.account.region), *named_tables(scenario)}
        self.used = False
        self._expired_at: datetime | None = None

    def make_ready(self) -> None:
        """Called before each request. moto keeps one state for the whole process, so a new lab empties it."""
        if self.used:
            return
        from moto.dynamodb.models import dynamodb_backends  # noqa: PLC0415 - slow, and few runs need it

        dynamodb_backends.reset()
        _forget_models()
        for name, region in sorted(self._names):
            backend: Any = dynamodb_backends[ACCOUNT_ID][region]
            keys = {"pk": "HASH", "sk": "RANGE"}
            backend.create_table(
                name,
                schema=[{"AttributeName": key, "KeyType": kind} for key, kind in keys.items()],
                throughput=None,
                attr=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
                global_indexes=None,
                indexes=None,
                streams=None,
                billing_mode="PAY_PER_REQUEST",
                sse_specification=None,
                tags=[],
                deletion_protection_enabled=True,
                warm_throughput=None,
            )
            backend.update_time_to_live(name, {"Enabled": True, "AttributeName": TTL_ATTRIBUTE})
            backend.update_continuous_backups(name, {"PointInTimeRecoveryEnabled": True})
        self.used = True

    def answer(self, operation: str, params: dict[str, Any], region: str) -> bytes | None:
        """The body of an operation on items, by moto's handler without its web server, which takes three quarters of the time.

        None where moto refuses the operation, or for another operation: ask the server. A refused one changed nothing.
        """
        from moto.core.exceptions import ServiceException  # noqa: PLC0415 - slow, and few runs need it
        from moto.dynamodb.responses import DynamoHandler  # noqa: PLC0415

        if operation not in HANDLERS:
            return None
        handler: Any = DynamoHandler()
        handler.params = handler.body = params
        handler.uri_match = {}
        handler.current_account, handler.region = ACCOUNT_ID, region
        try:
            result = getattr(handler, HANDLERS[operation])()
        except (HTTPException, ServiceException):
            return None
        return json.dumps(result.result).encode()

    def expire(self, now: datetime) -> None:
        """Items are gone some time after their time to live (DynamoDB developer guide, "Using time to live")."""
        if self._expired_at and (now - self._expired_at).total_seconds() < EXPIRY_POLL_SECONDS:
            return
        from moto.dynamodb.models import dynamodb_backends  # noqa: PLC0415

        self._expired_at = now
        _forget_models()
        limit = now.timestamp() - EXPIRED_AFTER_SECONDS
        for name, region in self._names:
            table = dynamodb_backends[ACCOUNT_ID][region].tables[name]
            for item in list(table.all_items()):
                attributes = _plain({"M": item.to_json()["Attributes"]})
                if float(attributes.get(TTL_ATTRIBUTE, "inf")) <= limit:
                    table.delete_item(item.hash_key, item.range_key)

    def records(self) -> list[dict[str, Any]]:
        """All power records, open and closed: instance_id, original_state, closed; oldest first."""
        found = [
            (float(power["recorded_at"]), {**power, "closed": closed})
            for item in self._items()
            for power, closed in [(item.get("power") or item, "closed_at" in item)]
            if "original_state" in power
        ]
        wanted = ("instance_id", "original_state", "closed")
        return [{name: record[name] for name in wanted} for _at, record in sorted(found, key=lambda pair: pair[0])]

    def is_recorded(self, instance_id: str) -> bool:
        """Whether there is an open record of that instance."""
        return any(record["instance_id"] == instance_id and not record["closed"] for record in self.records())

    def _items(self) -> Iterator[dict[str, Any]]:
        if not self.used:
            return
        from moto.dynamodb.models import dynamodb_backends  # noqa: PLC0415

        for name, region in self._names:
            for item in dynamodb_backends[ACCOUNT_ID][region].tables[name].all_items():
                yield _plain({"M": item.to_json()["Attributes"]})


def _forget_models() -> None:
    """moto lists every object of its models for its dashboard, which the lab does not have, and a reset of a backend keeps them.

    Among them are the items that each transaction copies. A process that played hundreds of labs grew to more than a GB by them.
    Source: moto, core/common_models.py and core/model_instances.py.
    """
    from moto.core.model_instances import reset_model_data  # noqa: PLC0415

    reset_model_data()


def named_tables(scenario: Scenario) -> list[tuple[str, str]]:
    """Name and region of each table that the scenario names as ``patch_ledger``."""
    texts = [
        str(variables.get("patch_ledger")) for variables in (scenario.vars, *(step.vars for step in scenario.steps))
    ]
    found = [match for text in texts if (match := LEDGER.fullmatch(text))]
    return [(match[1], match[2] or scenario.account.region) for match in found]


def _plain(value: dict[str, Any]) -> Any:
    """A value of DynamoDB's JSON without its types."""
    ((kind, content),) = value.items()
    return {key: _plain(part) for key, part in content.items()} if kind == "M" else content
