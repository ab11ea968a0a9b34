# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""AWS's Systems Manager documents that patch Windows."""

from __future__ import annotations

PATCHING_DOCUMENTS = frozenset(
    {
        "AWS-RunPatchBaseline",
        "AWS-RunPatchBaselineAssociation",
        "AWS-RunPatchBaselineWithHooks",
        "AWS-InstallWindowsUpdates",
        "AWS-ApplyPatchBaseline",
        "AWS-InstallMissingWindowsUpdates",
        "AWS-InstallSpecificWindowsUpdates",
        "AWS-FindWindowsUpdates",
    }
)
"""The last five are older. A document that only scans counts too: two patch documents at a time can fail without an error."""
