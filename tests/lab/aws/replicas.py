# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads that are answered by replicas: one may be behind what an earlier read saw.

Source: EC2 API reference, "Eventual consistency". What is so does not go back; only what a read shows of it does.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from lab.scenario import Account

if TYPE_CHECKING:
    from lab.aws.request import Request

SERVICES = ("ec2", "ssm")
READS = ("Describe", "Get", "List")


class Replicas:
    """Of which lab second a read sees the account."""

    def __init__(self, account: Account) -> None:
        self._share = account.stale_reads
        self._lag_seconds = account.lag_seconds
        self._read: Counter[str] = Counter()

    def as_of(self, request: Request) -> float:
        """Now, or for a share of EC2's and SSM's reads a moment of the last ``lag_seconds``."""
        now = request.sim.now
        if not self._share or request.service not in SERVICES or not request.operation.startswith(READS):
            return now
        self._read[request.action] += 1
        chance = request.sim.random("stale", request.action, self._read[request.action])
        return now - self._lag_seconds * chance.random() if chance.random() < self._share else now
