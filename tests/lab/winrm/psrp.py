# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runspace pools of one host: PowerShell Remoting ([MS-PSRP]) in WS-Management's shells, by psrpcore's server side.

A pipeline's script runs as the same command line would in a shell of :mod:`shells`. Its lines of output are strings, its
errors are error records, and its exit code is what it asks of the client's host.
"""

from __future__ import annotations

import base64
import binascii
import re
import threading
import uuid
import xml.etree.ElementTree as ET
from collections import defaultdict
from typing import Any

from psrpcore import (
    CreatePipelineEvent,
    EndOfPipelineInputEvent,
    PipelineInputEvent,
    PSRPPayload,
    ServerPipeline,
    ServerRunspacePool,
    StreamType,
)
from psrpcore.types import HostMethodIdentifier, NETException

from lab.agent import Outcome
from lab.sim import Process, Simulation, Steps
from lab.winrm import wsman
from lab.winrm.operations import Operations, Run
from lab.winrm.shells import CHUNK_BYTES, KILLED, MAX_SHELLS, too_many_shells
from lab.winrm.wsman import Request

RESOURCE = "http://schemas.microsoft.com/powershell/Microsoft.PowerShell"
CREATION = "{http://schemas.microsoft.com/powershell}creationXml"
# What ansible-core's psrp connection adds to a command line that is no encoded script.
_COMMAND_LINE = re.compile(r"(.*)\nexit \$LASTEXITCODE", re.DOTALL)


def _command_line(script: str) -> str:
    plain = _COMMAND_LINE.fullmatch(script)
    if plain:
        return plain[1]
    return f"PowerShell -EncodedCommand {base64.b64encode(script.encode('utf-16-le')).decode()}"


class Pipeline:
    """A script with its input, as a client has sent it so far."""

    def __init__(self, server: ServerPipeline) -> None:
        self.server = server
        self.input: list[str] = []
        self.process: Process | None = None

    @property
    def line(self) -> str:
        """The first command; Ansible sends no more than one."""
        return _command_line(str(self._metadata.commands[0].command_text))

    @property
    def waits_for_input(self) -> bool:
        return not self._metadata.no_input

    @property
    def _metadata(self) -> Any:
        """What the client's message says; psrpcore builds its class from the message."""
        return self.server.metadata

    def add_input(self, value: object) -> None:
        """A line, or a list of lines."""
        self.input += [str(each) for each in value] if isinstance(value, list) else [str(value)]

    def end(self, outcome: Outcome) -> None:
        for text in outcome.stdout.splitlines():
            self.server.write_output(text)
        if outcome.stderr:
            self.server.write_error(NETException(Message=outcome.stderr))
        if outcome.exit_code:
            self.server.host_call(HostMethodIdentifier.SetShouldExit, [outcome.exit_code])
        self.server.complete()

    def stop(self) -> None:
        if self.process:
            self.process.stop()


class Pool:
    """One runspace pool. What reads and writes its output holds ``changed``."""

    def __init__(self, sim: Simulation, run: Run) -> None:
        self.pipelines: dict[uuid.UUID, Pipeline] = {}
        self.changed = threading.Condition()
        self._sim = sim
        self._run = run
        self._server = ServerRunspacePool()
        self._output: dict[uuid.UUID | None, list[bytes]] = defaultdict(list)
        self._closed = False

    def take(self, fragment: bytes, pipeline_id: uuid.UUID | None) -> None:
        """A fragment from the client; one with the id of a new pipeline creates it."""
        if pipeline_id is not None and pipeline_id not in self.pipelines:
            self.pipelines[pipeline_id] = Pipeline(ServerPipeline(self._server, pipeline_id))
        self._server.receive_data(PSRPPayload(fragment, StreamType.default, pipeline_id))
        while (event := self._server.next_event()) is not None:
            if pipeline_id is not None:
                self._happened(event, self.pipelines[pipeline_id])
        self._flush()

    def _happened(self, event: object, pipeline: Pipeline) -> None:
        if isinstance(event, CreatePipelineEvent):
            pipeline.server.start()
            if not pipeline.waits_for_input:
                self._begin(pipeline)
        elif isinstance(event, PipelineInputEvent):
            pipeline.add_input(event.data)
        elif isinstance(event, EndOfPipelineInputEvent):
            self._begin(pipeline)

    def _begin(self, pipeline: Pipeline) -> None:
        pipeline.process = self._sim.spawn(self._execute(pipeline))

    def _execute(self, pipeline: Pipeline) -> Steps[None]:
        try:
            outcome = yield from self._run(pipeline.line, "\n".join(pipeline.input).encode(), False)
        except Exception as error:  # noqa: BLE001 - the run of the lab fails, and the client gets an answer
            self._sim.broke(error)
            outcome = Outcome(KILLED, stderr=f"The lab broke: {error!r}\r\n")
        pipeline.end(outcome)
        self._flush()

    def _flush(self) -> None:
        with self.changed:
            while (payload := self._server.data_to_send(CHUNK_BYTES)) is not None:
                self._output[payload.pipeline_id].append(payload.data)
            self.changed.notify_all()

    def receive(self, request: Request, command_id: str, timeout_seconds: float) -> str:
        """The next fragments of a pipeline, or of the pool itself; Fault when none come in ``timeout_seconds``, real ones."""
        output = self._output[uuid.UUID(command_id) if command_id else None]
        with self.changed:
            if not self.changed.wait_for(lambda: output or self._closed, timeout_seconds):
                raise wsman.timed_out()
            if self._closed:
                raise wsman.no_shell(request.shell_id)
            return wsman.received(command_id, [("stdout", base64.b64encode(output.pop(0)).decode())], None)

    def close(self) -> None:
        """Its pipelines end with it."""
        for pipeline in self.pipelines.values():
            pipeline.stop()
        with self.changed:
            self._closed = True
            self.changed.notify_all()


class RunspacePools(Operations):
    """WS-Management's operations on the runspace pools of one host."""

    resource = RESOURCE

    def __init__(self, sim: Simulation, run: Run) -> None:
        super().__init__(sim, run)
        self._pools: dict[str, Pool] = {}

    def close(self) -> None:
        """Windows goes down, and all that runs in its pools."""
        for pool in self._pools.values():
            pool.close()
        self._pools.clear()

    def _create(self, request: Request) -> str:
        shell = request.find("rsp:Shell")
        shell_id = shell.get("ShellId") or str(uuid.uuid4()).upper()
        with self._sim.current():
            if len(self._pools) >= MAX_SHELLS:
                raise too_many_shells()
            self._pools[shell_id] = Pool(self._sim, self._run)
            self._pools[shell_id].take(_decoded(shell.findtext(CREATION)), None)
        return wsman.created(shell_id, RESOURCE)

    def _command(self, request: Request) -> str:
        line = request.find("rsp:CommandLine")
        command_id = line.get("CommandId") or str(uuid.uuid4()).upper()
        (fragment,) = (element for element in line if element.tag.endswith("Arguments"))
        with self._sim.current():
            self._pool(request).take(_decoded(fragment.text), uuid.UUID(command_id))
        return wsman.command_created(command_id)

    def _send(self, request: Request) -> str:
        stream = request.find("rsp:Send/rsp:Stream")
        with self._sim.current():
            pool, pipeline_id = self._pool(request), _command_of(stream)
            if pipeline_id is not None and pipeline_id not in pool.pipelines:
                raise wsman.no_command()
            pool.take(_decoded(stream.text), pipeline_id)
        return "<rsp:SendResponse/>"

    def _receive(self, request: Request) -> str:
        stream = request.find("rsp:Receive/rsp:DesiredStream")
        with self._sim.current():
            pool, pipeline_id = self._pool(request), _command_of(stream)
            if pipeline_id is not None and pipeline_id not in pool.pipelines:
                raise wsman.no_command()
        return pool.receive(request, stream.get("CommandId", ""), request.timeout_seconds)

    def _signal(self, request: Request) -> str:
        """Whatever the code: a pipeline that has ended is forgotten, another one ends here."""
        with self._sim.current():
            pool, pipeline_id = self._pool(request), _command_of(request.find("rsp:Signal"))
            pipeline = pool.pipelines.pop(pipeline_id, None) if pipeline_id else None
            if pipeline is None:
                raise wsman.no_command()
            pipeline.stop()
        return "<rsp:SignalResponse/>"

    def _delete(self, request: Request) -> str:
        with self._sim.current():
            self._pool(request).close()
            del self._pools[request.shell_id]
        return ""

    def _pool(self, request: Request) -> Pool:
        if request.shell_id not in self._pools:
            raise wsman.no_shell(request.shell_id)
        return self._pools[request.shell_id]


def _command_of(element: ET.Element) -> uuid.UUID | None:
    command_id = element.get("CommandId")
    return uuid.UUID(command_id) if command_id else None


def _decoded(text: str | None) -> bytes:
    try:
        return base64.b64decode(text or "", validate=True)
    except binascii.Error as error:
        raise wsman.broken_message("a fragment is not base64") from error
