# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shells of one host: commands start in them, take input, run in the lab's time, and give output."""

from __future__ import annotations

import base64
import binascii
import threading
import uuid

from lab.agent import Outcome
from lab.sim import Process, Simulation, Steps
from lab.winrm import wsman
from lab.winrm.operations import Operations, Run
from lab.winrm.wsman import Fault, Request

# This is what fits into one answer with the smallest MaxEnvelopeSizekb in use, 150 (WinRM 2.0), as base64 takes a third more.
# Later versions have 500. Requests may have any size here.
CHUNK_BYTES = 100_000
MAX_SHELLS = 30  # MaxShellsPerUser, Windows Server 2012 and later
TOO_MANY_SHELLS = (
    f"The WS-Management service cannot process the request. This user is allowed a maximum number of {MAX_SHELLS} "
    "concurrent shells, which has been exceeded. Close existing shells or raise the quota for this user. "
)
KILLED = 1


def too_many_shells() -> Fault:
    return Fault(2150859173, "w:QuotaLimit", TOO_MANY_SHELLS, sender=False)


class Command:
    """A command in a shell. What reads and writes its output holds ``changed``."""

    def __init__(self, line: str, waits_for_input: bool, through_cmd: bool) -> None:
        self.id = str(uuid.uuid4()).upper()
        self.line = line
        self.waits_for_input = waits_for_input
        self.through_cmd = through_cmd
        self.input = bytearray()
        self.process: Process | None = None
        self.changed = threading.Condition()
        self._output: list[tuple[str, bytes]] = []
        self._exit_code: int | None = None

    def end(self, outcome: Outcome) -> None:
        """The program has ended, or was ended."""
        with self.changed:
            if self._exit_code is None:
                self._exit_code = outcome.exit_code & 0xFFFFFFFF
                self._output += _chunks("stdout", outcome.stdout) + _chunks("stderr", outcome.stderr)
                self.changed.notify_all()

    def receive(self, timeout_seconds: float) -> str:
        """The next output, or that it is done; Fault when neither comes in ``timeout_seconds``, real ones."""
        with self.changed:
            if not self.changed.wait_for(lambda: self._output or self._exit_code is not None, timeout_seconds):
                raise wsman.timed_out()
            streams = [self._output.pop(0)] if self._output else []
            encoded = [(name, base64.b64encode(data).decode()) for name, data in streams]
            return wsman.received(self.id, encoded, None if self._output else self._exit_code)

    def stop(self) -> None:
        """A client ends it; one that has ended stays as it is."""
        if self.process:
            self.process.stop()
        self.end(Outcome(KILLED))


def _chunks(name: str, text: str) -> list[tuple[str, bytes]]:
    data = text.encode()
    return [(name, data[start : start + CHUNK_BYTES]) for start in range(0, len(data), CHUNK_BYTES)]


class Shells(Operations):
    """WS-Management's operations on the shells of one host."""

    resource = wsman.CMD_SHELL

    def __init__(self, sim: Simulation, run: Run) -> None:
        super().__init__(sim, run)
        self._shells: dict[str, dict[str, Command]] = {}

    def close(self) -> None:
        """Windows goes down, and all that runs in its shells."""
        for commands in self._shells.values():
            for command in commands.values():
                command.stop()
        self._shells.clear()

    def _create(self, _request: Request) -> str:
        with self._sim.current():
            if len(self._shells) >= MAX_SHELLS:
                raise too_many_shells()
            shell_id = str(uuid.uuid4()).upper()
            self._shells[shell_id] = {}
        return wsman.created(shell_id)

    def _command(self, request: Request) -> str:
        line = request.text("rsp:CommandLine/rsp:Command")
        arguments = [
            element.text or "" for element in request.find("rsp:CommandLine") if element.tag.endswith("Arguments")
        ]
        command = Command(
            " ".join([line, *arguments]),
            waits_for_input=request.options.get("WINRS_CONSOLEMODE_STDIN", "TRUE").upper() == "FALSE",
            through_cmd=request.options.get("WINRS_SKIP_CMD_SHELL", "FALSE").upper() == "FALSE",
        )
        with self._sim.current():
            self._shell(request)[command.id] = command
            if not command.waits_for_input:
                self._begin(command)
        return wsman.command_created(command.id)

    def _send(self, request: Request) -> str:
        stream = request.find("rsp:Send/rsp:Stream")
        try:
            data = base64.b64decode(stream.text or "", validate=True)
        except binascii.Error as error:
            raise wsman.broken_message("its stream is not base64") from error
        with self._sim.current():
            command = self._find(request, stream.get("CommandId", ""))
            command.input += data
            if stream.get("End", "").lower() == "true" and command.process is None:
                self._begin(command)
        return "<rsp:SendResponse/>"

    def _receive(self, request: Request) -> str:
        with self._sim.current():
            command = self._find(request, request.find("rsp:Receive/rsp:DesiredStream").get("CommandId", ""))
        return command.receive(request.timeout_seconds)

    def _signal(self, request: Request) -> str:
        """Whatever the code: Ctrl-C and terminate both end a program that handles neither."""
        with self._sim.current():
            command = self._find(request, request.find("rsp:Signal").get("CommandId", ""))
            command.stop()
            del self._shell(request)[command.id]
        return "<rsp:SignalResponse/>"

    def _delete(self, request: Request) -> str:
        with self._sim.current():
            for command in self._shell(request).values():
                command.stop()
            del self._shells[request.shell_id]
        return ""

    def _shell(self, request: Request) -> dict[str, Command]:
        if request.shell_id not in self._shells:
            raise wsman.no_shell(request.shell_id)
        return self._shells[request.shell_id]

    def _find(self, request: Request, command_id: str) -> Command:
        command = self._shell(request).get(command_id)
        if command is None:
            raise wsman.no_command()
        return command

    def _begin(self, command: Command) -> None:
        command.process = self._sim.spawn(self._execute(command))

    def _execute(self, command: Command) -> Steps[None]:
        try:
            outcome = yield from self._run(command.line, bytes(command.input), command.through_cmd)
        except Exception as error:  # noqa: BLE001 - the lab reports it, and no client waits for ever
            self._sim.broke(error)
            outcome = Outcome(KILLED, stderr=f"The lab broke: {error!r}\r\n")
        command.end(outcome)
