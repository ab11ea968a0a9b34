# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads about many hosts at once. Sources: EC2 and Systems Manager API reference.

A filter of EC2 takes 200 values, DescribeInstanceInformation shows 50 nodes a page, and ListCommandInvocations 50 invocations.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial
from typing import TYPE_CHECKING

from .._base.clock import iso
from .api import Aws, pages
from .ec2 import describe_instances
from .errors import AwsError
from .ssm import NODES_A_PAGE, SSM

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import InstanceTypeDef
    from mypy_boto3_ssm.type_defs import CommandInvocationTypeDef, InstanceInformationTypeDef

INSTANCES_A_CALL = 200


def instances_by_id(aws: Aws, ids: Sequence[str]) -> dict[str, InstanceTypeDef]:
    """The instances with these ids that EC2 knows."""
    return {
        instance["InstanceId"]: instance
        for at in range(0, len(ids), INSTANCES_A_CALL)
        for instance in describe_instances(
            aws, [{"Name": "instance-id", "Values": list(ids[at : at + INSTANCES_A_CALL])}]
        )
    }


def nodes_by_id(aws: Aws, ids: Sequence[str]) -> dict[str, InstanceInformationTypeDef]:
    """The managed nodes with these ids that SSM lists.

    Raises:
        AwsError: ``InvalidInstanceId`` where SSM refuses one of several ids; which one it does not say.
    """
    nodes: dict[str, InstanceInformationTypeDef] = {}
    for at in range(0, len(ids), NODES_A_PAGE):
        some = list(ids[at : at + NODES_A_PAGE])
        operation = partial(
            aws.read(SSM).describe_instance_information,
            Filters=[{"Key": "InstanceIds", "Values": some}],
            MaxResults=NODES_A_PAGE,
        )
        try:
            for page in pages(operation):
                nodes.update({node["InstanceId"]: node for node in page.get("InstanceInformationList", [])})
        except AwsError as error:
            if error.aws_code != "InvalidInstanceId" or len(some) > 1:
                raise
    return nodes


def associated_documents(aws: Aws, most_pages: int) -> list[str] | None:
    """The names of all documents that associations of a region run; None where these do not fit into ``most_pages``."""
    names: set[str] = set()
    for number, page in enumerate(pages(aws.read(SSM).list_associations), 1):
        names.update(row["Name"] for row in page.get("Associations", []) if "Name" in row)
        if not page.get("NextToken"):
            return sorted(names)
        if number >= most_pages:
            break
    return None


def commands_in_progress(aws: Aws, since: float, most_pages: int) -> tuple[set[str], int]:
    """The ids of commands that were sent after a time, in seconds since 1970, and are in progress on a node; and the pages read.

    Not all of them where they do not fit into ``most_pages``: others use the account, too.
    """
    operation = partial(
        aws.read(SSM).list_command_invocations,
        Filters=[{"key": "InvokedAfter", "value": str(iso(since))}, {"key": "Status", "value": "InProgress"}],
    )
    found: set[str] = set()
    number = 0
    for number, page in enumerate(pages(operation), 1):
        found.update(row["CommandId"] for row in page.get("CommandInvocations", []) if row["Status"] == "InProgress")
        if number >= most_pages:
            break
    return found, number


def commands_that_worked(
    aws: Aws, ids: Collection[str], since: float, most_pages: int
) -> dict[str, CommandInvocationTypeDef]:
    """Those of these commands of one node that were sent after a time, in seconds since 1970, and succeeded, with their plugins.

    Not all of them where they do not fit into ``most_pages``.
    """
    operation = partial(
        aws.read(SSM).list_command_invocations,
        Filters=[{"key": "InvokedAfter", "value": str(iso(since))}, {"key": "Status", "value": "Success"}],
        Details=True,
    )
    found: dict[str, CommandInvocationTypeDef] = {}
    for number, page in enumerate(pages(operation), 1):
        rows = page.get("CommandInvocations", [])
        found.update({row["CommandId"]: row for row in rows if row["CommandId"] in ids and row["Status"] == "Success"})
        if number >= most_pages or len(found) == len(ids):
            break
    return found
