# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""NTLM at the server's end, by pyspnego, and messages that it has sealed ([MS-WSMV] 2.2.9.1)."""

from __future__ import annotations

import os
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import spnego
from spnego.channel_bindings import GssChannelBindings
from spnego.exceptions import SpnegoError

BOUNDARY = b"--Encrypted Boundary"
ENCRYPTED = "multipart/encrypted"
PROTOCOL = "application/HTTP-SPNEGO-session-encrypted"
ENCRYPTED_TYPE = f'{ENCRYPTED};protocol="{PROTOCOL}";boundary="Encrypted Boundary"'
_OCTETS = b"\tContent-Type: application/octet-stream\r\n"
SIGNATURE_BYTES = 16
NEGOTIATE = 1  # the first of NTLM's three messages

# pyspnego's acceptor finds passwords by this variable alone, and it is the whole process's.
_VARIABLE = "NTLM_USER_FILE"
_one_at_a_time = threading.Lock()


class Refused(Exception):
    """Not who it says, or not what it should be."""


class LogOn:
    """One client that logs on, on one connection."""

    def __init__(self, passwords: Path, end_point: bytes | None) -> None:
        """``passwords`` has lines DOMAIN:USER:PASSWORD; ``end_point`` is what TLS ties it to."""
        self._passwords = passwords
        bindings = GssChannelBindings(application_data=end_point) if end_point else None
        with self._password_file():
            self._context = spnego.server(
                protocol="ntlm", options=spnego.NegotiateOptions.use_ntlm, channel_bindings=bindings
            )

    @property
    def complete(self) -> bool:
        return self._context.complete

    def step(self, token: bytes) -> bytes | None:
        """What to answer to the client's message; Refused when that is the end."""
        try:
            with self._password_file():
                return self._context.step(token)
        except (SpnegoError, ValueError, struct.error) as error:
            raise Refused(str(error)) from error

    @contextmanager
    def _password_file(self) -> Iterator[None]:
        with _one_at_a_time:
            os.environ[_VARIABLE] = str(self._passwords)
            try:
                yield
            finally:
                del os.environ[_VARIABLE]

    def unseal(self, body: bytes) -> bytes:
        """The message in the body of a request; Refused when it is not sealed for this connection."""
        _empty, _header, rest = (*body.split(BOUNDARY + b"\r\n", 2), b"", b"")[:3]
        sealed = rest.removeprefix(_OCTETS).removesuffix(BOUNDARY + b"--\r\n")
        if len(sealed) < 4 + SIGNATURE_BYTES:
            raise Refused("the message is not complete")
        try:
            return self._context.unwrap(sealed[4:]).data
        except SpnegoError as error:
            raise Refused(str(error)) from error

    def seal(self, message: bytes) -> bytes:
        """The body of an answer."""
        header = f"\tContent-Type: {PROTOCOL}\r\n\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length="
        sealed = self._context.wrap(message).data
        return b"".join(
            (
                BOUNDARY + b"\r\n",
                f"{header}{len(message)}\r\n".encode(),
                BOUNDARY + b"\r\n",
                _OCTETS,
                struct.pack("<i", SIGNATURE_BYTES),
                sealed,
                BOUNDARY + b"--\r\n",
            )
        )


def is_first(token: bytes) -> bool:
    """Whether a client begins again with it."""
    return len(token) >= 12 and struct.unpack("<I", token[8:12])[0] == NEGOTIATE
