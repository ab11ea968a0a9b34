# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Operations of Systems Manager but for commands and patches. Source: Systems Manager API reference."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from .api import Aws, Service, pages
from .errors import AwsError

if TYPE_CHECKING:
    from mypy_boto3_ssm.client import SSMClient
    from mypy_boto3_ssm.type_defs import (
        AssociationTypeDef,
        DocumentDescriptionTypeDef,
        GetCalendarStateResponseTypeDef,
        InstanceAssociationStatusInfoTypeDef,
        InstanceInformationStringFilterTypeDef,
        InstanceInformationTypeDef,
        MaintenanceWindowExecutionTypeDef,
        MaintenanceWindowIdentityTypeDef,
    )

SSM: Service[SSMClient] = Service("ssm")
NODES_A_PAGE = 50

# Managed nodes


def describe_nodes(
    aws: Aws, filters: Sequence[InstanceInformationStringFilterTypeDef]
) -> Iterator[InstanceInformationTypeDef]:
    """The nodes that pass the filters, 50 ids at most among them; none for ids that are not registered."""
    operation = partial(aws.read(SSM).describe_instance_information, Filters=filters, MaxResults=NODES_A_PAGE)
    try:
        for page in pages(operation):
            yield from page.get("InstanceInformationList", [])
    except AwsError as error:
        if error.aws_code != "InvalidInstanceId":
            raise


def describe_node(aws: Aws, node_id: str) -> InstanceInformationTypeDef | None:
    """One node; None when SSM does not list it."""
    return next(describe_nodes(aws, [{"Key": "InstanceIds", "Values": [node_id]}]), None)


def tags_of_node(aws: Aws, node_id: str) -> dict[str, str]:
    """The tags of a hybrid node, which DescribeInstanceInformation does not show; none for a node that is not registered."""
    try:
        answer = aws.read(SSM, node_id).list_tags_for_resource(ResourceType="ManagedInstance", ResourceId=node_id)
    except AwsError as error:
        if error.aws_code != "InvalidResourceId":
            raise
        return {}
    return {tag["Key"]: tag["Value"] for tag in answer.get("TagList", [])}


def associations_on(aws: Aws, node_id: str) -> list[InstanceAssociationStatusInfoTypeDef]:
    """State Manager's associations of a node with their states; none for a node that is not registered."""
    operation = partial(aws.read(SSM, node_id).describe_instance_associations_status, InstanceId=node_id)
    try:
        return [row for page in pages(operation) for row in page.get("InstanceAssociationStatusInfos", [])]
    except AwsError as error:
        if error.aws_code != "InvalidInstanceId":
            raise
        return []


# Documents, associations, settings


def describe_document(aws: Aws, name: str) -> DocumentDescriptionTypeDef:
    """AwsError with InvalidDocument when there is none."""
    return aws.read(SSM, name).describe_document(Name=name)["Document"]


def document_parameters(aws: Aws, name: str) -> list[str]:
    """The names of what a document takes."""
    return sorted(parameter["Name"] for parameter in describe_document(aws, name).get("Parameters", []))


def list_associations(aws: Aws) -> Iterator[AssociationTypeDef]:
    for page in pages(aws.read(SSM).list_associations):
        yield from page.get("Associations", [])


def service_setting(aws: Aws, setting_id: str) -> str | None:
    """Its value."""
    answer = aws.read(SSM, setting_id).get_service_setting(SettingId=setting_id)
    return answer["ServiceSetting"].get("SettingValue")


# Maintenance windows and calendars


def describe_windows(aws: Aws) -> Iterator[MaintenanceWindowIdentityTypeDef]:
    for page in pages(aws.read(SSM).describe_maintenance_windows):
        yield from page.get("WindowIdentities", [])


def describe_window_executions(aws: Aws, window_id: str, after: str) -> Iterator[MaintenanceWindowExecutionTypeDef]:
    """Those of a window that began after a time in ISO 8601."""
    operation = partial(
        aws.read(SSM, window_id).describe_maintenance_window_executions,
        WindowId=window_id,
        Filters=[{"Key": "ExecutedAfter", "Values": [after]}],
    )
    for page in pages(operation):
        yield from page.get("WindowExecutions", [])


def get_calendar_state(aws: Aws, calendar: str, at: str) -> GetCalendarStateResponseTypeDef:
    """Whether a change calendar is open at a time in ISO 8601, and when that changes."""
    return aws.read(SSM, calendar).get_calendar_state(CalendarNames=[calendar], AtTime=at)
