# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several slices of one night, one of which is killed. `make slices` plays the same with 1,000 hosts on 5 slices."""

from __future__ import annotations

import pytest

from chaos.slices import KILLED, Job, Played, over_budget, play_slices

DIES_AFTER = 200
"""Acts of the controller that is killed: some of its hosts are through, and others are at work."""
JOB = Job(hosts=9, slices=3, at_once=2, dies_after=DIES_AFTER, canary=1, max_running=4)


@pytest.fixture(scope="module")
def played() -> Played:
    return play_slices(JOB)


def test_every_host_is_patched_once_and_put_back(played: Played) -> None:
    assert played.problems == []
    assert played.report["totals"] == {"patched": 9}
    assert played.report["targets"]["count"] == 9
    assert {
        (host["state"], host["starts"], host["stops"], tuple(host["missing"])) for host in played.truth.values()
    } == {("stopped", 1, 1, ())}


def test_the_slices_share_the_hosts_and_another_one_takes_over_those_of_the_dead_one(played: Played) -> None:
    planned = played.planned
    assert sum(map(len, planned.values())) == len(set().union(*planned.values())) == JOB.hosts
    (taken_over,) = played.taken_over.values()
    assert taken_over
    assert taken_over < planned[KILLED]  # it had finished some
    assert KILLED not in played.ended_after_seconds


def test_the_slices_share_the_canary_the_limit_of_running_instances_and_the_budget(played: Played) -> None:
    starts = [call for call in played.trace if call["operation"] == "StartInstances" and call["error"] is None]
    (canary,) = starts[0]["hosts"]
    canary_stopped = next(
        call["t"] for call in played.trace if call["operation"] == "StopInstances" and canary in call["hosts"]
    )
    assert min(call["t"] for call in starts[1:]) > canary_stopped
    assert played.running_at_once == JOB.max_running
    assert over_budget(played.trace) == {}


def test_more_calls_in_a_second_than_the_budget_are_noticed() -> None:
    trace = [{"service": "ec2", "operation": "StartInstances", "t": 0.1 * at} for at in range(4)]
    assert over_budget(trace) == {"ec2.start_instances": 4}
    assert over_budget(trace[:2]) == {}
