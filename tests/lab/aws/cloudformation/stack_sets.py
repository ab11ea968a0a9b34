# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stack sets with service-managed permissions: one template in the accounts of an organization, an operation at a time.

Source: CloudFormation API reference (CreateStackSet, CreateStackInstances, DeploymentTargets, StackInstance,
StackSetOperationResultSummary) and user guide, "StackSets status codes". An operation needs time, and one that stays within its
failure tolerance is SUCCEEDED although stacks of it have failed.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lab.aws.cloudformation import template as templates
from lab.aws.cloudformation.checks import ResourceFailed
from lab.aws.cloudformation.stacks import check_capabilities, given_parameters
from lab.aws.errors import AwsError, not_implemented
from lab.aws.organizations import ROOT, Organization, OrganizationAccount
from lab.aws.request import Operation, Request, Result, page
from lab.aws.window_tasks import arm

if TYPE_CHECKING:
    from lab.aws.account import Account

SECONDS_A_STACK = 20.0
PAGE = 100
Key = tuple[str, str]
"""Account id and region."""


@dataclass
class Instance:
    """The stack of an account and region, or what is known of one that could not be made."""

    account: str
    region: str
    unit: str
    stack_id: str | None = None
    status: str = "OUTDATED"
    detailed: str = "PENDING"
    reason: str = ""
    drift: str = "NOT_CHECKED"


@dataclass
class SetOperation:
    """An operation; ``results`` are its stacks' by account and region."""

    id: str
    action: str
    keys: list[Key]
    tolerance: int
    due_at: float
    status: str = "RUNNING"
    results: dict[Key, tuple[str, str]] = field(default_factory=dict)


@dataclass
class StackSet:
    """A stack set as it is now."""

    name: str
    region: str
    id: str
    body: str
    parameters: dict[str, str]
    auto_deployment: dict[str, Any]
    administrator: str
    units: list[str] = field(default_factory=list)
    instances: dict[Key, Instance] = field(default_factory=dict)
    operations: list[SetOperation] = field(default_factory=list)


def _organization(request: Request) -> Organization:
    """That of the caller, who must be allowed to work with service-managed stack sets."""
    organization = request.account.estate[0].organization
    own, delegated = request.arns.account_id, request.params.get("CallAs") == "DELEGATED_ADMIN"
    management = organization.accounts[0].id if organization else ""
    if delegated and (organization is None or own == management or own not in organization.administrators):
        raise templates.invalid("Account used is not a delegated administrator")
    if organization is None or (own != management and not delegated):
        raise templates.invalid(
            "You must be the management account or delegated admin account of an organization before operating a "
            "SERVICE_MANAGED stack set"
        )
    return organization


def describe_organizations_access(request: Request) -> Result:
    return {"Status": "ENABLED" if _organization(request).stack_sets_trusted else "DISABLED"}


def create_stack_set(request: Request) -> Result:
    organization, params = _organization(request), request.params
    if not organization.stack_sets_trusted:
        raise templates.invalid("You must enable organizations access to operate a service managed stack set")
    if params.get("PermissionModel") != "SERVICE_MANAGED":
        raise not_implemented("a stack set with the permissions of its own roles")
    check_capabilities(request)
    key = (request.region, params["StackSetName"])
    if key in organization.stack_sets:
        raise AwsError("NameAlreadyExistsException", f"StackSet [{params['StackSetName']}] already exists")
    body = params["TemplateBody"]
    given = given_parameters(request)
    templates.parameters_of(templates.load(body), given)
    name = params["StackSetName"]
    organization.stack_sets[key] = StackSet(
        name, request.region, f"{name}:{uuid.uuid4()}", body, given, params["AutoDeployment"], request.arns.account_id
    )
    return {"StackSetId": organization.stack_sets[key].id}


def _set(request: Request) -> StackSet:
    found: StackSet | None = _organization(request).stack_sets.get((request.region, request.params["StackSetName"]))
    if found is None:
        raise AwsError("StackSetNotFoundException", f"StackSet {request.params['StackSetName']} not found")
    for operation in found.operations:
        if operation.status == "RUNNING" and operation.due_at <= request.sim.now:
            _finish(request, found, operation)
    return found


def describe_stack_set(request: Request) -> Result:
    found = _set(request)
    secret = {
        name for name, parameter in templates.load(found.body).get("Parameters", {}).items() if parameter.get("NoEcho")
    }
    described = {
        "StackSetName": found.name,
        "StackSetId": found.id,
        "Status": "ACTIVE",
        "TemplateBody": found.body,
        "Parameters": [
            {"ParameterKey": key, "ParameterValue": "****" if key in secret else value}
            for key, value in found.parameters.items()
        ],
        "Capabilities": ["CAPABILITY_NAMED_IAM"],
        "PermissionModel": "SERVICE_MANAGED",
        "AutoDeployment": found.auto_deployment,
        "OrganizationalUnitIds": found.units,
        "Regions": sorted({region for _account, region in found.instances}),
    }
    return {"StackSet": described}


def delete_stack_set(request: Request) -> Result:
    found = _set(request)
    _refuse_second(found)
    if found.instances:
        raise AwsError("StackSetNotEmptyException", f"StackSet {found.name} is not empty")
    del _organization(request).stack_sets[(found.region, found.name)]
    return {}


def _refuse_second(found: StackSet) -> None:
    running = next((it for it in found.operations if it.status == "RUNNING"), None)
    if running:
        raise AwsError(
            "OperationInProgressException", f"Another Operation on StackSet {found.id} is in progress: {running.id}"
        )


def _begin(request: Request, found: StackSet, action: str, keys: list[Key]) -> Result:
    params = request.params
    identifier = params.get("OperationId") or str(uuid.uuid4())
    if any(it.id == identifier for it in found.operations):
        raise AwsError("OperationIdAlreadyExistsException", f"OperationId {identifier} already exists")
    _refuse_second(found)
    share = params.get("OperationPreferences", {}).get("FailureTolerancePercentage", 0)
    per_region = len({account for account, _region in keys})
    due_at = request.sim.now + SECONDS_A_STACK * max(len(keys), 1)
    found.operations.append(SetOperation(identifier, action, keys, per_region * share // 100, due_at))
    return {"OperationId": identifier}


def update_stack_set(request: Request) -> Result:
    found, params = _set(request), request.params
    check_capabilities(request)
    given = given_parameters(request, found.parameters)
    templates.parameters_of(templates.load(params["TemplateBody"]), given)
    result = _begin(request, found, "UPDATE", list(found.instances))
    found.body, found.parameters = params["TemplateBody"], given
    found.auto_deployment = params.get("AutoDeployment") or found.auto_deployment
    for instance in found.instances.values():
        instance.status, instance.detailed = "OUTDATED", "PENDING"
    return result


def detect_stack_set_drift(request: Request) -> Result:
    found = _set(request)
    return _begin(request, found, "DETECT_DRIFT", list(found.instances))


def create_stack_instances(request: Request) -> Result:
    found = _set(request)
    targets = list(_targets(request, found))
    result = _begin(
        request, found, "CREATE", [(it.id, region) for it, _unit in targets for region in request.params["Regions"]]
    )
    for account, unit in targets:
        for region in request.params["Regions"]:
            found.instances.setdefault((account.id, region), Instance(account.id, region, unit))
    found.units = list(dict.fromkeys([*found.units, *request.params["DeploymentTargets"]["OrganizationalUnitIds"]]))
    return result


def delete_stack_instances(request: Request) -> Result:
    found = _set(request)
    regions, units = request.params["Regions"], request.params["DeploymentTargets"]["OrganizationalUnitIds"]
    accounts = {account.id for account, _unit in _targets(request, found)}
    keys = [key for key in found.instances if key[0] in accounts and key[1] in regions]
    result = _begin(request, found, "DELETE", keys)
    found.units = [unit for unit in found.units if unit not in units]
    return result


def _targets(request: Request, found: StackSet) -> Iterator[tuple[OrganizationAccount, str]]:
    """The accounts of the deployment targets and the unit of each; never the management account."""
    organization, targets = _organization(request), request.params["DeploymentTargets"]
    named, kind = targets.get("Accounts") or [], targets.get("AccountFilterType", "NONE")
    if named and kind not in ("DIFFERENCE", "INTERSECTION"):
        raise templates.invalid(f"StackSet {found.name}: accounts need an account filter type")
    for unit in targets["OrganizationalUnitIds"]:
        if unit != ROOT and unit not in organization.units:
            raise templates.invalid(f"OrganizationalUnitId {unit} is not valid")
        for account in organization.accounts[1:]:
            left_out = (account.id in named) is (kind == "DIFFERENCE") if named else False
            if unit in _above(organization, account.parent) and not left_out:
                yield account, unit


def _above(organization: Organization, parent: str) -> Iterator[str]:
    """The unit and all that it is in."""
    yield parent
    while parent in organization.units:
        parent = organization.units[parent]
        yield parent


def _finish(request: Request, found: StackSet, operation: SetOperation) -> None:
    """What the operation does by its end, region after region."""
    if operation.action == "DETECT_DRIFT":
        _detect_drift(request, found, operation)
        return
    work = {"CREATE": _deploy, "UPDATE": _deploy, "DELETE": _remove}[operation.action]
    failed: dict[str, int] = {}
    for key in operation.keys:
        instance = found.instances[key]
        if failed.get(instance.region, 0) > operation.tolerance:
            instance.detailed, instance.reason = "CANCELLED", "Cancelled since failure tolerance has exceeded"
        else:
            _one(request, found, instance, work)
        if instance.detailed == "FAILED":
            failed[instance.region] = failed.get(instance.region, 0) + 1
        if instance.detailed in ("SUCCEEDED", "FAILED", "CANCELLED"):  # a suspended account has no result
            operation.results[key] = (instance.detailed, instance.reason)
        if operation.action == "DELETE" and instance.detailed == "SUCCEEDED":
            del found.instances[key]
    over = any(number > operation.tolerance for number in failed.values())
    operation.status = "FAILED" if over else "SUCCEEDED"


def _detect_drift(request: Request, found: StackSet, operation: SetOperation) -> None:
    """It leaves the status of each stack as it is (API reference, DetectStackSetDrift)."""
    changed = _organization(request).drifted
    for key in operation.keys:
        found.instances[key].drift = "DRIFTED" if key[0] in changed else "IN_SYNC"
        operation.results[key] = ("SUCCEEDED", "")
    operation.status = "SUCCEEDED"


def _one(
    request: Request, found: StackSet, instance: Instance, work: Callable[[Request, Account, StackSet, Instance], None]
) -> None:
    account = next((it for it in request.account.estate if it.arns.account_id == instance.account), None)
    if account is None:
        instance.detailed, instance.reason = "SKIPPED_SUSPENDED_ACCOUNT", "Account is suspended"
        return
    try:
        work(request, account, found, instance)
    except ResourceFailed as failed:
        instance.detailed, instance.status = "FAILED", "OUTDATED"
        resource = failed.resource
        instance.reason = (
            f"ResourceLogicalId:{resource.logical_id}, ResourceType:{resource.type}, ResourceStatusReason:{failed}."
        )
    except AwsError as error:
        instance.detailed, instance.status = "FAILED", "OUTDATED"
        instance.reason = f"{error.message} (Service: CloudFormation, Status Code: 400)"
    else:
        instance.detailed, instance.status, instance.reason = "SUCCEEDED", "CURRENT", ""


def _deploy(request: Request, account: Account, found: StackSet, instance: Instance) -> None:
    stacks, now = account.stacks, request.sim.time
    if instance.stack_id is None:
        name = f"StackSet-{found.name}-{uuid.uuid4()}"
        try:
            stack = stacks.create(instance.region, name, found.body, dict(found.parameters), [], now)
        except ResourceFailed:
            stacks.roll_back(stacks.find(instance.region, name), "DELETE")
            raise
        instance.stack_id = stack.id
    else:
        stack = stacks.find(instance.region, instance.stack_id)
        try:
            stacks.update(stack, found.body, dict(found.parameters), [], now)
        except AwsError as error:
            if "No updates are to be performed" not in error.message:
                raise
        stack = stacks.find(instance.region, instance.stack_id)
    arm(account, list(stack.resources.values()))


def _remove(_request: Request, account: Account, _found: StackSet, instance: Instance) -> None:
    if instance.stack_id is not None:
        account.stacks.delete(account.stacks.find(instance.region, instance.stack_id))


def list_stack_instances(request: Request) -> Result:
    rows = [
        {
            "StackSetId": request.params["StackSetName"],
            "Account": it.account,
            "Region": it.region,
            "StackId": it.stack_id,
            "Status": it.status,
            "StatusReason": it.reason,
            "StackInstanceStatus": {"DetailedStatus": it.detailed},
            "OrganizationalUnitId": it.unit,
            "DriftStatus": it.drift,
        }
        for it in _set(request).instances.values()
    ]
    listed, more = page(request, rows, PAGE)
    return {"Summaries": listed, **more}


def _operation(request: Request) -> SetOperation:
    found = next((it for it in _set(request).operations if it.id == request.params["OperationId"]), None)
    if found is None:
        raise AwsError("OperationNotFoundException", f"Operation {request.params['OperationId']} not found")
    return found


def describe_stack_set_operation(request: Request) -> Result:
    operation = _operation(request)
    described = {"OperationId": operation.id, "Action": operation.action, "Status": operation.status}
    return {"StackSetOperation": described}


def list_stack_set_operation_results(request: Request) -> Result:
    rows = [
        {"Account": account, "Region": region, "Status": status, "StatusReason": reason}
        for (account, region), (status, reason) in _operation(request).results.items()
    ]
    listed, more = page(request, rows, PAGE)
    return {"Summaries": listed, **more}


OPERATIONS: dict[str, Operation] = {
    "CreateStackInstances": create_stack_instances,
    "CreateStackSet": create_stack_set,
    "DeleteStackInstances": delete_stack_instances,
    "DeleteStackSet": delete_stack_set,
    "DescribeOrganizationsAccess": describe_organizations_access,
    "DescribeStackSet": describe_stack_set,
    "DescribeStackSetOperation": describe_stack_set_operation,
    "DetectStackSetDrift": detect_stack_set_drift,
    "ListStackInstances": list_stack_instances,
    "ListStackSetOperationResults": list_stack_set_operation_results,
    "UpdateStackSet": update_stack_set,
}
