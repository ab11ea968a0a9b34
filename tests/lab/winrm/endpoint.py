# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The WinRM service of one host: who may talk to it, and when it can be reached."""

from __future__ import annotations

import math
import socket
import tempfile
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from lab.winrm import programs, ssh, wsman
from lab.winrm.certificates import Server
from lab.winrm.http import Account, Connection
from lab.winrm.machine import Machine
from lab.winrm.ntlm import LogOn
from lab.winrm.operations import Run
from lab.winrm.port import Port
from lab.winrm.shells import Shells
from lab.winrm.ssh import Keys


class Kind(Protocol):
    """A kind of shells."""

    def knows(self, request: wsman.Request) -> bool: ...

    def answer(self, request: wsman.Request) -> bytes: ...

    def close(self) -> None: ...


class Daemon(Protocol):
    """Another program than WinRM that answers at the port."""

    def serve(self, connection: socket.socket, address: Any) -> None: ...

    def refuse(self) -> None: ...

    def guest_down(self) -> None: ...

    def close(self) -> None: ...


def _runspace_pools(machine: Machine, run: Run) -> Kind:
    from lab.winrm.psrp import RunspacePools  # noqa: PLC0415 - a lab without such hosts needs no psrpcore

    return RunspacePools(machine.sim, run)


class Endpoint:
    """It can be reached while Windows is up, nothing has cut it off, and the host's ``unreachable_after`` is not over.

    While it ``refuses``, every log-on is refused. ``refused_log_ons`` counts those, and those with wrong credentials.
    """

    def __init__(
        self, machine: Machine, account: Account, passwords: Path, server: Server | None, keys: Keys | None = None
    ) -> None:
        """``passwords`` is the file that NTLM needs, ``server`` what the endpoint shows of itself over HTTPS.

        With ``keys`` an sshd answers instead of WinRM.
        """
        self.account = account
        self.options = machine.options
        self._passwords = passwords
        self._server = server
        self._machine = machine
        run = partial(programs.run, machine)
        self._kinds: list[Kind] = [Shells(machine.sim, run)]
        if machine.options.connection == "psrp":
            self._kinds.append(_runspace_pools(machine, run))
        self._daemon = self._sshd(keys, run) if keys else None
        self._port = Port(self._daemon.serve if self._daemon else self._serve, server)
        if keys:
            keys.know(self.port)
        self._cut_off_until = 0.0
        self.refuses = False
        self.refused_log_ons = 0
        machine.host.guest.add_listener(self)

    @property
    def port(self) -> int:
        return self._port.number

    def start(self) -> None:
        """At second 0."""
        self._apply_reachability()
        limit = self._machine.host.spec.unreachable_after
        if limit is not None:
            self._machine.sim.at(limit, self._apply_reachability)

    def stop(self) -> None:
        self._port.close()
        if self._daemon:
            self._daemon.close()

    def _sshd(self, keys: Keys, run: Run) -> Daemon:
        folder = Path(tempfile.mkdtemp(prefix="sshd-", dir=self._passwords.parent))
        return ssh.Daemon(folder, keys, self._machine, run, self.note_refusal)

    def answer(self, request: wsman.Request) -> bytes:
        """Fault when it cannot be done; what the lab does not know fails the run, too."""
        kind = next((each for each in self._kinds if each.knows(request)), None)
        if kind is None:
            with self._machine.sim.current():
                self._machine.unknown(f"the operation {request.action} on {request.resource}")
            raise wsman.not_supported(request.action)
        try:
            return kind.answer(request)
        except wsman.Fault:
            raise
        except Exception as error:
            self._machine.sim.broke(error)  # the lab's own fault: the lab has to report it
            raise wsman.broken_message(f"the lab broke ({error!r})") from error

    def note_refusal(self) -> None:
        """A log-on was refused: a domain would count it."""
        with self._machine.sim.current():
            self.refused_log_ons += 1

    def log_on(self) -> LogOn:
        """A client begins to log on by NTLM."""
        return LogOn(self._passwords, self._server.end_point if self._server else None)

    def _serve(self, connection: socket.socket, address: Any) -> None:
        Connection(connection, address, self)

    # ---- when it can be reached

    def guest_up(self, after_reboot: bool) -> None:
        self._apply_reachability()

    def guest_down(self) -> None:
        """Windows ends its shells; a connection alone does not."""
        for kind in self._kinds:
            kind.close()
        if self._daemon:
            self._daemon.guest_down()
        self._port.refuse()

    def host_did(self, word: str) -> None:
        """The host got where an event of a scenario may wait for it."""
        if word == self.options.refuse_when:
            self.refuses = True
            if self._daemon:
                self._daemon.refuse()
        seconds = self.options.cut_when.get(word)
        if seconds is not None:
            self.cut(seconds)

    def cut(self, seconds: float) -> None:
        """The network between is gone for ``seconds``, and what runs on the host runs on; 0 is but a broken connection."""
        if not seconds:
            self._port.drop()
            return
        self._cut_off_until = self._machine.sim.now + seconds
        self._apply_reachability()
        if not math.isinf(seconds):
            self._machine.sim.after(seconds, self._apply_reachability)

    def _apply_reachability(self) -> None:
        host = self._machine.host
        reachable = host.reachable and self._machine.sim.now >= self._cut_off_until
        if reachable and not self._port.listening:
            self._port.listen()
        elif not reachable:
            self._port.refuse()
