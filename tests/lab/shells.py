# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A PowerShell that cannot run the product's scripts: what it answers instead."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Shell:
    """What the PowerShell of a host is like, and how the product's prelude ends in it.

    Attributes:
        refusal: category and message of the prelude; None where it works.
    """

    language: str = "FullLanguage"
    version: str = "5.1"
    wow64: str = ""
    refusal: tuple[str, str] | None = None

    def facts(self) -> dict[str, Any]:
        """The data of the probe."""
        return {"language": self.language, "version": self.version, "wow64": self.wow64}


SHELLS = {
    "ok": Shell(),
    "old": Shell(version="4.0", refusal=("powershell_too_old", "This is PowerShell 4.0; the scripts need 5.1.")),
    "constrained": Shell(
        language="ConstrainedLanguage",
        refusal=(
            "constrained_language",
            "PowerShell runs in Constrained Language Mode here; allow the SSM agent full language.",
        ),
    ),
    "32-bit": Shell(
        wow64="AMD64",
        refusal=("wrong_bitness", "This is a 32-bit PowerShell on a 64-bit Windows."),
    ),
}

# What powershell.exe prints for a script file without a signature where a Group Policy sets AllSigned. Over WinRM, Ansible sends
# commands and no files, which the policy does not meet. Source: Microsoft Learn, "about_Execution_Policies".
NOT_SIGNED = (
    "File C:\\ProgramData\\Amazon\\SSM\\InstanceData\\_script.ps1 cannot be loaded. The file "
    "C:\\ProgramData\\Amazon\\SSM\\InstanceData\\_script.ps1 is not digitally signed. You cannot run this script on the current "
    "system. For more information about running scripts and setting execution policy, see about_Execution_Policies at "
    "https:/go.microsoft.com/fwlink/?LinkID=135170.\r\n"
    "    + CategoryInfo          : SecurityError: (:) [], ParentContainsErrorRecordException\r\n"
    "    + FullyQualifiedErrorId : UnauthorizedAccess\r\n"
)


def shell_of(kind: str) -> Shell:
    """The PowerShell of this kind; ``all_signed`` is one that works, where it is given no file."""
    return SHELLS.get(kind, SHELLS["ok"])


def refusal(name: str | None, shell: Shell) -> dict[str, Any] | None:
    """The document of a script that does not work here; None for one that does, as the probe, which has no prelude, always."""
    if shell.refusal is None or name == "probe":
        return None
    category, message = shell.refusal
    error = {"category": category, "hresult": None, "message": message, "error_id": None}
    return {"patchfleet": 1, "script": name, "ok": False, "data": None, "error": error}


def printed(document: dict[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False) + "\r\n"
