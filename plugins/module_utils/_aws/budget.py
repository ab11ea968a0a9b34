# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How many calls of AWS a controller makes a second, so that a run does not starve others in the account.

EC2 counts each operation by itself, for each account and region, with a bucket of tokens. Source: EC2 developer guide, "Request
throttling for the Amazon EC2 API". Systems Manager does not publish its rates, so those here are an assumption of this project.
Other services have limits that no run comes near.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass

from .._model.account import Account


@dataclass(frozen=True)
class Limit:
    """A bucket of tokens: ``burst`` calls at once, and ``per_second`` of them all the time."""

    burst: float
    per_second: float

    def share(self, part: float) -> Limit:
        """A part of it."""
        return Limit(self.burst * part, self.per_second * part)


READS = Limit(100, 20)
CHANGES = Limit(50, 5)
STARTS = Limit(5, 2)
SSM_READS = Limit(60, 20)
SSM_CHANGES = Limit(20, 5)
PART_OF_LIMITS = 1 / 3
"""What a run takes of AWS's own limits where patch_api_calls_per_second is not set."""
SET_BACK_SECONDS = 1.0
TOGETHER = "all"
SAME_TURN = 1e-6
"""Times that differ by less of the time between two turns are the same one."""


@dataclass(frozen=True)
class Pace:
    """What paces the calls of a process.

    Attributes:
        calls_per_second: patch_api_calls_per_second: all calls together in an account and a region. None: by AWS's limits alone.
        share: the part that is this process's: others of the same run have the rest.
        turn: which part, from 0 to less than 1. A process whose share is less than one call at once makes its calls at times at
            which no process with another turn makes one, by clocks that agree.
    """

    calls_per_second: float | None = None
    share: float = 1.0
    turn: float = 0.0

    def paces(self, call: str) -> bool:
        """Whether a call, named as boto3 does, may have to wait."""
        return self.calls_per_second is not None or limit_of(call) is not None


def limit_of(call: str) -> Limit | None:
    """AWS's limit of a call, named as boto3 does (``ec2.start_instances``); None where no run comes near it."""
    service, _dot, operation = call.partition(".")
    if service == "ssm":
        return SSM_CHANGES if operation == "send_command" else SSM_READS
    if service != "ec2":
        return None
    if operation == "start_instances":
        return STARTS
    return READS if operation.startswith("describe_") else CHANGES


class Budget:
    """Says when a call may be made. Safe to use from several threads."""

    def __init__(self, pace: Pace) -> None:
        self.pace = pace
        self._lock = threading.Lock()
        self._full_at: dict[tuple[str, str, str], float] = {}  # when each bucket is full again
        self._asked_at = 0.0

    def reserve(self, account: Account | None, region: str, call: str, now: float) -> float:
        """Reserve a token for a call; returns for how many seconds the caller waits before it makes the call."""
        where = (account.id if account else "", region)
        of_call = self._limits(call)
        limits = {(*where, name): limit for name, limit in of_call.items()}
        with self._lock:
            if now < self._asked_at - SET_BACK_SECONDS:  # the clock was set back: nothing is known of the calls before
                self._full_at.clear()
            self._asked_at = now
            begin = max((now, *(self._possible_at(key, limit) for key, limit in limits.items())))
            begin = max(begin, self._own_turn(begin, of_call))
            for key, limit in limits.items():
                self._full_at[key] = max(self._full_at.get(key, begin), begin) + 1 / limit.per_second
        return begin - now

    def _limits(self, call: str) -> dict[str, Limit]:
        limits = {}
        of_aws, together = limit_of(call), self.pace.calls_per_second
        if of_aws is not None:
            of_run = of_aws.share(PART_OF_LIMITS)
            limits[call] = Limit(max(of_run.burst, 1.0), of_run.per_second).share(self.pace.share)
        if together is not None:
            limits[TOGETHER] = Limit(1, together).share(self.pace.share)
        return limits

    def _possible_at(self, key: tuple[str, str, str], limit: Limit) -> float:
        """When the bucket has a token. A bucket of ``burst`` tokens, at least one, is full after ``burst / per_second`` seconds."""
        return self._full_at.get(key, 0.0) - (max(limit.burst, 1.0) - 1) / limit.per_second

    def _own_turn(self, moment: float, limits: Mapping[str, Limit]) -> float:
        """The next time at which this process may make a call, where a bucket of it never has a whole one. Else each process
        would make its first call at once, and many together would make more calls than the budget.

        A call whose own limit is slower than that of all together gets one of several turns of the latter.
        """
        periods = {name: 1 / limit.per_second for name, limit in limits.items() if limit.burst < 1.0}
        if not periods:
            return moment
        shortest = periods.get(TOGETHER, max(periods.values()))
        every = math.ceil(max(periods.values()) / shortest - SAME_TURN)
        number, processes = round(self.pace.turn / self.pace.share), round(1 / self.pace.share)
        own = number % every if processes > every else int(self.pace.turn * every)
        first, period = (self.pace.turn + own) * shortest, every * shortest
        return first + math.ceil((moment - first) / period - SAME_TURN) * period
