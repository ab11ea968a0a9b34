# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stack sets of CloudFormation with service-managed permissions. Only setup_aws and teardown_aws call this.

Source: CloudFormation API reference (CreateStackSet, CreateStackInstances, UpdateStackSet, DeleteStackInstances,
DetectStackSetDrift).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from .api import Aws, Service, pages
from .errors import AwsError
from .organizations import ORGANIZATIONS

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.client import CloudFormationClient
    from mypy_boto3_cloudformation.literals import CallAsType
    from mypy_boto3_cloudformation.type_defs import (
        DeploymentTargetsTypeDef,
        StackInstanceSummaryTypeDef,
        StackSetOperationPreferencesTypeDef,
        StackSetOperationResultSummaryTypeDef,
        StackSetTypeDef,
    )

CLOUDFORMATION: Service[CloudFormationClient] = Service("cloudformation")
NOT_FOUND = "StackSetNotFoundException"
ALL_AT_ONCE: StackSetOperationPreferencesTypeDef = {
    "FailureTolerancePercentage": 100,
    "MaxConcurrentPercentage": 100,
    "RegionConcurrencyType": "PARALLEL",
}
"""A stack that fails keeps no other account from its own."""


def management_account(aws: Aws) -> str:
    """The id of the organization's management account; every account of it may ask."""
    return aws.read(ORGANIZATIONS).describe_organization()["Organization"]["MasterAccountId"]


def organizations_access(aws: Aws, call_as: CallAsType) -> str:
    """The state of trusted access for stack sets: ENABLED, DISABLED or DISABLED_PERMANENTLY."""
    return str(aws.read(CLOUDFORMATION).describe_organizations_access(CallAs=call_as).get("Status", ""))


@dataclass(frozen=True)
class StackSetCalls:
    """The operations on one stack set, as the management account (SELF) or as a delegated administrator."""

    aws: Aws
    name: str
    call_as: CallAsType

    def describe(self) -> StackSetTypeDef | None:
        """The stack set; None where there is none."""
        try:
            return self._read.describe_stack_set(StackSetName=self.name, CallAs=self.call_as)["StackSet"]
        except AwsError as error:
            if error.aws_code != NOT_FOUND:
                raise
            return None

    def instances(self) -> list[StackInstanceSummaryTypeDef]:
        """Its stacks."""
        operation = partial(self._read.list_stack_instances, StackSetName=self.name, CallAs=self.call_as)
        return [row for page in pages(operation) for row in page["Summaries"]]

    def create(self, template: str, parameters: Mapping[str, str], *, auto_deployment: bool) -> None:
        """Make it without stacks. A repeated call with the same token makes no second one."""
        token = str(uuid.uuid4())
        self._change.create_stack_set(
            **self._content(template, parameters, (), auto_deployment=auto_deployment),
            PermissionModel="SERVICE_MANAGED",
            ClientRequestToken=token,
        )

    def update(
        self, template: str, parameters: Mapping[str, str], kept: Sequence[str], *, auto_deployment: bool
    ) -> str:
        """Begin to update all of its stacks; the parameters ``kept`` keep their values. Returns the operation's id."""
        content = self._content(template, parameters, kept, auto_deployment=auto_deployment)
        return self._begin(self._change.update_stack_set, OperationPreferences=ALL_AT_ONCE, **content)

    def detect_drift(self) -> str:
        """Begin to compare all of its stacks with the template; it changes none. Returns the operation's id."""
        return self._begin(
            self._change.detect_stack_set_drift,
            StackSetName=self.name,
            OperationPreferences=ALL_AT_ONCE,
            CallAs=self.call_as,
        )

    def create_instances(self, targets: DeploymentTargetsTypeDef, regions: Sequence[str]) -> str:
        """Begin to make stacks. Returns the operation's id."""
        return self._begin(
            self._change.create_stack_instances,
            StackSetName=self.name,
            DeploymentTargets=targets,
            Regions=list(regions),
            OperationPreferences=ALL_AT_ONCE,
            CallAs=self.call_as,
        )

    def delete_instances(self, units: Sequence[str], regions: Sequence[str]) -> str:
        """Begin to remove all stacks of these units and regions. Returns the operation's id."""
        return self._begin(
            self._change.delete_stack_instances,
            StackSetName=self.name,
            DeploymentTargets={"OrganizationalUnitIds": list(units)},
            Regions=list(regions),
            RetainStacks=False,
            OperationPreferences=ALL_AT_ONCE,
            CallAs=self.call_as,
        )

    def delete(self) -> None:
        """Remove it, which must have no stacks."""
        self._change.delete_stack_set(StackSetName=self.name, CallAs=self.call_as)

    def status(self, operation_id: str) -> str:
        """Of an operation: QUEUED, RUNNING, STOPPING, STOPPED, SUCCEEDED or FAILED."""
        answer = self._read.describe_stack_set_operation(
            StackSetName=self.name, OperationId=operation_id, CallAs=self.call_as
        )
        return str(answer["StackSetOperation"].get("Status", ""))

    def results(self, operation_id: str) -> Iterator[StackSetOperationResultSummaryTypeDef]:
        """Of an operation, stack by stack."""
        operation = partial(
            self._read.list_stack_set_operation_results,
            StackSetName=self.name,
            OperationId=operation_id,
            CallAs=self.call_as,
        )
        for page in pages(operation):
            yield from page["Summaries"]

    @property
    def _read(self) -> CloudFormationClient:
        return self.aws.read(CLOUDFORMATION, self.name)

    @property
    def _change(self) -> CloudFormationClient:
        """Repeated where no answer came: tokens, and ids of operations, keep a second one from being made."""
        return self.aws.change(CLOUDFORMATION, self.name, idempotent=True)

    def _content(
        self, template: str, parameters: Mapping[str, str], kept: Sequence[str], *, auto_deployment: bool
    ) -> dict[str, Any]:
        given: list[dict[str, Any]] = [
            {"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()
        ]
        given += [{"ParameterKey": name, "UsePreviousValue": True} for name in kept]
        automatic: dict[str, bool] = {"Enabled": auto_deployment}
        if auto_deployment:  # refused without it
            automatic["RetainStacksOnAccountRemoval"] = False
        return {
            "StackSetName": self.name,
            "TemplateBody": template,
            "Parameters": given,
            "Capabilities": ["CAPABILITY_NAMED_IAM"],
            "AutoDeployment": automatic,
            "CallAs": self.call_as,
        }

    def _begin(self, operation: Callable[..., object], **parameters: object) -> str:
        identifier = str(uuid.uuid4())
        try:
            operation(OperationId=identifier, **parameters)
        except AwsError as error:
            if error.aws_code != "OperationIdAlreadyExistsException" or not error.after_unanswered:
                raise
        return identifier
