# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A WinRM host of a virtual lab, and what its clients send, without HTTP."""

from __future__ import annotations

import base64
import json
import xml.etree.ElementTree as ET
from typing import Any

from lab.winrm import programs, wsman
from lab.winrm.machine import Machine
from lab.winrm.options import Options
from lab.winrm.payload import SEPARATOR
from lab.winrm.shells import Shells
from lab.winrm.wsman import CMD_SHELL, Request
from virtual_lab import VirtualLab

MODULES = "ansible_collections.ansible.windows.plugins.modules."
LINE = "PowerShell -NoProfile -NonInteractive -ExecutionPolicy Unrestricted -EncodedCommand "
BOOTSTRAP = 'if ([string]::Equals($in, "`0`0`0`0")) { break }'


class Hall:
    """A WinRM host of a virtual lab, without HTTP."""

    def __init__(self, lab: VirtualLab, **options: Any) -> None:
        self.lab = lab
        self.noted: list[tuple[str, str | None]] = []
        (host,) = lab.play.world.hosts.values()
        self.machine = Machine(lab.play.sim, host, self._note, Options(**options), lab.play.account.guests)
        self.shells = Shells(lab.play.sim, lambda *command: programs.run(self.machine, *command))

    def _note(self, what: str, _params: Any, _host: Any, error: str | None) -> None:
        self.noted.append((what, error))

    def ask(self, action: str, body: str = "", shell_id: str = "", options: dict[str, str] | None = None) -> ET.Element:
        """The body of the answer. It never waits."""
        request = Request(
            action,
            CMD_SHELL,
            "uuid:1",
            shell_id,
            0.0,
            options or {},
            ET.fromstring(f"<b {NAMESPACES}>{body}</b>"),  # noqa: S314
        )
        (answer,) = ET.fromstring(self.shells.answer(request)).iterfind(f"{{{wsman.SOAP}}}Body")  # noqa: S314
        return answer

    def open(self) -> str:
        return text(self.ask(wsman.CREATE), "ShellId")

    def begin(self, shell_id: str, line: str, *, with_input: bool = False) -> str:
        body = f"<rsp:CommandLine><rsp:Command>{line}</rsp:Command></rsp:CommandLine>"
        options = {"WINRS_CONSOLEMODE_STDIN": "FALSE" if with_input else "TRUE", "WINRS_SKIP_CMD_SHELL": "FALSE"}
        return text(self.ask(wsman.COMMAND, body, shell_id, options), "CommandId")

    def send(self, shell_id: str, command_id: str, data: bytes, *, last: bool = True) -> None:
        encoded = base64.b64encode(data).decode()
        end = ' End="true"' if last else ""
        body = f'<rsp:Send><rsp:Stream Name="stdin" CommandId="{command_id}"{end}>{encoded}</rsp:Stream></rsp:Send>'
        self.ask(wsman.SEND, body, shell_id)

    def receive(self, shell_id: str, command_id: str) -> tuple[str, str, int | None]:
        """Output and errors of one answer, and the exit code when it is done."""
        body = (
            f'<rsp:Receive><rsp:DesiredStream CommandId="{command_id}">stdout stderr</rsp:DesiredStream></rsp:Receive>'
        )
        answer = self.ask(wsman.RECEIVE, body, shell_id)
        streams = {"stdout": b"", "stderr": b""}
        for stream in answer.iter(f"{{{wsman.SHELL}}}Stream"):
            streams[stream.attrib["Name"]] += base64.b64decode(stream.text or "")
        code = answer.findtext(f".//{{{wsman.SHELL}}}ExitCode")
        return streams["stdout"].decode(), streams["stderr"].decode(), int(code) if code is not None else None

    def run(self, line: str, data: bytes | None = None) -> tuple[str, str, int]:
        """Run a command to its end."""
        shell_id = self.open()
        command_id = self.begin(shell_id, line, with_input=data is not None)
        if data is not None:
            self.send(shell_id, command_id, data)
        self.lab.run_for(3600)
        output, errors, code = "", "", None
        while code is None:
            more, worse, code = self.receive(shell_id, command_id)
            output, errors = output + more, errors + worse
        self.ask(wsman.DELETE, shell_id=shell_id)
        return output, errors, code

    def module(self, name: str, /, **args: Any) -> dict[str, Any]:
        """What a module of ansible.windows returns."""
        output, errors, _code = self.run(encoded(BOOTSTRAP), payload(name, args))
        assert not errors
        result: dict[str, Any] = json.loads(output)
        return result

    def in_background(self, name: str, args: dict[str, Any], timeout_seconds: int) -> dict[str, Any]:
        """What a task under async returns at once."""
        wrappers = {
            "async_wrapper.ps1": {"AsyncDir": "C:\\async", "AsyncJid": "j1", "StartupTimeout": 5},
            "async_watchdog.ps1": {"Timeout": timeout_seconds},
        }
        started: dict[str, Any] = json.loads(self.run(encoded(BOOTSTRAP), payload(name, args, wrappers))[0])
        return started


NAMESPACES = f'xmlns:rsp="{wsman.SHELL}"'


def text(answer: ET.Element, tag: str) -> str:
    found = answer.findtext(f".//{{{wsman.SHELL}}}{tag}")
    assert found
    return found


def encoded(script_text: str) -> str:
    return LINE + base64.b64encode(script_text.encode("utf-16-le")).decode()


def payload(name: str, args: dict[str, Any], wrappers: dict[str, Any] | None = None) -> bytes:
    """What Ansible sends for a module."""
    file = f"{MODULES}{name}.ps1"
    variables = [{"Name": "complex_args", "Value": args, "Scope": "Global"}]
    wrapper = {"Script": file, "Environment": {}, "Variables": variables, "ForModule": True}
    actions = [{"name": each, "params": params, "secure_params": {}} for each, params in (wrappers or {}).items()]
    manifest = {
        "scripts": {file: {"path": "", "script": base64.b64encode(b"#!powershell").decode()}},
        "actions": [*actions, {"name": "module_wrapper.ps1", "params": wrapper, "secure_params": {}}],
    }
    return b"{}" + SEPARATOR + json.dumps(manifest).encode()


def own_payload(name: str, params: dict[str, Any], data: bytes = b"") -> bytes:
    """What Ansible sends for one of ansible-core's own scripts, with data for it."""
    manifest = {
        "scripts": {name: {"path": name, "script": base64.b64encode(b"param()").decode()}},
        "actions": [{"name": name, "params": params, "secure_params": {}}],
    }
    return SEPARATOR.join((b"{}", json.dumps(manifest).encode(), data))
