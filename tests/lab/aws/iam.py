# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""IAM and Service Quotas: what a role may do, and how many vCPUs the account has."""

from __future__ import annotations

import json
from urllib.parse import quote

from lab.aws.errors import AwsError
from lab.aws.gate import Decision
from lab.aws.policy import Need
from lab.aws.request import Operation, Request, Result

STANDARD_VCPUS = "L-1216C47A"


def simulate_principal_policy(request: Request) -> Result:
    """Each action with each resource, by the role's policies, the guardrails and what the scenario's account denies."""
    params = request.params
    source, gate = params["PolicySourceArn"], request.account.gate
    role = source.rpartition(":role/")[2]
    if source != request.arns.role(role) or not request.account.roles.exists(role):
        raise AwsError("NoSuchEntity", f"The entity {source} cannot be found.")
    context = {entry["ContextKeyName"]: entry["ContextKeyValues"][0] for entry in params.get("ContextEntries") or []}
    resources = params.get("ResourceArns")
    return {
        "EvaluationResults": [
            _evaluation(
                gate.decide(role, Need(action, resource, context)), action, resource, of_resource=bool(resources)
            )
            for action in params["ActionNames"]
            for resource in resources or ["*"]
        ],
        "IsTruncated": False,
    }


def _evaluation(decision: Decision, action: str, resource: str, of_resource: bool) -> Result:
    """Where resources were named, what is missing stands with them alone (API reference, EvaluationResult)."""
    of_one = {
        "EvalResourceName": resource,
        "EvalResourceDecision": decision.decision,
        "MatchedStatements": [],
        "MissingContextValues": decision.missing,
    }
    return {
        "EvalActionName": action,
        "EvalResourceName": resource,
        "EvalDecision": decision.decision,
        "MatchedStatements": [],
        "MissingContextValues": [] if of_resource else decision.missing,
        "OrganizationsDecisionDetail": {"AllowedByOrganizations": decision.allowed_by_organizations},
        **({"ResourceSpecificResults": [of_one]} if of_resource else {}),
    }


def get_role(request: Request) -> Result:
    name = request.params["RoleName"]
    role = request.account.stacks.role(name)
    if role is None:
        raise AwsError("NoSuchEntity", f"The role with name {name} cannot be found.")
    return {
        "Role": {
            "Path": "/",
            "RoleName": name,
            "RoleId": "AROALABLABLABLABLABLA",
            "Arn": role.attribute("Arn"),
            "CreateDate": request.sim.time,
            "AssumeRolePolicyDocument": quote(json.dumps(role.properties["AssumeRolePolicyDocument"])),
            "MaxSessionDuration": role.properties.get("MaxSessionDuration", 3600),
        }
    }


def get_service_quota(request: Request) -> Result:
    service, code = request.params["ServiceCode"], request.params["QuotaCode"]
    if (service, code) != ("ec2", STANDARD_VCPUS):
        raise AwsError("NoSuchResourceException", "The request failed because the specified resource doesn't exist.")
    return {
        "Quota": {
            "ServiceCode": "ec2",
            "ServiceName": "Amazon Elastic Compute Cloud (Amazon EC2)",
            "QuotaArn": request.arns.of("servicequotas", request.region, f"ec2/{code}"),
            "QuotaCode": code,
            "QuotaName": "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances",
            "Value": float(request.account.spec.vcpu_quota),
            "Unit": "None",
            "Adjustable": True,
            "GlobalQuota": False,
        }
    }


IAM_OPERATIONS: dict[str, Operation] = {"GetRole": get_role, "SimulatePrincipalPolicy": simulate_principal_policy}
QUOTA_OPERATIONS: dict[str, Operation] = {"GetServiceQuota": get_service_quota}
