# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Operations of Service Quotas. Source: Service Quotas API reference."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .api import Aws, Service

if TYPE_CHECKING:
    from mypy_boto3_service_quotas.client import ServiceQuotasClient

SERVICE_QUOTAS: Service[ServiceQuotasClient] = Service("service-quotas")


def quota_of(aws: Aws, service_code: str, quota_code: str) -> float:
    """The value that holds in the region."""
    answer = aws.read(SERVICE_QUOTAS, quota_code).get_service_quota(ServiceCode=service_code, QuotaCode=quota_code)
    return answer["Quota"]["Value"]
