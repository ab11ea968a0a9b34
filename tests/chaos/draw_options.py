# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the users of a night ask for: variables of the playbook patch, stops, alarms, restore points and roll-backs, clusters."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any

from chaos.drawn import Recovery, Stop

MOMENTS = ("starting", "booted", "online", "installing", "installed", "rebooting", "stopping")
ALARM = "shop"
POINT_FAULTS: tuple[dict[str, Any], ...] = (
    {"answer": "lost", "times": 1},
    {"answer": "lost", "times": 2},
    {"error": "InternalError", "times": 1},
    {"error": "UnauthorizedOperation", "times": "always"},
    {"error": "SnapshotCreationPerVolumeRateExceeded", "times": 3},
)
ROLL_BACK_CALLS = ("CreateVolume", "DetachVolume", "AttachVolume", "CreateReplaceRootVolumeTask", "CreateTags")


class Streams:
    """Independent random streams of one seed, by name."""

    def __init__(self, seed: str) -> None:
        self._seed = seed

    def of(self, *concern: str) -> random.Random:
        """The same numbers for the same seed and name."""
        return random.Random("/".join((self._seed, *concern)))


def draw_variables(streams: Streams, start: datetime) -> dict[str, Any]:
    """Variables of the playbook patch that change no other part of the night."""
    variables: dict[str, Any] = {"patch_batch_size": streams.of("batch").choice((1, 5))}
    budget, canary, deadline = streams.of("budget"), streams.of("canary"), streams.of("deadline")
    if budget.random() < 0.5:
        variables["patch_failure_budget"] = budget.choice((0, 1, "50%"))
    if canary.random() < 0.3:
        variables["patch_canary"] = 1
    if deadline.random() < 0.2:
        variables["patch_deadline"] = (start + timedelta(minutes=deadline.choice((30, 90, 240)))).isoformat()
    running = streams.of("max running")
    if running.random() < 0.15:
        variables["patch_max_running"] = running.choice((1, 2))
    peers = streams.of("at most")
    if peers.random() < 0.15:
        variables["patch_at_most"] = [{"zone": True, "hosts": peers.choice((1, 2))}]
    return variables


def draw_stop(chance: random.Random) -> Stop | None:
    """A person stops the run, and may let it continue."""
    if chance.random() < 0.8:
        return None
    return Stop(
        float(chance.choice((chance.randrange(1200), chance.randrange(9000)))), chance.choice((None, 300.0, 2000.0))
    )


def add_alarm(chance: random.Random, keys: dict[str, Any], variables: dict[str, Any], names: str) -> None:
    """An alarm that goes off, and may be over a little later."""
    if chance.random() < 0.85:
        return
    variables["patch_stop_alarms"] = [ALARM]
    keys["account"]["alarms"] = {ALARM: "OK"}
    begins = chance.randrange(9000)
    when = {"when": f"{chance.choice(names)} {chance.choice(MOMENTS)}"}
    event = {"do": "set_alarm", "alarm": ALARM, **(when if chance.random() < 0.5 else {"at_seconds": begins})}
    keys["events"].append(event)
    if chance.random() < 0.5:
        keys["events"].append({"do": "clear_alarm", "alarm": ALARM, "at_seconds": begins + chance.choice((30, 900))})


def add_restore_points(
    streams: Streams, hosts: list[dict[str, Any]], variables: dict[str, Any], recoveries: list[Recovery]
) -> None:
    """Restore points of all hosts; one of them may be rolled back after the night."""
    chance = streams.of("restore points")
    if chance.random() < 0.75:
        return
    variables["patch_restore_point"] = chance.choice(("root", "all"))
    for host in hosts:
        if chance.random() < 0.2:
            _add_fault(host, {"operation": "CreateSnapshots", **chance.choice(POINT_FAULTS)})
    back = streams.of("roll-back")
    if back.random() < 0.4:
        return
    host = back.choice(hosts)
    if back.random() < 0.7:  # else most of these hosts are never installed, and have no restore point
        for flaw in set(host) - {"name", "state", "updates", "api_faults"}:
            del host[flaw]
        host["updates"] = [{"kb": "KB5031361", "severity": "critical", "class": "security", "reboot": True}]
    dies_after = back.randrange(25) if back.random() < 0.5 else None
    recoveries.insert(-1, Recovery(back.choice((1000.0, 30000.0)), "roll_back", dies_after, host["name"]))
    if back.random() < 0.3:
        fault = back.choice(({"answer": "lost", "times": 1}, {"error": "InternalError", "times": back.choice((1, 3))}))
        _add_fault(host, {"operation": back.choice(ROLL_BACK_CALLS), **fault})
    if back.random() < 0.3:
        _add_fault(
            host, {"operation": "CreateReplaceRootVolumeTask", "error": "UnsupportedOperation", "times": "always"}
        )


def _add_fault(host: dict[str, Any], fault: dict[str, Any]) -> None:
    host["api_faults"] = [*host.get("api_faults", []), fault]


def add_cluster(streams: Streams, hosts: list[dict[str, Any]], variables: dict[str, Any]) -> None:
    """All instances are nodes of one failover cluster, and are drained."""
    chance = streams.of("cluster")
    if len(hosts) < 2 or chance.random() < 0.7:
        return
    variables["patch_clusters"] = "drain"
    for host in hosts:
        host |= {"cluster": "sales", "cluster_roles": chance.choice((0, 1, 2))}
        if chance.random() < 0.15:
            host["windows"] = {**host.get("windows", {}), "drain": chance.choice(("fails", "hangs"))}
