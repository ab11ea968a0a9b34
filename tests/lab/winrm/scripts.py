# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PowerShell text that runs on a host over WinRM: the product's own scripts, and what is known by its words."""

from __future__ import annotations

import re

from lab import scripts_model, shells
from lab.agent import Outcome
from lab.guest_logon import Logon
from lab.guests import run_script as run_on_guest
from lab.sim import Steps
from lab.winrm import files, reboot
from lab.winrm.machine import Machine
from lab.world import Host

# What Ansible puts before some texts, and after some, so that an exit code comes through.
STRICT_MODE = "Set-StrictMode -Version Latest\n"
_EXIT_CODE = re.compile(r";?\s*If \(-not \$\?\) \{ If \(Get-Variable LASTEXITCODE [^\n]*\s*$")
_CALL = re.compile(r"&\s+'?([^';]+\.ps1)'?; exit \$LASTEXITCODE\s*")  # a file that was brought before


def run_script(machine: Machine, text: str, logon: Logon = Logon.NETWORK) -> Steps[Outcome]:
    """Run the text of a script; what Ansible puts around it does not matter."""
    script = _EXIT_CODE.sub("", text.removeprefix(STRICT_MODE))
    called = _CALL.fullmatch(script)
    if called and called[1].lower() in machine.files:
        return (yield from run_script(machine, machine.files[called[1].lower()].decode(), logon))
    name = scripts_model.script_name(script)
    if name is not None:
        machine.ran("Script", name=name)
        return (yield from _product_script(machine, script, logon))
    command = reboot.recognise(script) or files.recognise(script) or known_program(script)
    if command:
        return (yield from command(machine))
    first_line = script.strip().partition("\n")[0]
    return Outcome(1, stderr=machine.unknown(f"the script {first_line[:80]!r}") + "\r\n")


def _product_script(machine: Machine, script: str, logon: Logon) -> Steps[Outcome]:
    """As the same script does over SSM, and through whatever is wrong with PowerShell on this host."""

    def unknown(what: str, _host: Host) -> None:
        machine.unknown(what)

    name, shell = scripts_model.script_name(script), shells.shell_of(machine.options.shell)
    if name == "probe" and machine.options.shell != "full":
        yield scripts_model.POWERSHELL_SECONDS
        outcome = Outcome(0, shells.printed({"patchfleet": 1, "script": name, "ok": True, "data": shell.facts()}))
    elif refusal := shells.refusal(name, shell):
        yield scripts_model.POWERSHELL_SECONDS
        outcome = Outcome(0, shells.printed(refusal))
    else:
        outcome = yield from run_on_guest(machine.guests, machine.host, script, unknown, logon, machine.options.answers)
    return outcome


def known_program(line: str) -> reboot.Command | None:
    """A program of Windows' own that asks who or where one is, or a command that does nothing."""
    name = line.strip().lower().removesuffix(".exe")
    return {"whoami": _whoami, "hostname": _hostname, "exit": _exit}.get(name)


def _whoami(machine: Machine) -> Steps[Outcome]:
    yield 0.0
    return Outcome(0, f"{machine.host.guest.computer_name.lower()}\\administrator\r\n")


def _exit(_machine: Machine) -> Steps[Outcome]:
    """Of cmd.exe and PowerShell."""
    yield 0.0
    return Outcome(0)


def _hostname(machine: Machine) -> Steps[Outcome]:
    yield 0.0
    return Outcome(0, f"{machine.host.guest.computer_name}\r\n")
