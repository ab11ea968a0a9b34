# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OpenSSH before the lab's hosts: one real sshd for each connection, whose commands run on the host of the lab.

sshd runs as the user of the lab, who is the only one that may log on, by a key of the lab's. It takes a connection that is
open already (``sshd -i``), so the port of the host listens, refuses and breaks as those of WinRM do.
"""

from __future__ import annotations

import json
import os
import pwd
import shlex
import shutil
import socket
import socketserver
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lab.agent import Outcome
from lab.sim import Process, Simulation, Steps
from lab.winrm.machine import Machine
from lab.winrm.operations import Run
from lab.winrm.programs import reads_input
from lab.winrm.shells import KILLED

COMMAND = Path(__file__).with_name("ssh_command.py")
SYSTEM_FOLDERS = "/usr/sbin:/usr/local/sbin:/sbin:/opt/homebrew/sbin"  # where sshd is, and often no PATH leads
# Of sshd where it starts as root. Debian's service makes it at each start (systemd's RuntimeDirectory=sshd).
PRIVILEGE_SEPARATION_FOLDER = Path("/run/sshd")
REFUSED = b"by authenticating user"
CONFIGURATION = """\
HostKey {host_key}
AuthorizedKeysFile {authorized_keys}
ForceCommand {command}
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
PermitTTY no
AllowTcpForwarding no
PrintMotd no
"""


@cache
def sshd() -> str | None:
    """The path of the server, None where there is none."""
    return shutil.which("sshd") or shutil.which("sshd", path=SYSTEM_FOLDERS)


def missing() -> str:
    """Why no host of the lab can be reached by ssh on this machine; empty where one can."""
    if sshd() is None:
        return "This machine has no sshd (Debian's package openssh-server)."
    if shutil.which("ssh") is None:
        return "This machine has no ssh (Debian's package openssh-client)."
    shell = pwd.getpwuid(os.getuid()).pw_shell
    return f"The shell of this user is {shell}, and sshd starts commands by it." if shell.endswith("nologin") else ""


class Keys:
    """The keys of a lab: that of its hosts, and that of its user."""

    def __init__(self, folder: Path) -> None:
        self.user = pwd.getpwuid(os.getuid()).pw_name
        self.host, self.host_public = _key(folder / "ssh-host-key")
        self.client, self.client_public = _key(folder / "ssh-client-key")
        self.known_hosts = folder / "known_hosts"
        if os.geteuid() == 0:
            PRIVILEGE_SEPARATION_FOLDER.mkdir(mode=0o755, exist_ok=True)

    def know(self, port: int) -> None:
        with self.known_hosts.open("a", encoding="utf-8") as file:
            file.write(f"[127.0.0.1]:{port} {self.host_public}\n")

    @property
    def arguments(self) -> str:
        """Of a client that reads nothing of its user's."""
        options = (f"UserKnownHostsFile={self.known_hosts}", "GlobalKnownHostsFile=/dev/null", "IdentitiesOnly=yes")
        return shlex.join(["-F", "/dev/null", *(word for option in options for word in ("-o", option))])


def _key(file: Path) -> tuple[Path, str]:
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    file.touch(mode=0o600)
    file.write_bytes(private)
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return file, public.decode()


class Session:
    """A command of a client's, on the host."""

    def __init__(self, sim: Simulation, steps: Steps[Outcome]) -> None:
        self._sim = sim
        self._ended = threading.Event()
        self._outcome: Outcome | None = None
        self._process: Process = sim.spawn(self._execute(steps))

    def _execute(self, steps: Steps[Outcome]) -> Steps[None]:
        try:
            self._outcome = yield from steps
        except Exception as error:  # noqa: BLE001 - the run of the lab fails, and the client gets an answer
            self._sim.broke(error)
            self._outcome = Outcome(KILLED, stderr=f"The lab broke: {error!r}\r\n")
        self._ended.set()

    def outcome(self) -> Outcome | None:
        """Wait for it; None where the host went down before."""
        self._ended.wait()
        return self._outcome

    def stop(self) -> None:
        self._process.stop()
        self._ended.set()


class Sessions(socketserver.ThreadingUnixStreamServer):
    """The Unix socket at which :mod:`ssh_command` hands over what sshd was asked to run."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, path: Path, sim: Simulation, run: Run) -> None:
        super().__init__(str(path), _Handler)
        self._sim = sim
        self._run = run
        self._sessions: set[Session] = set()
        threading.Thread(target=self.serve_forever, daemon=True, name="lab-ssh-sessions").start()

    def run(self, line: str, data: bytes) -> Outcome | None:
        with self._sim.current():
            session = Session(self._sim, self._run(line, data, True))
            self._sessions.add(session)
        try:
            return session.outcome()
        finally:
            with self._sim.current():
                self._sessions.discard(session)

    def end(self) -> None:
        """The host goes down."""
        with self._sim.current():
            for session in self._sessions:
                session.stop()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """The client is gone, and with it the interest in the answer; everything else broke."""
        error = sys.exc_info()[1]
        if isinstance(error, Exception) and not isinstance(error, OSError):
            self._sim.broke(error)


class _Handler(socketserver.StreamRequestHandler):
    server: Sessions

    def handle(self) -> None:
        line = str(json.loads(self.rfile.readline())["line"])
        outcome = self.server.run(line, self.rfile.read() if reads_input(line) else b"")
        if outcome is not None:
            self.wfile.write(json.dumps(asdict(outcome)).encode())


class Daemon:
    """The sshd of one host. ``note_refusal`` is called for each client that it did not let in."""

    def __init__(self, folder: Path, keys: Keys, machine: Machine, run: Run, note_refusal: Callable[[], None]) -> None:
        self._note_refusal = note_refusal
        self._authorized_keys = folder / "authorized_keys"
        self._authorized_keys.write_text(f"{keys.client_public}\n", encoding="utf-8")
        self._configuration = folder / "sshd_config"
        sessions = folder / "sessions"
        command = shlex.join([sys.executable, "-I", str(COMMAND), str(sessions)])
        text = CONFIGURATION.format(host_key=keys.host, authorized_keys=self._authorized_keys, command=command)
        self._configuration.write_text(text, encoding="utf-8")
        self._sessions = Sessions(sessions, machine.sim, run)

    def refuse(self) -> None:
        """From now on no key is known."""
        self._authorized_keys.write_text("", encoding="utf-8")

    def serve(self, connection: socket.socket, _address: Any) -> None:
        """Until the client, or the network, ends the connection."""
        command = [sshd() or "sshd", "-i", "-e", "-f", str(self._configuration)]
        process = subprocess.Popen(
            command, stdin=connection.fileno(), stdout=connection.fileno(), stderr=subprocess.PIPE
        )
        _output, errors = process.communicate()
        if REFUSED in errors:
            self._note_refusal()

    def guest_down(self) -> None:
        self._sessions.end()

    def close(self) -> None:
        self._sessions.shutdown()
        self._sessions.server_close()
