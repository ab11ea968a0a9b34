# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``make slices``: one night of many hosts on several controllers, one of which is killed, in virtual time.

Each slice is the product's own planner, operations, poller and API budget; they share a ledger and the lab's account. They work in
one process, one at a time, in the order of the virtual clock.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from ansible_collections.patchfleet.windows.plugins.module_utils._aws.budget import PART_OF_LIMITS, Pace, limit_of
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.patch_report import OPERATION as REPORT
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.patch_run import OPERATION as RUN
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.run_recovery import OPERATION as RECOVERY
from ansible_collections.patchfleet.windows.plugins.module_utils._plan.variables import read
from bench.calls import DEFAULTS, DYNAMODB, boto3_name, most_a_second
from chaos.controller import AtWork, Controller
from chaos.draw import LIVES_ON
from chaos.night import BACKENDS, Night
from chaos.outside import Killed
from chaos.play import MEMORY
from chaos.turns import Turns
from lab.pace import UNPACED

JOB = "night-1"
KILLED = 2
"""The number of the slice that is killed."""
STARTS_APART_SECONDS = 20.0
"""Between the starts of two controllers."""


@dataclass(frozen=True)
class Job:
    """What is played. The slice KILLED is killed after ``dies_after`` of its acts; None: it lives."""

    hosts: int
    slices: int
    at_once: int
    backend: str = "sqlite"
    dies_after: int | None = None
    canary: int = 0
    max_running: int | None = None


@dataclass
class Played:
    """What came of it; ``report`` is the one of all slices, ``truth`` that of each host, ``trace`` all calls."""

    report: dict[str, Any] = field(default_factory=dict)
    truth: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    running_at_once: int = 0
    problems: list[str] = field(default_factory=list)
    trace: list[dict[str, Any]] = field(default_factory=list)
    planned: dict[int, set[str]] = field(default_factory=dict)
    taken_over: dict[int, set[str]] = field(default_factory=dict)
    ended_after_seconds: dict[int, float] = field(default_factory=dict)
    killed_after_seconds: float | None = None

    @property
    def makespan(self) -> float:
        """Until the last slice has ended, in seconds."""
        return max(self.ended_after_seconds.values())


class Slice(Controller):
    """The playbook patch with patch_slice."""

    def patch_slice(self, job: Job, number: int, played: Played) -> None:
        """Its share, then what a dead slice left, then the report of all."""
        variables = {
            "patch_run_id": JOB,
            "patch_slice": f"{number}/{job.slices}",
            "patch_max_hosts": job.hosts,
            "patch_batch_size": job.at_once,
            "patch_rollout": "rolling",
            "patch_canary": job.canary,
            "patch_max_running": job.max_running,
        }
        settings = {**read(variables), "slice_of": JOB}
        given = {"settings": settings, "fleet": self._fleet(settings), "forks": job.at_once}
        opened = self.step(RUN, state="opened", **given)
        run_id, self.max_running = str(opened["run_id"]), settings["max_running"]
        played.planned[number] = _included(opened)
        self._roll(opened)
        taken = self.step(RUN, state="taken_over", run_id=run_id, **given)
        if taken["hosts"]:
            played.taken_over[number] = _included(taken)
            self._roll(taken)
            self._close(taken)
        self._close(opened)
        played.ended_after_seconds[number] = self.night.play.sim.now

    def _close(self, opened: Mapping[str, Any]) -> None:
        self.step(RECOVERY, state="lost_hosts", run_id=opened["run_id"])
        self.step(RUN, state="closed", run_id=opened["run_id"])

    def _roll(self, opened: Mapping[str, Any]) -> None:
        """A sliding window over the hosts, and those that come again after the others."""
        left = [host for host in opened["hosts"] if host["included"]]
        for _try in range(2):
            slots = min(self._hosts.at_once, len(left))
            if slots:
                works = [partial(self._work_off, opened, iter(left))] * slots
                left = [host for again in self._hosts.gather(*works) for host in again]

    def _work_off(self, opened: Mapping[str, Any], queue: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
        """One slot of the window: a host after the other. Those that come again."""
        run_id, snapshot_id = str(opened["run_id"]), str(opened["snapshot_id"])
        return [host for host in queue if self._process_host(run_id, snapshot_id, host)]


def _included(opened: Mapping[str, Any]) -> set[str]:
    return {host["key"] for host in opened["hosts"] if host["included"]}


def play_slices(job: Job, **account: Any) -> Played:
    """All slices to their end."""
    played = Played()
    keys = {"seed": 1, "defaults": DEFAULTS, "hosts": [{"name": f"node-{{0001..{job.hosts:04}}}"}], "account": account}
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        with Night(Path(folder), job.backend, **keys) as night:
            turns = Turns(night)
            works = (partial(_live, job, number, night, turns, played) for number in range(1, job.slices + 1))
            turns.run(*((at * STARTS_APART_SECONDS, work) for at, work in enumerate(works)))
            played.report = Controller(night).step(REPORT, run_id=JOB, report_dir=str(Path(folder) / "report"))[
                "report"
            ]
            truth = night.play.truth()
            played.truth, played.running_at_once = truth["hosts"], truth["running_at_once"]
            played.problems = [f"{problem.kind}: {problem.text}" for problem in night.watch.problems]
        lines = (Path(folder) / "trace.jsonl").read_text(encoding="utf-8").splitlines()
    played.trace = [json.loads(line) for line in lines]
    return played


def _live(job: Job, number: int, night: Night, turns: Turns, played: Played) -> None:
    pace = Pace(share=1 / job.slices, turn=(number - 1) / job.slices)
    at_work = AtWork(job.at_once, turns.gather, {}, LIVES_ON, pace)
    dies_after = job.dies_after if number == KILLED else None
    controller = Slice(night, f"slice {number}", sleep=turns.sleep, hosts=at_work, dies_after=dies_after)
    try:
        controller.patch_slice(job, number, played)
    except Killed:
        played.killed_after_seconds = night.play.sim.now


def over_budget(trace: Iterable[dict[str, Any]]) -> dict[str, int]:
    """The operations of which some second has more calls than a third of AWS's limit, each with their number in that second."""
    times: dict[str, list[float]] = {}
    for call in trace:
        if call["service"] not in UNPACED:
            times.setdefault(boto3_name(call), []).append(call["t"])
    found = {}
    for name, at in times.items():
        limit, most = limit_of(name), most_a_second(at)
        if limit and most > max(limit.burst * PART_OF_LIMITS, 1.0) + limit.per_second * PART_OF_LIMITS:
            found[name] = most
    return found


def show(job: Job, played: Played, seconds: float) -> None:
    """Print what came of it."""
    calls = Counter(call["service"] for call in played.trace)
    print(f"{job.hosts} hosts, all off, on {job.slices} slices with {job.at_once} at a time, ledger in {job.backend}")
    print(f"slice {KILLED} killed after {(played.killed_after_seconds or 0.0) / 60:.0f} min")
    for number, keys in sorted(played.taken_over.items()):
        print(f"slice {number} took over {len(keys)} hosts")
    print(f"outcomes {played.report['totals']}, at most {played.running_at_once} on at once")
    print(f"makespan {played.makespan / 3600:.1f} h, {seconds:.0f} s of this machine")
    ledger, of_aws = calls[DYNAMODB], calls.total() - sum(calls[name] for name in UNPACED)
    print(f"{of_aws / job.hosts:.1f} calls of AWS a host, {ledger / job.hosts:.1f} of the ledger's table")
    print(f"over the API budget: {over_budget(played.trace) or 'never'}")
    for problem in played.problems:
        print(problem)


def main(arguments: list[str]) -> int:
    """Play and print; 0 where every host is patched and put back, and nothing was wrong."""
    parser = argparse.ArgumentParser(prog="make slices", description=__doc__)
    parser.add_argument("--hosts", type=int, default=1000)
    parser.add_argument("--slices", type=int, default=5)
    parser.add_argument("--at-once", type=int, default=40)
    parser.add_argument("--backend", choices=BACKENDS, default="sqlite")
    parser.add_argument("--dies-after", type=int, default=4000, help="acts of the slice that is killed")
    given = parser.parse_args(arguments)
    job = Job(given.hosts, given.slices, given.at_once, given.backend, given.dies_after)
    began = time.monotonic()
    played = play_slices(job)
    show(job, played, time.monotonic() - began)
    totals = played.report["totals"]
    is_done = totals.keys() <= {"patched", "compliant"} and sum(totals.values()) == job.hosts
    return 0 if is_done and not played.problems and not over_budget(played.trace) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
