# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The folder of a run's report: tried before anything is touched, since a run without a report is hard to judge."""

from __future__ import annotations

import os
import tempfile

from .._base.errors import InvalidOption
from .._ledger import state_folder


def report_folder(report_dir: str | None, run_id: str = "") -> str:
    """Where the report of a run is written."""
    return report_dir or os.path.join(state_folder(), "reports", run_id)


def refuse_unwritable(report_dir: str | None) -> None:
    """Write a file into the folder and remove it again; the folder is made where it is missing.

    Raises:
        InvalidOption: that cannot be done.
    """
    folder = report_folder(report_dir)
    try:
        os.makedirs(folder, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise not_writable(folder, f"{error}.") from error


def refuse_hopeless(report_dir: str | None) -> None:
    """As refuse_unwritable, for a plan, which writes nothing: checks the folder, or the one in which it would be created.

    Raises:
        InvalidOption: it is no folder, or may not be written.
    """
    folder = os.path.abspath(report_folder(report_dir))
    while not os.path.exists(folder):
        folder = os.path.dirname(folder)
    if not os.path.isdir(folder) or not os.access(folder, os.W_OK | os.X_OK):
        raise not_writable(report_folder(report_dir), f"{folder} is no folder, or may not be written.")


def not_writable(folder: str, reason: str) -> InvalidOption:
    """The error of a folder into which no report can be written; ``reason`` is a sentence."""
    return InvalidOption("patch_report_dir", folder, f"It must be a folder that can be written. {reason}")
