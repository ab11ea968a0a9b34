# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a night is like, drawn from a seed: hosts and what is wrong with them, what AWS does, what others do, and who dies when."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from chaos.drawn import Drawn, Recovery, Rival

START = datetime(2026, 11, 14, 22, tzinfo=UTC)
"""When every night begins."""

UPDATE = {"kb": "KB5031361", "severity": "critical", "class": "security", "reboot": True}
RESULTS = ("ok", "vanishes", "reported_failed", "hangs", "0x80070643", "0x80240022")
# Each is drawn as often as it stands here; the first is nothing.
FLAWS: tuple[dict[str, Any], ...] = (
    *({} for _ in range(8)),
    {"agent": "never"},
    {"agent": "stale"},
    {"agent": "lost_after_reboot"},
    {"boots": "never"},
    {"boots": "falls_back"},
    {"kms": "denied"},
    {"disk": {"size_gib": 60, "free_gib": 3}},
    {"disk": {"size_gib": 60, "free_gib": 3, "temp_gib": 30}},
    {"disk": {"size_gib": 60, "free_gib": 0.2}, "volume": {"modifications_24h": 4}},  # full, and cannot grow
    {"agent": "no_role"},
    {"disk": {"size_gib": 60, "free_gib": 3}, "volume": {"result": "failed"}},
    {"disk": {"size_gib": 60, "free_gib": 3}, "volume": {"modifying_seconds": 900}},
    *(
        {"windows_update": how}
        for how in ("service_stopped", "service_disabled", "cache_corrupt", "components_corrupt")
    ),
    *({"windows_update": how} for how in ("no_route", "unrepairable")),
    {"pending_reboot": True},
    {"sessions": 1},
)
FAULTS = (
    ("StartInstances", "InsufficientInstanceCapacity"),
    ("StartInstances", "UnauthorizedOperation"),
    ("StartInstances", "InsufficientInstanceCapacity"),
    ("StartInstances", "VcpuLimitExceeded"),
    ("StartInstances", "InternalError"),
    ("StopInstances", "InternalError"),
    ("StopInstances", "UnauthorizedOperation"),
    ("SendCommand", "ThrottlingException"),
    ("SendCommand", "AccessDeniedException"),
    ("ModifyVolume", "VolumeModificationRateExceeded"),
    ("DescribeInstances", "RequestLimitExceeded"),
    ("DescribeInstanceInformation", "AccessDeniedException"),
    ("GetCommandInvocation", "ThrottlingException"),
)
ACTS: tuple[Any, ...] = (
    "start",
    "stop",
    "restart",
    "terminate",
    "untag",
    "join_asg",
    "agent_dies",
    "agent_returns",
    "log_on",
    {"retag": {"PatchGroup": "Linux"}},
)
MOMENTS = ("starting", "booted", "online", "installing", "installed", "rebooting", "stopping")


def draw(seed: str) -> Drawn:
    """The same for the same seed."""
    chance = random.Random(seed)
    hosts = [_host(chance, name) for name in "abc"[: chance.choice((1, 1, 2, 3))]]
    keys = {
        "hosts": hosts,
        "seed": chance.randrange(1000),
        "account": {"lag_seconds": chance.choice((0, 0, 5, 20)), "throttle": chance.choice((0.0, 0.0, 0.0, 0.05))},
        "events": _events(chance, [host["name"] for host in hosts]),
    }
    dies_after = chance.randrange(90 * len(hosts)) if chance.random() < 0.8 else None
    second_dies_after = chance.randrange(30) if chance.random() < 0.3 else None
    first = chance.choice(("restore", "restore", "patch"))
    recoveries = [
        Recovery(chance.choice((1000.0, 2000.0, 30000.0)), first, second_dies_after),
        Recovery(1000.0, "restore"),
        Recovery(40000.0, "restore"),
    ]
    backend = chance.choice(("sqlite", "sqlite", "dynamodb"))
    return Drawn(keys, recoveries, dies_after, backend, _variables(chance), _rival(chance, len(hosts)))


def _rival(chance: random.Random, hosts: int) -> Rival | None:
    if chance.random() < 0.6:
        return None
    return Rival(
        begins_seconds=chance.choice((0.0, 1.0, chance.uniform(0, 5000))),
        playbook=chance.choice(("patch", "restore")),
        skew_seconds=chance.uniform(-300, 300),
        dies_after=chance.randrange(90) if chance.random() < 0.2 else None,
        freezes_after=chance.randrange(1, 80 * hosts),
        freezes_seconds=chance.choice((0.0, 500.0, 1000.0, 3000.0, 9000.0)),
        seed=chance.randrange(1000),
    )


def _variables(chance: random.Random) -> dict[str, Any]:
    variables: dict[str, Any] = {"patch_batch_size": chance.choice((1, 5))}
    if chance.random() < 0.5:
        variables["patch_failure_budget"] = chance.choice((0, 1, "50%"))
    if chance.random() < 0.3:
        variables["patch_canary"] = 1
    if chance.random() < 0.2:
        variables["patch_deadline"] = (START + timedelta(minutes=chance.choice((30, 90, 240)))).isoformat()
    return variables


def _host(chance: random.Random, name: str) -> dict[str, Any]:
    update = {**UPDATE, "seconds": chance.choice((60, 600, 2500))}
    if chance.random() < 0.2:
        update["result"] = chance.choice(RESULTS)
    host = {"name": name, "state": chance.choice(("stopped", "stopped", "running")), **chance.choice(FLAWS)}
    host["updates"] = [update] if chance.random() < 0.8 else []
    if chance.random() < 0.15:
        operation, error = chance.choice(FAULTS)
        host["api_faults"] = [{"operation": operation, "error": error, "times": chance.choice((1, 3, "always"))}]
    return host


def _events(chance: random.Random, names: list[str]) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = []
    while chance.random() < 0.35:
        name, act = chance.choice(names), chance.choice(ACTS)
        if chance.random() < 0.5:
            events.append({"at_seconds": chance.randrange(6000), "host": name, "do": act})
        else:
            events.append({"when": f"{name} {chance.choice(MOMENTS)}", "host": chance.choice(names), "do": act})
    return events
