# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``make bench``: 40 hosts by tasks of Ansible, 40 and 200 as threads with Ansible and without, calls in virtual time, the planned
order, a waiting step, and the unit tests.

The lab is a process of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

from bench import order
from bench.calls import calls_of, of_service
from bench.unit_suite import CORES, unit_suite
from bench.waiting import waiting_step

TARGETS = {"cpu_seconds": 2.0, "calls": 80.0}
THREADS_TARGETS = {"cpu_seconds": 0.3, "memory_mb": 2.0}
CALLS_TARGETS = {"AWS": 30.0, "DynamoDB": 40.0}
FLEETS = ((40, 40), (200, 50), (1000, 50))
"""Hosts, and hosts at work at a time."""
WAITING_TARGETS = {"cpu_seconds": 0.10, "memory_mb": 25.0}
UNIT_SUITE_TARGET_SECONDS = 180.0


def main() -> int:
    """Measure, print, 0."""
    with tempfile.TemporaryDirectory(prefix="patchfleet-bench-") as folder:
        rows = [
            measured(Path(folder), "tasks, 40 × 5", 40, 5, scale=240, command="tasks"),
            *_threads(Path(folder), "threads"),
            *_threads(Path(folder), "workflow"),
        ]
    print(
        f"{'fleet':<26}{'CPU-s/host':>11}{'peak MB':>9}{'MB/worker':>11}{'calls/host':>12}{'makespan':>10}{'bound':>8}"
    )
    for row in rows:
        print(
            f"{row['name']:<26}{row['cpu_seconds']:>11.2f}{row['peak_mb']:>9.0f}{row['worker_mb']:>11.1f}{row['calls']:>12.1f}"
            f"{row['makespan'] / 60:>6.0f} min{row['bound'] / 60:>4.0f} min"
        )
    print(f"target: at most {TARGETS['cpu_seconds']:g} CPU-s and {TARGETS['calls']:g} API calls a host")
    for few, many in (rows[1:3], rows[3:]):
        further = (many["peak_mb"] - few["peak_mb"]) / (many["hosts"] - few["hosts"])
        print(f"{few['command']}: {further:.2f} MB a host that is at work")
    print(f"target: at most {THREADS_TARGETS['cpu_seconds']:g} CPU-s and {THREADS_TARGETS['memory_mb']:g} MB a host\n")
    _print_calls()
    order.show(order.measured())
    waiting = waiting_step()
    print(
        f"a waiting step in a forked worker: {waiting['cpu_seconds']:.3f} CPU-s, {waiting['memory_mb']:.1f} MB of its own"
    )
    print(f"target: at most {WAITING_TARGETS['cpu_seconds']:g} CPU-s and {WAITING_TARGETS['memory_mb']:g} MB\n")
    tests, seconds = unit_suite()
    print(f"the unit tests on {CORES} cores: {tests} in {seconds:.0f} s")
    print(f"target: at most {UNIT_SUITE_TARGET_SECONDS:g} s")
    return 0


def _threads(folder: Path, command: str) -> list[dict[str, Any]]:
    """Hosts as threads of one process, all of them at once: by the playbook (``threads``), or without Ansible (``workflow``)."""
    return [
        measured(folder, f"{command}, {hosts} × {hosts}", hosts, hosts, scale=60, command=command)
        for hosts in (40, 200)
    ]


def _print_calls() -> None:
    print(f"{'calls a host, in virtual time':<32}{'AWS':>7}{'DynamoDB':>10}")
    for hosts, at_once in FLEETS:
        aws, ledger = of_service(calls_of(hosts, at_once, poller=True), hosts)
        print(f"{f'{hosts} × {at_once}, all off':<32}{aws:>7.1f}{ledger:>10.1f}")
    print(f"target: at most {CALLS_TARGETS['AWS']:g} and {CALLS_TARGETS['DynamoDB']:g}\n")


def measured(folder: Path, name: str, hosts: int, batch: int, scale: int, command: str) -> dict[str, Any]:
    """Figures of one fleet, half of it off, that was patched by ``bench.measure`` inside a lab."""
    out = folder / f"{command}-{hosts}"
    scenario = folder / f"{command}-{hosts}.yml"
    scenario.write_text(yaml.safe_dump(_fleet(hosts, batch, scale)), encoding="utf-8")
    lab = [sys.executable, "-m", "lab.cli", "run", str(scenario), "--out", str(out), "--"]
    paths = [str(Path(entry).resolve()) for entry in os.environ["PYTHONPATH"].split(os.pathsep)]
    here = f"PYTHONPATH={os.pathsep.join(paths)}"
    ended = subprocess.run(
        [*lab, "env", here, sys.executable, "-m", "bench.measure", command, str(out), str(batch)], check=False
    )
    if ended.returncode:
        raise SystemExit(f"{name} ended with {ended.returncode}")
    figures: dict[str, Any] = json.loads((out / "figures.json").read_text(encoding="utf-8"))
    calls = [json.loads(line) for line in (out / "trace.jsonl").read_text(encoding="utf-8").splitlines()]
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    workflows = [sum(host["seconds"].values()) for host in report["hosts"]]
    return {
        "name": name,
        "command": command,
        "hosts": hosts,
        "cpu_seconds": figures["cpu_seconds"] / hosts,
        "peak_mb": figures["peak_mb"],
        "worker_mb": figures["worker_mb"],
        "calls": len(calls) / hosts,
        "makespan": figures["lab_seconds"],
        "bound": max(sum(workflows) / batch, *workflows),
    }


def _fleet(hosts: int, batch: int, scale: int) -> dict[str, Any]:
    update = {"kb": "KB5044281", "severity": "critical", "class": "security", "gib": 1, "seconds": 600, "reboot": True}
    return {
        "name": f"A fleet of {hosts}",
        "why": "What a host costs.",
        "seed": 1,
        "scale": scale,
        "defaults": {"updates": [update]},
        "hosts": [
            {"name": f"off-{{001..{hosts // 2:03}}}", "state": "stopped"},
            {"name": f"on-{{001..{hosts // 2:03}}}"},
        ],
        "vars": {"patch_batch_size": batch},
        "expect": {},
    }


if __name__ == "__main__":
    sys.exit(main())
