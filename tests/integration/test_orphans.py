# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What continues of a run whose controller was killed alone, or frozen while another run took its hosts over."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import Any

import pytest
from living_lab import LIMIT_SECONDS, READING, TWO_MINUTES_WITH_A_REBOOT, LivingLab

from ansible_collections.patchfleet.windows.plugins.module_utils._ledger import open_ledger
from lab.process import Process

HOSTS = [{"name": "off", "state": "stopped"}, {"name": "on"}]
TWENTY_MINUTES = {"scan_seconds": 10, "updates": [{**TWO_MINUTES_WITH_A_REBOOT, "seconds": 1200}]}
WHEN_IT_INSTALLS = [{"when": "off installing", "do": "kill_controller"}]


@pytest.fixture
def lab(tmp_path: Path) -> LivingLab:
    return LivingLab(tmp_path, HOSTS, defaults=TWENTY_MINUTES, events=WHEN_IT_INSTALLS, scale=200)


def test_workers_whose_controller_was_killed_alone_end_and_touch_nothing_more(lab: LivingLab) -> None:
    """Else they would keep the hosts of a run leased that no controller continues."""
    lab.on_controller = Process.kill_alone
    with lab:
        killed = lab.begin("patch")
        ended = killed.end()
        assert ended.code == 128 + signal.SIGKILL, ended.output
        killed.process.wait_for_all(LIMIT_SECONDS)
        assert lab.truth("off")["installed"] == [], "they waited for Windows"
        assert changes(lab.calls_of(killed.access_key)[len(ended.calls) :]) == []
        assert open_ledger(str(lab.ledger)).runs()[0].closed_at is None


def test_a_run_that_was_frozen_while_others_took_its_hosts_over_touches_nothing_more(lab: LivingLab) -> None:
    """A laptop that slept, a paused virtual machine: its workers have a controller, and no lease any more."""
    frozen = threading.Event()

    def freeze(process: Process) -> None:
        process.signal_all(signal.SIGSTOP)
        frozen.set()

    lab.on_controller = freeze
    with lab:
        table = {"patch_ledger": "dynamodb://PatchFleet-ledger"}  # no controller freezes with a lock in hand there
        run = lab.begin("patch", variables=table)
        assert frozen.wait(LIMIT_SECONDS)
        until_then = len(lab.calls_of(run.access_key))
        back = lab.playbook("restore", variables={**table, "patch_take_over": True})
        assert back.code == 0, back.output
        run.process.signal_all(signal.SIGCONT)
        ended = run.end()
        truth = [lab.truth(name) for name in ("off", "on")]
    assert changes(ended.calls[until_then:]) == []
    assert (ended.code, ended.outcomes) == (2, {"off": "failed", "on": "failed"}), ended.output
    assert ended.words.count('"reason_code": "lease_lost", "step": "restore"') == 2, ended.output
    assert [(host["state"], host["cut_off"]) for host in truth] == [("stopped", 0), ("running", 0)]


def changes(calls: list[dict[str, Any]]) -> list[str]:
    """What was done to hosts, or tried."""
    return [
        call["operation"]
        for call in calls
        if call["service"] != "dynamodb" and not call["operation"].startswith(READING)
    ]
