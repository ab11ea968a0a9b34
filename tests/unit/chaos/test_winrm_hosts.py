# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""WinRM hosts of a night: a sound product holds, whatever becomes of their connections, and a broken one is noticed."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._ledger import sqlite
from ansible_collections.patchfleet.windows.plugins.module_utils._operation import context, operation
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.channel import Scan
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.context import OperationContext
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.lease import Lease
from ansible_collections.patchfleet.windows.plugins.module_utils._power import by_tasks
from ansible_collections.patchfleet.windows.plugins.module_utils._update import win_updates
from chaos import remote
from chaos.draw import draw
from chaos.drawn import Drawn, Recovery, Remote, Rival, from_data
from chaos.play import Ended, play_drawn
from chaos.shrink import shrink
from chaos.watch import AFTER_STANDSTILL, FALSE, LEFT_ON, LOST, NOT_OURS, TOUCHED, UNRECORDED

UPDATE = {"kb": "KB5031361", "severity": "critical", "class": "security", "seconds": 600, "reboot": True}


def play(wrong: Remote | None = None, update: dict[str, Any] | None = None, **parts: Any) -> Ended:
    """A night with one such host."""
    host = {"name": "w", "kind": "winrm", "state": "running", "updates": [update or UPDATE]}
    keys = {"hosts": [host], "account": {"lag_seconds": 0}, "events": parts.pop("events", [])}
    return play_drawn(Drawn(keys, [Recovery(40000.0, "restore")], remotes=[wrong or Remote("w")], **parts))


def kinds(*given: Any, **parts: Any) -> set[str]:
    return {problem.kind for problem in play(*given, **parts).problems}


@pytest.mark.parametrize(
    ("wrong", "outcome"),
    [
        (Remote("w"), "patched"),
        (Remote("w", {"installing": 0.0}), "patched"),
        (Remote("w", {"installing": 900.0, "rebooting": 60.0}), "patched"),
        (Remote("w", refuses_when="begin"), "deferred"),
        (Remote("w", refuses_when="rebooting"), "failed"),
        (Remote("w", search_error="0x80240438"), "failed"),
        (Remote("w", by_tasks=True), "patched"),
        (Remote("w", by_tasks=True, failing_tasks="start"), "failed"),
    ],
    ids=["sound", "broken", "cut off", "refused", "refused later", "no source", "by tasks", "tasks that fail"],
)
def test_a_sound_product_holds(wrong: Remote, outcome: str) -> None:
    ended = play(wrong)
    assert ended.problems == []
    assert ended.counts[f"outcomes: {outcome}"] == 1


@pytest.mark.parametrize("dies_after", ["win_updates", "start_tasks", "reboot", "note_launch"])
def test_a_controller_that_dies_leaves_no_host_on(dies_after: str) -> None:
    ended = play(Remote("w", by_tasks=True), dies_after=dies_after)
    assert ended.problems == []
    assert ended.counts["controllers killed"] == 1


def test_a_verdict_without_a_search_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    update = {**UPDATE, "result": "vanishes"}
    assert kinds(None, update) == set()
    monkeypatch.setattr(win_updates, "search", lambda context, _connection: Scan((), (), 0, context.clock.now()))
    assert kinds(None, update) == {FALSE}


def test_a_host_that_is_not_stopped_again_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def forget(given: OperationContext) -> dict[str, Any]:
        given.ledger.close_power(given.required_host_key, "restored", given.clock.now())
        return {"changed": False, "stop": False}

    monkeypatch.setitem(by_tasks.STATES, "restored", forget)
    assert kinds(Remote("w", by_tasks=True)) == {LEFT_ON, LOST}


def test_a_host_that_was_on_and_is_stopped_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(by_tasks.STATES, "restored", lambda _context: {"changed": True, "stop": True})
    monkeypatch.setattr(remote.RemoteHost, "begin", lambda _self: None)
    assert NOT_OURS in kinds(Remote("w", by_tasks=True))


def test_a_start_without_a_record_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(by_tasks.STATES, "needed", lambda _context: {"changed": True, "start": True})
    assert UNRECORDED in kinds(Remote("w", by_tasks=True))


def test_an_installation_after_a_standstill_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    rival = Rival(9000.0, "restore", freezes_after="script servicing_state", freezes_seconds=3000.0)
    assert kinds(rival=rival) == set()
    for module in (context, operation):
        monkeypatch.setattr(module, "refuse_after_standstill", lambda *_: None)
    assert kinds(rival=rival) == {AFTER_STANDSTILL}


def test_work_on_a_host_that_another_controller_has_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    rival = Rival(1500.0, "patch", freezes_after="win_updates", freezes_seconds=3000.0)
    assert kinds(rival=rival) == set()
    monkeypatch.setattr(Lease, "prove", lambda _self: None)
    monkeypatch.setattr(sqlite, "prove_lease", lambda *_: None)
    assert TOUCHED in kinds(rival=rival)


def test_they_are_drawn_and_kept_and_left_out_when_they_do_not_matter() -> None:
    nights = [draw(f"remotes/{number}") for number in range(60)]
    having = [night for night in nights if night.remotes]
    assert 0 < len(having) < len(nights)
    data = having[0].to_data()
    assert from_data(data) == having[0]
    smallest = shrink(data, lambda _night: True)
    assert all(
        wrong["host"] in {host["name"] for host in smallest["keys"]["hosts"]} for wrong in smallest.get("remotes", [])
    )
