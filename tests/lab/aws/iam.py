# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""STS, IAM and Service Quotas: who is calling, what the caller may do, how many vCPUs the account has."""

from __future__ import annotations

from lab.aws.errors import AwsError
from lab.aws.policy import Need
from lab.aws.request import ACCOUNT_ID, Operation, Request, Result, caller_arn

STANDARD_VCPUS = "L-1216C47A"


def get_caller_identity(request: Request) -> Result:
    return {"UserId": "AROALABLABLABLABLABLA:lab", "Account": ACCOUNT_ID, "Arn": caller_arn(request.role)}


def simulate_principal_policy(request: Request) -> Result:
    """Each action with each resource, by the role's policies and what the scenario's account denies."""
    params = request.params
    source, gate = params["PolicySourceArn"], request.account.gate
    role = source.rpartition(":role/")[2]
    if source != f"arn:aws:iam::{ACCOUNT_ID}:role/{role}" or not request.account.roles.exists(role):
        raise AwsError("NoSuchEntity", f"The entity {source} cannot be found.")
    context = {entry["ContextKeyName"]: entry["ContextKeyValues"][0] for entry in params.get("ContextEntries") or []}
    return {
        "EvaluationResults": [
            {
                "EvalActionName": action,
                "EvalResourceName": resource,
                "EvalDecision": "allowed" if gate.allows(role, Need(action, resource, context)) else "implicitDeny",
                "MatchedStatements": [],
                "MissingContextValues": [],
            }
            for action in params["ActionNames"]
            for resource in params.get("ResourceArns") or ["*"]
        ],
        "IsTruncated": False,
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
            "QuotaArn": f"arn:aws:servicequotas:{request.region}:{ACCOUNT_ID}:ec2/{code}",
            "QuotaCode": code,
            "QuotaName": "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances",
            "Value": float(request.world.scenario.account.vcpu_quota),
            "Unit": "None",
            "Adjustable": True,
            "GlobalQuota": False,
        }
    }


STS_OPERATIONS: dict[str, Operation] = {"GetCallerIdentity": get_caller_identity}
IAM_OPERATIONS: dict[str, Operation] = {"GetRole": get_role, "SimulatePrincipalPolicy": simulate_principal_policy}
QUOTA_OPERATIONS: dict[str, Operation] = {"GetServiceQuota": get_service_quota}
