# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Versions of the collection and of what it writes. docs/support.md says what each number promises.

The ledger's version is in its back end, beside the migrations; the template's is an output of the template.
"""

from __future__ import annotations

COLLECTION = "1.0.0"
"""As in galaxy.yml, which is not part of the installed collection."""
REPORT_SCHEMA = "1.1.0"
"""Of ``report.json``: a minor version adds fields, a major one removes or changes some."""
HISTORY_SCHEMA = "1.0.0"
"""Of ``history.json``, likewise."""
EXPORT_SCHEMA = "1.0.0"
"""Of an exported run, likewise."""


def major(version: str) -> int:
    """1.2.0 → 1."""
    return int(version.partition(".")[0])
