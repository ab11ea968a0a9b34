# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report's folder is tried before anything is touched, and a plan makes none."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import InvalidOption
from ansible_collections.patchfleet.windows.plugins.module_utils._plan.report_folder import (
    refuse_hopeless,
    refuse_unwritable,
)


def test_a_folder_is_made_where_it_is_missing_and_nothing_is_left_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "reports"
    refuse_unwritable(str(folder))
    assert list(folder.iterdir()) == []


def test_a_plan_makes_no_folder(tmp_path: Path) -> None:
    refuse_hopeless(str(tmp_path / "new" / "reports"))
    assert list(tmp_path.iterdir()) == []


def test_without_a_folder_of_the_users_the_state_folder_is_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    refuse_hopeless(None)
    refuse_unwritable(None)
    assert (tmp_path / "patchfleet" / "reports").is_dir()


@pytest.mark.parametrize("check", [refuse_unwritable, refuse_hopeless])
@pytest.mark.parametrize("below", ["", "/reports", "/a/b"])
def test_a_file_instead_of_the_folder_is_refused(tmp_path: Path, check: object, below: str) -> None:
    file = tmp_path / "file"
    file.write_text("no folder")
    assert callable(check)
    with pytest.raises(InvalidOption, match=f"^patch_report_dir: '{file}{below}' is not valid"):
        check(f"{file}{below}")


def test_a_file_system_that_takes_no_folders_is_refused() -> None:
    """Root may write everywhere else."""
    with pytest.raises(InvalidOption, match=r"^patch_report_dir: ./proc/nope. is not valid"):
        refuse_unwritable("/proc/nope")
