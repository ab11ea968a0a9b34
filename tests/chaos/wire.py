# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""boto3 clients whose requests reach the lab's account in the same thread, without a socket.

botocore asks the handlers of ``before-send`` first, and sends nothing where one answers.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config
from botocore.exceptions import ConnectionClosedError
from werkzeug.test import run_wsgi_app

from lab.aws.faults import AnswerLost
from lab.aws.http import Gateway

ACCESS_KEY = "ASIACHAOS"
URL = "http://lab.invalid"


class Wire:
    """Between the clients, which are made once in a process, and the account of the night that is being played."""

    def __init__(self) -> None:
        self.gateway: Gateway | None = None

    @functools.cached_property
    def _session(self) -> boto3.Session:
        return boto3.Session()

    @functools.cache  # noqa: B019 - there is one wire in a process
    def client(self, service: str, region: str) -> Any:
        """A boto3 client that makes one attempt a call."""
        client = self._session.client(
            service,  # type: ignore[call-overload]
            region_name=region,
            endpoint_url=URL,
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key="not checked",  # noqa: S106
            config=Config(retries={"total_max_attempts": 1}),
        )
        client.meta.events.register("before-send", self._send)
        return client

    def _send(self, request: AWSPreparedRequest, **_more: Any) -> AWSResponse:
        assert self.gateway is not None, "a call while no night is played"
        try:
            chunks, status, headers = run_wsgi_app(self.gateway, _environ(request))
        except AnswerLost as lost:
            raise ConnectionClosedError(endpoint_url=request.url) from lost
        return AWSResponse(request.url, int(status.split()[0]), headers, _Body(b"".join(chunks)))


def _environ(request: AWSPreparedRequest) -> dict[str, Any]:
    """PEP 3333, as far as the gateway and moto look."""
    url = urlsplit(request.url)
    body = request.body.encode() if isinstance(request.body, str) else request.body or b""
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "PATH_INFO": url.path,
        "QUERY_STRING": url.query,
        "CONTENT_LENGTH": str(len(body)),
        "SERVER_NAME": url.hostname,
        "SERVER_PORT": "80",
        "wsgi.url_scheme": url.scheme,
        "wsgi.input": io.BytesIO(body),
    }
    for name, value in {"Host": url.netloc, **request.headers}.items():
        text = value.decode() if isinstance(value, bytes) else str(value)
        key = name.upper().replace("-", "_")
        environ["CONTENT_TYPE" if key == "CONTENT_TYPE" else f"HTTP_{key}"] = text
    return environ


class _Body(io.BytesIO):
    def stream(self, **_more: Any) -> Iterator[bytes]:
        """As urllib3's responses have it."""
        yield self.read()


WIRE = Wire()
