# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two controllers on the same fleet, as real processes: started in the same moment, or one takes the other's hosts over."""

from __future__ import annotations

import threading
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from living_lab import LIMIT_SECONDS, READING, TWO_MINUTES_WITH_A_REBOOT, LivingLab

HOSTS = [{"name": "off-{1..2}", "state": "stopped"}, {"name": "on"}]
NAMES = ("off-1", "off-2", "on")
COUNTS = ("state", "starts", "stops", "reboots", "cut_off", "unrecorded_starts")
LONG_UPDATES = {"scan_seconds": 10, "updates": [{**TWO_MINUTES_WITH_A_REBOOT, "seconds": 1500}]}
UPDATES = {"scan_seconds": 10, "updates": [TWO_MINUTES_WITH_A_REBOOT]}


@pytest.mark.parametrize("ledger", ["ledger.sqlite", "dynamodb://PatchFleet-ledger"])
def test_each_host_is_worked_on_by_one_of_them(ledger: str, tmp_path: Path) -> None:
    where = {"patch_ledger": ledger if "://" in ledger else str(tmp_path / ledger)}
    with LivingLab(tmp_path, HOSTS, defaults=UPDATES, scale=200) as lab:
        both = [run.end() for run in [lab.begin("patch", variables=where) for _ in range(2)]]
        truth = {name: lab.truth(name) for name in NAMES}
        trace = lab.trace()
    assert sorted(str(one.code) for one in both) == ["0", "2"], both[0].output + both[1].output
    for name, host in truth.items():
        assert len({call["caller"] for call in trace if changes(call, name)}) == 1
        assert sorted(one.outcomes[name] for one in both) == ["deferred", "patched"]
        assert {one.host(name)["reason_code"] for one in both} == {None, "leased"}
        assert [host[key] for key in COUNTS] == as_found(name)


def test_who_is_taken_over_while_it_works_touches_the_host_no_more(tmp_path: Path) -> None:
    started = threading.Event()
    events = [{"when": "off-2 starting", "do": "term_controller"}]
    with LivingLab(tmp_path, HOSTS, defaults=LONG_UPDATES, events=events, scale=200) as lab:
        lab.on_controller = lambda _process: started.set()
        first = lab.begin("patch")
        assert started.wait(LIMIT_SECONDS)
        later = lab.begin("patch", variables={"patch_take_over": True})
        both = [run.end() for run in (first, later)]
        truth = {name: lab.truth(name) for name in NAMES}
        trace = lab.trace()
    assert [one.code for one in both] == [2, 0], both[0].output + both[1].output
    for name, host in truth.items():
        callers = [call["caller"] for call in trace if changes(call, name)]
        assert [caller for caller, _calls in groupby(callers)] == [first.access_key, later.access_key], name
        assert both[0].host(name)["reason_code"] == "lease_lost"
        assert [host[key] for key in COUNTS] == as_found(name)


def changes(call: dict[str, Any], name: str) -> bool:
    """Whether it does something to that host."""
    return name in call["hosts"] and not call["operation"].startswith(READING) and not call["params"].get("DryRun")


def as_found(name: str) -> list[Any]:
    """What COUNTS are of a host that was patched once and is as it was before."""
    off = name.startswith("off")
    return ["stopped" if off else "running", int(off), int(off), 1, 0, 0]
