# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Operations of DynamoDB on one table. Source: DynamoDB API reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .api import Aws, Service

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import (
        AttributeValueTypeDef,
        BatchGetItemOutputTypeDef,
        ContinuousBackupsDescriptionTypeDef,
        QueryInputTypeDef,
        QueryOutputTypeDef,
        TableDescriptionTypeDef,
        TimeToLiveDescriptionTypeDef,
        TransactWriteItemTypeDef,
        UniversalAttributeValueTypeDef,
    )

DYNAMODB: Service[DynamoDBClient] = Service("dynamodb")


def describe_table(aws: Aws, table: str) -> TableDescriptionTypeDef:
    return aws.read(DYNAMODB, table).describe_table(TableName=table)["Table"]


def time_to_live(aws: Aws, table: str) -> TimeToLiveDescriptionTypeDef:
    return aws.read(DYNAMODB, table).describe_time_to_live(TableName=table)["TimeToLiveDescription"]


def continuous_backups(aws: Aws, table: str) -> ContinuousBackupsDescriptionTypeDef:
    answer = aws.read(DYNAMODB, table).describe_continuous_backups(TableName=table)
    return answer["ContinuousBackupsDescription"]


def get_item(
    aws: Aws, table: str, key: Mapping[str, UniversalAttributeValueTypeDef]
) -> dict[str, AttributeValueTypeDef] | None:
    """The item as it is now; None where there is none."""
    return aws.read(DYNAMODB, table).get_item(TableName=table, Key=key, ConsistentRead=True).get("Item")


def batch_get_items(
    aws: Aws, table: str, keys: Sequence[Mapping[str, UniversalAttributeValueTypeDef]]
) -> BatchGetItemOutputTypeDef:
    """At most 100 items as they are now; what was left out stands under UnprocessedKeys."""
    return aws.read(DYNAMODB, table).batch_get_item(RequestItems={table: {"Keys": keys, "ConsistentRead": True}})


def query_page(
    aws: Aws,
    table: str,
    condition: str,
    values: Mapping[str, UniversalAttributeValueTypeDef],
    start: Mapping[str, AttributeValueTypeDef] | None,
) -> QueryOutputTypeDef:
    """A page of what fits a key condition, from a LastEvaluatedKey on."""
    request: QueryInputTypeDef = {
        "TableName": table,
        "KeyConditionExpression": condition,
        "ExpressionAttributeValues": values,
        "ConsistentRead": True,
    }
    if start:
        request["ExclusiveStartKey"] = start
    return aws.read(DYNAMODB, table).query(**request)


def update_item(aws: Aws, table: str, change: Mapping[str, Any]) -> Mapping[str, AttributeValueTypeDef]:
    """One conditional update that is the same when it is done twice, so it is repeated until it is answered; the item after it."""
    answer = aws.change(DYNAMODB, table, idempotent=True).update_item(TableName=table, ReturnValues="ALL_NEW", **change)
    return answer.get("Attributes", {})


def transact_write_items(aws: Aws, table: str, changes: Sequence[TransactWriteItemTypeDef], token: str) -> None:
    """All of these changes or none. With the same token DynamoDB does them once, for ten minutes."""
    aws.change(DYNAMODB, table, idempotent=True).transact_write_items(TransactItems=changes, ClientRequestToken=token)
