# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stops, alarms, limits of peers, restore points, roll-backs and drains: a sound product holds, and a broken one is noticed."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._fleet import peers
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.sqlite import SqliteLedger
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.context import OperationContext
from ansible_collections.patchfleet.windows.plugins.module_utils._power import restore
from ansible_collections.patchfleet.windows.plugins.module_utils._run import admission
from ansible_collections.patchfleet.windows.plugins.module_utils._update import cluster, health, install
from chaos.draw import draw
from chaos.drawn import Drawn, Recovery, Stop
from chaos.play import Ended, play_drawn
from chaos.watch import CROWDED, NO_POINT, POINTS, STARTED, UNDONE

KB = {"kb": "KB5031361", "severity": "critical", "class": "security", "seconds": 900, "reboot": True}
OFF = {"name": "a", "state": "stopped", "updates": [KB]}
ON = {"name": "a", "state": "running", "updates": [KB]}
LAST = Recovery(40000.0, "restore")


def play(hosts: list[dict[str, Any]], *recoveries: Recovery, **parts: Any) -> Ended:
    account = {"lag_seconds": 0, **parts.pop("account", {})}
    keys = {"hosts": hosts, "account": account, "events": parts.pop("events", [])}
    return play_drawn(Drawn(keys, [*recoveries, LAST], **parts))


def kinds(*hosts: Any, **parts: Any) -> set[str]:
    """Of the problems of a night with these hosts."""
    return {problem.kind for problem in play(*hosts, **parts).problems}


# Brakes

STOPPED = [OFF, {**OFF, "name": "b"}]


def test_a_stop_holds_and_one_that_is_lost_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = play(STOPPED, stop=Stop(300.0))
    assert ended.problems == []
    assert ended.counts["outcomes: deferred"] == ended.counts["outcomes: patched"] == 1
    monkeypatch.setattr(SqliteLedger, "change_breaker", lambda *_args: True)
    assert kinds(STOPPED, stop=Stop(300.0)) == {STARTED}


def test_a_run_that_continues_starts_hosts_again() -> None:
    ended = play(STOPPED, stop=Stop(300.0, resumes_after_seconds=60.0))
    assert ended.problems == []
    assert ended.counts["outcomes: patched"] == 2


def test_an_alarm_holds_and_one_that_is_not_asked_for_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    night: dict[str, Any] = {
        "account": {"alarms": {"shop": "OK"}},
        "variables": {"patch_stop_alarms": ["shop"]},
    }
    events = [{"at_seconds": 300, "do": "set_alarm", "alarm": "shop"}]
    ended = play(STOPPED, events=list(events), **night)
    assert ended.problems == []
    assert ended.counts["outcomes: deferred"] == 1
    checks = tuple(check for check in admission.ADMISSION_CHECKS if "alarm" not in check.__name__)
    assert len(checks) == len(admission.ADMISSION_CHECKS) - 1
    monkeypatch.setattr(admission, "ADMISSION_CHECKS", checks)
    assert kinds(STOPPED, events=list(events), **night) == {STARTED}


def test_more_peers_at_work_than_allowed_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    parts: dict[str, Any] = {
        "at_once": 2,
        "variables": {"patch_at_most": [{"zone": True, "hosts": 1}], "patch_batch_size": 2},
    }
    assert kinds(STOPPED, **parts) == set()
    monkeypatch.setattr(peers, "blocking_slots", lambda *_: [])
    assert kinds(STOPPED, **parts) == {CROWDED}


# Restore points and roll-backs

POINTS_OF_ALL: dict[str, Any] = {"variables": {"patch_restore_point": "root"}}


def test_an_installation_without_its_restore_point_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert kinds([ON], **POINTS_OF_ALL) == set()
    monkeypatch.setattr(install, "make_restore_point", lambda _context: None)
    assert kinds([ON], **POINTS_OF_ALL) == {NO_POINT}


def test_a_restore_point_that_no_ledger_knows_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    own = OperationContext.update_facts

    def forgets(context: OperationContext, **facts: Any) -> None:
        own(context, **{name: value for name, value in facts.items() if name != "restore_point"})

    monkeypatch.setattr(OperationContext, "update_facts", forgets)
    assert kinds([ON], **POINTS_OF_ALL) == {POINTS}


@pytest.mark.parametrize("host", [OFF, ON], ids=["off", "on"])
def test_a_night_is_rolled_back(host: dict[str, Any]) -> None:
    ended = play([host], Recovery(1000.0, "roll_back", host="a"), **POINTS_OF_ALL)
    assert ended.problems == []
    assert ended.counts["outcomes: noncompliant"] == 1


def test_a_root_volume_that_is_missing_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    died = Recovery(1000.0, "roll_back", "detach_volume", "a")
    assert kinds([OFF], died, **POINTS_OF_ALL) == set()
    monkeypatch.setattr(restore, "settle_root", lambda _context: None)
    assert UNDONE in kinds([OFF], died, **POINTS_OF_ALL)


# Nodes of clusters

NODES = [{**ON, "cluster": "sales", "cluster_roles": 1}, {**ON, "name": "b", "cluster": "sales", "cluster_roles": 1}]
DRAINED: dict[str, Any] = {"variables": {"patch_clusters": "drain"}}


def test_a_node_that_stays_paused_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert kinds(NODES, **DRAINED) == set()
    for module in (restore, health):
        monkeypatch.setattr(module, "resume_node", lambda *_args, **_named: False)
    assert kinds(NODES, **DRAINED) == {UNDONE}


def test_a_node_whose_controller_died_is_resumed(monkeypatch: pytest.MonkeyPatch) -> None:
    died: dict[str, Any] = {**DRAINED, "dies_after": 30}
    assert kinds(NODES, **died) == set()
    monkeypatch.setattr(cluster, "_drained_hosts", lambda _context: [])
    assert kinds(NODES, **died) == {UNDONE}


def test_nights_have_all_of_it() -> None:
    nights = [draw(f"all of it/{number}") for number in range(150)]
    for variable in ("restore_point", "stop_alarms", "at_most", "clusters"):
        assert any(f"patch_{variable}" in night.variables for night in nights), variable
    assert any(night.stop and night.stop.resumes_after_seconds for night in nights)
    assert any(recovery.playbook == "roll_back" for night in nights for recovery in night.recoveries)
