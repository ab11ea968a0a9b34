# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tables for spreadsheet programs."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence

from ansible_collections.patchfleet.windows.plugins.module_utils._report import _format as f

FORMULA = ("=", "+", "-", "@")
"""Spreadsheet programs calculate a cell that begins so (OWASP, "CSV Injection"). Names come from tags."""


def csv_text(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> str:
    """The text of a file, with a line of headings; unknown is empty."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(row.get(column)) for column in columns] for row in rows)
    return out.getvalue()


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = f.plain(value)
    return f"'{text}" if text.startswith(FORMULA) and not isinstance(value, (int, float)) else text
