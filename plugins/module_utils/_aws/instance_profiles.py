# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Instance profiles of instances, changed with the credentials of an administrator. A run calls nothing of this.

Sources: EC2 API reference, IAM API reference.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from .api import Aws, pages
from .ec2 import EC2
from .iam import IAM

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import FilterTypeDef, IamInstanceProfileAssociationTypeDef


def associate_profile(aws: Aws, instance_id: str, profile: str) -> None:
    """Repeated where no answer came: an instance that has the profile already refuses it again."""
    aws.change(EC2, instance_id, idempotent=True).associate_iam_instance_profile(
        IamInstanceProfile={"Name": profile}, InstanceId=instance_id
    )


def describe_associations(aws: Aws) -> Iterator[IamInstanceProfileAssociationTypeDef]:
    """Those that are there or on their way."""
    associated: list[FilterTypeDef] = [{"Name": "state", "Values": ["associating", "associated"]}]
    for page in pages(partial(aws.read(EC2).describe_iam_instance_profile_associations, Filters=associated)):
        yield from page.get("IamInstanceProfileAssociations", [])


def disassociate_profile(aws: Aws, instance_id: str, association_id: str) -> None:
    aws.change(EC2, instance_id, idempotent=True).disassociate_iam_instance_profile(AssociationId=association_id)


def attach_role_policy(aws: Aws, role_name: str, policy_arn: str) -> None:
    aws.change(IAM, role_name, idempotent=True).attach_role_policy(RoleName=role_name, PolicyArn=policy_arn)
