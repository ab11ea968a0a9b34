# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The WinRM service of one host: a port of 127.0.0.1 that listens while Windows is up."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from functools import partial
from pathlib import Path

from lab.winrm import programs, wsman
from lab.winrm.certificates import Server
from lab.winrm.http import Account, Connection
from lab.winrm.machine import Machine
from lab.winrm.ntlm import LogOn
from lab.winrm.options import Options
from lab.winrm.shells import Shells


class Endpoint:
    """``unreachable_after`` of the host ends it for good. Its port stays its own while nobody listens there."""

    def __init__(
        self, machine: Machine, account: Account, options: Options, passwords: Path, server: Server | None
    ) -> None:
        """``passwords`` is the file that NTLM needs, ``server`` what the endpoint shows of itself over HTTPS."""
        self.account = account
        self.options = options
        self._passwords = passwords
        self._server = server
        self._machine = machine
        self._shells = Shells(machine.sim, partial(programs.run, machine))
        self._port_holder = _socket(0)
        self.port: int = self._port_holder.getsockname()[1]
        self._listener: socket.socket | None = None
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        machine.host.guest.add_listener(self)

    def start(self) -> None:
        """At second 0."""
        limit = self._machine.host.spec.unreachable_after
        if self._machine.host.guest.up and limit != 0:
            self._listen()
        if limit:
            self._machine.sim.at(limit, self._hang_up)

    def stop(self) -> None:
        self._hang_up()
        self._port_holder.close()

    def answer(self, request: wsman.Request) -> bytes:
        """Fault when it cannot be done; what the lab does not know fails the run, too."""
        if not self._shells.knows(request):
            with self._machine.sim.current():
                self._machine.unknown(f"the operation {request.action} on {request.resource}")
            raise wsman.not_supported(request.action)
        return self._shells.answer(request)

    def log_on(self) -> LogOn:
        """A client begins to log on by NTLM."""
        return LogOn(self._passwords, self._server.end_point if self._server else None)

    # ---- what the guest tells

    def guest_up(self, after_reboot: bool) -> None:
        limit = self._machine.host.spec.unreachable_after
        if limit is None or self._machine.sim.now < limit:
            self._listen()

    def guest_down(self) -> None:
        self._shells.close()
        self._hang_up()

    # ---- connections

    def _listen(self) -> None:
        listener = _socket(self.port)
        listener.listen(32)
        with self._lock:
            self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True, name=f"lab-winrm-{self.port}").start()

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
            threading.Thread(target=self._serve, args=(connection, address), daemon=True).start()

    def _serve(self, connection: socket.socket, address: object) -> None:
        with contextlib.suppress(OSError):  # the client, or a reboot, has closed it
            if self._server:
                connection = self._secure(connection, self._server)
            Connection(connection, address, self)
        with self._lock:
            self._open.discard(connection)
        connection.close()

    def _secure(self, connection: socket.socket, server: Server) -> ssl.SSLSocket:
        with self._lock:
            if connection not in self._open:  # it has just been hung up
                raise ConnectionResetError
            secure = server.context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
            self._open.remove(connection)
            self._open.add(secure)
        secure.do_handshake()
        return secure

    def _hang_up(self) -> None:
        """Refuse connections, and end those that are there."""
        with self._lock:
            listener, self._listener = self._listener, None
            connections, self._open = self._open, set()
        for each in (*connections, *([listener] if listener else [])):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        if listener:
            listener.close()


def _socket(port: int) -> socket.socket:
    """Bound, not listening: whoever connects is refused. Two of them can share a port."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    made.bind(("127.0.0.1", port))
    return made
