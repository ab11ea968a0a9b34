# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Operations of Run Command. Source: Systems Manager API reference."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from .._base.clock import iso
from .api import Aws, pages
from .errors import AwsError
from .ssm import SSM

if TYPE_CHECKING:
    from mypy_boto3_ssm.type_defs import (
        CommandInvocationTypeDef,
        CommandTypeDef,
        GetCommandInvocationResultTypeDef,
        SendCommandRequestTypeDef,
    )


def send_command(
    aws: Aws,
    node_id: str,
    document: str,
    parameters: Mapping[str, Sequence[str]],
    *,
    delivery_seconds: int,
    comment: str,
    cloudwatch_log_group: str | None = None,
) -> str:
    """Send a command to one node; returns its id.

    Raises:
        AwsError: it was refused.
        Unanswered: it may have been sent.
    """
    request: SendCommandRequestTypeDef = {
        "InstanceIds": [node_id],
        "DocumentName": document,
        "Parameters": parameters,
        "TimeoutSeconds": delivery_seconds,
        "Comment": comment,
    }
    if cloudwatch_log_group:
        request["CloudWatchOutputConfig"] = {
            "CloudWatchLogGroupName": cloudwatch_log_group,
            "CloudWatchOutputEnabled": True,
        }
    return aws.change(SSM, node_id).send_command(**request)["Command"]["CommandId"]


def find_invocation(aws: Aws, command_id: str, node_id: str) -> CommandInvocationTypeDef | None:
    """The invocation of a command on a node, with its plugins; None while SSM shows none."""
    operation = partial(
        aws.read(SSM, node_id).list_command_invocations, CommandId=command_id, InstanceId=node_id, Details=True
    )
    return next((row for page in pages(operation) for row in page.get("CommandInvocations", [])), None)


def find_script_invocation(aws: Aws, command_id: str, node_id: str) -> GetCommandInvocationResultTypeDef | None:
    """The invocation of a document with one plugin on a node, with its whole output; None while SSM shows none."""
    try:
        return aws.read(SSM, node_id).get_command_invocation(CommandId=command_id, InstanceId=node_id)
    except AwsError as error:
        if error.aws_code != "InvocationDoesNotExist":
            raise
        return None


def invocations_on(aws: Aws, node_id: str, since: float) -> Iterator[CommandInvocationTypeDef]:
    """All invocations on a node that were asked for after a time, in seconds since 1970, without their plugins."""
    operation = partial(
        aws.read(SSM, node_id).list_command_invocations,
        InstanceId=node_id,
        Filters=[{"key": "InvokedAfter", "value": str(iso(since))}],
    )
    for page in pages(operation):
        yield from page.get("CommandInvocations", [])


def refuse_without_reading_invocations(aws: Aws) -> None:
    """AwsError where invocations may not be read."""
    aws.read(SSM).list_command_invocations(MaxResults=1)


def find_command(aws: Aws, command_id: str) -> CommandTypeDef | None:
    """A command as a whole; None while SSM does not show it."""
    return next(iter(aws.read(SSM, command_id).list_commands(CommandId=command_id).get("Commands", [])), None)


def get_output(aws: Aws, command_id: str, node_id: str, plugin: str | None) -> tuple[str, str]:
    """Standard output and error of a command's plugin on a node; both empty where SSM keeps none."""
    operation = partial(aws.read(SSM, node_id).get_command_invocation, CommandId=command_id, InstanceId=node_id)
    try:
        answer = operation(PluginName=plugin) if plugin else operation()
    except AwsError as error:
        if error.aws_code not in {"InvocationDoesNotExist", "InvalidPluginName"}:
            raise
        return "", ""
    return answer.get("StandardOutputContent", ""), answer.get("StandardErrorContent", "")
