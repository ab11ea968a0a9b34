# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the commands of Windows' failover clusters answer on a modelled host, for Windows.psm1."""

from __future__ import annotations

from typing import Any

from lab.clusters import ClusterNode
from lab.powershell.refusals import FAILED, Refused
from lab.world import Host


class ClusterCommands:
    """The cluster of one host; a host that is no node has no cluster service."""

    _host: Host

    @property
    def _node(self) -> ClusterNode:
        if self._host.node is None:
            raise Refused(FAILED, "The cluster service is not running.", "Get-Cluster")
        return self._host.node

    def _named(self, name: str) -> ClusterNode:
        found = [node for node in self._node.cluster.nodes if node.name == name]
        if not found:
            raise Refused(FAILED, f"There is no node {name}.", "Get-ClusterNode")
        return found[0]

    def cluster(self) -> dict[str, Any]:
        cluster = self._node.cluster
        return {"Name": cluster.name, "Id": cluster.id}

    def cluster_nodes(self, name: str) -> list[dict[str, Any]]:
        nodes = [self._named(name)] if name else self._node.cluster.nodes
        return [{"Name": node.name, "State": node.state, "DrainStatus": node.drain_status} for node in nodes]

    def cluster_groups(self) -> list[dict[str, Any]]:
        cluster = self._node.cluster
        own = {"Name": "Cluster Group", "GroupType": "Cluster", "OwnerNode": cluster.nodes[0].name, "State": "Online"}
        return [
            own,
            *(
                {
                    "Name": role.name,
                    "GroupType": "GenericService",
                    "OwnerNode": role.owner.name if role.owner else "",
                    "State": "Online" if role.owner else "Offline",
                }
                for role in cluster.roles
            ),
        ]

    def unhealthy_groups(self, connection: str) -> list[str]:
        return self._node.cluster.unhealthy_groups()

    def suspend_node(self, name: str) -> None:
        self._node.cluster.suspend(self._named(name))

    def resume_node(self, name: str, failback: str) -> None:
        self._node.cluster.resume(self._named(name), failback=failback == "Immediate")
