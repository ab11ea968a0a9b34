# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Virtual labs for the tests of the lab."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from virtual_lab import VirtualLab
from winrm_hall import Hall

MakeLab = Callable[..., VirtualLab]


@pytest.fixture
def make_lab(tmp_path: Path) -> Iterator[MakeLab]:
    """Makes a lab of the given hosts; it is closed when the test ends, which fails if the simulation broke."""
    made: list[VirtualLab] = []

    def make(*hosts: dict[str, Any], **keys: Any) -> VirtualLab:
        folder = tmp_path / str(len(made))
        folder.mkdir()
        made.append(VirtualLab(folder, list(hosts), **keys))
        return made[-1]

    yield make
    for lab in made:
        lab.close()


@pytest.fixture
def hall(make_lab: MakeLab) -> Hall:
    """A WinRM host without anything special."""
    return Hall(make_lab({"name": "hall", "kind": "winrm"}))
