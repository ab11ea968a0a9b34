# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Nodes of failover clusters: asked, one at a time, drained before anything is changed, and resumed whatever happens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import (
    Deferred,
    Failed,
    InvalidOption,
    NeedsAttention,
    PatchFleetError,
)
from ansible_collections.patchfleet.windows.plugins.module_utils._model.reasons import Reason
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.windows_sessions import OPERATION
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.windows_update_health import (
    OPERATION as HEALTH,
)
from ansible_collections.patchfleet.windows.plugins.module_utils._update.skip_when import read_skip_when
from operations import perform

from .fakes import ID, complained
from .stage import RUN, Stage, a_host

PEER = "i-0fffffffffffffff0"
SCRIPTS = dict.fromkeys(("inspect_cluster", "drain_cluster_node", "resume_cluster_node", "servicing_state"), "")
CLUSTER = {
    "id": "c-1",
    "name": "sales",
    "node": "SQL-1",
    "state": "up",
    "nodes": [{"name": "SQL-2", "state": "up"}],
    "roles": ["SQL", "Files"],
    "unhealthy": [],
}
SLOT = "cluster sales (c-1)"
DRAINED = {"state": "paused", "drain": "completed", "roles": []}


@pytest.fixture(autouse=True)
def a_node(stage: Stage) -> None:
    stage.open_run(a_host(), a_host(PEER, position=1, name="sql-2"))
    stage.guest.answers("inspect_cluster", {"cluster": CLUSTER})
    stage.guest.answers("drain_cluster_node", DRAINED)
    stage.guest.answers("resume_cluster_node", {"state": "up", "trouble": None})


def prepare(stage: Stage, policy: str = "drain", **params: Any) -> dict[str, Any]:
    options = {"run_id": RUN, "host": ID, "instance_id": ID, "scripts": SCRIPTS, "policy": "ignore", "clusters": policy}
    return perform(OPERATION, stage.context(OPERATION, **{**options, **params}))


def refusal(stage: Stage, kind: type[PatchFleetError], **params: Any) -> PatchFleetError:
    with pytest.raises(kind) as caught:
        prepare(stage, **params)
    return caught.value


def restore(stage: Stage) -> dict[str, Any]:
    """As of a host without EC2; an instance is restored by its power record."""
    options = {"run_id": RUN, "host": ID, "instance_id": ID, "state": "restored", "scripts": SCRIPTS}
    return perform(HEALTH, stage.context(HEALTH, **options))


def test_a_node_is_drained_and_resumed_with_failback(stage: Stage) -> None:
    assert prepare(stage) == {"changed": True, "sessions": None}
    assert stage.guest.inputs("drain_cluster_node") == [{"node": "SQL-1", "seconds": 1800}]
    assert [slot.name for slot in stage.ledger.slots()] == [SLOT]
    assert restore(stage)["changed"] is True
    assert stage.guest.inputs("resume_cluster_node") == [{"node": "SQL-1", "failback": True, "seconds": 600}]
    assert restore(stage)["changed"] is False


def test_a_host_that_is_no_node_is_asked_and_left_as_it_is(stage: Stage) -> None:
    stage.guest.answers("inspect_cluster", {"cluster": None})
    assert prepare(stage)["changed"] is False
    assert stage.guest.names == ["inspect_cluster"]
    assert stage.ledger.slots() == []


def test_defer_leaves_a_node_alone(stage: Stage) -> None:
    assert refusal(stage, Deferred, policy="defer").code == Reason.CLUSTER_NODE
    assert stage.guest.names == ["inspect_cluster"]


def test_the_other_node_of_a_cluster_comes_after_the_others(stage: Stage) -> None:
    stage.ledger.take_slots(RUN, PEER, {SLOT: 1})
    error = refusal(stage, Deferred)
    assert error.code == Reason.CLUSTER_BUSY
    assert error.code.retry_later
    assert "drain_cluster_node" not in stage.guest.names


def test_a_node_that_was_off_waits_for_the_other_where_it_is(stage: Stage) -> None:
    stage.record("stopped")
    stage.ledger.update_facts(RUN, ID, {"deadline_at": stage.clock.now() + 3600})
    stage.ledger.take_slots(RUN, PEER, {SLOT: 1})
    stage.clock.at(1200, lambda: stage.ledger.free_slots(RUN, PEER))
    began = stage.clock.now()
    assert prepare(stage)["changed"] is True
    assert stage.facts()["deadline_at"] >= began + 3600 + 1200


def test_a_cluster_that_was_off_as_a_whole_is_not_drained(stage: Stage) -> None:
    stage.record("stopped")
    stage.guest.answers("inspect_cluster", {"cluster": {**CLUSTER, "nodes": [{"name": "SQL-2", "state": "down"}]}})
    assert prepare(stage)["changed"] is False
    assert "drain_cluster_node" not in stage.guest.names


@pytest.mark.parametrize(
    "trouble",
    [
        {"nodes": [{"name": "SQL-2", "state": "down"}]},
        {"nodes": [{"name": "SQL-2", "state": "paused"}]},
        {"nodes": []},
        {"state": "paused"},
        {"unhealthy": ["ag-sales"]},
    ],
)
def test_a_cluster_that_cannot_spare_the_node_is_waited_for(stage: Stage, trouble: dict[str, Any]) -> None:
    stage.guest.answers("inspect_cluster", {"cluster": {**CLUSTER, **trouble}}, {"cluster": CLUSTER})
    assert prepare(stage)["changed"] is True
    stage.guest.answers("inspect_cluster", {"cluster": {**CLUSTER, **trouble}})
    stage.ledger.update_facts(RUN, ID, {"cluster_drained": False})
    assert refusal(stage, Deferred).code == Reason.CLUSTER_UNHEALTHY
    assert len(stage.guest.inputs("drain_cluster_node")) == 1


def test_a_node_that_an_earlier_drain_of_ours_paused_is_no_one_elses(stage: Stage) -> None:
    stage.ledger.update_facts(RUN, ID, {"cluster_drained": True})
    stage.guest.answers("inspect_cluster", {"cluster": {**CLUSTER, "state": "paused"}})
    assert prepare(stage)["changed"] is True


@pytest.mark.parametrize(
    "answer",
    [
        {"state": "paused", "drain": "failed", "roles": ["SQL"]},
        {"state": "paused", "drain": "inprogress", "roles": ["SQL"]},
        {"state": "paused", "drain": "completed", "roles": ["SQL"]},
    ],
)
def test_a_drain_that_does_not_end_well_fails_the_host_and_is_undone(stage: Stage, answer: dict[str, Any]) -> None:
    stage.guest.answers("drain_cluster_node", answer)
    error = refusal(stage, Failed)
    assert error.code == Reason.DRAIN_FAILED
    assert "SQL." in error.reason
    assert restore(stage)["changed"] is True
    assert stage.facts()["cluster_drained"] is False


def test_a_node_that_cannot_be_resumed_needs_a_person(stage: Stage) -> None:
    prepare(stage)
    stage.guest.answers("resume_cluster_node", {"state": "paused", "trouble": "Access is denied."})
    with pytest.raises(NeedsAttention) as caught:
        restore(stage)
    assert caught.value.code == Reason.NODE_PAUSED
    assert "Resume-ClusterNode -Name SQL-1" in caught.value.reason
    stage.guest.answers("resume_cluster_node", {"state": "up", "trouble": None})
    assert restore(stage)["changed"] is True


def test_a_node_without_the_commands_for_clusters_fails(stage: Stage) -> None:
    stage.guest.on("inspect_cluster", complained("inspect_cluster", "no_cluster_commands", "It is a node."))
    assert refusal(stage, Failed).code == Reason.NO_CLUSTER_COMMANDS


# patch_skip_when


@pytest.mark.parametrize(
    ("given", "option"),
    [
        ([], "patch_skip_when"),
        ({}, "patch_skip_when"),
        ({"process": "backup"}, "patch_skip_when.process"),
        ({"processes": ["back*"]}, "patch_skip_when.processes"),
        ({"processes": [1]}, "patch_skip_when.processes"),
        ({"cluster_role": ""}, "patch_skip_when.cluster_role"),
        ({"script": "no-such-file.ps1"}, "patch_skip_when.script"),
        ({"script": "Get-Date\nexit 1\n"}, "patch_skip_when.script"),
        ({"script": "$x\n" * 10_000}, "patch_skip_when.script"),
    ],
)
def test_a_condition_that_cannot_be_right_is_refused(given: Any, option: str) -> None:
    with pytest.raises(InvalidOption) as caught:
        read_skip_when("patch_skip_when", given)
    assert option in caught.value.reason


@pytest.mark.parametrize(
    ("wanted", "use", "words"),
    [
        ({"processes": ["Backup.EXE"]}, {"processes": ["Backup"], "detail": None}, "These programs run: Backup."),
        ({"script": "$true\n"}, {"processes": [], "detail": "The script returned true."}, "The script returned true."),
        ({"cluster_role": "sql"}, {"processes": [], "detail": None}, "SQL."),
    ],
)
def test_a_host_in_use_is_left_alone(stage: Stage, wanted: dict[str, Any], use: dict[str, Any], words: str) -> None:
    stage.guest.answers("inspect_use", use)
    scripts = {**SCRIPTS, "inspect_use": ""}
    error = refusal(stage, Deferred, skip_when=wanted, scripts=scripts)
    assert error.code == Reason.IN_USE
    assert words in error.reason
    assert "drain_cluster_node" not in stage.guest.names


def test_a_host_that_is_not_in_use_is_drained(stage: Stage, tmp_path: Path) -> None:
    file = tmp_path / "busy.ps1"
    file.write_text("$false", encoding="utf-8")
    stage.guest.answers("inspect_use", {"processes": [], "detail": None})
    wanted = {"processes": ["backup.exe"], "cluster_role": ["Other"], "script": str(file)}
    assert prepare(stage, skip_when=wanted, scripts={**SCRIPTS, "inspect_use": ""})["changed"] is True
    assert stage.guest.inputs("inspect_use") == [{"processes": ["backup"], "script": "$false\n", "seconds": 120}]
