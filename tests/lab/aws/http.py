# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP before the account: finds out what is called, parses and serialises with moto, and gives moto what is moto's.

Only the operations in ``FOR_MOTO`` reach a stock backend. moto must never answer for an operation that it does badly
(its SendCommand reaches every instance of the region), so everything else that the account does not know is refused.
"""

from __future__ import annotations

import io
import json
import re
import threading
import uuid
from collections.abc import Callable, Iterable
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from moto.core.parse import PROTOCOL_PARSERS
from moto.core.serialize import SerializationContext, get_serializer_class
from moto.core.utils import get_service_model
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.datastructures import Headers, MultiDict
from werkzeug.serving import BaseWSGIServer, make_server
from werkzeug.test import run_wsgi_app

from lab.aws import moto_tables, s3
from lab.aws.account import OPERATIONS, Account
from lab.aws.errors import AwsError, not_implemented
from lab.aws.faults import AnswerLost
from lab.aws.json_body import json_body
from lab.aws.moto_tables import MotoTables
from lab.aws.request import Request, Result
from lab.aws.xml import ec2_body

SIGNING_NAMES = {"monitoring": "cloudwatch", "servicequotas": "service-quotas"}
FOR_MOTO = {
    "logs": {
        "CreateLogGroup",
        "DescribeLogGroups",
        "DescribeLogStreams",
        "FilterLogEvents",
        "GetLogEvents",
        "PutRetentionPolicy",
    },
    "dynamodb": moto_tables.OPERATIONS,
}
# How often the listening thread looks whether it has to end.
SHUTDOWN_POLL_SECONDS = 0.05
_PROTOCOLS = {
    "ec2": "ec2",
    "sts": "query",
    "iam": "query",
    "cloudformation": "query",
    "scheduler": "rest-json",
    "s3": "rest-xml",
}

Environ = dict[str, Any]
StartResponse = Callable[..., Any]


class ClientGone(Exception):
    """The client ended in the middle of a request, as one that is killed does: AWS never had the call."""


class Incoming:
    """An HTTP request, as far as it shows which call it is.

    Raises:
        ClientGone: the body ends before its length.
    """

    def __init__(self, environ: Environ) -> None:
        self.environ = environ
        length = int(environ.get("CONTENT_LENGTH") or 0)
        self.body: bytes = environ["wsgi.input"].read(length)
        if len(self.body) < length:
            raise ClientGone
        self.access_key, self.region, self.service = self._scope()
        self.protocol = _protocol(self.service, environ)
        in_body = self.protocol in ("ec2", "query")
        self.form = dict(parse_qsl(self.body.decode(), keep_blank_values=True)) if in_body else {}
        target = environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2]
        path = f"{environ['REQUEST_METHOD']} {environ.get('PATH_INFO', '')}"
        self.in_path: dict[str, str] = {}
        self._of_s3: tuple[str, dict[str, Any]] | None = None
        if self.service == "s3":
            self._of_s3 = s3.read_request(environ, self.body)
            path = self._of_s3[0]
        self.operation: str = self.form.get("Action") or target or self._named_by_path() or path

    def _scope(self) -> tuple[str, str, str]:
        """Access key, region and service from the scope of the signature, or of a signed link; the signature is not checked."""
        _, _, rest = self.environ.get("HTTP_AUTHORIZATION", "").partition("Credential=")
        in_link = dict(parse_qsl(self.environ.get("QUERY_STRING", ""))).get("X-Amz-Credential", "")
        fields = (rest.split(",")[0] or in_link).split("/")
        if len(fields) < 5:
            return "", "", "unsigned"
        return fields[0], fields[2], SIGNING_NAMES.get(fields[3], fields[3])

    def _named_by_path(self) -> str | None:
        """The operation whose method and path these are, of a service that has no other name for it."""
        if self.protocol != "rest-json":
            return None
        model = get_service_model(self.service)
        for name in model.operation_names:
            http = model.operation_model(name).http
            path = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", http["requestUri"])
            found = re.fullmatch(path, self.environ.get("PATH_INFO", ""))
            if found and http["method"] == self.environ["REQUEST_METHOD"]:
                self.in_path = found.groupdict()
                return str(name)
        return None

    def params(self) -> dict[str, Any]:
        if self._of_s3:
            return self._of_s3[1]
        if self.protocol == "json":
            return dict(json.loads(self.body or b"{}"))
        operation = get_service_model(self.service).operation_model(self.operation)
        parser = PROTOCOL_PARSERS[self.protocol](operation)
        in_query = parse_qsl(self.environ.get("QUERY_STRING", ""))
        return dict(
            parser.parse(
                {
                    "method": self.environ["REQUEST_METHOD"],
                    "values": MultiDict(self.form or in_query),
                    "headers": Headers(),
                    "body": self.body,
                    "url_path": "/",
                    "url_params": self.in_path,
                }
            )
        )


def _protocol(service: str, environ: Environ) -> str:
    """CloudWatch speaks JSON with clients that know it, and the query protocol with botocore before 1.40."""
    if service == "cloudwatch" and "HTTP_X_AMZ_TARGET" not in environ:
        return "query"
    return _PROTOCOLS.get(service, "json")


class Gateway:
    """The WSGI application: one HTTP request, one call of the account.

    It raises AnswerLost where no answer must reach the client, and ClientGone where there is none; the server then ends the
    connection.
    """

    def __init__(self, account: Account, tables: MotoTables) -> None:
        self._account = account
        self._tables = tables
        self._moto = DomainDispatcherApplication(create_backend_app)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        incoming = Incoming(environ)
        request_id = str(uuid.uuid4())
        try:
            status, content_type, body = self._answer(incoming, request_id)
        except AwsError as error:
            status = _status(incoming.service, error)
            content_type, body = _error_body(incoming.protocol, error, request_id)
        except AnswerLost:
            raise
        except Exception as error:  # noqa: BLE001 - the lab itself broke: no client may try again as if it were AWS
            self._account.world.sim.broke(error)
            status = 501
            content_type, body = _error_body(incoming.protocol, not_implemented(f"this: {error!r}"), request_id)
        headers = [
            ("Content-Type", content_type),
            ("Content-Length", str(len(body))),
            ("x-amzn-RequestId", request_id),
            ("Date", format_datetime(self._account.world.sim.time, usegmt=True)),
        ]
        start_response(f"{status} {'OK' if status < 400 else 'Error'}", headers)
        return [body]

    def _answer(self, incoming: Incoming, request_id: str) -> tuple[int, str, bytes]:
        service, operation = incoming.service, incoming.operation
        account = self._account.of_key(incoming.access_key)
        if operation in OPERATIONS.get(service, {}):
            result = account.call(service, operation, incoming.params(), incoming.region, incoming.access_key)
            return 200, *_result_body(incoming, result, request_id)
        request = Request(account, service, operation, {}, incoming.region, incoming.access_key)
        if operation in FOR_MOTO.get(service, ()):
            request.params.update(incoming.params())
            result = account.pass_through(request, lambda: self._forward(incoming))
            return 200, result["content_type"], result["body"]
        raise account.refuse(request)

    def _forward(self, incoming: Incoming) -> Result:
        if incoming.service == "dynamodb":
            self._tables.make_ready()
            self._tables.expire(self._account.world.sim.time)
            body = self._tables.answer(incoming.operation, incoming.params(), incoming.region)
            if body is not None:
                return {"content_type": "application/x-amz-json-1.0", "body": body}
        environ = {**incoming.environ, "wsgi.input": io.BytesIO(incoming.body)}
        chunks, status, headers = run_wsgi_app(self._moto, environ)
        body = b"".join(chunks)
        if not status.startswith("2"):
            answer = json.loads(body)
            code, message = answer.pop("__type", "InternalError").rpartition("#")[2], answer.pop("message", "")
            raise AwsError(code, answer.pop("Message", message), answer)
        return {"content_type": headers.get("Content-Type", "application/x-amz-json-1.1"), "body": body}


def _result_body(incoming: Incoming, result: Result, request_id: str) -> tuple[str, bytes]:
    """Content type and body."""
    if incoming.service == "s3":
        return result.get("ContentType", "application/xml"), result.get("Body", b"")
    operation = get_service_model(incoming.service).operation_model(incoming.operation)
    if incoming.protocol == "ec2":
        text = ec2_body(incoming.operation, operation.output_shape, result, request_id)
        return "text/xml;charset=UTF-8", text.encode()
    if incoming.protocol == "json":
        return "application/x-amz-json-1.1", json_body(incoming.service, operation.output_shape, result).encode()
    serializer = get_serializer_class(incoming.service, incoming.protocol)
    answer = serializer(operation, context=SerializationContext(request_id)).serialize(result)
    body = answer["body"]
    content_type = answer["headers"].get("Content-Type", "application/x-amz-json-1.1")
    return content_type, body.encode() if isinstance(body, str) else body


def _status(service: str, error: AwsError) -> int:
    """As the service's model has it, else as its kind of errors usually has."""
    if service not in _PROTOCOLS:  # all of those that speak plain JSON answer with 400
        return error.status
    shape = get_service_model(service).shape_for_error_code(error.code)  # type: ignore[arg-type]  # the stub says int
    modelled = shape.metadata.get("error", {}).get("httpStatusCode") if shape else None
    return int(modelled) if modelled else error.status


def _error_body(protocol: str, error: AwsError, request_id: str) -> tuple[str, bytes]:
    """Content type and body."""
    if protocol in ("json", "rest-json"):
        return "application/x-amz-json-1.1", json.dumps(
            {"__type": error.code, "message": error.message, **error.more}
        ).encode()
    inner = f"<Error><Code>{escape(error.code)}</Code><Message>{escape(error.message)}</Message></Error>"
    if protocol == "rest-xml":
        text = inner.replace("</Error>", f"<RequestId>{request_id}</RequestId></Error>")
    elif protocol == "ec2":
        text = f"<Response><Errors>{inner}</Errors><RequestID>{request_id}</RequestID></Response>"
    else:
        text = f"<ErrorResponse>{inner}<RequestId>{request_id}</RequestId></ErrorResponse>"
    return "text/xml", text.encode()


class _Handler(MotoRequestHandler):
    """Keeps connections open, which werkzeug's own handler never does: a new one for each call is half its cost.

    The gateway reads each request to its end, so the next one begins where it should. Headers and body go out as one
    piece, else each answer would wait for an ACK.
    """

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def run_wsgi(self) -> None:
        def start_response(
            status: str, headers: list[tuple[str, str]], _exc_info: object = None
        ) -> Callable[[bytes], object]:
            code, _, text = status.partition(" ")
            self.send_response_only(int(code), text)  # send_response adds the date of the machine
            for name, value in headers:
                self.send_header(name, value)
            self.end_headers()
            return self.wfile.write

        try:
            for data in self.server.app(self.make_environ(), start_response):
                self.wfile.write(data)
        except (AnswerLost, ClientGone):
            self.close_connection = True  # not a byte was written: the client sees the end of the connection
        self.wfile.flush()

    def log_request(self, *args: object) -> None:
        """Nothing: the trace has it."""


class HttpServer:
    """The account at a free port of 127.0.0.1."""

    def __init__(self, account: Account, tables: MotoTables) -> None:
        self._server: BaseWSGIServer = make_server(
            "127.0.0.1", 0, Gateway(account, tables), threaded=True, request_handler=_Handler
        )
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(SHUTDOWN_POLL_SECONDS,), daemon=True, name="lab-http"
        )

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        if self._thread.is_alive():  # else shutdown would wait for ever
            self._server.shutdown()
        self._server.server_close()
