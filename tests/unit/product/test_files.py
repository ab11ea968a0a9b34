# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that are replaced as a whole."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._base.files import replace_file


def test_a_file_that_cannot_be_written_leaves_the_old_one_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page that is written each minute would fill the disk."""

    def refuse(*_args: object) -> None:
        raise OSError("No space left on device")

    path = tmp_path / "report.html"
    replace_file(str(path), "old")
    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(OSError, match="No space left"):
        replace_file(str(path), "new")
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {"report.html": "old"}
