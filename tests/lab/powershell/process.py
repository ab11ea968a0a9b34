# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One PowerShell process that runs many scripts, each in a runspace of its own."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from lab.shells import shell_of

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
WHERE_FROM = "there is no PowerShell: install pwsh 7 (https://aka.ms/powershell) or let PATCHFLEET_PWSH name the file that runs it"


def find() -> Path | None:
    """``PATCHFLEET_PWSH``, else pwsh on PATH, else a copy beside the checkout; None where there is none."""
    named = os.environ.get("PATCHFLEET_PWSH")
    beside = ROOT.parent / "shared" / "pwsh" / "pwsh"
    found = named or shutil.which("pwsh") or (str(beside) if beside.exists() else None)
    return Path(found) if found else None


class PowerShell:
    """Starts when the first script comes. Scripts take turns: one that has asked something lets others run."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._numbers = itertools.count(1)
        self._abandoned: set[int] = set()

    def begin(self, script: str, shell: str = "ok") -> Conversation:
        """Run a script in a PowerShell of this kind: by then it has its first question, or it has ended."""
        number = next(self._numbers)
        kind = shell_of(shell)
        self.say({"id": number, "script": script, "language": kind.language, "version": kind.version})
        return Conversation(self, number)

    def abandon(self, number: int) -> None:
        """No caller listens to this script any more."""
        self._abandoned.add(number)
        if self._process:
            self.say({"id": number, "stop": True})

    def stop(self) -> None:
        if self._process:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _started(self) -> subprocess.Popen[str]:
        if self._process is None:
            program = find()
            if program is None:
                raise RuntimeError(WHERE_FROM)
            self._process = subprocess.Popen(
                [str(program), "-NoProfile", "-NonInteractive", "-File", str(HERE / "server.ps1")],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "TZ": "UTC", "NO_COLOR": "1", "POWERSHELL_TELEMETRY_OPTOUT": "1"},
                encoding="utf-8",
            )
        return self._process

    def say(self, what: dict[str, Any]) -> None:
        """A line for the process."""
        process = self._started()
        assert process.stdin
        process.stdin.write(json.dumps(what) + "\n")
        process.stdin.flush()

    def hear(self, number: int) -> dict[str, Any]:
        """What a script says next. Only those that were abandoned may speak in between."""
        process = self._started()
        assert process.stdout
        while True:
            line = process.stdout.readline()
            if not line:
                raise RuntimeError("PowerShell has ended")
            message: dict[str, Any] = json.loads(line)
            if message["id"] == number:
                return message
            if message["id"] not in self._abandoned:
                raise RuntimeError(f"the script {message['id']} speaks while {number} has the turn")


class Conversation:
    """One script that runs.

    It asks what Windows would do (``{"ask": operation, "with": values}``) and is answered with ``{"value": …}`` or
    ``{"hresult": …, "message": …, "error_id": …}``. At its end it says ``{"output": text, "errors": text, "failed": bool}``;
    errors that did not end it are among the errors, too.
    """

    def __init__(self, powershell: PowerShell, number: int) -> None:
        self._powershell = powershell
        self._number = number

    def hear(self) -> dict[str, Any]:
        return self._powershell.hear(self._number)

    def say(self, answer: dict[str, Any]) -> None:
        self._powershell.say({**answer, "id": self._number})

    def abandon(self) -> None:
        self._powershell.abandon(self._number)
