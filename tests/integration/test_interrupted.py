# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ctrl-C and SIGTERM in the middle of a run: the ledger stays true, and the last lines say what is left to do."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from living_lab import LIMIT_SECONDS, READING, TWO_MINUTES_WITH_A_REBOOT, LivingLab

from ansible_collections.patchfleet.windows.plugins.module_utils._ledger import open_ledger
from lab.process import Process

UPDATES = {"scan_seconds": 10, "updates": [{**TWO_MINUTES_WITH_A_REBOOT, "seconds": 600}]}
STOP_WHEN_IT_INSTALLS: list[dict[str, Any]] = [{"when": "off-1 installing", "do": "term_controller"}]


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT], ids=lambda signum: signum.name)
def test_the_last_lines_name_what_is_on_and_the_command_that_puts_it_back(
    signum: signal.Signals, tmp_path: Path
) -> None:
    hosts = [
        {"name": "off-{1..2}", "state": "stopped"},
        {"name": "on"},
        {"name": "turn", "state": "stopped", "type": "m5.large"},
    ]
    variables = {"patch_batch_size": 3, "patch_priority_instance_types": ["t3.large"]}
    with LivingLab(tmp_path, hosts, defaults=UPDATES, events=STOP_WHEN_IT_INSTALLS, scale=200) as lab:
        lab.on_controller = lambda process: process.terminate(signum)
        ended = lab.playbook("patch", variables=variables)
        assert ended.code not in (0, "timeout"), ended.output
        lines = ended.last_words.splitlines()
        head, _, on = lines[0].rstrip(".").partition(" was interrupted. Still on because of it: ")
        assert set(on.split(", ")) == {f"{name} ({lab.id(name)})" for name in ("off-1", "off-2")}, ended.output
        assert len(lines) == 3, ended.output
        assert "Windows may still be installing, and may reboot by itself: " in lines[1]
        assert "off-1 (since " in lines[1]

        # The ledger is true: what is on because of us is written down with its state before, and nothing else is.
        ledger = open_ledger(str(lab.ledger))
        (run,) = ledger.runs()
        assert (head, run.closed_at) == (f"Run {run.run_id}", None)
        assert {record.name: (record.original_state, record.started_by) for record in ledger.open_power()} == {
            "off-1": ("stopped", run.run_id),
            "off-2": ("stopped", run.run_id),
            "on": ("running", None),
        }

        back = lab.run(ended.command_to_go_back)
        assert back.code == 0, back.output
        assert len(ended.calls) == len(lab.calls_of(ended.access_key)), "something of the run that was ended went on"
        truth = lab.lab.truth()["hosts"]
        assert ledger.open_power() == []
        assert ledger.run(run.run_id).closed_at is not None
        report = lab.playbook("report")

    assert {name: host["state"] for name, host in truth.items()} == {
        "off-1": "stopped",
        "off-2": "stopped",
        "on": "running",
        "turn": "stopped",
    }
    assert (truth["off-1"]["cut_off"], truth["off-1"]["installed"]) == (0, ["KB5031361"])
    assert truth["turn"]["starts"] == 0
    assert "StopInstances" not in ended.touched
    assert report.code == 0
    assert report.outcomes == {"off-1": "failed", "off-2": "failed", "on": "failed", "turn": "deferred"}
    assert report.host("turn")["reason_code"] == "run_interrupted"


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT], ids=lambda signum: signum.name)
def test_a_run_that_is_asked_to_stop_again_and_again_ends_at_once_with_a_true_ledger(
    signum: signal.Signals, tmp_path: Path
) -> None:
    hosts = [{"name": "off", "state": "stopped"}]
    events = [{"when": "off installing", "do": "term_controller"}]
    with LivingLab(tmp_path, hosts, defaults=UPDATES, events=events, scale=200) as lab:
        lab.on_controller = lambda process: Thread(target=insist, args=(process, signum)).start()
        run = lab.begin("patch")
        ended = run.end()
        assert ended.code not in (0, "timeout"), ended.output
        run.process.wait_for_all(LIMIT_SECONDS)
        ledger = open_ledger(str(lab.ledger))
        (record,) = ledger.open_power()
        (opened,) = ledger.runs()
        assert (record.original_state, record.started_by, opened.closed_at) == ("stopped", opened.run_id, None)
        assert lab.truth("off")["installed"] == [], "it did not end at once"
        later = lab.calls_of(run.access_key)[len(ended.calls) :]
        assert all(call["operation"].startswith(READING) for call in later)


def insist(process: Process, signum: signal.Signals) -> None:
    """Signals as fast as they come, until it has ended: at whatever it does meanwhile."""
    while process.running:
        process.terminate(signum)
        time.sleep(0.005)  # a pace for the signals, so that the command gets to run in between; nothing is waited for


def test_a_start_that_was_just_asked_for_is_put_back_too(tmp_path: Path) -> None:
    """Its LaunchTime may not have been seen yet."""
    events = [{"when": "off starting", "do": "term_controller"}]
    with LivingLab(tmp_path, [{"name": "off", "state": "stopped"}], events=events, scale=200) as lab:
        ended = lab.playbook("patch")
        assert f"Still on because of it: off ({lab.id('off')})" in ended.last_words
        back = lab.run(ended.command_to_go_back)
        assert back.code == 0, back.output
        assert (lab.truth("off")["state"], lab.truth("off")["starts"]) == ("stopped", 1)
        assert open_ledger(str(lab.ledger)).open_power() == []


def test_the_same_command_continues_where_nothing_is_on(tmp_path: Path) -> None:
    hosts = [{"name": "off-1"}, {"name": "on"}]
    with LivingLab(tmp_path, hosts, defaults=UPDATES, events=STOP_WHEN_IT_INSTALLS, scale=200) as lab:
        ended = lab.playbook("patch")
        assert ended.code not in (0, "timeout"), ended.output
        assert "Windows may still be installing, and may reboot by itself: off-1 (since " in ended.words
        assert "Nothing is on because of it" not in ended.words
        assert "To go on, run the same command again" in ended.words
        assert "-e patch_take_over=true" in ended.words
        again = lab.playbook("patch", variables={"patch_take_over": True})
        assert again.code == 0, again.output
        assert set(again.outcomes.values()) <= {"patched", "compliant"}
        assert [lab.truth(name)["cut_off"] for name in ("off-1", "on")] == [0, 0]
