# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The bucket of reports and of the history: a job of AWX loses its disk when it ends, an object stays.

A run writes ``started.json`` before it touches a host, so a bucket that cannot be written ends it then. A folder that has it and no
``report.json`` is one of a run whose controller died.

Sources: Amazon S3 user guide (bucket naming rules; signed links hold for at most seven days).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs

from .._aws.api import Aws
from .._aws.s3 import put_object, signed_link
from .._base.errors import InvalidOption, PatchFleetError
from .._operation.options import Options

URL = re.compile(
    r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(?P<prefix>[A-Za-z0-9!_.*'()/=-]*))?(?:\?(?P<query>.*))?"
)
LONGEST_LINK_SECONDS = 7 * 24 * 3600
CONTENT_TYPES = {
    "json": "application/json",
    "md": "text/markdown; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "csv": "text/csv; charset=utf-8",
    "zip": "application/zip",
}
STARTED = "started.json"


@dataclass(frozen=True)
class ReportBucket:
    """Where reports go.

    Attributes:
        url: as the user wrote it.
        prefix: of all keys, empty or with a slash at its end.
        region: of the URL; None for that of the environment or of the profile.
        kms_key: id or ARN of a key of KMS; None for the bucket's own encryption.
        link_seconds: how long a signed link holds; 0 for none.
    """

    url: str
    bucket: str
    prefix: str
    region: str | None
    kms_key: str | None = None
    link_seconds: int = 0


def parse_report_bucket(url: str | None, kms_key: str | None = None, link_seconds: int = 0) -> ReportBucket | None:
    """The bucket of the options; None where there is none.

    Raises:
        InvalidOption: the URL is none, or a link would hold for longer than S3 allows.
    """
    if link_seconds > LONGEST_LINK_SECONDS:
        right = f"A signed link holds for at most seven days, {LONGEST_LINK_SECONDS} seconds."
        raise InvalidOption("patch_report_link_seconds", link_seconds, right)
    if not url:
        return None
    found = URL.fullmatch(url)
    query = parse_qs(found["query"] or "", keep_blank_values=True) if found else {}
    if found is None or set(query) - {"region"}:
        right = "It must be s3://BUCKET, s3://BUCKET/PREFIX or s3://BUCKET/PREFIX?region=eu-central-1."
        raise InvalidOption("patch_report_bucket", url, right)
    prefix = (found["prefix"] or "").strip("/")
    return ReportBucket(
        url=url,
        bucket=found["bucket"],
        prefix=f"{prefix}/" if prefix else "",
        region=query.get("region", [None])[-1],
        kms_key=kms_key or None,
        link_seconds=link_seconds,
    )


def bucket_of(params: Options) -> ReportBucket | None:
    """The bucket of a module's options; see parse_report_bucket."""
    return parse_report_bucket(params["report_bucket"], params["report_kms_key"], params["report_link_seconds"])


class ReportStore:
    """Writes the files of one run, or of the history, into a folder of the bucket."""

    def __init__(self, where: ReportBucket, folder: str, aws: Aws) -> None:
        self._where = where
        self._folder = f"{where.prefix}{folder}/"
        self._aws = aws.in_region(where.region)

    @property
    def folder(self) -> str:
        """The address of the files, for people."""
        return f"s3://{self._where.bucket}/{self._folder}"

    def write(self, files: Mapping[str, str | bytes]) -> dict[str, str]:
        """Write files by their names; returns their addresses, or signed links where these are wanted.

        Raises:
            PatchFleetError: AWS does not take one.
        """
        return {name: self._write(name, content) for name, content in files.items()}

    def _write(self, name: str, content: str | bytes) -> str:
        key, kind = self._folder + name, name.rpartition(".")[2]
        body = content.encode() if isinstance(content, str) else content
        put_object(self._aws, self._where.bucket, key, body, CONTENT_TYPES[kind], self._where.kms_key)
        if self._where.link_seconds:
            return signed_link(self._aws, self._where.bucket, key, self._where.link_seconds)
        return f"s3://{self._where.bucket}/{key}"

    def announce(self, started: Mapping[str, object]) -> None:
        """Write ``started.json``.

        Raises:
            InvalidOption: the bucket cannot be written; AWS's own words follow.
        """
        try:
            self.write({STARTED: json.dumps(started, indent=1, allow_nan=False)})
        except PatchFleetError as error:
            right = f"It must be a bucket that these credentials can write to (s3:PutObject). {error.reason}"
            raise InvalidOption("patch_report_bucket", self._where.url, right) from error
