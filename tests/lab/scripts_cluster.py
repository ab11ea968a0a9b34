# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a modelled node of a failover cluster answers to the scripts about it."""

from __future__ import annotations

import re

from lab.clusters import IN_PROGRESS
from lab.scripts_scene import Data, Scene, ScriptError
from lab.sim import Steps

POLL_SECONDS = 5.0
LAST_LINE_IS_TRUE = re.compile(r"\$true\s*\Z", re.IGNORECASE)
THROWS = re.compile(r"(?m)^\s*throw '([^']*)'")


def inspect_cluster(scene: Scene) -> Steps[Data]:
    yield 0.0
    node = scene.host.node
    if node is None:
        return {"cluster": None}
    return {
        "cluster": {
            "name": node.cluster.name,
            "id": node.cluster.id,
            "node": node.name,
            "state": node.state.lower(),
            "nodes": [
                {"name": other.name, "state": other.state.lower()} for other in node.cluster.nodes if other is not node
            ],
            "roles": [role.name for role in node.roles],
            "unhealthy": node.cluster.unhealthy_groups() if scene.guest.spec.windows.resync_seconds else [],
        }
    }


def inspect_use(scene: Scene) -> Steps[Data]:
    """The model runs no PowerShell: a script fails with a ``throw`` of a text, and is true where its last line is ``$true``."""
    yield 0.0
    running, text = scene.guest.spec.windows.processes, scene.data.get("script") or ""
    thrown = THROWS.search(text)
    detail = thrown[1] if thrown else "The script returned true." if LAST_LINE_IS_TRUE.search(text) else None
    return {"processes": [name for name in scene.data["processes"] if name in running], "detail": detail}


def drain_cluster_node(scene: Scene) -> Steps[Data]:
    node = scene.host.node
    if node is None:
        raise ScriptError("script_failed", "The cluster service is not running.")
    node.cluster.suspend(node)
    left = float(scene.data["seconds"])
    while True:
        yield POLL_SECONDS
        left -= POLL_SECONDS
        if node.drain_status != IN_PROGRESS or left <= 0.0:
            break
    return {
        "state": node.state.lower(),
        "drain": node.drain_status.lower(),
        "roles": [role.name for role in node.roles],
    }


def resume_cluster_node(scene: Scene) -> Steps[Data]:
    node = scene.host.node
    if node is None:
        raise ScriptError("script_failed", "The cluster service is not running.")
    if node.paused:
        node.cluster.resume(node, failback=bool(scene.data["failback"]))
        yield POLL_SECONDS
    else:
        yield 0.0
    return {"state": node.state.lower(), "trouble": None}
