# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""STS: who is calling, and sessions of roles in the own account and others.

Source: STS API reference, AssumeRole; IAM user guide, "Methods to assume a role" (role chaining: one hour at most).
"""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from lab.aws.errors import AwsError
from lab.aws.policy import Need, Statement, deciding, statements_of
from lab.aws.request import Operation, Request, Result

if TYPE_CHECKING:
    from lab.aws.account import Account
    from lab.aws.cloudformation.resources import Resource

CHAINED_SECONDS = 3600


def get_caller_identity(request: Request) -> Result:
    arns = request.arns
    return {"UserId": "AROALABLABLABLABLABLA:lab", "Account": arns.account_id, "Arn": arns.caller(request.role)}


def assume_role(request: Request) -> Result:
    """A session of a role of a further account, as far as the role trusts the caller. It lasts an hour, and no longer."""
    params = request.params
    account, role = _role(request, params["RoleArn"])
    if account is not None and _is_administrators(request, params["RoleArn"]):
        return _session(request, account, None, params.get("DurationSeconds", CHAINED_SECONDS))
    if role is None or account is None or not _trusts(role, request, account):
        raise AwsError(
            "AccessDenied",
            f"User: {request.arns.caller(request.role)} is not authorized to perform: sts:AssumeRole on resource: "
            f"{params['RoleArn']}",
        )
    seconds = params.get("DurationSeconds", CHAINED_SECONDS)
    if seconds > CHAINED_SECONDS and request.role is not None:
        raise AwsError(
            "ValidationError",
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining",
        )
    return _session(request, account, role.physical_id, seconds)


def _role(request: Request, arn: str) -> tuple[Account | None, Resource | None]:
    """The role of any account that the ARN names; AWS does not tell whether there is one."""
    for account in request.account.estate:
        name = arn.rpartition("/")[2]
        if account.arns.role(name) == arn:
            return account, account.stacks.role(name)
    return None, None


def _is_administrators(request: Request, arn: str) -> bool:
    """Organizations makes this role in each account that it creates, for administrators of the management account.

    Source: Organizations user guide, "Accessing member accounts that have OrganizationAccountAccessRole".
    """
    first = request.account.estate[0]
    return arn.endswith(":role/OrganizationAccountAccessRole") and request.account is first and request.role is None


def _trusts(role: Resource, request: Request, account: Account) -> bool:
    """By the role's own trust policy, which names the caller's account or role."""
    document = role.properties["AssumeRolePolicyDocument"]
    trusting = {request.arns.of("iam", "", "root")}
    if request.role is not None:
        trusting.add(request.arns.role(request.role))
    wanted = [it for it in document["Statement"] if trusting & set(_principals(it))]
    statements: list[Statement] = statements_of({"Statement": wanted})
    given = {"sts:ExternalId": request.params["ExternalId"]} if "ExternalId" in request.params else {}
    return deciding(statements, Need("sts:AssumeRole", account.arns.role(role.physical_id), given)) is not None


def _principals(statement: dict[str, Any]) -> list[str]:
    named = statement["Principal"].get("AWS", [])
    return [named] if isinstance(named, str) else list(named)


def _session(request: Request, account: Account, role: str | None, seconds: int) -> Result:
    key, secret, token = "ASIA" + secrets.token_hex(8).upper(), secrets.token_hex(20), secrets.token_hex(60)
    account.gate.admit_key(key, role)
    account.gate.end_at(key, request.sim.now + seconds)
    request.account.secrets += [secret, token]
    name = request.params["RoleSessionName"]
    credentials: dict[str, Any] = {
        "AccessKeyId": key,
        "SecretAccessKey": secret,
        "SessionToken": token,
        "Expiration": request.sim.time + timedelta(seconds=seconds),
    }
    arn = account.arns.of("sts", "", f"assumed-role/{role or 'OrganizationAccountAccessRole'}/{name}")
    return {
        "Credentials": credentials,
        "AssumedRoleUser": {"AssumedRoleId": f"AROALABLABLABLABLABLA:{name}", "Arn": arn},
    }


OPERATIONS: dict[str, Operation] = {"AssumeRole": assume_role, "GetCallerIdentity": get_caller_identity}
