# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""DynamoDB as the ledger meets it: conditions, conflicts, items that expire, items that are too large."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.dynamodb.models.dynamo_type import Item

from conftest import MakeLab
from lab.aws.moto_tables import EXPIRED_AFTER_SECONDS, EXPIRY_POLL_SECONDS, USUAL_TABLE
from virtual_lab import VirtualLab, error_of

KEY = {"pk": {"S": "run"}, "sk": {"S": "1"}}


def _put(lab: VirtualLab, condition: str | None = None, **attributes: Any) -> dict[str, Any]:
    item = {**KEY, **attributes}
    put = {"TableName": USUAL_TABLE, "Item": item, **({"ConditionExpression": condition} if condition else {})}
    answer: dict[str, Any] = lab.client("dynamodb").transact_write_items(TransactItems=[{"Put": put}])
    return answer


def _get(lab: VirtualLab) -> Any:
    return lab.client("dynamodb").get_item(TableName=USUAL_TABLE, Key=KEY).get("Item")


def test_a_condition_that_does_not_hold_cancels_the_transaction(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a"})
    _put(lab, "attribute_not_exists(pk)")
    with pytest.raises(ClientError) as refused:
        _put(lab, "attribute_not_exists(pk)")
    assert refused.value.response["Error"]["Code"] == "TransactionCanceledException"
    reasons: Any = refused.value.response["CancellationReasons"]  # type: ignore[typeddict-item]
    assert [reason["Code"] for reason in reasons] == ["ConditionalCheckFailed"]


def test_a_conflict_is_no_failed_condition(make_lab: MakeLab) -> None:
    fault = {"operation": "TransactWriteItems", "error": "TransactionCanceledException", "with_host": False}
    lab = make_lab({"name": "a", "api_faults": [fault]})
    with pytest.raises(ClientError) as refused:
        _put(lab)
    reasons: Any = refused.value.response["CancellationReasons"]  # type: ignore[typeddict-item]
    assert [reason["Code"] for reason in reasons] == ["TransactionConflict"]
    _put(lab)


def test_an_item_expires_some_time_after_its_time_to_live(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a"})
    expires = lab.play.sim.time.timestamp() + 1000
    _put(lab, expires_at={"N": f"{expires:.0f}"})
    lab.run_for(1001)
    assert _get(lab) is not None
    lab.run_for(EXPIRED_AFTER_SECONDS + EXPIRY_POLL_SECONDS)
    assert _get(lab) is None


def test_an_item_without_a_time_to_live_stays(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a"})
    _put(lab, other={"N": "1"})
    lab.run_for(400 * 86_400)
    assert _get(lab) is not None


def test_an_item_has_at_most_400_kilobytes(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a"})
    code = error_of(lambda: _put(lab, text={"S": "x" * 410_000}))
    assert code in ("ValidationException", "TransactionCanceledException")
    assert _get(lab) is None


def test_moto_keeps_no_list_of_all_items_that_there_were(make_lab: MakeLab) -> None:
    """A process that plays many labs would grow by all of them."""
    lab = make_lab({"name": "a"})
    for number in range(5):
        _put(lab, number={"N": str(number)})
    listed = len(Item.instances_tracked)
    lab.run_for(EXPIRY_POLL_SECONDS + 1)
    assert _get(lab) is not None
    assert listed >= 5 > len(Item.instances_tracked)
