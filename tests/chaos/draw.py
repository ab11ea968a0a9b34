# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a night is like, drawn from a seed: hosts and what is wrong with them, what AWS does, what others do, and who dies when.

Each concern draws from a random stream of its own, by its name: a fault that is added changes no other part of a night.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from typing import Any

from chaos.draw_options import MOMENTS, Streams, add_alarm, add_cluster, add_restore_points, draw_stop, draw_variables
from chaos.drawn import Drawn, Recovery, Remote, Rival, Watchdog, Window, WrongClock

WINDOW = "night"
"""The name of its maintenance window."""
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


DOCUMENTS = ("AWS-RunPatchBaseline", "AWS-RunPowerShellScript")
LOST_ANSWERS = ("StartInstances", "StopInstances", "SendCommand", "ModifyVolume")
COMMAND_ENDS = ("RateExceeded", "DeliveryTimedOutButRuns", "AccessDenied", "Undeliverable")
WINDOWS: tuple[dict[str, Any], ...] = (
    {"clean_seconds": 900},
    {"defragsvc": "disabled"},
    {"failing_services": ["Spooler"]},
    {"pending_by_others": True},
    {"self_ending_services": ["sppsvc"]},
    {"start_types": {"wuauserv": "disabled"}},
    {"trusted_installer_turns_manual": True},
)


LIVES_ON = 1_000_000
"""A poller never gives this number of answers in a night."""


def _lost_answer(chance: random.Random) -> dict[str, Any]:
    fault = {"operation": chance.choice(LOST_ANSWERS), "answer": "lost", "times": chance.choice((1, 2))}
    return {"api_faults": [fault]}


def _patch_lag(chance: random.Random) -> dict[str, Any]:
    lags = {"states": (0, 10, 60), "patches": (10, 120), "items": (10, 60)}
    return {"patch_lag": {name: chance.choice(seconds) for name, seconds in lags.items()}}


def _clock(chance: random.Random) -> dict[str, Any]:
    return {"clock_skew_seconds": chance.choice((-7200, -900, -60, 60, 900, 7200))}


def _command_end(chance: random.Random) -> dict[str, Any]:
    fault = {
        "document": chance.choice(DOCUMENTS),
        "status": chance.choice(COMMAND_ENDS),
        "times": chance.choice((1, 2)),
    }
    return {"command_faults": [fault]}


def _answers(chance: random.Random) -> dict[str, Any]:
    return {"answers": chance.choice(("noisy", "truncated", "garbage", "hostile"))}


def _windows(chance: random.Random) -> dict[str, Any]:
    return {"windows": dict(chance.choice(WINDOWS))}


HOST_FAULTS: dict[str, tuple[float, Callable[[random.Random], dict[str, Any]]]] = {
    "lost answer": (0.08, _lost_answer),
    "patch lag": (0.08, _patch_lag),
    "clock": (0.08, _clock),
    "command end": (0.06, _command_end),
    "answers": (0.04, _answers),
    "windows": (0.08, _windows),
}
"""Faults of single hosts: their probability, and the keys of a host that they set."""
REMOTE_FLAWS: tuple[dict[str, Any], ...] = (
    *({} for _ in range(6)),
    {"pending_reboot": True},
    {"sessions": 1},
    {"disk": {"size_gib": 60, "free_gib": 3}},
    {"disk": {"size_gib": 60, "free_gib": 3, "temp_gib": 30}},
    *(
        {"windows_update": how}
        for how in (
            "service_stopped",
            "service_disabled",
            "cache_corrupt",
            "components_corrupt",
            "no_route",
            "unrepairable",
        )
    ),
)
REMOTE_FAULTS = frozenset({"clock", "answers", "windows"})
"""HOST_FAULTS that a host without AWS may have."""
REMOTE_ACTS = ("start", "stop", "restart", "log_on")
REMOTE_MOMENTS = ("booted", "installing", "installed", "rebooting")
SEARCH_ERRORS = ("0x80240438", "0x8024402C", "0x80072EE2")


def draw(seed: str, without: frozenset[str] = frozenset()) -> Drawn:
    """The same for the same seed; ``without`` leaves out faults by their names, and changes nothing else."""
    streams = Streams(seed)
    names = "abc"[: streams.of("hosts").choice((1, 1, 2, 3))]
    hosts = [_host(streams, name, without) for name in names]
    remotes = [_remote(streams, name) for name in _remote_names(streams, without)]
    far = [_remote_host(streams, remote.host, without) for remote in remotes]
    for remote, host in zip(remotes, far, strict=True):
        _keep_decidable(remote, host)
    keys: dict[str, Any] = {
        "hosts": [*hosts, *far],
        "seed": streams.of("lab").randrange(1000),
        "account": _account(streams, without),
        "events": _events(streams.of("events"), list(names)) + _remote_events(streams, remotes),
    }
    dies = streams.of("deaths")
    dies_after = dies.randrange(90 * len(hosts)) if dies.random() < 0.8 else None
    second_dies_after = dies.randrange(30) if dies.random() < 0.3 else None
    recover = streams.of("recoveries")
    recoveries = [
        Recovery(
            recover.choice((1000.0, 2000.0, 30000.0)),
            recover.choice(("restore", "restore", "patch")),
            second_dies_after,
        ),
        Recovery(1000.0, "restore"),
        Recovery(40000.0, "restore"),
    ]
    backend = streams.of("backend").choice(("sqlite", "sqlite", "dynamodb"))
    variables = draw_variables(streams, START)
    add_restore_points(streams, keys["hosts"][: len(names)], variables, recoveries)
    add_alarm(streams.of("alarm"), keys, variables, names)
    add_cluster(streams, keys["hosts"][: len(names)], variables)
    window = _window(streams.of("window"))
    if window:
        variables["patch_maintenance_window"] = WINDOW
    return Drawn(
        keys,
        recoveries,
        dies_after,
        backend,
        variables,
        _rival(streams.of("rival"), len(hosts)),
        _at_once(streams.of("at once"), len(hosts)),
        _watchdog(streams.of("watchdog")),
        window,
        _wrong_clock(streams.of("controller's clock")),
        _poller_answers(streams.of("poller")),
        remotes,
        draw_stop(streams.of("stop")),
    )


def _remote_names(streams: Streams, without: frozenset[str]) -> str:
    """WinRM hosts beside the instances."""
    chance = streams.of("remotes")
    return "vw"[: chance.choice((1, 1, 2))] if chance.random() < 0.3 and "remotes" not in without else ""


def _remote(streams: Streams, name: str) -> Remote:
    chance = streams.of("remote", name)
    cuts = {}
    while chance.random() < 0.4:
        cuts[chance.choice(REMOTE_MOMENTS)] = chance.choice((0.0, 60.0, 900.0, 20000.0))
    refuses_when = chance.choice(("begin", *REMOTE_MOMENTS)) if chance.random() < 0.15 else None
    by_tasks = chance.random() < 0.4
    return Remote(
        name,
        cuts,
        refuses_when,
        search_error=chance.choice(SEARCH_ERRORS) if chance.random() < 0.1 else None,
        by_tasks=by_tasks,
        failing_tasks=chance.choice(("start", "stop")) if by_tasks and chance.random() < 0.15 else None,
    )


def _keep_decidable(remote: Remote, host: dict[str, Any]) -> None:
    """A host whose start tasks failed, and which does not answer for the time of a boot, counts as off (docs/safety.md).
    Nothing but its answer could tell that it is on.
    """
    if remote.failing_tasks == "start":
        host.pop("unreachable_after", None)
        remote.cuts.clear()


def _remote_host(streams: Streams, name: str, without: frozenset[str]) -> dict[str, Any]:
    chance = streams.of("host", name)
    host = {"name": name, "kind": "winrm", "state": "running", **chance.choice(REMOTE_FLAWS)}
    host["updates"] = [_update(chance)] if chance.random() < 0.8 else []
    if chance.random() < 0.1:
        host["unreachable_after"] = chance.choice((0, 300, 3000))
    _add_faults(streams, host, without, REMOTE_FAULTS)
    return host


def _remote_events(streams: Streams, remotes: list[Remote]) -> list[dict[str, Any]]:
    chance, events = streams.of("remote events"), list[dict[str, Any]]()
    for remote in remotes:
        while chance.random() < 0.25:
            event = {"host": remote.host, "do": chance.choice(REMOTE_ACTS)}
            if chance.random() < 0.5:
                events.append({"at_seconds": chance.randrange(6000), **event})
            else:
                events.append({"when": f"{remote.host} {chance.choice(REMOTE_MOMENTS)}", **event})
    return events


def _at_once(chance: random.Random, hosts: int) -> int:
    return min(hosts, chance.choice((2, 3))) if chance.random() < 0.5 else 1


def _poller_answers(chance: random.Random) -> int | None:
    """No poller; one that dies in the night; one that lives on."""
    return chance.choice((None, chance.randrange(1, 200), LIVES_ON))


def _watchdog(chance: random.Random) -> Watchdog | None:
    """It is due when a controller is dead, late or twice; where the controller lives, it is deleted before."""
    if chance.random() < 0.75:
        return None
    return Watchdog(late_seconds=chance.choice((0.0, 0.0, 900.0, 9000.0)), times=chance.choice((1, 1, 2)))


def _window(chance: random.Random) -> Window | None:
    """One that ends, or whose cutoff begins, in the middle of the night's work."""
    if chance.random() < 0.85:
        return None
    duration = chance.choice((1, 2, 3))
    cutoff = chance.randrange(duration)
    return Window(chance.choice((300.0, 1800.0, 3300.0)), duration, cutoff)


def _wrong_clock(chance: random.Random) -> WrongClock | None:
    """Up to what AWS accepts: it refuses a signature that is five minutes off."""
    if chance.random() < 0.8:
        return None
    ahead = chance.choice((-290.0, -60.0, 0.0, 60.0, 290.0))
    jumps_after = chance.randrange(60) if chance.random() < 0.5 else None
    return WrongClock(
        ahead,
        jumps_after,
        chance.choice((-290.0, 290.0)) - ahead,
        hides_freezes=chance.random() < 0.5,
        corrected_after=chance.choice((1, 3, 10)),
    )


def _account(streams: Streams, without: frozenset[str]) -> dict[str, Any]:
    lag, throttle = streams.of("lag"), streams.of("throttle")
    account = {"lag_seconds": lag.choice((0, 0, 5, 20)), "throttle": throttle.choice((0.0, 0.0, 0.0, 0.05))}
    stale = streams.of("stale reads")
    if stale.random() < 0.1 and "stale reads" not in without:
        account |= {"stale_reads": stale.choice((0.1, 0.4)), "lag_seconds": stale.choice((5, 20))}
    return account


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


def _host(streams: Streams, name: str, without: frozenset[str]) -> dict[str, Any]:
    chance = streams.of("host", name)
    update = _update(chance)
    host = {"name": name, "state": chance.choice(("stopped", "stopped", "running")), **chance.choice(FLAWS)}
    host["updates"] = [update] if chance.random() < 0.8 else []
    if chance.random() < 0.15:
        operation, error = chance.choice(FAULTS)
        host["api_faults"] = [{"operation": operation, "error": error, "times": chance.choice((1, 3, "always"))}]
    _add_faults(streams, host, without, HOST_FAULTS.keys())
    return host


def _update(chance: random.Random) -> dict[str, Any]:
    update = {**UPDATE, "seconds": chance.choice((60, 600, 2500))}
    if chance.random() < 0.2:
        update["result"] = chance.choice(RESULTS)
    return update


def _add_faults(streams: Streams, host: dict[str, Any], without: frozenset[str], possible: Collection[str]) -> None:
    for fault, (probability, keys_of) in HOST_FAULTS.items():
        drawn = streams.of("host", host["name"], fault)
        if drawn.random() < probability and fault not in without and fault in possible:
            keys = keys_of(drawn)
            if "api_faults" in keys:
                keys["api_faults"] += host.get("api_faults", [])
            host |= keys


def _events(chance: random.Random, names: list[str]) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = []
    while chance.random() < 0.35:
        name, act = chance.choice(names), chance.choice(ACTS)
        if chance.random() < 0.5:
            events.append({"at_seconds": chance.randrange(6000), "host": name, "do": act})
        else:
            events.append({"when": f"{name} {chance.choice(MOMENTS)}", "host": chance.choice(names), "do": act})
    return events
