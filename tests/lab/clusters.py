# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Windows failover clusters: nodes that are up, paused or down, roles that move between them, and outages of roles.

A drain pauses the node and moves its roles one by one; one without a node that takes them has failed, and the node stays paused.
A node that goes down with roles hands them over with an outage.
Source: Microsoft, "Draining Nodes for Planned Maintenance with Windows Server 2012".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from lab.sim import Simulation, Steps

if TYPE_CHECKING:
    from lab.world import Host

MOVE_SECONDS = 5.0
NOT_INITIATED, IN_PROGRESS, COMPLETED, FAILED = "NotInitiated", "InProgress", "Completed", "Failed"


@dataclass
class Role:
    """A clustered role: the node that owns it, and the one from which a drain took it. Offline roles have no owner."""

    name: str
    owner: ClusterNode | None
    drained_from: ClusterNode | None = None


class ClusterNode:
    """One host as a node; ``outages`` counts its roles that were down because of us, ``pauses`` when it was paused."""

    def __init__(self, cluster: Cluster, host: Host) -> None:
        self.cluster = cluster
        self.host = host
        self.paused = False
        self.drain_status = NOT_INITIATED
        self.outages = 0
        self.pauses: list[tuple[float, float | None]] = []

    @property
    def name(self) -> str:
        return self.host.guest.computer_name

    @property
    def state(self) -> str:
        """As Get-ClusterNode shows it."""
        if not self.host.guest.up:
            return "Down"
        return "Paused" if self.paused else "Up"

    @property
    def roles(self) -> list[Role]:
        return [role for role in self.cluster.roles if role.owner is self]

    def guest_up(self, after_reboot: bool) -> None:
        self.cluster.take_offline_roles(self)

    def guest_down(self) -> None:
        by_us = self.host.guest.went_down_by_us
        for role in self.roles:
            self.outages += by_us
            role.owner = self.cluster.taker(self)


class Cluster:
    """One cluster; its nodes are hosts of the scenario."""

    def __init__(self, sim: Simulation, name: str, hosts: Iterable[Host]) -> None:
        self._sim = sim
        self.name = name
        self.id = f"{sim.random('cluster', name).getrandbits(128):032x}"
        self.nodes = [ClusterNode(self, host) for host in hosts]
        self.roles: list[Role] = []
        for node in self.nodes:
            node.host.node = node
            node.host.guest.add_listener(node)
            node.host.guest.services.find_or_add("ClusSvc").start_type = "automatic"
            if node.host.spec.windows.resync_seconds:
                node.host.guest.workload.databases["MSSQLSERVER"] = {}
                node.host.guest.services.find_or_add("MSSQLSERVER").start_type = "automatic"

    def begin(self) -> None:
        """The roles of a node that is off at the start are on one that is up."""
        for node in self.nodes:
            owner = node if node.host.guest.up else self.taker(node)
            numbers = range(len(self.roles) + 1, len(self.roles) + 1 + node.host.spec.cluster_roles)
            self.roles += [Role(f"role-{number}", owner) for number in numbers]

    def taker(self, node: ClusterNode) -> ClusterNode | None:
        """A node that takes roles of this one."""
        return next((other for other in self.nodes if other is not node and other.state == "Up"), None)

    def take_offline_roles(self, node: ClusterNode) -> None:
        for role in self.roles:
            if role.owner is None and node.state == "Up":
                role.owner = node

    def unhealthy_groups(self) -> list[str]:
        """The availability group of the cluster's SQL Servers, while a replica is down or synchronizes after its boot."""
        return [] if all(self._is_synchronized(node) for node in self.nodes) else [f"ag-{self.name}"]

    def _is_synchronized(self, node: ClusterNode) -> bool:
        guest, seconds = node.host.guest, node.host.spec.windows.resync_seconds
        if not seconds:
            return True
        return guest.up and not (guest.boots and self._sim.time < guest.boots[-1] + timedelta(seconds=seconds))

    def suspend(self, node: ClusterNode) -> None:
        """Suspend-ClusterNode -Drain without -Wait."""
        if not node.paused:
            node.paused = True
            node.pauses.append((self._sim.now, None))
        node.drain_status = IN_PROGRESS
        self._sim.spawn(self._drain(node))

    def _drain(self, node: ClusterNode) -> Steps[None]:
        fault = node.host.spec.windows.drain
        while node.roles and fault != "hangs":
            yield MOVE_SECONDS
            taker = self.taker(node)
            if taker is None or fault == "fails":
                node.drain_status = FAILED
                return
            for role in node.roles[:1]:
                role.owner, role.drained_from = taker, node
        if node.paused and not node.roles:
            node.drain_status = COMPLETED

    def resume(self, node: ClusterNode, *, failback: bool) -> None:
        """Resume-ClusterNode; with failback the roles that the drain took come back."""
        if node.paused:
            node.paused = False
            node.pauses[-1] = (node.pauses[-1][0], self._sim.now)
        node.drain_status = NOT_INITIATED
        for role in self.roles:
            if role.drained_from is node:
                role.owner, role.drained_from = (node if failback else role.owner), None
        self.take_offline_roles(node)


def clusters_of(sim: Simulation, hosts: Iterable[Host]) -> list[Cluster]:
    """The clusters of a scenario's hosts."""
    members: dict[str, list[Host]] = {}
    for host in hosts:
        if host.spec.cluster:
            members.setdefault(host.spec.cluster, []).append(host)
    return [Cluster(sim, name, nodes) for name, nodes in members.items()]
