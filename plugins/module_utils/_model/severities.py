# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How severe Microsoft rates an update."""

from __future__ import annotations

UNSPECIFIED = "unspecified"
SEVERITIES = ("critical", "important", "moderate", "low", UNSPECIFIED)
"""The worst first, in small letters (SSM API reference, "PatchFilter"; Windows Update Agent API, IUpdate.MsrcSeverity)."""


def severity_of(text: object) -> str:
    """The severity that Patch Manager or the Update agent names in any case; ``unspecified`` for everything else."""
    severity = str(text).strip().casefold()
    return severity if severity in SEVERITIES else UNSPECIFIED
