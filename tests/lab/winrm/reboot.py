# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands by which ansible.windows reboots a host: win_reboot, and win_updates where it may reboot.

They are PowerShell text of ansible.windows' own (plugin_utils/_reboot.py), and known by what is in it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime

from lab.agent import Outcome
from lab.sim import Steps
from lab.winrm.machine import Machine

Command = Callable[[Machine], Steps[Outcome]]

SHUTDOWN_IN_PROGRESS = 1190  # ERROR_SHUTDOWN_IS_SCHEDULED
NO_SHUTDOWN = 1116  # ERROR_NO_SHUTDOWN_IN_PROGRESS
FILETIME_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)

_BOOT_TIME = re.compile(
    r"Get-CimInstance -ClassName Win32_OperatingSystem .*LastBootUpTime\)?\.LastBootUpTime\.ToFileTime\(\)"
)
_SHUTDOWN = re.compile(r"shutdown\.exe /r /t (\d+) /c ")
_ABORT = re.compile(r"shutdown\.exe /a\b")
_FORGET_LOGON = re.compile(r"if \(\$True\) \{\s*Remove-Item -LiteralPath '[^']*\\AutoLogonChecked'")
_SERVICING = "ServicingInProgress"  # asked for by win_updates 3.7 and later
_LOGON_SHOWN = re.compile(r"Get-Item -LiteralPath '[^']*\\AutoLogonChecked' -ErrorAction Stop; '([^']*)'")


def recognise(text: str) -> Command | None:
    """The command that a text is, None when it is none of these."""
    if _BOOT_TIME.search(text):
        return _boot_time
    if _ABORT.search(text):
        return _abort
    if _SERVICING in text:
        return _servicing_has_ended
    shutdown, logon = _SHUTDOWN.search(text), _LOGON_SHOWN.search(text)
    if shutdown:
        return lambda machine: _shut_down(machine, float(shutdown[1]), bool(_FORGET_LOGON.search(text)))
    return (lambda machine: _logon_shown(machine, logon[1])) if logon else None


def _boot_time(machine: Machine) -> Steps[Outcome]:
    yield 0.0
    guest = machine.host.guest
    since = guest.by_its_clock(guest.boot_time) - FILETIME_EPOCH
    return Outcome(0, f"{(since.days * 86400 + since.seconds) * 10_000_000 + since.microseconds * 10}\r\n")


def _shut_down(machine: Machine, after_seconds: float, forget_logon: bool) -> Steps[Outcome]:
    yield 0.0
    if forget_logon:
        machine.logon_ui = False
    if machine.shutting_down:
        message = "A system shutdown has already been scheduled.(1190)"
        return Outcome(0, _result(SHUTDOWN_IN_PROGRESS, message))
    machine.ran("Reboot", after_seconds=after_seconds)
    machine.shut_down(after_seconds)
    return Outcome(0, _result(0, ""))


def _result(code: int, stderr: str) -> str:
    return json.dumps({"rc": code, "stdout": "", "stderr": stderr}) + "\r\n"


def _abort(machine: Machine) -> Steps[Outcome]:
    yield 0.0
    if not machine.shutting_down:
        return Outcome(
            NO_SHUTDOWN, stderr="Unable to abort the system shutdown because no shutdown was in progress.(1116)\r\n"
        )
    machine.abort_shutdown()
    return Outcome(0)


def _servicing_has_ended(machine: Machine) -> Steps[Outcome]:
    """What Windows does with updates while it boots is done before it shows the logon screen."""
    yield 0.0
    return Outcome(0 if machine.logon_ui else 2)


def _logon_shown(machine: Machine, word: str) -> Steps[Outcome]:
    yield 0.0
    if not machine.logon_ui:
        return Outcome(
            1, stderr="Get-Item : Cannot find path 'HKLM:\\…\\AutoLogonChecked' because it does not exist.\r\n"
        )
    return Outcome(0, f"{word}\r\n")
