# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the scripts about failover clusters, and about other use of a host, answer; see answers.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .fields import Fields

LONGEST_NAME = 256
NODE_STATES = ("up", "down", "paused", "joining", "unknown")
DRAIN_STATES = ("notinitiated", "inprogress", "completed", "failed")


@dataclass(frozen=True)
class OtherNode:
    """Another node of the cluster."""

    name: str
    state: str


@dataclass(frozen=True)
class Cluster:
    """A cluster as one of its nodes shows it; ``id`` and ``name`` are None where its service does not answer.

    Attributes:
        node: the name of this node.
        state: of this node, one of NODE_STATES.
        nodes: the other nodes.
        roles: names of the roles that this node owns.
        unhealthy: names of availability groups of SQL Server that are not healthy.
    """

    node: str
    state: str
    id: str | None = None
    name: str | None = None
    nodes: tuple[OtherNode, ...] = ()
    roles: tuple[str, ...] = ()
    unhealthy: tuple[str, ...] = ()


@dataclass(frozen=True)
class InspectedCluster:
    """inspect_cluster: the cluster of the host, None where it is no node of one."""

    SCRIPT: ClassVar[str] = "inspect_cluster"
    cluster: Cluster | None

    @classmethod
    def read(cls, fields: Fields) -> InspectedCluster:
        return cls(_cluster(fields.nested("cluster")) if fields.has("cluster") else None)


def _cluster(fields: Fields) -> Cluster:
    return Cluster(
        id=fields.optional(fields.text, "id", LONGEST_NAME),
        name=fields.optional(fields.text, "name", LONGEST_NAME),
        node=fields.text("node", LONGEST_NAME),
        state=fields.choice("state", NODE_STATES),
        nodes=tuple(
            OtherNode(row.text("name", LONGEST_NAME), row.choice("state", NODE_STATES)) for row in fields.rows("nodes")
        ),
        roles=fields.texts("roles", LONGEST_NAME),
        unhealthy=fields.texts("unhealthy", LONGEST_NAME),
    )


@dataclass(frozen=True)
class DrainedNode:
    """drain_cluster_node: what became of the drain, and the roles that are still on the node."""

    SCRIPT: ClassVar[str] = "drain_cluster_node"
    state: str
    drain: str
    roles: tuple[str, ...]

    @classmethod
    def read(cls, fields: Fields) -> DrainedNode:
        return cls(
            state=fields.choice("state", NODE_STATES),
            drain=fields.choice("drain", DRAIN_STATES),
            roles=fields.texts("roles", LONGEST_NAME),
        )


@dataclass(frozen=True)
class ResumedNode:
    """resume_cluster_node: the state of the node at the end, and why the cluster's service did not answer."""

    SCRIPT: ClassVar[str] = "resume_cluster_node"
    state: str
    trouble: str | None

    @classmethod
    def read(cls, fields: Fields) -> ResumedNode:
        return cls(fields.choice("state", NODE_STATES), fields.optional(fields.text, "trouble"))


@dataclass(frozen=True)
class HostUse:
    """inspect_use: which of the named programs run, and why the user's script wants the host skipped."""

    SCRIPT: ClassVar[str] = "inspect_use"
    processes: tuple[str, ...]
    detail: str | None

    @classmethod
    def read(cls, fields: Fields) -> HostUse:
        return cls(fields.texts("processes", LONGEST_NAME), fields.optional(fields.text, "detail"))
