# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What only the table has: its URL, what is said of one that does not fit, many accounts, and large runs."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._aws import dynamodb
from ansible_collections.patchfleet.windows.plugins.module_utils._aws.api import Aws
from ansible_collections.patchfleet.windows.plugins.module_utils._aws.errors import AwsError
from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import Failed, InvalidOption
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger import open_ledger
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.dynamodb import DynamoDbLedger
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.dynamodb_items import (
    KEPT_DAYS,
    SCHEMA_VERSION,
)
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.dynamodb_table import Table, parse_url
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.records import PowerRecord, Verdict

from . import dynamodb_server
from .fakes import ID, START, FakeAccount, VirtualClock, client_error
from .stage import RUN, a_host, a_run

FOUND = PowerRecord(ID, ID, "eu-central-1", "dev-01", "stopped", START, RUN)


def items(table: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = dynamodb_server.client().scan(TableName=table)["Items"]
    return found


def test_a_url_names_the_table_and_its_region() -> None:
    assert (parse_url("dynamodb://t-1").table, parse_url("dynamodb://t-1").region) == ("t-1", None)
    assert parse_url("dynamodb://t-1?region=eu-west-1").region == "eu-west-1"
    arn = "arn:aws:dynamodb:eu-north-1:123456789012:table/t-1"
    assert (parse_url(f"dynamodb://{arn}").table, parse_url(f"dynamodb://{arn}").region) == (arn, "eu-north-1")


@pytest.mark.parametrize(
    "url", ["dynamodb://", "dynamodb://t", "dynamodb://table?zone=a", "dynamodb://ta ble", "s3://x"]
)
def test_a_url_that_is_none_is_refused_with_what_would_be_right(url: str) -> None:
    with pytest.raises(InvalidOption, match=r"dynamodb://TABLE\?region="):
        open_ledger(url)


def test_the_region_of_a_host_is_not_that_of_the_table() -> None:
    """The option region of a step says where its host lives."""
    table = dynamodb_server.new_table()
    options = {**dynamodb_server.options(), "region": "ap-south-1"}
    ledger = open_ledger(f"dynamodb://{table}?region={dynamodb_server.REGION}", options)
    ledger.open_run(a_run(), [a_host()], take_over=False)
    assert len(items(table)) == 5


def test_a_table_without_a_region_is_reported_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    with pytest.raises(InvalidOption, match="Say where the table is"):
        open_ledger("dynamodb://table", dynamodb_server.options()).check()


def test_a_table_that_is_missing_is_not_made() -> None:
    ledger = dynamodb_server.ledger("nobody-made-it")
    with pytest.raises(InvalidOption, match=r"no DynamoDB table nobody-made-it in eu-central-1 .* not made by a run"):
        ledger.check()
    assert "nobody-made-it" not in dynamodb_server.client().list_tables()["TableNames"]


def test_a_table_with_other_keys_is_refused() -> None:
    table = dynamodb_server.new_table(
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )
    with pytest.raises(InvalidOption, match=r"keys must be pk \(S, HASH\) and sk \(S, RANGE\)"):
        dynamodb_server.ledger(table).check()


def described(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> DynamoDbLedger:
    """A ledger whose table DescribeTable shows with these changes."""
    describe = dynamodb.describe_table
    monkeypatch.setattr(dynamodb, "describe_table", lambda aws, table: {**describe(aws, table), **changes})
    return dynamodb_server.ledger(dynamodb_server.new_table())


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("CREATING", "still creating it"),
        ("DELETING", "is deleting it"),
        ("INACCESSIBLE_ENCRYPTION_CREDENTIALS", "KMS key"),
        ("ARCHIVED", "its status is ARCHIVED"),
    ],
)
def test_a_table_that_cannot_be_used_yet_or_any_more_is_refused_by_its_status(
    monkeypatch: pytest.MonkeyPatch, status: str, words: str
) -> None:
    with pytest.raises(InvalidOption, match=words):
        described(monkeypatch, TableStatus=status).check()


def test_keys_of_another_type_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    types = [{"AttributeName": "pk", "AttributeType": "S"}, {"AttributeName": "sk", "AttributeType": "N"}]
    with pytest.raises(InvalidOption, match=r"sk \(S, RANGE\)"):
        described(monkeypatch, AttributeDefinitions=types).check()


def test_a_global_table_is_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each region judges conditions by itself, and the last writer wins."""
    warnings = described(monkeypatch, Replicas=[{"RegionName": "eu-west-1"}]).check()
    assert any("Name the same region on every controller" in warning for warning in warnings)


@pytest.mark.parametrize("code", ["AccessDeniedException", "UnknownOperationException", "LimitExceededException"])
def test_what_is_only_good_to_know_ends_no_run(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    def refused(_aws: object, _table: str) -> None:
        raise AwsError("dynamodb:DescribeTimeToLive", code, "no")

    monkeypatch.setattr(dynamodb, "time_to_live", refused)
    assert dynamodb_server.ledger(dynamodb_server.new_table()).check() == []


def test_what_a_team_should_have_is_a_warning() -> None:
    table = dynamodb_server.new_table()
    (warning,) = dynamodb_server.ledger(table).check()
    assert "expires_at" in warning
    assert "point-in-time recovery" in warning
    assert "deletion protection" in warning
    client = dynamodb_server.client()
    client.update_time_to_live(
        TableName=table, TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires_at"}
    )
    client.update_continuous_backups(
        TableName=table, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )
    (warning,) = dynamodb_server.ledger(table).check()
    assert warning == "The table of patch_ledger lacks deletion protection; see docs/ledger.md."
    client.update_table(TableName=table, DeletionProtectionEnabled=True)
    assert dynamodb_server.ledger(table).check() == []


def test_of_two_hosts_of_a_wave_that_ask_at_once_one_says_when_it_began(monkeypatch: pytest.MonkeyPatch) -> None:
    table = dynamodb_server.new_table()
    ledger, rival = dynamodb_server.ledger(table), dynamodb_server.ledger(table)
    ledger.open_run(a_run(), [a_host()], take_over=False)
    update, rivals = Table.update, iter([rival])

    def rival_first(self: Table, change: dict[str, Any]) -> None:
        for one in rivals:
            one.begin_wave(RUN, 2, START)
        update(self, change)

    monkeypatch.setattr(Table, "update", rival_first)
    assert ledger.begin_wave(RUN, 2, START + 60) == START
    assert rival.run(RUN).settings["waves_began_at"] == {"2": START}


def test_a_table_of_a_newer_version_is_refused() -> None:
    table = dynamodb_server.new_table()
    newer = {"pk": {"S": "LEDGER"}, "sk": {"S": "SCHEMA"}, "version": {"N": str(SCHEMA_VERSION + 1)}}
    dynamodb_server.client().put_item(TableName=table, Item=newer)
    with pytest.raises(InvalidOption, match="written by a newer version of this collection"):
        dynamodb_server.ledger(table).check()


def test_accounts_share_a_table_and_see_what_is_theirs() -> None:
    table = dynamodb_server.new_table()
    ours, theirs = dynamodb_server.ledger(table), dynamodb_server.ledger(table)
    theirs.__dict__["_known_account"] = "210987654321"
    ours.open_run(a_run(), [a_host()], take_over=False)
    assert theirs.open_run(a_run("theirs"), [a_host(run_id="theirs")], take_over=False).held == {}
    theirs.record_power(FOUND)
    assert (ours.open_power(), len(theirs.open_power())) == ([], 1)
    assert [run.run_id for run in ours.runs()] == [RUN]


@pytest.mark.parametrize(("settings", "days"), [({}, KEPT_DAYS), ({"history_days": 30}, 30)])
def test_what_is_over_expires_and_what_is_open_does_not(settings: dict[str, Any], days: int) -> None:
    table = dynamodb_server.new_table()
    ledger = dynamodb_server.ledger(table)
    ledger.open_run(a_run(**settings), [a_host()], take_over=False)
    ledger.record_power(FOUND)
    expiring = {item["pk"]["S"].partition("#")[0] for item in items(table) if "expires_at" in item}
    assert expiring == {"RUNS"}, "the row of a host with an open record stays, too"
    assert not any("expires_at" in item for item in items(table) if item["sk"]["S"] in {"RUN", "HOST"})
    ledger.close_power(ID, "restored", START)
    ledger.close_run(RUN, START)
    (run,) = [item for item in items(table) if item["sk"]["S"] == "RUN"]
    assert run["expires_at"] == {"N": str(int(START + days * 86400))}
    (row,) = [item for item in items(table) if item["sk"]["S"] == f"HOST#{ID}"]
    assert row["expires_at"] == run["expires_at"]
    assert any(item["sk"]["S"].startswith("CLOSED#") and "expires_at" in item for item in items(table))


LATER = "20261115T220000Z-0002"


def expiring(table: str) -> set[tuple[str, str]]:
    """Runs and rows that expire."""
    keys = [(item["pk"]["S"], item["sk"]["S"]) for item in items(table) if "expires_at" in item]
    return {key for key in keys if key[0].startswith("RUN#")}


def test_a_run_and_its_row_stay_as_long_as_a_record_of_theirs_is_open() -> None:
    """A host that is kept on on purpose (patch_keep_tag) may be put back after more than 400 days."""
    table = dynamodb_server.new_table()
    ledger = dynamodb_server.ledger(table)
    ledger.open_run(a_run(), [a_host(), a_host("i-9", position=1)], take_over=False)
    ledger.record_power(FOUND)
    ledger.close_run(RUN, START)
    assert expiring(table) == {(f"RUN#{RUN}", "HOST#i-9")}
    dynamodb_server.ledger(table).close_power(ID, "restored", START)
    assert expiring(table) == {(f"RUN#{RUN}", "HOST#i-9"), (f"RUN#{RUN}", f"HOST#{ID}"), (f"RUN#{RUN}", "RUN")}


def test_a_run_that_took_an_open_record_over_stays_with_it() -> None:
    table = dynamodb_server.new_table()
    ledger = dynamodb_server.ledger(table)
    ledger.open_run(a_run(), [a_host()], take_over=False)
    ledger.record_power(FOUND)
    ledger.close_run(RUN, START)
    ledger.open_run(a_run(LATER), [a_host(run_id=LATER)], take_over=False)
    ledger.close_run(LATER, START)
    assert expiring(table) == set()
    ledger.close_power(ID, "restored", START)
    assert {sk for _pk, sk in expiring(table)} == {"RUN", f"HOST#{ID}"}
    assert len(expiring(table)) == 4


def test_a_large_run_takes_few_calls_to_open_and_none_of_its_hosts_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = dynamodb_server.ledger(dynamodb_server.new_table())
    calls: list[str] = []
    perform = Aws.perform

    def counted(self: Aws, call: Any) -> dict[str, Any]:
        calls.append(call.operation)
        return perform(self, call)

    monkeypatch.setattr(Aws, "perform", counted)
    hosts = [a_host(f"i-{number:04}", position=number, facts={"note": "x" * 10_000}) for number in range(120)]
    assert ledger.open_run(a_run(), hosts, take_over=False).held == {}
    assert len(calls) <= 2 + 4 * 4, "two batches of reads and one transaction for each 33 hosts"
    calls.clear()
    assert [host.key for host in ledger.hosts(RUN)] == [host.key for host in hosts]
    assert len(calls) >= 2, "more than one page of 1 MB"
    assert len(ledger.fences(RUN)) == 120
    ledger.set_outcome(RUN, "i-0119", Verdict("patched"))
    assert ledger.outcome_counts(RUN) == {None: 119, "patched": 1}


def test_a_run_whose_controller_dies_while_it_opens_it_counts_the_hosts_that_it_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ledger = dynamodb_server.ledger(dynamodb_server.new_table())
    transactions = iter(["run", "hosts"])
    transact = Table.transact

    def dying(self: Table, changes: list[dict[str, Any]]) -> None:
        assert next(transactions, None), "it dies"
        transact(self, changes)

    monkeypatch.setattr(Table, "transact", dying)
    with pytest.raises(AssertionError, match="it dies"):
        ledger.open_run(a_run(), [a_host(f"i-{number:04}", position=number) for number in range(50)], take_over=False)
    assert ledger.outcome_counts(RUN) == {None: len(ledger.hosts(RUN))} == {None: 33}


def test_a_run_that_a_restore_closed_while_it_was_opened_leases_no_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its controller stood still between the two transactions."""
    ledger = dynamodb_server.ledger(dynamodb_server.new_table())
    transact = Table.transact

    def close_then(self: Table, changes: list[dict[str, Any]]) -> None:
        transact(self, changes)
        ledger.close_run(RUN, START)

    monkeypatch.setattr(Table, "transact", close_then)
    with pytest.raises(Failed) as caught:
        ledger.open_run(a_run(), [a_host()], take_over=False)
    assert (str(caught.value.code), ledger.hosts(RUN)) == ("run_interrupted", [])


def test_what_waiting_hosts_poll_takes_one_call_whatever_the_size_of_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = dynamodb_server.ledger(dynamodb_server.new_table())
    hosts = [a_host(f"i-{number:04}", position=number) for number in range(60)]
    ledger.open_run(a_run(), hosts, take_over=False)
    ledger.record_power(FOUND)
    ledger.set_outcome(RUN, "i-0007", Verdict("failed"))
    calls: list[str] = []
    perform = Aws.perform

    def counted(self: Aws, call: Any) -> dict[str, Any]:
        calls.append(call.operation)
        return perform(self, call)

    monkeypatch.setattr(Aws, "perform", counted)
    assert len(ledger.some_hosts(RUN, ["i-0000", "i-0001"])) == 2
    assert ledger.found_stopped() == {ID}
    assert [host.key for host in ledger.failed_hosts(RUN)] == ["i-0007"]
    assert calls == ["batch_get_item", "query", "get_item", "batch_get_item"]


def test_a_run_that_an_earlier_version_opened_names_no_failed_hosts() -> None:
    table = dynamodb_server.new_table()
    ledger = dynamodb_server.ledger(table)
    ledger.open_run(a_run(), [a_host()], take_over=False)
    ledger.set_outcome(RUN, ID, Verdict("failed"))
    run = next(item for item in items(table) if item["sk"]["S"] == "RUN")
    del run["failed"]
    dynamodb_server.client().put_item(TableName=table, Item=run)
    assert [host.key for host in ledger.failed_hosts(RUN)] == [ID]


def test_a_pointer_of_an_earlier_version_is_counted_by_its_record() -> None:
    table = dynamodb_server.new_table()
    ledger = dynamodb_server.ledger(table)
    ledger.record_power(FOUND)
    (pointer,) = [item for item in items(table) if item["pk"]["S"].startswith("OPEN#")]
    del pointer["found"]
    dynamodb_server.client().put_item(TableName=table, Item=pointer)
    assert ledger.found_stopped() == {ID}


def test_a_host_whose_name_begins_with_the_name_of_another_is_not_the_other() -> None:
    table = dynamodb_server.new_table()
    names = {"web": "", "web#1": "eu-west-1"}
    for key, region in names.items():
        dynamodb_server.ledger(table).record_power(PowerRecord(key, key, region, key, "stopped", START, RUN))
    found = {key: dynamodb_server.ledger(table).power(key) for key in names}
    assert {key: record and record.name for key, record in found.items()} == {"web": "web", "web#1": "web#1"}


# What DynamoDB says while others are at the same items


@pytest.fixture
def account(clock: VirtualClock) -> FakeAccount:
    account = FakeAccount(clock)
    account.on("get_caller_identity", {"Account": "123456789012"})
    return account


def scripted(account: FakeAccount, clock: VirtualClock) -> DynamoDbLedger:
    return DynamoDbLedger(Table(parse_url("dynamodb://table"), Aws(account, clock, "eu-central-1"), clock))


def cancelled(*codes: str) -> Exception:
    error = client_error("TransactionCanceledException")
    error.response["CancellationReasons"] = [{"Code": code} for code in codes]
    return error


def test_a_transaction_that_met_another_is_done_again(account: FakeAccount, clock: VirtualClock) -> None:
    account.on(
        "transact_write_items", cancelled("TransactionConflict", "None"), cancelled("ThrottlingError", "None"), {}
    )
    account.on("update_item", {})
    assert scripted(account, clock).record_power(FOUND) == FOUND
    tokens = {call.params["ClientRequestToken"] for call in account.of("transact_write_items")}
    assert (len(tokens), len(clock.pauses)) == (3, 2)


def test_what_a_batch_left_out_is_asked_for_again(account: FakeAccount, clock: VirtualClock) -> None:
    pointer = {name: {"S": text} for name, text in {"host_key": ID, "home": "123456789012#eu-central-1"}.items()}
    account.on("query", {"Items": [pointer]})
    keys = {"table": {"Keys": [{"pk": {"S": "a"}, "sk": {"S": "b"}}]}}
    account.on("batch_get_item", {"Responses": {}, "UnprocessedKeys": keys}, {"Responses": {}, "UnprocessedKeys": {}})
    assert scripted(account, clock).open_power() == []
    first, second = account.of("batch_get_item")
    assert first.params["RequestItems"]["table"]["Keys"] != second.params["RequestItems"]["table"]["Keys"]
    assert second.params["RequestItems"]["table"]["Keys"] == keys["table"]["Keys"]


@pytest.mark.parametrize("code", ["ProvisionedThroughputExceededException", "TransactionConflictException"])
def test_a_write_that_is_throttled_or_meets_a_transaction_is_done_again(
    account: FakeAccount, clock: VirtualClock, code: str
) -> None:
    account.on("update_item", client_error(code), {})
    scripted(account, clock).heartbeat(RUN, START)
    assert len(account.of("update_item")) == 2
