# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Buckets and their objects. A bucket has to be made first; its name is the first part of the path.

Source: Amazon S3 API reference (CreateBucket, PutObject, GetObject; error responses).
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote

from lab.aws.errors import AwsError
from lab.aws.request import Operation, Request, Result

HEADERS = {
    "ContentType": "CONTENT_TYPE",
    "ServerSideEncryption": "HTTP_X_AMZ_SERVER_SIDE_ENCRYPTION",
    "SSEKMSKeyId": "HTTP_X_AMZ_SERVER_SIDE_ENCRYPTION_AWS_KMS_KEY_ID",
}
"""Members of a request that S3 takes from headers, and their names in the environment of a WSGI application."""


@dataclass(frozen=True)
class StoredObject:
    """An object with what its writer said of it."""

    body: bytes
    content_type: str
    encryption: str | None
    key_id: str | None


def read_request(environ: dict[str, str], body: bytes) -> tuple[str, Result]:
    """Operation and parameters of an HTTP request to S3, with the bucket in the path."""
    bucket, _, key = unquote(environ.get("PATH_INFO", "")).lstrip("/").partition("/")
    method = environ["REQUEST_METHOD"]
    operation = {("PUT", False): "CreateBucket", ("PUT", True): "PutObject", ("GET", True): "GetObject"}.get(
        (method, bool(key)), f"{method} {'object' if key else 'bucket'}"
    )
    params: Result = {"Bucket": bucket}
    if key:
        params["Key"] = key
    if operation == "PutObject":
        params |= {member: environ[header] for member, header in HEADERS.items() if header in environ}
        params["Body"] = body
    return operation, params


def _create_bucket(request: Request) -> Result:
    name = request.params["Bucket"]
    if name in request.account.buckets:
        raise AwsError("BucketAlreadyOwnedByYou", "Your previous request to create the named bucket succeeded.")
    request.account.buckets[name] = {}
    return {}


def _objects(request: Request) -> dict[str, StoredObject]:
    bucket = request.account.buckets.get(request.params["Bucket"])
    if bucket is None:
        raise AwsError("NoSuchBucket", "The specified bucket does not exist")
    return bucket


def _put_object(request: Request) -> Result:
    params = request.params
    _objects(request)[params["Key"]] = StoredObject(
        bytes(params.get("Body") or b""),
        params.get("ContentType", "binary/octet-stream"),
        params.get("ServerSideEncryption"),
        params.get("SSEKMSKeyId"),
    )
    return {}


def _get_object(request: Request) -> Result:
    found = _objects(request).get(request.params["Key"])
    if found is None:
        raise AwsError("NoSuchKey", "The specified key does not exist.")
    return {"Body": found.body, "ContentType": found.content_type}


OPERATIONS: dict[str, Operation] = {
    "CreateBucket": _create_bucket,
    "GetObject": _get_object,
    "PutObject": _put_object,
}
