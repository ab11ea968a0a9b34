# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""history.csv: a line for each time for which an update was missing on a host."""

from __future__ import annotations

from ansible_collections.patchfleet.windows.plugins.module_utils._report._csv import csv_text

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


def to_csv(history: History) -> str:
    """The text of the file, with a line of headings; unknown is empty."""
    return csv_text(COLUMNS, history["updates"])
