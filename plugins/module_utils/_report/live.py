# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page of a run that is at work, where the report of the run will be."""

from __future__ import annotations

import os

from .._base.files import replace_file
from .._ledger.records import Ledger, Run
from .._plan.report_folder import report_folder
from .build import build_report
from .html import to_html


def write_live_page(ledger: Ledger, run: Run, now: float) -> None:
    """Write report.html where patch_report_live asks for it.

    Raises:
        OSError: it cannot be written.
    """
    report_dir = run.settings.get("live_report")
    if report_dir is None:
        return
    folder = report_folder(report_dir, run.run_id)
    os.makedirs(folder, exist_ok=True)
    replace_file(os.path.join(folder, "report.html"), to_html(build_report(ledger, run.run_id, now)))
