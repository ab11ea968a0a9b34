# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""history.csv: a line for each time for which an update was missing on a host."""

from __future__ import annotations

import csv
import io
from typing import Any

from ansible_collections.patchfleet.windows.plugins.module_utils._report import _format as f

from .build import History

COLUMNS = (
    "host",
    "instance_id",
    "kb",
    "severity",
    "state",
    "first_missing_at",
    "last_missing_at",
    "proven_at",
    "days",
    "limit_days",
    "late",
    "hresult",
    "first_missing_in",
    "proven_by",
)
FORMULA = ("=", "+", "-", "@")
"""Spreadsheet programs calculate a cell that begins so (OWASP, "CSV Injection"). Names come from tags."""


def to_csv(history: History) -> str:
    """The text of the file, with a line of headings; unknown is empty."""
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(COLUMNS)
    for update in history["updates"]:
        values: dict[str, Any] = {**update}
        rows.writerow([_cell(values[column]) for column in COLUMNS])
    return out.getvalue()


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = f.plain(value)
    return f"'{text}" if text.startswith(FORMULA) and not isinstance(value, (int, float)) else text
