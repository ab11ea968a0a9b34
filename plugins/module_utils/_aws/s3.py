# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Operations of Amazon S3. Source: Amazon S3 API reference."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .api import Aws, Service

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_s3.type_defs import PutObjectRequestTypeDef

S3: Service[S3Client] = Service("s3")


def put_object(aws: Aws, bucket: str, key: str, body: bytes, content_type: str, kms_key: str | None = None) -> None:
    """Write an object, over what is there. Without ``kms_key`` the bucket's own encryption holds."""
    request: PutObjectRequestTypeDef = {
        "Bucket": bucket,
        "Key": key,
        "Body": body,
        "ContentType": content_type,
    }
    if kms_key is not None:
        request["ServerSideEncryption"] = "aws:kms"
        request["SSEKMSKeyId"] = kms_key
    aws.change(S3, f"s3://{bucket}/{key}", idempotent=True).put_object(**request)


def signed_link(aws: Aws, bucket: str, key: str, seconds: int) -> str:
    """A link by which everybody who has it can read the object; it ends with these credentials at the latest."""
    return aws.signed_link(S3, "get_object", {"Bucket": bucket, "Key": key}, seconds)
