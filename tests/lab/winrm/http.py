# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP before the shells of a host: who speaks on a connection, and one message after the other."""

from __future__ import annotations

import base64
import binascii
import hmac
import socket
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

from lab.winrm import wsman

if TYPE_CHECKING:
    from lab.winrm.endpoint import Endpoint

PATH = "/wsman"
SOAP_TYPE = "application/soap+xml;charset=UTF-8"


@dataclass(frozen=True)
class Account:
    """Who may log on to the lab's hosts."""

    user: str
    password: str = field(repr=False)

    def accepts_basic(self, header: str) -> bool:
        """Whether an Authorization header carries this user and password."""
        scheme, _, encoded = header.partition(" ")
        if scheme.lower() != "basic":
            return False
        try:
            user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return False
        return user.lower() == self.user.lower() and hmac.compare_digest(password.encode(), self.password.encode())


class Connection(BaseHTTPRequestHandler):
    """One connection of a client; it stays open, and NTLM knows its user by it."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # headers and body in one piece
    server_version = "Microsoft-HTTPAPI/2.0"
    sys_version = ""

    def __init__(self, sock: socket.socket, address: Any, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        super().__init__(sock, address, endpoint)  # type: ignore[arg-type] # it is only stored

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path.partition("?")[0] != PATH:
            self._send(404)
        elif not self._endpoint.account.accepts_basic(self.headers.get("Authorization", "")):
            self._send(401)
        else:
            self._answer(body)

    def _answer(self, message: bytes) -> None:
        request = None
        try:
            request = wsman.parse(message)
            self._send(200, self._endpoint.answer(request))
        except wsman.Fault as fault:
            self._send(500, wsman.fault(request, fault))

    def _send(self, status: int, body: bytes = b"") -> None:
        self.send_response(status)
        if status == 401:
            self.send_header("WWW-Authenticate", 'Basic realm="WSMAN"')
        if body:
            self.send_header("Content-Type", SOAP_TYPE)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, *_arguments: object) -> None:
        """Nothing: the trace has what ran."""
