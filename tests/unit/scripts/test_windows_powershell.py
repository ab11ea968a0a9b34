# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every script is Windows PowerShell 5.1: its syntax, its commands, and their parameters."""

from __future__ import annotations

import functools
import json
import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.powershell.process import HERE, ROOT, WHERE_FROM, find

INSPECT = HERE / "inspect.ps1"
COMMANDS = HERE / "commands-5.1.json"
PRELUDE = ROOT / "plugins" / "plugin_utils" / "_windows_script" / "prelude.ps1"
SCRIPTS = [PRELUDE, *sorted((ROOT / "roles").glob("*/files/*.ps1"))]
COMMON = {"ErrorAction", "ErrorVariable", "WarningAction", "OutVariable", "Verbose"}
NOT_FOR_SCRIPTS = {
    "Write-Host",
    "Invoke-Expression",
    "Get-WmiObject",
    "Invoke-WmiMethod",
    "Start-Service",
    "Stop-Service",
    "Restart-Service",
}
"""For consoles, for text that is run as code, what Microsoft has replaced by CIM, and what waits without end for a service."""

WRONG = {
    "$a = $b ? 1 : 2": "newer syntax",
    "$a = $b ?? 2": "newer syntax: ??",
    "$a ??= 2": "newer syntax: ??=",
    "Get-Date && Get-Date": "newer syntax",
    "Get-Thing": "no command Get-Thing",
    "gci": "no command gci",
    "Get-Content -Path x -AsByteStream": "no parameter -AsByteStream",
    "Write-Host x": "not for scripts",
    "Start-Service -Name bits": "not for scripts",
    "if (": "Missing",
}
"""What Windows PowerShell 5.1 does not take, and a part of the complaint."""

# In one worker, with one PowerShell: it takes longer to start than to read all files.
pytestmark = [pytest.mark.skipif(find() is None, reason=WHERE_FROM), pytest.mark.xdist_group("windows powershell")]


@functools.cache
def inspected() -> dict[Path | str, dict[str, Any]]:
    """What inspect.ps1 says of each script, and of each text that is wrong."""
    with tempfile.TemporaryDirectory() as folder:
        files: dict[Path | str, Path] = {script: script for script in SCRIPTS}
        for number, text in enumerate(WRONG):
            files[text] = Path(folder) / f"{number}.ps1"
            files[text].write_text(text)
        done = subprocess.run(
            [str(find()), "-NoProfile", "-NonInteractive", "-Command", f"$input | & '{INSPECT}'"],
            input="\n".join(map(str, files.values())),
            capture_output=True,
            text=True,
            check=True,
        )
    return dict(zip(files, map(json.loads, done.stdout.splitlines()), strict=True))


def complaints(file: dict[str, Any], functions: set[str]) -> Iterator[str]:
    """What Windows PowerShell 5.1 would not take, in words."""
    known = json.loads(COMMANDS.read_text())
    yield from file["errors"]
    yield from (f"newer syntax: {text}" for text in file["syntax"])
    for command in file["commands"]:
        name, where = command["name"], f"line {command['line']}"
        if name is None or name in functions:
            continue  # a file that is run, or a function of ours
        if name not in known:
            yield f"{where}: no command {name} (an alias?)"
            continue
        if name in NOT_FOR_SCRIPTS:
            yield f"{where}: {name} is not for scripts"
        takes = {*known[name], *COMMON}
        yield from (f"{where}: {name} has no parameter -{it}" for it in command["parameters"] if it not in takes)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_is_windows_powershell_5_1(script: Path) -> None:
    files = inspected()
    functions = {*files[script]["functions"], *files[PRELUDE]["functions"]}
    assert list(complaints(files[script], functions)) == []


@pytest.mark.parametrize(("text", "complaint"), WRONG.items())
def test_what_it_does_not_take_is_found(text: str, complaint: str) -> None:
    found = list(complaints(inspected()[text], set()))
    assert found
    assert any(complaint in line for line in found), found


@pytest.mark.parametrize("script", SCRIPTS[1:], ids=lambda path: path.stem)
def test_a_script_reads_no_text_that_windows_translates(script: Path) -> None:
    """Neither the output of Windows' programs, nor names of services and counters for people."""
    text = re.sub(r"(?m)^\s*#.*$", "", script.read_text())
    assert re.findall(r"DisplayName|netsh|quser|systeminfo|Get-Counter|Select-String", text) == []
    assert all("$null = &" in line for line in text.splitlines() if re.search(r"& (\$tool|\"\$env)", line))
