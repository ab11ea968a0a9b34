# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest

from .fakes import VirtualClock
from .stage import Stage


@pytest.fixture(autouse=True)
def a_disk_that_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests may run in a container; what is refused there has tests of its own."""
    monkeypatch.setenv("PATCHFLEET_LEDGER_EPHEMERAL_OK", "true")


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()
