# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a command line is: a PowerShell script, Ansible's bootstrap with a payload at its input, or a known program.

Ansible starts each of its programs as ``PowerShell … -EncodedCommand …``. With input it is ansible-core's bootstrap wrapper,
which takes a JSON document that says what to run; without it, it is the text itself. Until ansible-core 2.18 the text of one is
the command line of another.
"""

from __future__ import annotations

import base64
import binascii
import re

from lab.agent import Outcome
from lab.sim import Steps
from lab.winrm import modules
from lab.winrm.machine import Machine
from lab.winrm.payload import UnreadablePayload, read_payload
from lab.winrm.scripts import known_program, run_script

# cmd.exe takes no longer line, and the service puts it before each command that does not say otherwise.
# https://learn.microsoft.com/troubleshoot/windows-client/shell-experience/command-line-string-limitation
CMD_LINE_CHARACTERS = 8191
POWERSHELL_SECONDS = 2.0
TOO_LONG = "The command line is too long.\r\n"

_POWERSHELL = re.compile(r'\s*"?(?:[\w:\\.]*\\)?powershell(?:\.exe)?"?(?=\s|$)(.*)', re.IGNORECASE | re.DOTALL)
_ENCODED = re.compile(r"\s-e(?:nc|ncodedcommand)?\s+\"?([A-Za-z0-9+/=]+)\"?\s*$", re.IGNORECASE)
_FROM_INPUT = re.compile(r"\s-c(?:ommand)?\s+-\s*$", re.IGNORECASE)
_BOOTSTRAP = "`0`0`0`0"  # the line that ends the first part of a payload


def run(machine: Machine, line: str, data: bytes, through_cmd: bool) -> Steps[Outcome]:
    """Run a command line with its whole input."""
    if through_cmd and len(line) > CMD_LINE_CHARACTERS:
        return Outcome(1, stderr=TOO_LONG)
    powershell = _POWERSHELL.match(line)
    if not powershell:
        return (yield from _program(machine, line.strip()))
    yield POWERSHELL_SECONDS
    script = _script(powershell[1], data)
    if script is None:
        return Outcome(1, stderr=machine.unknown(f"the command line {line[:80]}") + "\r\n")
    if _BOOTSTRAP in script:
        return (yield from _payload(machine, data))
    return (yield from run_script(machine, script))


def reads_input(line: str) -> bool:
    """Whether a command line has to wait for the end of its input."""
    powershell = _POWERSHELL.match(line)
    if not powershell:
        return False
    return bool(_FROM_INPUT.search(powershell[1])) or _BOOTSTRAP in (_script(powershell[1], b"") or "")


def _script(arguments: str, data: bytes) -> str | None:
    encoded = _ENCODED.search(arguments)
    if encoded:
        try:
            text = base64.b64decode(encoded[1]).decode("utf-16-le")
        except (binascii.Error, UnicodeDecodeError):
            return None
        inner = _POWERSHELL.match(text)
        return (_script(inner[1], data) or text) if inner else text
    return data.decode("utf-8", "replace") if _FROM_INPUT.search(arguments) else None


def _payload(machine: Machine, data: bytes) -> Steps[Outcome]:
    try:
        payload = read_payload(data)
    except UnreadablePayload as error:
        return Outcome(1, stderr=machine.unknown(f"Ansible's payload ({error})") + "\r\n")
    return (yield from modules.run(machine, payload))


def _program(machine: Machine, line: str) -> Steps[Outcome]:
    """What cmd.exe starts."""
    program = known_program(line)
    if program:
        return (yield from program(machine))
    machine.unknown(f"the program {line[:80]}")
    message = f"'{line.split(maxsplit=1)[0] if line else ''}' is not recognized as an internal or external command,"
    return Outcome(1, stderr=f"{message}\r\noperable program or batch file.\r\n")
