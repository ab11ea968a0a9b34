# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls of AWS and of DynamoDB a host, counted in virtual time: a scaled clock hides polls, since each takes seconds of the lab.

``python -m bench.calls HOSTS AT_ONCE`` prints one fleet by operation, with a poller and without.
"""

from __future__ import annotations

import json
import sys
import tempfile
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

from ansible_collections.patchfleet.windows.plugins.module_utils._aws.budget import Pace
from chaos.controller import AtWork, Controller
from chaos.draw import LIVES_ON
from chaos.night import Night
from chaos.turns import Turns
from chaos.watch import Watch

DYNAMODB = "dynamodb"
UPDATE = {"kb": "KB5044281", "severity": "critical", "class": "security", "gib": 1, "seconds": 1500, "reboot": True}
DEFAULTS = {"state": "stopped", "boot_seconds": 200, "updates": [UPDATE]}


class _SilentWatch(Watch):
    """The watch of chaos nights reads the ledger around each admission, which no controller does."""

    def before_admission(self, run_id: str) -> tuple[str | None, int]:
        return None, 0

    def admitted(self, controller: Controller, run_id: str, key: str, before: tuple[str | None, int]) -> None:
        pass


def trace_of(hosts: int, at_once: int, *, poller: bool, pace: Pace | None = None) -> list[dict[str, Any]]:
    """The calls of a whole run in waves; every host is off and gets one update."""
    with tempfile.TemporaryDirectory(prefix="patchfleet-bench-") as folder:
        keys: dict[str, Any] = {"seed": 1, "defaults": DEFAULTS, "hosts": [{"name": f"node-{{0001..{hosts:04}}}"}]}
        with Night(Path(folder), DYNAMODB, **keys) as night:
            night.watch = _SilentWatch(night)
            turns = Turns(night)
            at_work = AtWork(at_once, turns.gather, {}, LIVES_ON if poller else None, pace)
            controller = Controller(night, sleep=turns.sleep, hosts=at_work)
            turns.run((0.0, partial(controller.patch, patch_max_hosts=hosts)))
        lines = (Path(folder) / "trace.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def calls_of(hosts: int, at_once: int, *, poller: bool) -> Counter[str]:
    """Calls by service and operation; the API budget paces those of a run with a poller."""
    calls = trace_of(hosts, at_once, poller=poller, pace=Pace() if poller else None)
    return Counter(f"{call['service']}.{call['operation']}" for call in calls)


def most_a_second(times: Iterable[float]) -> int:
    """The greatest number of these times in any second that begins with one of them."""
    ordered = sorted(times)
    return max((bisect_left(ordered, at + 1.0) - number for number, at in enumerate(ordered)), default=0)


def boto3_name(call: dict[str, Any]) -> str:
    """The operation of a call in a trace as boto3 names it: ``ec2.start_instances``."""
    text = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in call["operation"])
    return f"{call['service']}.{text[1:]}"


def of_service(calls: Counter[str], hosts: int) -> tuple[float, float]:
    """Calls a host: of AWS without the ledger, and of the ledger's table."""
    ledger = sum(number for name, number in calls.items() if name.startswith(DYNAMODB))
    return (calls.total() - ledger) / hosts, ledger / hosts


def main(hosts: int, at_once: int) -> int:
    """Print them; 0."""
    for poller in (True, False):
        calls = calls_of(hosts, at_once, poller=poller)
        aws, ledger = of_service(calls, hosts)
        print(
            f"{hosts} x {at_once}, {'a poller' if poller else 'no poller'}: {aws:.1f} of AWS, {ledger:.1f} of DynamoDB a host"
        )
        for name, number in calls.most_common():
            print(f"  {number / hosts:6.2f} {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(*(int(text) for text in sys.argv[1:])))
