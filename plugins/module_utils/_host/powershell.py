# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the PowerShell of a host can run the scripts. The probe asks it, before anything in the host is changed."""

from __future__ import annotations

import re
from typing import Any

from .._model.reasons import Reason
from .fields import ScriptEnded
from .scripts import last_document, refuse_execution_policy

OLDEST = (5, 1)
"""Windows Server 2016 has it; Windows Server 2012 R2 came with 4.0, and takes it from Windows Management Framework 5.1."""
LIMITED_LANGUAGES = frozenset({"ConstrainedLanguage", "RestrictedLanguage", "NoLanguage"})
_VERSION = re.compile(r"(\d{1,4})\.(\d{1,4})")


def refuse_unusable(stdout: str, stderr: str = "") -> None:
    """Judge what the probe has printed. One that says nothing that can be read decides nothing: the scripts after it will.

    Raises:
        ScriptEnded: ``execution_policy``, ``constrained_language``, ``wrong_bitness`` or ``powershell_too_old``.
    """
    refuse_execution_policy(stderr)
    answer = last_document(stdout) or {}
    data = answer.get("data")
    if answer.get("script") != "probe" or not isinstance(data, dict):
        return
    _refuse_shell(data)
    version = _version(data.get("version"))
    if version and version < OLDEST:
        raise ScriptEnded(
            f"The host has PowerShell {version[0]}.{version[1]}, and the scripts need {OLDEST[0]}.{OLDEST[1]}. Install Windows "
            "Management Framework 5.1.",
            Reason.POWERSHELL_TOO_OLD,
        )


def _refuse_shell(data: dict[str, Any]) -> None:
    language = data.get("language")
    if isinstance(language, str) and language in LIMITED_LANGUAGES:
        raise ScriptEnded(
            "PowerShell runs in Constrained Language Mode in the host. Allow full language for the SSM agent, or for the user.",
            Reason.CONSTRAINED_LANGUAGE,
        )
    if isinstance(data.get("wow64"), str) and data["wow64"]:
        raise ScriptEnded("The host answers with a 32-bit PowerShell on a 64-bit Windows.", Reason.WRONG_BITNESS)


def _version(text: object) -> tuple[int, int] | None:
    match = _VERSION.fullmatch(text) if isinstance(text, str) else None
    return (int(match[1]), int(match[2])) if match else None
