# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller dies after each act of a run once: afterwards every host is as it was found, whoever recovers it."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._power import restore
from ansible_collections.patchfleet.windows.plugins.module_utils._update import patch_baseline as baseline
from chaos.controller import Controller, Killed
from chaos.judge import left_on, problems
from chaos.night import Night
from chaos.watch import CUT_OFF, Problem

UPDATES = [{"kb": "KB5031361", "severity": "critical", "class": "security", "seconds": 1500, "reboot": True}]
HOSTS: list[dict[str, Any]] = [
    {"name": "a", "state": "stopped", "disk": {"size_gib": 60, "free_gib": 3}, "updates": UPDATES},
    {"name": "b", "state": "running", "windows_update": "service_disabled", "updates": UPDATES[:1]},
]
LEASE_IS_OVER_SECONDS = 1000.0


def night(folder: Path) -> Night:
    return Night(folder, hosts=HOSTS, account={"lag_seconds": 0})


@functools.cache
def acts_of_a_run() -> int:
    with tempfile.TemporaryDirectory() as folder, night(Path(folder)) as whole:
        controller = Controller(whole)
        controller.patch()
        assert problems(whole, [controller]) == left_on(whole) == []
        assert [host["missing"] for host in whole.truth().values()] == [[], []]
        return len(controller.acts)


def test_an_undisturbed_run_has_as_many_acts_as_are_killed_below() -> None:
    assert 60 < acts_of_a_run() <= POINTS


POINTS = 200


@pytest.mark.parametrize("point", range(POINTS))
def test_whenever_the_controller_dies_everything_is_put_back(tmp_path: Path, point: int) -> None:
    if point >= acts_of_a_run():
        return  # it ended before
    with night(tmp_path) as dark:
        first = Controller(dark, dies_after=point)
        with pytest.raises(Killed):
            first.patch()
        dark.sleep(LEASE_IS_OVER_SECONDS)
        later = Controller(dark)
        if point % 2:
            later.patch()
        assert later.restore() is None, first.acts
        assert problems(dark, [first, later]) == left_on(dark) == [], first.acts
        assert dark.ledger.open_power() == []


def test_a_product_that_forgets_what_it_sent_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken on purpose: nothing is recorded before the installation's command is sent, and no restore searches for commands."""
    monkeypatch.setattr(baseline, "_send_installing", baseline.send)
    monkeypatch.setattr(restore, "find_foreign_patch_runs", lambda *_: [])
    with night(tmp_path / "whole") as whole:
        controller = Controller(whole)
        controller.patch()
    found = []
    for number, point in enumerate(at for at, act in enumerate(controller.acts, 1) if act == "send_command"):
        with night(tmp_path / str(number)) as dark:
            with pytest.raises(Killed):
                Controller(dark, dies_after=point).patch()
            dark.sleep(LEASE_IS_OVER_SECONDS)
            later = Controller(dark)
            later.restore()
            found += problems(dark, [later])
    assert Problem(CUT_OFF, "a: 1 times") in found
