# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Failover clusters of the lab: drains, outages, and how many peers were at work at the same time."""

from __future__ import annotations

import pytest

from conftest import MakeLab
from lab.clusters import COMPLETED, FAILED, ClusterNode
from virtual_lab import UPDATE, VirtualLab

SQL = {"cluster": "sales", "cluster_roles": 2, "updates": [UPDATE], "tags": {"PatchGroup": "Windows", "Role": "sql"}}


def node(lab: VirtualLab, name: str) -> ClusterNode:
    found = lab.play.world.hosts[name].node
    assert found
    return found


def test_a_node_that_reboots_with_its_roles_has_an_outage(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a", **SQL}, {"name": "b", **SQL})
    lab.patch("a")
    assert lab.truth("a")["cluster_outages"] == 2
    assert len(node(lab, "b").roles) == 4


def test_a_drained_node_reboots_without_an_outage_and_gets_its_roles_back(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a", **SQL}, {"name": "b", **SQL})
    cluster = node(lab, "a").cluster
    cluster.suspend(node(lab, "a"))
    lab.run_for(60)
    assert (node(lab, "a").drain_status, node(lab, "a").state) == (COMPLETED, "Paused")
    lab.patch("a")
    assert lab.truth("a")["cluster_outages"] == 0
    assert node(lab, "a").state == "Paused"  # over the reboot
    cluster.resume(node(lab, "a"), failback=True)
    assert len(node(lab, "a").roles) == 2


def test_a_drain_without_a_node_that_takes_the_roles_fails(make_lab: MakeLab) -> None:
    lab = make_lab({"name": "a", **SQL}, {"name": "b", **SQL, "state": "stopped"})
    node(lab, "a").cluster.suspend(node(lab, "a"))
    lab.run_for(60)
    assert (node(lab, "a").drain_status, len(node(lab, "a").roles)) == (FAILED, 4)


@pytest.mark.parametrize(("together", "most"), [(False, 1), (True, 2)])
def test_peers_that_are_at_work_together_are_counted(make_lab: MakeLab, together: bool, most: int) -> None:
    lab = make_lab({"name": "a", **SQL}, {"name": "b", **SQL}, {"name": "lone"}, {"name": "idle"})
    lab.start_patch("a")
    if not together:
        lab.run_for(3000)
    lab.start_patch("b")
    lab.run_for(3000)
    lab.patch("lone")
    numbers = {name: lab.truth(name)["at_once_with_peers"] for name in ("a", "b", "lone", "idle")}
    assert numbers == {"a": most, "b": most, "lone": 1, "idle": 0}
