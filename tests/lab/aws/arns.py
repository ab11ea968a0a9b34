# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of an account and its partition: ARNs, URL suffix, regions, and who a service is for IAM.

Sources: AWS General Reference, "ARNs"; AWS CDK, region-info (service principals are SERVICE.amazonaws.com everywhere).
"""

from __future__ import annotations

from dataclasses import dataclass

ACCOUNT_ID = "123456789012"
URL_SUFFIXES = {"aws": "amazonaws.com", "aws-cn": "amazonaws.com.cn", "aws-us-gov": "amazonaws.com"}
USUAL_REGIONS = {
    "aws": ("eu-central-1", "eu-north-1", "eu-west-1", "us-east-1", "us-east-2", "us-west-2"),
    "aws-cn": ("cn-north-1", "cn-northwest-1"),
    "aws-us-gov": ("us-gov-east-1", "us-gov-west-1"),
}
# Services that may be a principal here; IAM refuses names that it does not know.
SERVICES = ("cloudformation", "ec2", "events", "lambda", "scheduler", "sns", "ssm", "states")


@dataclass(frozen=True)
class Arns:
    """Of one account."""

    account_id: str = ACCOUNT_ID
    partition: str = "aws"

    def of(self, service: str, region: str, path: str) -> str:
        """Of something of this account; ``region`` is empty for what has none."""
        return f"arn:{self.partition}:{service}:{region}:{self.account_id}:{path}"

    def of_aws(self, service: str, region: str, path: str) -> str:
        """Of something that belongs to no account, such as AWS's own documents."""
        return f"arn:{self.partition}:{service}:{region}::{path}"

    def role(self, name: str) -> str:
        return self.of("iam", "", f"role/{name}")

    def profile(self, name: str) -> str:
        return self.of("iam", "", f"instance-profile/{name}")

    def managed_policy(self, name: str) -> str:
        """Of a policy that AWS maintains."""
        return f"arn:{self.partition}:iam::aws:policy/{name}"

    def caller(self, role: str | None) -> str:
        """Of a session of the role, or of the account's administrator."""
        if role is None:
            return self.of("iam", "", "user/administrator")
        return self.of("sts", "", f"assumed-role/{role}/lab")

    @property
    def url_suffix(self) -> str:
        return URL_SUFFIXES[self.partition]

    @property
    def usual_regions(self) -> tuple[str, ...]:
        return USUAL_REGIONS[self.partition]

    def is_service(self, principal: str) -> bool:
        """Whether IAM takes the principal of a service; in China ec2 has a second name."""
        names = {f"{service}.amazonaws.com" for service in SERVICES}
        if self.partition == "aws-cn":
            names.add("ec2.amazonaws.com.cn")
        return principal in names
