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
from lab.winrm.ntlm import ENCRYPTED, ENCRYPTED_TYPE, LogOn, Refused, is_first

if TYPE_CHECKING:
    from lab.winrm.endpoint import Endpoint

PATH = "/wsman"
SOAP_TYPE = "application/soap+xml;charset=UTF-8"
NTLM_SCHEMES = ("negotiate", "ntlm")


@dataclass(frozen=True)
class Account:
    """Who may log on to the lab's hosts."""

    user: str
    password: str = field(repr=False)

    def accepts_basic(self, encoded: str) -> bool:
        """Whether the credentials of an Authorization header are this user and password."""
        try:
            user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return False
        return user.lower() == self.user.lower() and hmac.compare_digest(password.encode(), self.password.encode())


class Connection(BaseHTTPRequestHandler):
    """One connection of a client. It stays open, and NTLM knows its user by it."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # headers and body in one piece
    server_version = "Microsoft-HTTPAPI/2.0"
    sys_version = ""

    def __init__(self, sock: socket.socket, address: Any, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._log_on: LogOn | None = None
        super().__init__(sock, address, endpoint)  # type: ignore[arg-type] # it is only stored

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path.partition("?")[0] != PATH:
            self._send(404)
        elif self._is_known():
            self._take(body)

    # ---- who it is

    def _is_known(self) -> bool:
        """Whether the client has said who it is; otherwise it has been answered."""
        scheme, _, credentials = self.headers.get("Authorization", "").partition(" ")
        if scheme.lower() in NTLM_SCHEMES:
            return self._negotiate(scheme, credentials)
        if scheme:
            good = scheme.lower() == "basic" and self._endpoint.options.takes_basic and not self._endpoint.refuses
            known = good and self._endpoint.account.accepts_basic(credentials)
            if not known:
                self._endpoint.note_refusal()
        else:
            known = self._log_on is not None and self._log_on.complete
        if not known:
            self._refuse()
        return known

    def _negotiate(self, scheme: str, credentials: str) -> bool:
        try:
            token = base64.b64decode(credentials, validate=True)
            if self._log_on is None or is_first(token):
                self._log_on = self._endpoint.log_on()
            answer = self._log_on.step(token)
        except (binascii.Error, Refused):
            return self._refuse_log_on()
        if self._log_on.complete and self._endpoint.refuses:
            return self._refuse_log_on()
        if not self._log_on.complete:
            self._send(401, authenticate=[f"{scheme} {base64.b64encode(answer or b'').decode()}"])
        return self._log_on.complete

    def _refuse_log_on(self) -> bool:
        self._log_on = None
        self._endpoint.note_refusal()
        self._refuse()
        return False

    def _refuse(self) -> None:
        basic = ['Basic realm="WSMAN"'] if self._endpoint.options.takes_basic else []
        self._send(401, authenticate=["Negotiate", *basic])

    # ---- what it wants

    def _take(self, body: bytes) -> None:
        encrypted = self.headers.get("Content-Type", "").startswith(ENCRYPTED)
        if not body:  # who logs on before it says anything
            self._send(200)
        elif not encrypted:
            self._take_plain(body)
        elif self._log_on is None:
            self._send(400)
        else:
            self._take_encrypted(body, self._log_on)

    def _take_plain(self, message: bytes) -> None:
        if not self._endpoint.options.takes_basic:  # AllowUnencrypted is off, for NTLM as well
            self._send(500)
        else:
            self._send(*self._answer(message))

    def _take_encrypted(self, body: bytes, log_on: LogOn) -> None:
        try:
            status, answer = self._answer(log_on.unseal(body))
        except Refused:  # as a client does that has lost its connection, and continues with the keys of the old one
            self._send(400)
        else:
            self._send(status, log_on.seal(answer), ENCRYPTED_TYPE)

    def _answer(self, message: bytes) -> tuple[int, bytes]:
        """Status and envelope."""
        request = None
        try:
            request = wsman.parse(message)
            return 200, self._endpoint.answer(request)
        except wsman.Fault as fault:
            return 500, wsman.fault(request, fault)

    def _send(
        self, status: int, body: bytes = b"", content_type: str = SOAP_TYPE, authenticate: list[str] | None = None
    ) -> None:
        self.send_response(status)
        for offer in authenticate or ():
            self.send_header("WWW-Authenticate", offer)
        if body:
            self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, *_arguments: object) -> None:
        """Nothing: the trace has what ran."""
