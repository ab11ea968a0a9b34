# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who answers the scripts that are sent to hosts: the model alone, or a real PowerShell on top of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from lab import scripts_model, shells
from lab.agent import Outcome
from lab.answers import spoiled
from lab.guest_logon import Logon
from lab.powershell.process import WHERE_FROM, PowerShell, find
from lab.powershell.windows import Windows
from lab.sim import Steps
from lab.world import Host

NOT_A_COMMAND = "is not recognized as a name of a cmdlet"
FIRST_SCRIPT = "'ready'"
Unknown = Callable[[str, Host], None]


class Guests(Protocol):
    """Runs scripts on hosts."""

    def start(self) -> None:
        """Be ready for the first script, which then takes no longer than any other."""

    def run(self, host: Host, text: str, unknown: Unknown, logon: Logon = Logon.SYSTEM) -> Steps[Outcome]:
        """Run a script; ``unknown`` is called for what the lab does not know."""

    def stop(self) -> None:
        """No more scripts."""


def run_script(
    guests: Guests, host: Host, text: str, unknown: Unknown, logon: Logon = Logon.SYSTEM, answers: str | None = None
) -> Steps[Outcome]:
    """Run a script and spoil its answer as the host does, or as ``answers`` says."""
    if host.spec.windows.powershell == "all_signed" and host.spec.kind != "winrm":
        yield scripts_model.POWERSHELL_SECONDS
        return Outcome(1, stderr=shells.NOT_SIGNED)
    outcome = yield from guests.run(host, text, unknown, logon)
    return spoiled(outcome, answers or host.spec.answers, host.next_random("answers"))


class ModelGuests:
    """Answers by the script's name, without a PowerShell."""

    def start(self) -> None:
        """There is nothing to start."""

    def run(self, host: Host, text: str, unknown: Unknown, logon: Logon = Logon.SYSTEM) -> Steps[Outcome]:
        return scripts_model.run(host, text, unknown, logon)

    def stop(self) -> None:
        """Nothing runs."""


class PowerShellGuests:
    """Runs the text that was sent, unchanged, in one PowerShell for all hosts; a test may give one of its own."""

    def __init__(self, powershell: Any = None) -> None:
        if find() is None:
            raise ValueError(f"guests: powershell cannot be had: {WHERE_FROM}")
        self._powershell = powershell or PowerShell()

    def start(self) -> None:
        """A PowerShell needs seconds for its start and its first script, on a busy machine many; a lab's hosts would all wait."""
        self._powershell.begin(FIRST_SCRIPT, "ok").hear()

    def run(self, host: Host, text: str, unknown: Unknown, logon: Logon = Logon.SYSTEM) -> Steps[Outcome]:
        yield from scripts_model.begin(text)
        windows = Windows(host, logon)
        script = self._powershell.begin(text, host.spec.windows.powershell)
        try:
            while "ask" in (message := script.hear()):
                script.say((yield from windows.answer(message["ask"], message["with"] or {})))
        except GeneratorExit:  # killed: what it has started continues
            script.abandon()
            raise
        output, errors = message["output"], message["errors"]
        if NOT_A_COMMAND in output + errors:
            unknown(f"a command of the script {scripts_model.script_name(text)}", host)
        reported = errors + "\r\n" if errors else ""
        return Outcome(1, output, reported) if message["failed"] else Outcome(0, output + "\r\n", reported)

    def stop(self) -> None:
        self._powershell.stop()


GUESTS: dict[str, Callable[[], Guests]] = {"model": ModelGuests, "powershell": PowerShellGuests}
