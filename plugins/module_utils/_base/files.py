# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that a reader may open at any moment."""

from __future__ import annotations

import os
import tempfile


def replace_file(path: str, text: str) -> str:
    """Write a temporary file and rename it, so that no reader gets half of it; returns the path."""
    handle, beside = tempfile.mkstemp(dir=os.path.dirname(path) or ".", prefix=".patchfleet-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(beside, 0o644)
        os.replace(beside, path)
    except BaseException:
        os.unlink(beside)
        raise
    return path
