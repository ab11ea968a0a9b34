# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PowerShell text that runs on a host over WinRM: the product's own scripts, and what is known by its words."""

from __future__ import annotations

from lab import scripts_model
from lab.agent import Outcome
from lab.sim import Steps
from lab.winrm import reboot
from lab.winrm.machine import Machine
from lab.world import Host

STRICT_MODE = "Set-StrictMode -Version Latest\n"  # Ansible puts it before some texts


def run_script(machine: Machine, text: str) -> Steps[Outcome]:
    """Run the text of a script; what Ansible puts around it does not matter."""
    script = text.removeprefix(STRICT_MODE)
    name = scripts_model.script_name(script)
    if name is not None:
        machine.ran("Script", name=name)
        return (yield from _product_script(machine, script))
    command = reboot.recognise(script) or known_program(script)
    if command:
        return (yield from command(machine))
    first_line = script.strip().partition("\n")[0]
    return Outcome(1, stderr=machine.unknown(f"the script {first_line[:80]!r}") + "\r\n")


def _product_script(machine: Machine, script: str) -> Steps[Outcome]:
    """As the same script does over SSM."""

    def unknown(what: str, _host: Host) -> None:
        machine.unknown(what)

    return (yield from scripts_model.run(machine.host, script, unknown))


def known_program(line: str) -> reboot.Command | None:
    """A program of Windows' own that asks who or where one is."""
    name = line.strip().lower().removesuffix(".exe")
    return {"whoami": _whoami, "hostname": _hostname}.get(name)


def _whoami(machine: Machine) -> Steps[Outcome]:
    yield 0.0
    return Outcome(0, f"{machine.host.guest.computer_name.lower()}\\administrator\r\n")


def _hostname(machine: Machine) -> Steps[Outcome]:
    yield 0.0
    return Outcome(0, f"{machine.host.guest.computer_name}\r\n")
