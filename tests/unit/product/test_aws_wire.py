# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What botocore makes of answers that are lost, cut off or of another server, on real sockets."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._aws.api import Aws
from ansible_collections.patchfleet.windows.plugins.module_utils._aws.commands import send_command
from ansible_collections.patchfleet.windows.plugins.module_utils._aws.connect import OptionsConnection
from ansible_collections.patchfleet.windows.plugins.module_utils._aws.ec2 import start_instance, stop_instance
from ansible_collections.patchfleet.windows.plugins.module_utils._aws.errors import AwsError, NotReached, Unanswered
from ansible_collections.patchfleet.windows.plugins.module_utils._aws.patches import patch_state

from .fakes import ID, VirtualClock

GOOD = b'{"InstancePatchStates": []}'
SENT = b'{"Command": {"CommandId": "00000000-0000-4000-8000-000000000001"}}'
HANG_UP = b""
PAGE = b"<html><body>Please log in to the proxy</body></html>"
BROKEN = [pytest.param(HANG_UP, id="hangs up"), pytest.param(SENT[:20], id="cut off"), pytest.param(PAGE, id="page")]


@dataclass
class Endpoint:
    """What answers: bodies one after the other, the last one stays. ``requests`` counts what came."""

    bodies: list[bytes]
    status: int = 200
    requests: list[str] = field(default_factory=list)

    def next(self, operation: str) -> bytes:
        self.requests.append(operation)
        return self.bodies.pop(0) if len(self.bodies) > 1 else self.bodies[0]


@contextmanager
def served(endpoint: Endpoint) -> Iterator[Aws]:
    """An Aws whose calls reach the endpoint."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            body = endpoint.next(self.headers.get("X-Amz-Target", "ec2"))
            if body == HANG_UP:
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
                return
            self.send_response(endpoint.status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            """Nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield connected(f"http://127.0.0.1:{server.server_port}")
        server.shutdown()


def connected(url: str) -> Aws:
    options = {"endpoint_url": url, "access_key": "AKIATEST", "secret_key": "x", "region": "eu-central-1"}
    return Aws(OptionsConnection(options), VirtualClock())


def send(aws: Aws) -> str:
    return send_command(aws, ID, "AWS-RunPatchBaseline", {}, delivery_seconds=600, comment="c")


@pytest.mark.parametrize("body", BROKEN)
def test_a_command_whose_answer_cannot_be_read_may_have_been_sent(body: bytes) -> None:
    endpoint = Endpoint([body, SENT])
    with served(endpoint) as aws, pytest.raises(Unanswered):
        send(aws)
    assert len(endpoint.requests) == 1


@pytest.mark.parametrize("body", BROKEN)
def test_a_read_whose_answer_cannot_be_read_is_asked_again(body: bytes) -> None:
    endpoint = Endpoint([body, body, GOOD])
    with served(endpoint) as aws:
        assert patch_state(aws, ID) is None
    assert len(endpoint.requests) == 3


@pytest.mark.parametrize("body", [HANG_UP, b"<StartInstancesResponse><instancesSet><it", PAGE[:-5]])
def test_a_start_whose_answer_cannot_be_read_may_have_been_made(body: bytes) -> None:
    endpoint = Endpoint([body])
    with served(endpoint) as aws, pytest.raises(Unanswered):
        start_instance(aws, ID)
    assert len(endpoint.requests) == 1


def test_a_page_of_a_gateway_is_no_answer_of_aws() -> None:
    endpoint = Endpoint([PAGE], status=502)
    with served(endpoint) as aws, pytest.raises(Unanswered):
        stop_instance(aws, ID)
    assert len(endpoint.requests) == 1


def test_a_refusal_is_one_whatever_the_protocol() -> None:
    denied = b'{"__type": "AccessDeniedException", "message": "no"}'
    with served(Endpoint([denied], status=400)) as aws, pytest.raises(AwsError, match="ssm:SendCommand"):
        send(aws)


def test_a_change_to_which_no_one_listens_was_not_sent() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        aws = connected(f"http://127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(NotReached):
            start_instance(aws, ID)
