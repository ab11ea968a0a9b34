# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a PowerShell is, for the tests that need a real one."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

ROOT = Path(__file__).parents[2]
WHERE_FROM = "there is no PowerShell: install pwsh 7 (https://aka.ms/powershell) or let PATCHFLEET_PWSH name the file that runs it"


def find() -> Path | None:
    """``PATCHFLEET_PWSH``, else pwsh on PATH, else a copy beside the checkout; None where there is none."""
    named = os.environ.get("PATCHFLEET_PWSH")
    beside = ROOT.parent / "shared" / "pwsh" / "pwsh"
    found = named or shutil.which("pwsh") or (str(beside) if beside.exists() else None)
    return Path(found) if found else None
