# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""botocore's requests reach an application of this process without a socket, in the thread that sends them.

Clients stay botocore's own, with its signatures, retries and parsers. A socket and a server's thread would take as much time
as an answer of the lab. Other processes cannot reach such an application; they need a server.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import ConnectionClosedError
from botocore.httpsession import URLLib3Session
from werkzeug.test import run_wsgi_app

from lab.aws.faults import AnswerLost

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

_applications: dict[str, WSGIApplication] = {}
_numbers = itertools.count()
_send_over_network = URLLib3Session.send


def serve(application: WSGIApplication) -> str:
    """The URL at which clients of this process find the application."""
    number = next(_numbers)
    # An address, no name: botocore puts a bucket's name before a name.
    host = f"127.255.{number // 254}.{number % 254 + 1}"
    _applications[host] = application
    URLLib3Session.send = _send  # type: ignore[method-assign]
    return f"http://{host}"


def end(url: str) -> None:
    """Nothing is there any more."""
    del _applications[urlsplit(url).netloc]


def answer(application: WSGIApplication, request: AWSPreparedRequest, **headers: str) -> AWSResponse:
    """The application's answer to a prepared request with these headers more.

    Raises:
        ConnectionClosedError: the application gives no answer.
    """
    try:
        chunks, status, found = run_wsgi_app(application, _environ(request, headers))
    except AnswerLost as lost:
        raise ConnectionClosedError(endpoint_url=request.url) from lost
    return AWSResponse(request.url, int(status.split()[0]), found, _Body(b"".join(chunks)))


def _send(session: URLLib3Session, request: AWSPreparedRequest) -> AWSResponse:
    application = _applications.get(urlsplit(request.url).netloc)
    return answer(application, request) if application else _send_over_network(session, request)


def _environ(request: AWSPreparedRequest, more: dict[str, str]) -> dict[str, Any]:
    """PEP 3333, as far as the lab and moto read it."""
    url = urlsplit(request.url)
    body = _bytes(request.body)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "PATH_INFO": unquote(url.path, "latin-1"),
        "QUERY_STRING": url.query,
        "CONTENT_LENGTH": str(len(body)),
        "SERVER_NAME": url.hostname,
        "SERVER_PORT": "80",
        "wsgi.url_scheme": url.scheme,
        "wsgi.input": io.BytesIO(body),
    }
    for name, value in {"Host": url.netloc, **request.headers, **more}.items():
        text = value.decode() if isinstance(value, bytes) else str(value)
        key = name.upper().replace("-", "_")
        environ["CONTENT_TYPE" if key == "CONTENT_TYPE" else f"HTTP_{key}"] = text
    return environ


def _bytes(body: Any) -> bytes:
    if isinstance(body, str):
        return body.encode()
    read = body.read() if hasattr(body, "read") else body
    return bytes(read or b"")


class _Body(io.BytesIO):
    def stream(self, **_more: Any) -> Iterator[bytes]:
        """As urllib3's responses have it."""
        yield self.read()
