# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A port of 127.0.0.1 that listens or refuses on demand, and stays its owner's all the time."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Any

from lab.winrm.certificates import Server

Serve = Callable[[socket.socket, Any], None]


class Port:
    """``serve`` has each connection, on a thread of its own, until it ends; ``server`` makes it one of TLS."""

    def __init__(self, serve: Serve, server: Server | None) -> None:
        self._serve = serve
        self._server = server
        self._holder = _socket(0)
        self.number: int = self._holder.getsockname()[1]
        self._listener: socket.socket | None = None
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()

    @property
    def listening(self) -> bool:
        return self._listener is not None

    def listen(self) -> None:
        listener = _socket(self.number)
        listener.listen(32)
        with self._lock:
            self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True, name=f"lab-winrm-{self.number}").start()

    def refuse(self) -> None:
        """Refuse connections, and end those that are there."""
        with self._lock:
            listener, self._listener = self._listener, None
        if listener:
            _end(listener)
            listener.close()
        self.drop()

    def drop(self) -> None:
        """End the connections that are there."""
        with self._lock:
            connections, self._open = self._open, set()
        for connection in connections:
            _end(connection)

    def close(self) -> None:
        """It belongs to no one any more."""
        self.refuse()
        self._holder.close()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, address = listener.accept()
            except OSError:
                return
            with self._lock:
                if self._listener is not listener:
                    connection.close()
                    return
                self._open.add(connection)
            threading.Thread(target=self._have_served, args=(connection, address), daemon=True).start()

    def _have_served(self, connection: socket.socket, address: Any) -> None:
        with contextlib.suppress(OSError):  # the client has closed it, or it was dropped
            if self._server:
                connection = self._secure(connection, self._server)
            self._serve(connection, address)
        with self._lock:
            self._open.discard(connection)
        connection.close()

    def _secure(self, connection: socket.socket, server: Server) -> ssl.SSLSocket:
        with self._lock:
            if connection not in self._open:  # it has just been dropped
                raise ConnectionResetError
            secure = server.context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
            self._open.remove(connection)
            self._open.add(secure)
        secure.do_handshake()
        return secure


def _end(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def _socket(port: int) -> socket.socket:
    """Bound, not listening: a client that connects is refused. Two of them can share a port."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    made.bind(("127.0.0.1", port))
    return made
