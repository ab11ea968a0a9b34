# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a controller of a crowd reaches DynamoDB: with pauses, lost requests and answers, throttling, conflicts and kills.

Sources: DynamoDB developer guide, "Error handling with DynamoDB", "Amazon DynamoDB transactions: how it works" (idempotency by the
client token for ten minutes, TransactionConflict).
"""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

from botocore.exceptions import ClientError, ConnectionClosedError

from chaos.night import REGION, Night
from chaos.outside import Killed
from chaos.turns import Turns
from chaos.wire import URL

KILLED, LOST_REQUEST, LOST_ANSWER, THROTTLED, BROKEN, CONFLICT = 0.004, 0.03, 0.04, 0.04, 0.02, 0.04
"""Of each request, one after the other; only transactions have conflicts."""
LONGEST_PAUSE_SECONDS = 3.0


class Faults:
    """What happens to requests; ``counts`` says how often. Transactions that were done are kept by their tokens."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.counts = Counter[str]()
        self.done: dict[str, Any] = {}

    def strikes(self, name: str, probability: float) -> bool:
        """Whether this one happens now."""
        happens = self.chance.random() < probability
        self.counts[name] += happens
        return happens


class Member:
    """A controller: its clock, which is up to half of what leases allow ahead or behind, and its connection."""

    region: str | None = REGION
    expires_at: float | None = None

    def __init__(self, night: Night, turns: Turns, faults: Faults, name: str, chance: random.Random) -> None:
        self.night = night
        self.name = name
        self._turns = turns
        self._faults = faults
        self._ahead_seconds = chance.choice((-140.0, 0.0, 140.0))

    def renew(self) -> bool:
        return False

    def client(self, service: str, region: str) -> Any:
        client = self.night.client(service, region)
        return _Client(self, self._faults, client) if service == "dynamodb" else client

    def now(self) -> float:
        return self.night.now() + self._ahead_seconds

    def sleep(self, seconds: float) -> None:
        self._turns.sleep(max(seconds, 0.0))

    def real_seconds(self, seconds: float) -> float:
        return seconds

    def pause(self) -> None:
        """Before and after whatever it does outside itself: others go on meanwhile, or it is killed."""
        self.sleep(self._faults.chance.uniform(0.0, LONGEST_PAUSE_SECONDS))
        if self._faults.chance.random() < KILLED:
            raise Killed


class _Client:
    """A boto3 client of DynamoDB."""

    def __init__(self, member: Member, faults: Faults, client: Any) -> None:
        self._member, self._faults, self._client = member, faults, client
        self.meta = client.meta

    def __getattr__(self, operation: str) -> Any:
        def call(**params: Any) -> Any:
            self._member.pause()
            self._refuse(operation)
            answer = self._done(operation, params)
            if self._faults.strikes("answers lost", LOST_ANSWER):
                raise ConnectionClosedError(endpoint_url=URL)
            self._member.pause()
            return answer

        return call

    def _refuse(self, operation: str) -> None:
        if self._faults.strikes("requests lost", LOST_REQUEST):
            raise ConnectionClosedError(endpoint_url=URL)
        if self._faults.strikes("requests throttled", THROTTLED):
            raise _error(operation, "ThrottlingException", 400)
        if self._faults.strikes("requests broken", BROKEN):
            raise _error(operation, "InternalServerError", 500)
        if operation == "transact_write_items" and self._faults.strikes("transactions in conflict", CONFLICT):
            raise _error(operation, "TransactionCanceledException", 400, [{"Code": "TransactionConflict"}])

    def _done(self, operation: str, params: dict[str, Any]) -> Any:
        """A transaction with a token that was done is not done again."""
        token = params.get("ClientRequestToken")
        if token in self._faults.done:
            return self._faults.done[token]
        answer = getattr(self._client, operation)(**params)
        if token:
            self._faults.done[token] = answer
        return answer


def _error(operation: str, code: str, status: int, reasons: list[dict[str, str]] | None = None) -> ClientError:
    answer: Any = {"Error": {"Code": code, "Message": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError({**answer, "CancellationReasons": reasons or []}, operation)
