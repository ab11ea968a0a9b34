# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Transactions that were done although their answer was lost, and whose repetition is cancelled; and items that are missing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import botocore.exceptions
import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._aws.api import Aws
from ansible_collections.patchfleet.windows.plugins.module_utils._aws.connect import OptionsConnection
from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import PatchFleetError
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.dynamodb import DynamoDbLedger
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.dynamodb_table import (
    TOKEN_SECONDS,
    Table,
    parse_url,
)
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.records import (
    LEASE_SECONDS,
    Leased,
    PowerRecord,
    Verdict,
)

from . import dynamodb_server
from .fakes import ID, START, VirtualClock, client_error
from .stage import RUN, a_host, a_run

FOUND = PowerRecord(ID, ID, "eu-central-1", "dev-01", "stopped", START, RUN)
HOSTS = [a_host("i-1"), a_host("i-2", position=1)]


class Line:
    """The line to DynamoDB: what becomes of the next transactions, and whether DynamoDB still knows their tokens.

    ``coming``: "done"; "lost" (done, without an answer); "unanswered" (not done); "conflict" (cancelled); or a function
    that is called before the transaction.
    """

    def __init__(self, tokens_known: bool) -> None:
        self.coming: list[str | Callable[[], object]] = []
        self.tokens: list[str] = []
        self._known = set[str]()
        self._tokens_known = tokens_known
        self._real = OptionsConnection(dynamodb_server.options())
        self.region: str | None = dynamodb_server.REGION
        self.expires_at: float | None = None

    def renew(self) -> bool:
        return False

    def client(self, service: str, region: str) -> Any:
        client = self._real.client(service, region)
        return _Client(self, client) if service == "dynamodb" else client

    def transact(self, client: Any, parameters: dict[str, Any]) -> dict[str, Any]:
        what = self.coming.pop(0) if self.coming else "done"
        token = parameters["ClientRequestToken"]
        self.tokens.append(token)
        if what == "conflict":
            raise cancelled("TransactionConflict")
        if callable(what):
            what()
        if what == "unanswered":
            raise botocore.exceptions.ReadTimeoutError(endpoint_url="https://dynamodb")
        if not (self._tokens_known and token in self._known):
            client.transact_write_items(**parameters)
        self._known.add(token)
        if what == "lost":
            raise botocore.exceptions.ReadTimeoutError(endpoint_url="https://dynamodb")
        return {}


class _Client:
    def __init__(self, line: Line, client: Any) -> None:
        self._line, self._client = line, client

    def __getattr__(self, operation: str) -> Any:
        if operation == "transact_write_items":
            return lambda **parameters: self._line.transact(self._client, parameters)
        return getattr(self._client, operation)


def cancelled(code: str) -> Exception:
    error = client_error("TransactionCanceledException")
    error.response["CancellationReasons"] = [{"Code": code}]
    return error


@pytest.fixture(params=[True, False], ids=["token known", "token forgotten"])
def line(request: pytest.FixtureRequest) -> Line:
    return Line(request.param)


@pytest.fixture
def table() -> str:
    return dynamodb_server.new_table()


@pytest.fixture
def ledger(table: str, line: Line, clock: VirtualClock) -> DynamoDbLedger:
    where = parse_url(f"dynamodb://{table}?region={dynamodb_server.REGION}")
    return DynamoDbLedger(Table(where, Aws(line, clock, dynamodb_server.REGION), clock))


def lose(table: str, pk: str, sk: str) -> None:
    """An item of the table is gone."""
    dynamodb_server.client().delete_item(TableName=table, Key={"pk": {"S": pk}, "sk": {"S": sk}})


@pytest.mark.parametrize("before", [[], ["done"]], ids=["the run", "its hosts"])
def test_a_run_whose_opening_got_no_answer_is_opened_once(
    ledger: DynamoDbLedger, line: Line, before: list[str]
) -> None:
    line.coming = [*before, "lost", "conflict"]
    assert ledger.open_run(a_run(), HOSTS, take_over=False) == Leased({"i-1": 1, "i-2": 1}, {})
    assert ledger.fences(RUN) == {"i-1": 1, "i-2": 1}
    assert ledger.outcome_counts(RUN) == {None: 2}


def test_a_run_of_the_same_id_is_refused(ledger: DynamoDbLedger) -> None:
    ledger.open_run(a_run(), HOSTS, take_over=False)
    other = a_run()
    object.__setattr__(other, "snapshot_id", "22222222-2222-4333-8444-555555555555")
    with pytest.raises(PatchFleetError, match=f"has a run {RUN} already"):
        ledger.open_run(other, HOSTS, take_over=False)


def test_a_take_over_that_got_no_answer_is_the_callers(ledger: DynamoDbLedger, line: Line) -> None:
    ledger.open_run(a_run(), HOSTS, take_over=False)
    line.coming = ["lost", "conflict"]
    taken = ledger.take_over(RUN, ["i-1"], START + LEASE_SECONDS, force=False)
    assert taken == Leased({"i-1": 2}, {})
    assert ledger.fence(RUN, "i-1") == 2


def test_a_rival_for_the_same_run_is_not_taken_for_oneself(ledger: DynamoDbLedger, line: Line, table: str) -> None:
    """Both would write the same run and the same number in the same moment."""
    ledger.open_run(a_run(), HOSTS, take_over=False)
    rival = dynamodb_server.ledger(table)
    now = START + LEASE_SECONDS
    line.coming = [lambda: rival.take_over(RUN, ["i-1"], now, force=False)]
    assert ledger.take_over(RUN, ["i-1"], now, force=False) == Leased({}, {"i-1": RUN})
    line.coming = [lambda: rival.take_over(RUN, ["i-2"], now, force=True)]
    assert ledger.take_over(RUN, ["i-2"], now, force=True) == Leased({"i-2": 3}, {})


def test_an_outcome_that_got_no_answer_is_the_callers_and_counts_once(ledger: DynamoDbLedger, line: Line) -> None:
    ledger.open_run(a_run(), HOSTS, take_over=False)
    line.coming = ["lost", "conflict"]
    assert ledger.set_outcome(RUN, "i-1", Verdict("failed"))
    assert ledger.outcome_counts(RUN) == {None: 1, "failed": 1}
    assert not ledger.set_outcome(RUN, "i-1", Verdict("failed"))


def test_a_power_record_that_got_no_answer_is_the_callers(ledger: DynamoDbLedger, line: Line) -> None:
    line.coming = ["lost", "conflict"]
    assert ledger.record_power(FOUND) == FOUND
    line.coming = ["lost", "conflict"]
    ledger.close_power(ID, "restored", START)
    assert ledger.open_power() == []


def test_a_token_stays_until_its_end_is_known(ledger: DynamoDbLedger, line: Line) -> None:
    """An attempt that was cancelled has ended; one that got no answer may have been done."""
    ledger.open_run(a_run(), [a_host(FOUND.host_key)], take_over=False)
    line.tokens.clear()
    line.coming = ["conflict", "lost", "conflict", "conflict"]
    ledger.record_power(FOUND)
    first, *rest = line.tokens
    assert len(rest) in {3, 4}
    assert first not in rest
    assert len(set(rest)) == 1


def test_no_transaction_is_repeated_after_its_token_has_expired(
    ledger: DynamoDbLedger, line: Line, clock: VirtualClock
) -> None:
    """Ten minutes after the first attempt DynamoDB would do it once more."""
    line.coming = ["unanswered"] * 10_000
    with pytest.raises(PatchFleetError):
        ledger.record_power(FOUND)
    assert clock.passed <= TOKEN_SECONDS


# What is missing ends nothing for ever


def test_an_outcome_stands_although_the_item_of_the_run_is_gone(ledger: DynamoDbLedger, table: str) -> None:
    ledger.open_run(a_run(), HOSTS, take_over=False)
    lose(table, f"RUN#{RUN}", "RUN")
    assert ledger.set_outcome(RUN, "i-1", Verdict("failed"))
    assert ledger.host(RUN, "i-1").outcome == "failed"


def test_hosts_of_a_run_whose_item_is_gone_are_not_leased(ledger: DynamoDbLedger, line: Line, table: str) -> None:
    line.coming = ["done", lambda: lose(table, f"RUN#{RUN}", "RUN")]
    with pytest.raises(PatchFleetError, match=f"knows no run '{RUN}'"):
        ledger.open_run(a_run(), HOSTS, take_over=False)


def test_a_power_record_that_cannot_be_read_ends_the_wait(
    ledger: DynamoDbLedger, table: str, clock: VirtualClock
) -> None:
    ledger.record_power(FOUND)
    key = {"pk": {"S": f"HOST#{dynamodb_server.ACCOUNT}#eu-central-1#{ID}"}, "sk": {"S": "HOST"}}
    dynamodb_server.client().put_item(TableName=table, Item={**key, "power": {"M": {}}})
    with pytest.raises(PatchFleetError, match=r"did not take a change for 9 minutes: the power record of") as caught:
        ledger.record_power(FOUND)
    assert caught.value.code == "ledger_failed"
    assert TOKEN_SECONDS <= clock.passed < 2 * TOKEN_SECONDS
