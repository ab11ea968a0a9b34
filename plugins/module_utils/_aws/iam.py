# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Operations of IAM and STS. Sources: IAM API reference, STS API reference."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from .api import Aws, Service

if TYPE_CHECKING:
    from mypy_boto3_iam.client import IAMClient
    from mypy_boto3_iam.type_defs import (
        ContextEntryTypeDef,
        EvaluationResultTypeDef,
        RoleTypeDef,
        SimulatePrincipalPolicyRequestTypeDef,
    )
    from mypy_boto3_sts.client import STSClient

IAM: Service[IAMClient] = Service("iam")
STS: Service[STSClient] = Service("sts")


def caller_arn(aws: Aws) -> str:
    """Whose credentials these are. Needs no right."""
    return aws.read(STS).get_caller_identity()["Arn"]


def caller(aws: Aws) -> tuple[str, str]:
    """The account id and the ARN of the credentials. Needs no right."""
    answer = aws.read(STS).get_caller_identity()
    return answer["Account"], answer["Arn"]


def caller_account(aws: Aws) -> str:
    """The id of the credentials' account."""
    return aws.read(STS).get_caller_identity()["Account"]


def get_role(aws: Aws, name: str) -> RoleTypeDef:
    return aws.read(IAM, name).get_role(RoleName=name)["Role"]


def roles_of_instance_profile(aws: Aws, name: str) -> list[RoleTypeDef]:
    """One role at most."""
    return aws.read(IAM, name).get_instance_profile(InstanceProfileName=name)["InstanceProfile"]["Roles"]


def simulate_policy(
    aws: Aws,
    principal_arn: str,
    actions: Sequence[str],
    resource_arn: str | None = None,
    context: Sequence[ContextEntryTypeDef] = (),
) -> Iterator[EvaluationResultTypeDef]:
    """What IAM would decide about actions of a user or role, on one resource or on ``*``."""
    request: SimulatePrincipalPolicyRequestTypeDef = {"PolicySourceArn": principal_arn, "ActionNames": actions}
    if resource_arn is not None:
        request["ResourceArns"] = [resource_arn]
    if context:
        request["ContextEntries"] = context
    while True:
        answer = aws.read(IAM, principal_arn).simulate_principal_policy(**request)
        yield from answer["EvaluationResults"]
        if not answer.get("IsTruncated"):
            return
        request["Marker"] = answer["Marker"]


def doubts_about(result: EvaluationResultTypeDef) -> list[str]:
    """Why a denial in a simulation is none for certain: what a real call has and the simulation lacks.

    A condition on a key that was not given is evaluated as if the key were absent, so that "not from our networks" denies.
    Source: IAM API reference (EvaluationResult: MissingContextValues, OrganizationsDecisionDetail).
    """
    missing = set(result.get("MissingContextValues", ()))
    for part in result.get("ResourceSpecificResults", ()):
        missing |= set(part.get("MissingContextValues", ()))
    by_organization = result.get("OrganizationsDecisionDetail", {}).get("AllowedByOrganizations") is False
    return [*sorted(missing), *(["a service control policy"] if by_organization else [])]
