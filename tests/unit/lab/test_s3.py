# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Buckets and objects, through boto3."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from lab.scenario import load
from lab.server import Credentials, Lab


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    file = tmp_path / "scenario.yml"
    file.write_text("name: A test\nwhy: A test\nscale: 1000\nhosts: [{name: a}]\nexpect: {}\n", encoding="utf-8")
    lab = Lab(load(file), tmp_path)
    lab.start()
    yield lab
    lab.stop()


def s3_of(lab: Lab, credentials: Credentials) -> Any:
    return boto3.client(
        "s3",
        region_name="eu-central-1",
        endpoint_url=lab.url,
        aws_access_key_id=credentials.access_key,
        aws_secret_access_key=credentials.secret_key,
        aws_session_token=credentials.session_token,
    )


def code_of(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


def test_an_object_is_read_as_it_was_written_also_by_a_signed_link(lab: Lab) -> None:
    s3 = s3_of(lab, lab.new_credentials(administrator=True))
    s3.create_bucket(Bucket="reports")
    options = {"ContentType": "text/html", "ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "alias/ours"}
    s3.put_object(Bucket="reports", Key="a b/c.html", Body=b"<p>", **options)
    answer = s3.get_object(Bucket="reports", Key="a b/c.html")
    assert (answer["Body"].read(), answer["ContentType"]) == (b"<p>", "text/html")
    stored = lab.objects("reports")["a b/c.html"]
    assert (stored.encryption, stored.key_id) == ("aws:kms", "alias/ours")
    link = s3.generate_presigned_url("get_object", Params={"Bucket": "reports", "Key": "a b/c.html"}, ExpiresIn=60)
    with urllib.request.urlopen(link) as found:  # noqa: S310 - the lab's own address
        assert found.read() == b"<p>"


def test_what_is_not_there_and_what_is_not_allowed(lab: Lab) -> None:
    administrator, controller = (s3_of(lab, lab.new_credentials(administrator=value)) for value in (True, False))
    with pytest.raises(ClientError) as no_bucket:
        administrator.put_object(Bucket="reports", Key="a", Body=b"")
    assert code_of(no_bucket) == "NoSuchBucket"
    administrator.create_bucket(Bucket="reports")
    administrator.create_bucket(Bucket="of-others")
    with pytest.raises(ClientError) as no_key:
        administrator.get_object(Bucket="reports", Key="a")
    assert code_of(no_key) == "NoSuchKey"
    with pytest.raises(ClientError, match="s3:PutObject on resource: arn:aws:s3:::of-others/a") as denied:
        controller.put_object(Bucket="of-others", Key="a", Body=b"")
    assert (code_of(denied), denied.value.response["ResponseMetadata"]["HTTPStatusCode"]) == ("AccessDenied", 403)
    with pytest.raises(ClientError):
        administrator.delete_object(Bucket="reports", Key="a")
