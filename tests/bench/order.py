# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a night takes in the order of the product's planner, against the shortest that is possible.

The shortest is the longer of the sum of all workflows over the hosts at work at a time, and the longest workflow. Patch times are
log-normal (median 25 minutes, 3 hours at most), 6 of 10 hosts are off, and each month differs from a host's usual time.
"""

from __future__ import annotations

import math
import random
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.patchfleet.windows.plugins.module_utils._fleet.hosts import FleetHost
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.records import HostDurations
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.sqlite import SqliteLedger
from ansible_collections.patchfleet.windows.plugins.module_utils._model.outcomes import Outcome
from ansible_collections.patchfleet.windows.plugins.module_utils._model.phases import Phase
from ansible_collections.patchfleet.windows.plugins.module_utils._plan.durations import predict
from ansible_collections.patchfleet.windows.plugins.module_utils._plan.order import Plan, make_plan
from ansible_collections.patchfleet.windows.plugins.module_utils._plan.schedule import Rollout, makespan
from ansible_collections.patchfleet.windows.plugins.module_utils._plan.variables import read
from ansible_collections.patchfleet.windows.plugins.module_utils._plan.workload import Workload
from chaos.play import MEMORY

FLEETS = ((40, 5), (200, 20), (1000, 50))
"""Hosts, and hosts at work at a time."""
MONTHS = 3
"""Of history."""
BESIDE_MINUTES = 4.2
"""What the product itself takes of a host's time: the gap between two documents and the looks."""
MEDIAN_MINUTES, SPREAD, MONTH_SPREAD, SHORTEST_MINUTES, LONGEST_MINUTES = 24.5, 0.6, 0.3, 6.0, 180.0
USUAL_MISSING, RECORDED_SHARE = 5.0, 0.7
"""Updates that are missing on half of the hosts at most, and how much their number says of the time (a correlation; assumed)."""
BEGAN = 1.76e9


@dataclass(frozen=True)
class Drawn:
    """A host, what Patch Manager has recorded of it, and its whole workflow in each month, in seconds."""

    host: FleetHost
    recorded: Workload
    months: tuple[float, ...]


def draw(hosts: int, seed: int) -> list[Drawn]:
    """The hosts of a fleet; the last month is the one that is played."""
    chance = random.Random(f"{seed}/{hosts}")
    return [_draw(number, chance) for number in range(hosts)]


def _draw(number: int, chance: random.Random) -> Drawn:
    is_off, boot, stop = chance.random() < 0.6, chance.uniform(3, 7), chance.uniform(1, 3)
    missing, own = chance.gauss(0, 1), chance.gauss(0, 1)
    patch = MEDIAN_MINUTES * math.exp(SPREAD * (RECORDED_SHARE * missing + math.sqrt(1 - RECORDED_SHARE**2) * own))
    beside = (boot + stop if is_off else 0.0) + boot + 2 + BESIDE_MINUTES
    months = tuple(
        60 * (beside + min(max(patch * chance.lognormvariate(0, MONTH_SPREAD), SHORTEST_MINUTES), LONGEST_MINUTES))
        for _month in range(MONTHS + 1)
    )
    key, state = f"i-{number:017x}", "stopped" if is_off else "running"
    host = FleetHost(key, f"node-{number:05}", "ec2", state, instance_id=key, region="eu-central-1", type="t3.large")
    return Drawn(host, Workload(round(USUAL_MISSING * math.exp(SPREAD * missing)), BEGAN), months)


def ratio(fleet: Sequence[Drawn], at_once: int, rollout: str, *, history: bool) -> float:
    """The makespan of the planned order in the last month, over the shortest that is possible."""
    real = {one.host.key: one.months[-1] for one in fleet}
    plan = _planned(fleet, at_once, rollout, history=history)
    seconds = [real[planned.host.key] for planned in plan.included]
    shortest = max(sum(seconds) / at_once, *seconds)
    return makespan(seconds, Rollout(at_once, rolling=rollout == "rolling")) / shortest


def _planned(fleet: Sequence[Drawn], at_once: int, rollout: str, *, history: bool) -> Plan:
    variables = {"patch_rollout": rollout, "patch_batch_size": at_once, "patch_max_hosts": len(fleet)}
    settings, recorded = read(variables), {one.host.key: one.recorded for one in fleet}
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        ledger = SqliteLedger(str(Path(folder) / "ledger.sqlite"))
        for month in range(MONTHS if history else 0):
            for one in fleet:
                seconds = {Phase.PATCH: one.months[month]}
                ended_at = BEGAN + month * 2.6e6
                ledger.save_durations(HostDurations(one.host.key, f"run-{month}", ended_at, Outcome.PATCHED, seconds))
        return make_plan(
            [one.host for one in fleet],
            settings,
            lambda hosts: predict(ledger, hosts, settings),
            recorded=lambda hosts: {host.key: recorded[host.key] for host in hosts},
        )


ROWS: tuple[tuple[str, str, bool, tuple[float, ...]], ...] = (
    ("rolling, with history", "rolling", True, (1.05, 1.05, 1.05)),
    ("rolling, without history", "rolling", False, (1.08, 1.08, 1.08)),
    ("waves, with history", "waves", True, (1.34, 1.64, 1.77)),
    ("waves, without history", "waves", False, ()),
)
"""What is measured, with the target for each fleet."""


def measured(seeds: int = 8) -> dict[str, list[float]]:
    """The mean over these seeds (two for the largest fleet), for each row and fleet."""
    found: dict[str, list[float]] = {}
    for name, rollout, history, _targets in ROWS:
        for hosts, at_once in FLEETS:
            of_fleet = range(seeds if hosts < 1000 else 2)
            values = [ratio(draw(hosts, seed), at_once, rollout, history=history) for seed in of_fleet]
            found.setdefault(name, []).append(statistics.mean(values))
    return found


def show(found: dict[str, list[float]]) -> None:
    """Print them beside their targets."""
    heads: list[Any] = [f"{hosts} × {at_once}" for hosts, at_once in FLEETS]
    print(f"{'makespan over the shortest':<28}" + "".join(f"{head:>18}" for head in heads))
    for name, _rollout, _history, targets in ROWS:
        cells = [f"{value:.3f}" for value in found[name]]
        if targets:
            cells = [f"{cell} (≤ {target:.2f})" for cell, target in zip(cells, targets, strict=True)]
        print(f"{name:<28}" + "".join(f"{cell:>18}" for cell in cells))
    print()


if __name__ == "__main__":
    show(measured())
    sys.exit(0)
