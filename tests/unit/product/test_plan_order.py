# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import PatchFleetError
from ansible_collections.patchfleet.windows.plugins.module_utils._fleet.hosts import FleetHost, from_result
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.history import Expected
from ansible_collections.patchfleet.windows.plugins.module_utils._model.account import Account
from ansible_collections.patchfleet.windows.plugins.module_utils._plan.order import (
    Plan,
    exclude,
    hosts_of_share,
    make_plan,
)
from ansible_collections.patchfleet.windows.plugins.module_utils._plan.workload import Workload

SETTINGS: dict[str, Any] = {
    "max_hosts": 500,
    "batch_size": 5,
    "priority_instance_types": [],
    "failure_budget": "20%",
    "rollout": "waves",
    "pause_seconds": 0,
    "canary": 0,
    "canary_hosts": [],
    "slice": None,
}
OUT = ("spot", "It is a Spot instance.")


def fleet(*names: str, **more: Any) -> list[FleetHost]:
    return [FleetHost(key=f"i-{name}", name=name, kind="ec2", **more) for name in names]


def plan(hosts: list[FleetHost], **settings: Any) -> Plan:
    """``took`` are the seconds of hosts with a history, ``recorded`` the workloads of those without one, both by name."""
    took, recorded = settings.pop("took", {}), settings.pop("recorded", {})

    def predict(chosen: list[FleetHost]) -> dict[str, Expected]:
        return {
            host.key: Expected(took[host.name], took[host.name] * 1.5, "host")
            if host.name in took
            else Expected(2700.0, 2700.0, "default")
            for host in chosen
        }

    def read(chosen: Sequence[FleetHost]) -> dict[str, Workload]:
        return {host.key: recorded[host.name] for host in chosen if host.name in recorded}

    return make_plan(hosts, {**SETTINGS, **settings}, predict, recorded=read)


def names(planned: Plan) -> list[str]:
    return [one.host.name for one in planned.hosts]


def test_hosts_are_in_the_order_of_their_names() -> None:
    assert names(plan(fleet("web-2", "app", "web-1"))) == ["app", "web-1", "web-2"]


def test_priority_types_go_first_in_their_own_order() -> None:
    hosts = fleet("a", type="t3.large") + fleet("c", "b", type="m5.large") + fleet("d", type="r5.large") + fleet("e")
    ordered = plan(hosts, priority_instance_types=["r5.large", "m5.large"])
    assert names(ordered) == ["d", "b", "c", "a", "e"]


def test_waves_are_filled_in_that_order_and_the_excluded_come_last_without_one() -> None:
    hosts = fleet("e", "a", "c", "d", "b") + fleet("aa", "0", exclusion=OUT)
    planned = plan(hosts, batch_size=2)
    assert [(one.host.name, one.position, one.wave) for one in planned.hosts] == [
        ("a", 0, 1),
        ("b", 1, 1),
        ("c", 2, 2),
        ("d", 3, 2),
        ("e", 4, 3),
        ("0", 5, None),
        ("aa", 6, None),
    ]
    assert [one.host.name for one in planned.included] == ["a", "b", "c", "d", "e"]


def test_a_rolling_run_has_one_wave() -> None:
    assert {one.wave for one in plan(fleet("a", "b", "c"), rollout="rolling", batch_size=2).hosts} == {1}


def test_a_batch_in_per_cent_is_of_the_included_hosts_and_at_least_one() -> None:
    hosts = fleet(*(f"h{number:02}" for number in range(9))) + fleet("x", exclusion=OUT)
    assert plan(hosts, batch_size="50%").batch_size == 4
    assert plan(hosts, batch_size="10%").batch_size == 1


def test_the_failure_budget_is_rounded_down_and_excluded_hosts_are_not_its_base() -> None:
    hosts = fleet(*"abcdefghi") + fleet("x", "y", "z", exclusion=OUT)
    assert plan(hosts).failure_budget == 1
    assert plan(fleet("a", "b")).failure_budget == 0
    assert plan(hosts, failure_budget=3).failure_budget == 3


def test_the_estimate_counts_batches() -> None:
    assert plan(fleet("a", "b", "c"), batch_size=2).estimate_seconds == 2 * 2700


def test_named_canaries_go_first_and_count_as_canaries() -> None:
    planned = plan(fleet("a", "b", "c", "d"), canary_hosts=["c", "i-d"], batch_size=2)
    assert (names(planned), planned.canary) == (["c", "d", "a", "b"], 2)
    assert plan(fleet("a", "b", "c"), canary_hosts=["c"], canary=2).canary == 2


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("z", "must be the name or id of a target"),
        ("i-aa", "Did you mean i-a?"),
        ("out", "left out: It is a Spot instance"),
    ],
)
def test_a_canary_that_is_no_target_is_refused(name: str, words: str) -> None:
    with pytest.raises(PatchFleetError, match=f"patch_canary_hosts: '{name}' .*{words}"):
        plan(fleet("a") + fleet("out", exclusion=OUT), canary_hosts=[name])


TOOK = {"a": 600, "b": 5400, "c": 1200, "d": 1800}


def test_a_wave_takes_as_long_as_its_longest_host() -> None:
    assert plan(fleet(*TOOK), batch_size=2, took=TOOK).estimate_seconds == 5400 + 1200


def test_a_sliding_window_begins_with_the_longest_and_ends_sooner() -> None:
    planned = plan(fleet(*TOOK), batch_size=2, took=TOOK, rollout="rolling")
    assert names(planned) == ["b", "d", "c", "a"]
    assert planned.estimate_seconds == 5400


@pytest.mark.parametrize(
    ("rollout", "starts"),
    [("waves", {"b": 0, "d": 0, "c": 5400, "a": 5400}), ("rolling", {"b": 0, "d": 0, "c": 1800, "a": 3000})],
)
def test_each_host_starts_when_there_is_a_place_for_it(rollout: str, starts: dict[str, float]) -> None:
    planned = plan(fleet(*TOOK), batch_size=2, took=TOOK, rollout=rollout)
    assert {one.host.name: one.starts_after_seconds for one in planned.included} == starts


def test_priority_types_go_first_however_long_the_others_take() -> None:
    hosts = fleet("a", type="m5.large") + fleet("b", "c")
    planned = plan(hosts, took=TOOK, rollout="rolling", priority_instance_types=["m5.large"])
    assert names(planned) == ["a", "b", "c"]


def test_hosts_that_take_equally_long_share_a_wave() -> None:
    """By name, each wave would wait for its one long host."""
    took = {"a": 600, "b": 5400, "c": 600, "d": 5400}
    planned = plan(fleet(*took), batch_size=2, took=took)
    assert (names(planned), planned.estimate_seconds) == (["b", "d", "a", "c"], 6000)


def test_a_wave_starts_after_the_pause() -> None:
    planned = plan(fleet(*TOOK), batch_size=2, took=TOOK, pause_seconds=300)
    assert [one.starts_after_seconds for one in planned.included] == [0, 0, 5700, 5700]
    assert planned.estimate_seconds == 5400 + 300 + 1200


@pytest.mark.parametrize(("rollout", "start"), [("waves", 1200), ("rolling", 1200)])
def test_the_others_start_when_the_canaries_have_ended(rollout: str, start: float) -> None:
    planned = plan(fleet(*TOOK), batch_size=4, took=TOOK, rollout=rollout, canary_hosts=["c"])
    assert {one.host.name: one.starts_after_seconds for one in planned.included} == {
        "c": 0,
        **dict.fromkeys("bda", start),
    }
    assert planned.estimate_seconds == start + 5400


def test_the_plan_has_its_spread_and_what_a_sliding_window_would_save() -> None:
    waves = plan(fleet(*TOOK), batch_size=2, took=TOOK)
    assert (waves.estimate_seconds, waves.longest_seconds, waves.rolling_seconds) == (6600, 9900, 5400)
    rolling = plan(fleet(*TOOK), batch_size=2, took=TOOK, rollout="rolling")
    assert (rolling.estimate_seconds, rolling.longest_seconds, rolling.rolling_seconds) == (5400, 8100, None)


# ---- hosts without a history


def test_hosts_without_a_history_are_in_the_order_of_what_there_is_to_do() -> None:
    """Most updates missing, then last patched longest ago, then off, then by name. Nothing recorded counts as usual."""
    hosts = fleet("a", "b", "c", "d", "never-b", "never-a", "e") + fleet("off", state="stopped")
    recorded = {
        "a": Workload(0, 100.0),
        "b": Workload(9, 100.0),
        "c": Workload(3, 200.0),
        "d": Workload(3, 100.0),
        "e": Workload(3, 200.0),
        "off": Workload(3, 200.0),
    }
    assert names(plan(hosts, recorded=recorded)) == ["b", "never-a", "never-b", "d", "off", "c", "e", "a"]


def test_a_history_counts_more_than_what_is_recorded() -> None:
    recorded = {"a": Workload(0, 100.0), "b": Workload(9, 100.0), "c": Workload(99, 0.0)}
    assert names(plan(fleet("a", "b", "c", "d"), recorded=recorded, took={"c": 60.0, "d": 9000.0})) == [
        "d",
        "b",
        "a",
        "c",
    ]


def test_what_is_recorded_is_asked_only_of_hosts_without_a_history() -> None:
    asked = list[str]()

    def read(hosts: Sequence[FleetHost]) -> dict[str, Workload]:
        asked.extend(host.name for host in hosts)
        return {}

    def predict(chosen: list[FleetHost]) -> dict[str, Expected]:
        bases = {"a": "host", "b": "class", "c": "default"}
        return {host.key: Expected(600.0, 600.0, bases[host.name]) for host in chosen}

    make_plan(fleet("a", "b", "c") + fleet("out", exclusion=OUT), SETTINGS, predict, recorded=read)
    assert asked == ["b", "c"]


# ---- slices


def test_slices_deal_the_same_order_whatever_changes_between_their_plans() -> None:
    """The first slice has started hosts, and has slots, when the second one plans."""
    before = fleet(*"abcdefgh", state="stopped")
    after = fleet(*"abcd", state="running") + fleet(*"efgh", state="stopped")
    first = plan(before, slice="1/2", canary=2, recorded={name: Workload(1, 1.0) for name in "hgfe"})
    second = plan(
        after, slice="2/2", canary=2, recorded={name: Workload(at, 2.0) for at, name in enumerate("abcdefgh")}
    )
    assert [sorted(names(one)) for one in (first, second)] == [list("aceg"), list("bdfh")]
    assert first.canary_keys == second.canary_keys == ("i-a", "i-b")
    assert (names(first)[0], names(second)[0]) == ("a", "b")
    assert [one.host.name for one in second.whole] == list("abcdefgh")


def test_a_slice_knows_the_hosts_of_all_of_an_account() -> None:
    hub, sales = Account("1" * 12), Account("2" * 12)
    planned = plan(fleet(*"abcdef", account=hub) + fleet(*"gh", account=sales), slice="1/2")
    assert planned.by_account == {hub: 6, sales: 2}


def test_an_empty_selection_is_refused() -> None:
    """awx#14804, awx#15775: no host matched and the job is green."""
    with pytest.raises(PatchFleetError, match=r"No host was found.+patch_tag_key.+patch_hosts") as caught:
        plan([])
    assert caught.value.code == "empty_selection"


def test_more_hosts_than_allowed_are_refused_also_when_some_are_out() -> None:
    hosts = fleet("a", "b") + fleet("c", exclusion=OUT)
    with pytest.raises(PatchFleetError, match="3 hosts were found, but patch_max_hosts is 2") as caught:
        plan(hosts, max_hosts=2)
    assert caught.value.code == "too_many_hosts"
    assert len(plan(hosts, max_hosts=3).hosts) == 3


def test_a_plan_may_have_only_hosts_that_are_out() -> None:
    assert plan(fleet("a", exclusion=OUT)).included == []


@pytest.mark.parametrize(
    ("value", "base", "hosts"),
    [
        (5, 40, 5),
        ("5", 40, 5),
        (" 7 ", 40, 7),
        ("20%", 12, 2),
        ("20%", 4, 0),
        ("100%", 3, 3),
        ("12.5%", 8, 1),
        (0, 9, 0),
    ],
)
def test_a_share_is_a_number_or_a_percentage_rounded_down(value: object, base: int, hosts: int) -> None:
    assert hosts_of_share(value, base) == hosts


@given(st.integers(0, 100), st.integers(0, 10_000))
def test_a_share_is_never_rounded_up(percent: int, base: int) -> None:
    assert hosts_of_share(f"{percent}%", base) == base * percent // 100


@settings(max_examples=40, database=None)
@given(st.lists(st.text(min_size=1), unique=True, min_size=1, max_size=30), st.integers(1, 8), st.data())
def test_every_host_has_one_position_and_no_wave_is_larger_than_the_batch(
    keys: list[str], batch: int, data: st.DataObject
) -> None:
    hosts = [
        FleetHost(key=key, name=key, kind="ec2", exclusion=data.draw(st.sampled_from([None, OUT]))) for key in keys
    ]
    planned = plan(hosts, batch_size=batch)
    assert sorted(one.host.key for one in planned.hosts) == sorted(keys)
    assert [one.position for one in planned.hosts] == list(range(len(keys)))
    waves = [one.wave for one in planned.included]
    assert all(waves.count(wave) <= batch for wave in waves)
    assert waves == sorted(waves, key=lambda wave: wave or 0)


@pytest.mark.parametrize("pattern", ["i-web-1", "web-1", "web-one", "Web server", "Stage=prod"])
def test_a_host_is_left_out_by_id_name_inventory_name_or_tag(pattern: str) -> None:
    tags = {"Stage": "prod", "Name": "Web server"}
    web = FleetHost(key="i-web-1", name="web-1", kind="ec2", inventory_name="web-one", tags=tags)
    marked, other = exclude([web, *fleet("other")], [pattern])
    assert marked.exclusion == ("excluded_by_user", f"It is left out by patch_exclude ({pattern}).")
    assert other.exclusion is None


@pytest.mark.parametrize("pattern", ["web", "web-*", "Stage", "stage=prod", ""])
def test_nothing_is_left_out_by_half_a_name(pattern: str) -> None:
    web = FleetHost(key="i-web-1", name="web-1", kind="ec2", tags={"Stage": "prod"})
    assert exclude([web], [pattern])[0].exclusion is None


@pytest.mark.parametrize(("state", "power"), [("stopping", "stopped"), ("stopped", "stopped"), ("pending", "running")])
def test_a_state_in_between_is_what_it_is_meant_to_become(state: str, power: str) -> None:
    assert FleetHost(key="i", name="n", kind="ec2", state=state).power == power


def test_a_host_survives_the_path_through_ansible() -> None:
    host = FleetHost(
        key="i-1", name="web", kind="ec2", state="stopping", tags={"Name": "web"}, exclusion=OUT, profile_arn=None
    )
    result = host.as_result()
    assert (result["power"], result["exclusion_code"], result["exclusion_reason"]) == ("stopped", *OUT)
    assert from_result(result) == host
    assert from_result(FleetHost(key="i-1", name="web", kind="ec2").as_result()).exclusion is None
