# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The simulation of a night by `make simulate`, with a host that calls little."""

from __future__ import annotations

import pytest

from bench.calls import most_a_second
from bench.simulate import Night, Profile, measured_profile_of, planned_slices, play

PROFILE = Profile(((0.0, "ec2.start_instances"), (100.0, "ssm.send_command")), 700.0, 100.0, 600.0, 4.0)


@pytest.mark.parametrize(("patch_seconds", "times"), [(500.0, [0.0, 100.0, 700.0]), (1500.0, [0.0, 100.0, 1700.0])])
def test_a_host_takes_longer_by_its_own_patch_time(patch_seconds: float, times: list[float]) -> None:
    assert list(PROFILE.stretched(patch_seconds)) == [
        (times[0], "ec2.start_instances"),
        (times[1], "ssm.send_command"),
        (times[2], ""),
    ]


def test_the_planner_deals_each_host_to_one_slice_with_its_account() -> None:
    patch_seconds = {f"i-{number}": 100.0 + number for number in range(7)}
    slices = planned_slices(Night(7, 2, 3, 2), patch_seconds)
    assert sorted(len(one) for one in slices) == [2, 2, 3]
    assert {key: account for one in slices for key, account in one} == {f"i-{at}": at % 2 for at in range(7)}
    assert slices[0][0][0] == "i-6"  # the longest first


def test_all_hosts_end_and_the_budget_holds_in_each_account() -> None:
    result = play(Night(40, 2, 2, 10), PROFILE)
    assert len(result.ended_at) == 40
    starts = [times for (_account, call), times in result.made_at.items() if call == "ec2.start_instances"]
    assert sum(map(len, starts)) == 40
    for times in starts:  # of each of the two slices one call at once, and a third of AWS's two a second together
        assert most_a_second(times) <= 2
        assert max(times) >= (len(times) - 2) * 1.5
    assert result.waited_seconds > 0


def test_more_hosts_at_a_time_end_sooner_until_the_budget_is_used_up() -> None:
    few, many, paced = (
        play(night, PROFILE) for night in (Night(40, 1, 1, 5), Night(40, 1, 1, 20), Night(40, 1, 1, 20, 0.02))
    )
    assert max(few.ended_at) > max(many.ended_at)
    assert max(paced.ended_at) > max(many.ended_at)


def test_the_profile_is_that_of_one_host_from_its_start_without_what_the_poller_reads() -> None:
    def call(
        t: float, operation: str, *hosts: str, service: str = "ec2", error: str | None = None, **params: object
    ) -> dict[str, object]:
        return {
            "t": t,
            "service": service,
            "operation": operation,
            "hosts": list(hosts),
            "error": error,
            "params": params,
        }

    trace = [
        call(1, "StartInstances", "a", error="DryRunOperation"),
        call(10, "CreateTags", "a"),
        call(11, "StartInstances", "a"),
        call(12, "DescribeInstances", "a", Filters=[]),
        call(13, "StartInstances", "b"),
        call(110, "SendCommand", "a", service="ssm", Parameters={"Operation": ["Install"]}),
        call(1700, "StopInstances", "a"),
        call(1701, "UpdateItem", service="dynamodb"),
    ]
    profile = measured_profile_of(trace, 1, "a")
    assert profile.calls == (
        (0.0, "ec2.create_tags"),
        (1.0, "ec2.start_instances"),
        (100.0, "ssm.send_command"),
        (1690.0, "ec2.stop_instances"),
    )
    assert (profile.ended_at, profile.installs_at, profile.installed_at, profile.ledger_operations) == (
        1690,
        100,
        1600,
        1,
    )
