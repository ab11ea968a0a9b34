# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operations that AWS has, from the service models that botocore carries."""

from __future__ import annotations

import functools

from botocore.loaders import Loader

# Those that the product or its users' policies may come to speak of.
SERVICES = (
    "ec2",
    "ssm",
    "sts",
    "iam",
    "logs",
    "service-quotas",
    "dynamodb",
    "s3",
    "kms",
    "cloudwatch",
    "autoscaling",
    "cloudformation",
    "events",
    "organizations",
    "scheduler",
    "sns",
)


@functools.cache
def operations(service: str) -> frozenset[str]:
    """The names of all operations of ``service``, a name of ``SERVICES``."""
    return frozenset(Loader().load_service_model(service, "service-2")["operations"])
