# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One PowerShell process that runs many scripts, each in a runspace of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

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
    """Starts when the first script comes; one script at a time.

    While a script runs it asks by lines of JSON (``{"ask": operation, "with": values}``) what Windows would do, and gets
    ``{"value": …}`` or ``{"hresult": …, "message": …, "id": …}``. At its end it says ``{"output": text, "errors": text}``.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def run(self, script: str, answer: Callable[[str, dict[str, Any]], dict[str, Any]]) -> tuple[str, str]:
        """What the script printed, and its errors; ``answer`` plays Windows."""
        process = self._started()
        assert process.stdin
        self._say(process, {"script": script})
        while True:
            told = self._hear(process)
            if "ask" not in told:
                return told["output"], told["errors"]
            self._say(process, answer(told["ask"], told["with"] or {}))

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

    @staticmethod
    def _say(process: subprocess.Popen[str], what: dict[str, Any]) -> None:
        assert process.stdin
        process.stdin.write(json.dumps(what) + "\n")
        process.stdin.flush()

    @staticmethod
    def _hear(process: subprocess.Popen[str]) -> dict[str, Any]:
        assert process.stdout
        line = process.stdout.readline()
        if not line:
            raise RuntimeError("PowerShell has ended")
        told: dict[str, Any] = json.loads(line)
        return told
