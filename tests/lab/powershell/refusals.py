# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How Windows' commands fail."""

from __future__ import annotations

FAILED = "0x80004005"  # E_FAIL


class Refused(Exception):
    """A command that fails: its HRESULT, and the id by which PowerShell knows the error."""

    def __init__(self, hresult: str, message: str, error_id: str = "Failed") -> None:
        super().__init__(message)
        self.hresult = hresult
        self.error_id = error_id
