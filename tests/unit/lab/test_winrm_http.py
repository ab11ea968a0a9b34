# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a WinRM endpoint says to clients that are not well: HTTP, and NTLM with its sealed messages."""

from __future__ import annotations

import base64
import http.client
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import spnego

from lab.winrm import wsman
from lab.winrm.ntlm import BOUNDARY, ENCRYPTED_TYPE, LogOn, Refused
from lab.winrm.options import Options
from lab.winrm.service import WinRm
from virtual_lab import VirtualLab

MakeLab = Callable[..., VirtualLab]
UNKNOWN = f"""<s:Envelope xmlns:s="{wsman.SOAP}" xmlns:a="{wsman.ADDRESSING}" xmlns:w="{wsman.WSMAN}"><s:Header>
<a:Action>http://schemas.xmlsoap.org/ws/2004/09/enumeration/Enumerate</a:Action><a:MessageID>uuid:7</a:MessageID>
<w:ResourceURI>http://schemas.microsoft.com/wbem/wsman/1/wmi/root/cimv2/*</w:ResourceURI></s:Header><s:Body/></s:Envelope>"""


@dataclass(frozen=True)
class Answer:
    """Of an endpoint."""

    status: int
    offers: list[str]
    body: bytes


class Client:
    """One connection to an endpoint."""

    def __init__(self, winrm: WinRm, name: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", winrm.endpoints[name].port, timeout=20)
        credentials = f"{winrm.account.user}:{winrm.account.password}".encode()
        self.basic = {"Authorization": f"Basic {base64.b64encode(credentials).decode()}"}

    def post(self, body: bytes = b"", path: str = "/wsman", **headers: str) -> Answer:
        self._connection.request("POST", path, body, {key.replace("_", "-"): text for key, text in headers.items()})
        response = self._connection.getresponse()
        offers = response.headers.get_all("WWW-Authenticate") or []
        return Answer(response.status, offers, response.read())

    def negotiate(self, token: bytes) -> Answer:
        return self.post(Authorization=f"Negotiate {base64.b64encode(token).decode()}")


@pytest.fixture
def winrm(make_lab: MakeLab) -> Iterator[WinRm]:
    """Two hosts over HTTP: ``sealed`` takes NTLM alone, ``plain`` passwords too."""
    lab = make_lab(*({"name": name, "kind": "winrm"} for name in ("sealed", "plain")))
    winrm = WinRm(lab.play, {"sealed": Options(scheme="http"), "plain": Options(scheme="http", transport="basic")})
    winrm.start()
    yield winrm
    winrm.stop()


def test_who_says_nothing_is_shown_how_to_log_on(winrm: WinRm) -> None:
    assert Client(winrm, "plain").post().offers == ["Negotiate", 'Basic realm="WSMAN"']
    answer = Client(winrm, "sealed").post()
    assert (answer.status, answer.offers) == (401, ["Negotiate"])


@pytest.mark.parametrize(
    "header", ["Basic !", "Basic /w==", "Basic YQ==", "Bearer a", "Negotiate !", "Negotiate YQ==", "NTLM", "Kerberos a"]
)
def test_what_is_no_log_on_is_refused(winrm: WinRm, header: str) -> None:
    assert Client(winrm, "plain").post(b"<a/>", Authorization=header).status == 401


def test_there_is_nothing_elsewhere(winrm: WinRm) -> None:
    client = Client(winrm, "plain")
    assert client.post(path="/", **client.basic).status == 404


def test_an_operation_that_the_lab_does_not_know(winrm: WinRm, tmp_path: Path) -> None:
    client = Client(winrm, "plain")
    answer = client.post(UNKNOWN.encode(), **client.basic)
    assert answer.status == 500
    assert b"does not support the action" in answer.body
    assert b"uuid:7" in answer.body
    (line,) = (tmp_path / "0" / "trace.jsonl").read_text(encoding="utf-8").splitlines()
    assert "NotImplemented" in line
    assert client.post(b"<a/>", **client.basic).status == 500  # the connection continues


def test_a_message_that_was_not_sealed_for_this_connection(winrm: WinRm) -> None:
    client = Client(winrm, "sealed")
    sealed = BOUNDARY + b"\r\n\r\n" + BOUNDARY + b"\r\n" + bytes(40) + BOUNDARY + b"--\r\n"
    assert client.post(sealed, Content_Type=ENCRYPTED_TYPE).status == 401
    initiator = spnego.client(
        winrm.account.user, winrm.account.password, protocol="ntlm", options=spnego.NegotiateOptions.use_ntlm
    )
    first = client.negotiate(initiator.step() or b"")
    assert first.status == 401
    assert client.negotiate(initiator.step(base64.b64decode(first.offers[0].split()[1])) or b"").status == 200
    assert client.post(sealed, Content_Type=ENCRYPTED_TYPE).status == 400
    assert client.post(b"nothing", Content_Type=ENCRYPTED_TYPE).status == 400
    plain = Client(winrm, "plain")
    assert plain.post(sealed, Content_Type=ENCRYPTED_TYPE, **plain.basic).status == 400


def test_both_ends_seal_and_unseal(tmp_path: Path) -> None:
    passwords = tmp_path / "passwords"
    passwords.write_text(":user:secret\n", encoding="utf-8")
    server = LogOn(passwords, b"tls-server-end-point:1")
    client = spnego.client(
        "user",
        "secret",
        protocol="ntlm",
        options=spnego.NegotiateOptions.use_ntlm,
        channel_bindings=spnego.channel_bindings.GssChannelBindings(application_data=b"tls-server-end-point:1"),
    )
    challenge = server.step(client.step() or b"")
    server.step(client.step(challenge) or b"")
    assert server.complete
    body = server.seal(b"<message/>")
    header, sealed = body.split(BOUNDARY + b"\r\n")[1:]
    assert b"Length=10\r\n" in header
    data = sealed.partition(b"\r\n")[2].removesuffix(BOUNDARY + b"--\r\n")
    assert client.unwrap(data[4:]).data == b"<message/>"
    with pytest.raises(Refused):
        server.unseal(body)
