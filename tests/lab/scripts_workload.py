# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a modelled host answers to the script that runs the user's checks and takes what runs there as evidence."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable

from lab.clusters import ClusterNode
from lab.guest import Guest
from lab.guest_workload import Iis, NoConnection
from lab.scripts_scene import Data, Scene
from lab.sim import Steps

CLUSTER = "cluster"
ONLINE, STARTED = "ONLINE", "Started"
NAMES = {"running": "Running", "stopped": "Stopped", "start_pending": "StartPending", "stop_pending": "StopPending"}
THROWS = re.compile(r"(?m)^\s*throw '([^']*)'\s*$")


def check_host(scene: Scene) -> Steps[Data]:
    yield 0.0
    guest, node = scene.guest, scene.host.node
    items = {kind: items_of(guest) for kind, items_of in EVIDENCE.items()} | {CLUSTER: _cluster(node)}
    return {
        "boot_time": scene.iso(guest.boot_time),
        "time": scene.iso(scene.host.now),
        "checks": [_verdict(guest, check) for check in scene.data["checks"]],
        "evidence": [
            {"kind": kind, "items": sorted(items[kind]), "cut": False, "trouble": None}
            for kind in scene.data["evidence"]
        ],
    }


def _verdict(guest: Guest, check: Data) -> Data:
    try:
        wrong = _wrong(guest, check)
    except NoConnection as error:
        wrong = str(error)
    return {"ok": wrong is None, "detail": wrong}


def _wrong(guest: Guest, check: Data) -> str | None:
    if check.get("script"):
        return _wrong_of_script(check["script"])
    if check.get("service"):
        return _wrong_of_service(guest, check["service"])
    if check.get("http"):
        page = guest.workload.get(check["http"])
        if page.status != check["status"]:
            return f"The status is {page.status}, not {check['status']}."
        return "The page has not the text." if check.get("text") and check["text"] not in page.text else None
    guest.workload.connect(check.get("address") or "127.0.0.1", check["port"])
    return None


def _wrong_of_script(text: str) -> str | None:
    """The model runs no PowerShell: a script fails where a line of it is a ``throw`` of a text, and passes otherwise."""
    thrown = THROWS.search(text)
    return thrown[1] if thrown else None


def _wrong_of_service(guest: Guest, name: str) -> str | None:
    if name not in guest.services:
        return "There is no such service."
    status = guest.services[name].status
    return None if status == "running" else f"The service is {NAMES[status]}."


def _databases(guest: Guest) -> Iterable[str]:
    for instance, databases in guest.workload.databases.items():
        service = instance if instance == "MSSQLSERVER" else f"MSSQL${instance}"
        if service in guest.services and guest.services[service].status == "running":
            yield from (f"{instance}/{name}" for name, state in databases.items() if state == ONLINE)


def _cluster(node: ClusterNode | None) -> Iterable[str]:
    if node is None:
        return ()
    roles = ["Cluster Group", *(role.name for role in node.cluster.roles if role.owner)]
    return [*([f"node {node.name}"] if node.state == "Up" else []), *(f"role {name}" for name in roles)]


def _started(states: dict[str, str]) -> list[str]:
    return [name for name, state in states.items() if state == STARTED]


def _errors(guest: Guest) -> list[str]:
    return [f"{log}/{source}: {count}" for (log, source), count in Counter(guest.workload.errors).items()]


EVIDENCE: dict[str, Callable[[Guest], Iterable[str]]] = {
    "ports": lambda guest: [str(port) for port in guest.workload.ports if port < 49152],
    "sites": lambda guest: _started((guest.workload.iis or Iis()).sites),
    "app_pools": lambda guest: _started((guest.workload.iis or Iis()).pools),
    "databases": _databases,
    "tasks": lambda guest: [
        path for path, on in guest.workload.tasks.items() if on and not path.startswith("\\Microsoft\\")
    ],
    "events": _errors,
    "build": lambda guest: [guest.build],
}
