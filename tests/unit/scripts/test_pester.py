# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tests that are written in PowerShell, run by Pester in one process."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from lab.powershell.process import WHERE_FROM, find

HERE = Path(__file__).parent
COMMAND = """
$ErrorActionPreference = 'Stop'
if (-not (Get-Module -ListAvailable -Name Pester | Where-Object Version -ge '5.0')) { exit 77 }
$settings = New-PesterConfiguration
$settings.Run.Path = $env:TESTS
$settings.Output.Verbosity = 'None'
$settings.Run.PassThru = $true
$ended = Invoke-Pester -Configuration $settings
$failed = @($ended.Failed | ForEach-Object { @{ name = $_.ExpandedPath; why = [string] $_.ErrorRecord } })
$answer = @{ passed = $ended.PassedCount; containers = $ended.Containers.Count; failed = $failed }
ConvertTo-Json -Depth 4 -Compress -InputObject $answer
"""
NO_PESTER = 77
PATH_OF_MODULES = "PSModulePath"


@pytest.mark.skipif(find() is None, reason=WHERE_FROM)
def test_everything_that_pester_tests_holds() -> None:
    program = find()
    assert program
    modules = [str(program.parent / "modules"), os.environ.get(PATH_OF_MODULES, "")]
    environment = {"TESTS": str(HERE), PATH_OF_MODULES: os.pathsep.join(modules)}
    done = subprocess.run(
        [str(program), "-NoProfile", "-NonInteractive", "-Command", COMMAND],
        env={**os.environ, **environment, "NO_COLOR": "1", "POWERSHELL_TELEMETRY_OPTOUT": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == NO_PESTER:
        pytest.skip("there is no Pester 5: Install-Module Pester, or a folder modules beside pwsh")
    ended = json.loads(done.stdout.splitlines()[-1])
    assert ended["failed"] == []
    assert ended["passed"] >= ended["containers"] == len(list(HERE.glob("*.Tests.ps1")))
