# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What IAM refuses as a policy: text that is no JSON, statements that lack something, principals that it does not know.

Source: IAM user guide, "IAM JSON policy elements reference", "Grammar of the IAM JSON policy language", "IAM and AWS STS quotas".
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from lab.aws.arns import Arns
from lab.aws.errors import AwsError
from lab.aws.policy import statements_of

VERSIONS = ("2012-10-17", "2008-10-17")
SID = re.compile(r"[A-Za-z0-9]*")
POLICY_CHARACTERS, TRUST_CHARACTERS = 6_144, 2_048
AWS_PRINCIPAL = re.compile(r"\*|[0-9]{12}|arn:(?P<partition>[a-z-]+):(iam|sts)::([0-9]{12}|aws):.+")


def malformed(message: str) -> AwsError:
    return AwsError("MalformedPolicyDocument", message)


def check_policy(document: dict[str, Any] | str, arns: Arns) -> None:
    """An identity policy. Raises AwsError: MalformedPolicyDocument, LimitExceeded."""
    for statement in _statements(document, POLICY_CHARACTERS):
        if "Principal" in statement:
            raise malformed("Policy document should not specify a principal.")
        resources = statement.get("Resource", statement.get("NotResource"))
        if resources is None:
            raise malformed("Policy statement must contain resources.")
        for resource in [resources] if isinstance(resources, str) else resources:
            _check_resource(resource, arns)


def check_trust(document: dict[str, Any] | str, arns: Arns) -> None:
    """A role's trust policy: who may assume it. Raises AwsError: MalformedPolicyDocument, LimitExceeded."""
    for statement in _statements(document, TRUST_CHARACTERS):
        if "Resource" in statement:
            raise malformed("Has prohibited field Resource.")
        principals = statement.get("Principal")
        if not isinstance(principals, dict) or not principals:
            raise malformed("Missing required field Principal.")
        for kind, value in _principals(principals):
            _check_principal(kind, value, arns)


def _principals(principals: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for kind, values in principals.items():
        for value in values if isinstance(values, list) else [values]:
            yield kind, value


def _check_principal(kind: str, value: str, arns: Arns) -> None:
    if kind == "Service":
        right = arns.is_service(value)
    else:
        found = AWS_PRINCIPAL.fullmatch(value) if kind == "AWS" else None
        right = found is not None and found["partition"] in (None, arns.partition)
    if not right:
        raise malformed(f'Invalid principal in policy: "{kind.upper()}":"{value}"')


def _check_resource(resource: str, arns: Arns) -> None:
    if resource == "*":
        return
    parts = resource.split(":", 5)
    if len(parts) < 6 or parts[0] != "arn":
        raise malformed(f'Resource {resource} must be in ARN format or "*".')
    if parts[1] not in (arns.partition, "*"):
        raise malformed(f'Partition "{parts[1]}" is not valid for resource "{resource}".')


def _statements(document: dict[str, Any] | str, most: int) -> list[dict[str, Any]]:
    policy = _parsed(document)
    if len(re.sub(r"\s", "", json.dumps(policy))) > most:
        raise AwsError("LimitExceeded", f"Cannot exceed quota for PolicySize: {most}")
    statements = policy.get("Statement")
    statements = [statements] if isinstance(statements, dict) else statements
    if policy.get("Version", VERSIONS[1]) not in VERSIONS or not isinstance(statements, list) or not statements:
        raise malformed("Syntax errors in policy.")
    for statement in statements:
        _check_statement(statement)
    sids = [statement["Sid"] for statement in statements if statement.get("Sid")]
    if len(set(sids)) < len(sids):
        raise malformed("Statement IDs (SID) in a single policy must be unique.")
    try:
        statements_of(policy)
    except KeyError as error:
        raise malformed(f"Invalid Condition type : {error.args[0]}.") from error
    return statements


def _parsed(document: dict[str, Any] | str) -> dict[str, Any]:
    try:
        policy = json.loads(document) if isinstance(document, str) else document
    except ValueError as error:
        raise malformed("Syntax errors in policy.") from error
    if not isinstance(policy, dict):
        raise malformed("Syntax errors in policy.")
    return policy


def _check_statement(statement: dict[str, Any]) -> None:
    if statement.get("Effect") not in ("Allow", "Deny") or not SID.fullmatch(statement.get("Sid", "")):
        raise malformed("Syntax errors in policy.")
    actions = statement.get("Action", statement.get("NotAction"))
    if not actions:
        raise malformed("Policy statement must contain actions.")
    for action in [actions] if isinstance(actions, str) else actions:
        if action != "*" and ":" not in action:
            raise malformed("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")
