# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``make simulate HOSTS=50000``: a night of a fleet that no lab can play, in virtual time.

What a host calls, and when, is measured: a small fleet goes through the product's own operations in the emulated account
(``bench.calls``). Each simulated host repeats that, stretched to its own patch time. The product's planner orders the hosts and
deals them to slices, and the product's API budget says when each call is made. The poller of each slice reads for all its hosts.
"""

from __future__ import annotations

import argparse
import heapq
import math
import random
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.patchfleet.windows.plugins.module_utils._aws.budget import Budget, Pace, limit_of
from ansible_collections.patchfleet.windows.plugins.module_utils._aws.bulk import INSTANCES_A_CALL
from ansible_collections.patchfleet.windows.plugins.module_utils._aws.ssm import NODES_A_PAGE
from ansible_collections.patchfleet.windows.plugins.module_utils._fleet.hosts import FleetHost
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.history import Expected
from ansible_collections.patchfleet.windows.plugins.module_utils._model.account import Account
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.poller import LONGEST_GAP_SECONDS
from ansible_collections.patchfleet.windows.plugins.module_utils._plan.order import make_plan
from ansible_collections.patchfleet.windows.plugins.module_utils._plan.variables import read
from bench.calls import UPDATE, boto3_name, most_a_second, of_service, trace_of

REGION = "eu-central-1"
INSTALL_SECONDS = float(str(UPDATE["seconds"]))
MEDIAN_PATCH_SECONDS, SPREAD, LONGEST_PATCH_SECONDS = 1500.0, 0.6, 10_800.0
"""Patch times are log-normal, which fits what fleets report: few hosts take much longer than most."""
POLLED = (
    ("ec2.describe_instances", INSTANCES_A_CALL),
    ("ssm.list_command_invocations", NODES_A_PAGE),
    ("ssm.describe_instance_information", NODES_A_PAGE),
)
"""What a poller reads for its hosts that wait, and for how many at a time. Each is read all the time here, an upper bound."""


@dataclass(frozen=True)
class Night:
    """What is simulated."""

    hosts: int
    accounts: int
    slices: int
    at_once: int
    rate: float | None = None
    seed: int = 1


@dataclass(frozen=True)
class Profile:
    """What one host calls, in seconds since it was admitted; between ``installs_at`` and ``installed_at`` it installs.

    ``ledger_operations`` are those of DynamoDB for a host.
    """

    calls: tuple[tuple[float, str], ...]
    ended_at: float
    installs_at: float
    installed_at: float
    ledger_operations: float

    def stretched(self, patch_seconds: float) -> Iterator[tuple[float, str]]:
        """The same for a host whose updates take this long; the last entry is its end, without a call."""
        factor = patch_seconds / (self.installed_at - self.installs_at)
        for at, call in (*self.calls, (self.ended_at, "")):
            inside = min(max(at - self.installs_at, 0.0), self.installed_at - self.installs_at)
            yield at + inside * (factor - 1), call


@dataclass
class Result:
    """Times in seconds since the night began, by account and call."""

    made_at: dict[tuple[int, str], list[float]] = field(default_factory=lambda: defaultdict(list))
    ended_at: list[float] = field(default_factory=list)
    waited_seconds: float = 0.0


def measured_profile(hosts: int) -> Profile:
    """What a host of a small fleet calls, by the trace of a run with a poller."""
    trace = trace_of(hosts, hosts, poller=True, pace=Pace())
    names = sorted({name for call in trace for name in call["hosts"]})
    return measured_profile_of(trace, hosts, names[hosts // 2])


def measured_profile_of(trace: Sequence[dict[str, Any]], hosts: int, name: str) -> Profile:
    """What the host of this name calls, from its owner tag on, in the trace of a run of this number of hosts."""
    own = [call for call in trace if call["hosts"] == [name] and call["error"] is None and not _is_polled(call)]
    began = next(call["t"] for call in own if call["operation"] == "CreateTags")
    own = [call for call in own if call["t"] >= began]
    installs = next(call["t"] for call in own if "Install" in str(call["params"].get("Parameters")))
    counts = Counter(f"{call['service']}.{call['operation']}" for call in trace)
    return Profile(
        tuple((call["t"] - began, boto3_name(call)) for call in own),
        own[-1]["t"] - began,
        installs - began,
        installs - began + INSTALL_SECONDS,
        of_service(counts, hosts)[1],
    )


def _is_polled(call: dict[str, Any]) -> bool:
    return call["operation"] == "DescribeInstances" and "Filters" in call["params"]


def planned_slices(night: Night, patch_seconds: dict[str, float]) -> list[list[tuple[str, int]]]:
    """The hosts of each slice in the order of the product's plan, each with the number of its account."""
    accounts = [Account(f"{number + 1:012d}") for number in range(night.accounts)]
    fleet = [
        FleetHost(key, key, "ec2", "stopped", instance_id=key, region=REGION, account=accounts[number % night.accounts])
        for number, key in enumerate(patch_seconds)
    ]

    def predict(hosts: list[FleetHost]) -> dict[str, Expected]:
        return {host.key: Expected(patch_seconds[host.key], patch_seconds[host.key], "host") for host in hosts}

    slices = []
    for number in range(1, night.slices + 1):
        variables = {
            "patch_max_hosts": night.hosts,
            "patch_rollout": "rolling",
            "patch_batch_size": night.at_once,
            "patch_run_id": "night",
            "patch_slice": f"{number}/{night.slices}",
        }
        plan = make_plan(fleet, read(variables), predict)
        slices.append(
            [(one.host.key, int(one.host.account.id) - 1 if one.host.account else 0) for one in plan.included]
        )
    return slices


def play(night: Night, profile: Profile) -> Result:
    """All slices at the same time. They share nothing but their parts of the budget, so one is played after the other."""
    drawn = random.Random(night.seed)
    median = math.log(MEDIAN_PATCH_SECONDS)
    patch_seconds = {
        f"i-{number:017x}": min(drawn.lognormvariate(median, SPREAD), LONGEST_PATCH_SECONDS)
        for number in range(night.hosts)
    }
    result = Result()
    for number, queue in enumerate(planned_slices(night, patch_seconds)):
        _Slice(night, number, profile, patch_seconds, result).play(queue)
    return result


@dataclass(frozen=True)
class _AtWork:
    """A host: its account, when it began, later by what it waited for the budget, and the calls that are left of it."""

    account: int
    began: float
    calls: Iterator[tuple[float, str]]


class _Slice:
    """One controller: its hosts at work, and the poller for all of them."""

    def __init__(
        self, night: Night, number: int, profile: Profile, patch_seconds: dict[str, float], result: Result
    ) -> None:
        self._night, self._profile, self._patch_seconds, self._result = night, profile, patch_seconds, result
        self._budget = Budget(Pace(night.rate, 1 / night.slices, number / night.slices))
        self._accounts = [Account(f"{number + 1:012d}") for number in range(night.accounts)]
        self._waiting: list[tuple[str, int]] = []
        self._at_work = Counter[int]()
        self._events: list[tuple[float, int, str, _AtWork]] = []
        self._pushed = 0

    def play(self, queue: Sequence[tuple[str, int]]) -> None:
        """A rolling window over these hosts until the last one has ended."""
        self._waiting = list(reversed(queue))
        for _slot in range(min(self._night.at_once, len(queue))):
            self._begin(0.0)
        polls_at = LONGEST_GAP_SECONDS
        while self._events:
            now, _order, call, host = heapq.heappop(self._events)
            while polls_at <= now:
                self._poll(polls_at)
                polls_at += LONGEST_GAP_SECONDS
            if call:
                waited_seconds = self._make(call, host.account, now) - now
                self._result.waited_seconds += waited_seconds
                self._push(_AtWork(host.account, host.began + waited_seconds, host.calls))
            else:
                self._at_work[host.account] -= 1
                self._result.ended_at.append(now)
                self._begin(now)

    def _begin(self, now: float) -> None:
        if self._waiting:
            key, account = self._waiting.pop()
            self._at_work[account] += 1
            self._push(_AtWork(account, now, self._profile.stretched(self._patch_seconds[key])))

    def _push(self, host: _AtWork) -> None:
        """The next thing that the host does."""
        at, call = next(host.calls)
        self._pushed += 1
        heapq.heappush(self._events, (host.began + at, self._pushed, call, host))

    def _make(self, call: str, account: int, now: float) -> float:
        """When the call is made."""
        made_at = now + self._budget.reserve(self._accounts[account], REGION, call, now)
        self._result.made_at[account, call].append(made_at)
        return made_at

    def _poll(self, now: float) -> None:
        for account, number in self._at_work.items():
            for call, at_a_time in POLLED:
                for _page in range(math.ceil(number / at_a_time)):
                    self._make(call, account, now)


def show(night: Night, profile: Profile, result: Result) -> None:
    """Print what the night took."""
    makespan = max(result.ended_at)
    calls = sum(map(len, result.made_at.values()))
    waited_seconds = result.waited_seconds / night.hosts
    print(f"{night.hosts} hosts, all off, in {night.accounts} accounts")
    print(f"{night.slices} controllers with {night.at_once} hosts each at a time")
    print(f"makespan {makespan / 3600:.1f} h, with {waited_seconds:.0f} s a host for the API budget")
    print(f"{calls / night.hosts:.1f} calls of AWS a host")
    ledger = profile.ledger_operations * night.hosts
    print(f"{ledger:,.0f} ledger operations, {ledger / makespan:.0f} a second\n")
    print(f"{'in the busiest account':<44}{'calls':>9}{'a second':>10}{'at most':>9}{'AWS':>14}")
    by_call: dict[str, list[list[float]]] = defaultdict(list)
    for (_account, call), times in result.made_at.items():
        by_call[call].append(sorted(times))
    for call, accounts in sorted(by_call.items(), key=lambda pair: -max(map(len, pair[1]))):
        busiest = max(accounts, key=len)
        limit = limit_of(call)
        of_aws = f"{limit.burst:g} + {limit.per_second:g}/s" if limit else "-"
        print(
            f"  {call:<42}{len(busiest):>9}{len(busiest) / makespan:>10.2f}{max(map(most_a_second, accounts)):>9}{of_aws:>14}"
        )


def main(arguments: Sequence[str]) -> int:
    """Simulate and print; 0."""
    parser = argparse.ArgumentParser(prog="make simulate", description=__doc__)
    parser.add_argument("--hosts", type=int, default=5000)
    parser.add_argument("--accounts", type=int, default=1)
    parser.add_argument("--slices", type=int, default=1)
    parser.add_argument("--at-once", type=int, default=50, help="hosts at work at a time, of each slice")
    parser.add_argument("--rate", type=float, help="patch_api_calls_per_second")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(arguments)
    night = Night(given.hosts, given.accounts, given.slices, given.at_once, given.rate, given.seed)
    profile = measured_profile(6)
    show(night, profile, play(night, profile))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
