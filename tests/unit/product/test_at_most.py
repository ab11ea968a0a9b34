# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""patch_at_most: what it takes, the limits that follow, and hosts that wait for their peers."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import InvalidOption
from ansible_collections.patchfleet.windows.plugins.module_utils._fleet.hosts import FleetHost
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.history import Expected
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.records import PowerRecord, Slot, Verdict
from ansible_collections.patchfleet.windows.plugins.module_utils._model.account import Account
from ansible_collections.patchfleet.windows.plugins.module_utils._model.at_most import AtMost
from ansible_collections.patchfleet.windows.plugins.module_utils._model.outcomes import Outcome
from ansible_collections.patchfleet.windows.plugins.module_utils._model.phases import Phase
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.host_admission import OPERATION
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.host_result import OPERATION as RESULT
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.run_recovery import OPERATION as RECOVERY
from ansible_collections.patchfleet.windows.plugins.module_utils._plan.at_most import (
    at_most_lines,
    longest_group_seconds,
    peer_limits,
    read_at_most,
)
from ansible_collections.patchfleet.windows.plugins.module_utils._plan.order import Planned
from operations import perform

from .fakes import START, instance, reservations
from .stage import RUN, Stage, a_host, a_run

OTHER_RUN = "20261114T210000Z-0000"
WEB = "tag Role=web"
HOSTS = [
    a_host(f"i-{number:017x}", position=number, name=f"web-{number}", facts={"peers": {WEB: 1}}) for number in range(3)
]
FIRST, SECOND, THIRD = (one.key for one in HOSTS)


# The variable


@pytest.mark.parametrize(
    ("given", "option"),
    [
        ("Role=1", "patch_at_most"),
        ([1], "patch_at_most[0]"),
        ([{"tag": "Role", "hosts": 1}, {"tag": "Role", "zone": True, "hosts": 1}], "patch_at_most[1]"),
        ([{"tag": "Role"}], "patch_at_most[0]"),
        ([{"hosts": 1}], "patch_at_most[0]"),
        ([{"tag": "Role", "hosts": 1, "share": "30%"}], "patch_at_most[0]"),
        ([{"tag": "Role", "host": 1}], "patch_at_most[0].host"),
        ([{"tag": " ", "hosts": 1}], "patch_at_most[0].tag"),
        ([{"tag": "Role", "hosts": 0}], "patch_at_most[0].hosts"),
        ([{"tag": "Role", "hosts": True}], "patch_at_most[0].hosts"),
        ([{"tag": "Role", "share": "30"}], "patch_at_most[0].share"),
        ([{"tag": "Role", "share": "101%"}], "patch_at_most[0].share"),
        ([{"tag": "Role", "share": "nan%"}], "patch_at_most[0].share"),
        ([{"zone": "eu-central-1a", "hosts": 1}], "patch_at_most[0].zone"),
    ],
)
def test_a_value_that_cannot_be_right_is_refused_with_its_option(given: Any, option: str) -> None:
    with pytest.raises(InvalidOption) as caught:
        read_at_most("patch_at_most", given)
    assert option in caught.value.reason


def test_limits_follow_from_the_targets() -> None:
    limits = read_at_most("patch_at_most", [{"tag": "Role", "hosts": "2"}, {"zone": True, "share": "30%"}])
    sales = Account("210987654321", "sales", "arn:aws:iam::210987654321:role/x")
    hosts = [
        *(FleetHost(f"i-{n}", f"web-{n}", "ec2", az="eu-central-1a", tags={"Role": "web"}) for n in range(7)),
        FleetHost("i-7", "db", "ec2", az="eu-central-1b", tags={"Role": "db"}),
        FleetHost("i-8", "of-sales", "ec2", az="eu-central-1a", account=sales),
        FleetHost("hall", "hall", "winrm"),
    ]
    found = peer_limits(hosts, limits)
    assert found["i-0"] == {WEB: 2, "zone eu-central-1a": 2}
    assert found["i-7"] == {"tag Role=db": 2, "zone eu-central-1b": 1}  # 30 % of one host is none
    assert list(found["i-8"]) == ["zone eu-central-1a of account 210987654321"]
    assert "hall" not in found
    message = " ".join(at_most_lines(hosts, limits))
    assert "tag Role=db: 2, tag Role=web: 2." in message
    assert (
        "one at a time is worked on: zone eu-central-1a of account 210987654321 (1), zone eu-central-1b (1)." in message
    )


def test_the_estimate_counts_that_peers_wait_for_each_other() -> None:
    expected = Expected(1200.0, 1800.0, "host")
    hosts = [FleetHost(f"i-{n}", f"web-{n}", "ec2", tags={"Role": "web"}) for n in range(4)]
    planned = tuple(Planned(host, at, 1, expected) for at, host in enumerate(hosts))

    def usual(*limits: AtMost) -> float:
        return longest_group_seconds(planned, limits, lambda expected: expected.median_seconds)

    assert usual({"tag": "Role", "hosts": 1}) == 4800.0
    assert usual({"tag": "Role", "share": "50%"}) == 2400.0
    assert usual() == 0.0


def test_a_limit_for_no_target_is_reported() -> None:
    (line,) = at_most_lines([FleetHost("i-1", "web", "ec2")], [{"tag": "Rolle", "hosts": 1}])
    assert "Rolle, and no target has one" in line


# The admission


@pytest.fixture(autouse=True)
def running(stage: Stage) -> None:
    def answer(*, InstanceIds: list[str]) -> dict[str, Any]:  # noqa: N803
        return reservations(instance("running", InstanceId=InstanceIds[0]))

    stage.account.on("describe_instances", answer)


def admit(stage: Stage, key: str) -> dict[str, Any]:
    return perform(OPERATION, stage.context(OPERATION, run_id=RUN, host=key))


def finish(stage: Stage, key: str) -> None:
    """The host is put back, and has its outcome."""
    stage.ledger.close_power(key, "restored", stage.clock.now())
    stage.ledger.set_outcome(RUN, key, Verdict(Outcome.PATCHED))
    perform(RESULT, stage.context(RESULT, run_id=RUN, host=key, state="finished"))


def leave_slot(stage: Stage, key: str, *, is_open: bool) -> None:
    """An earlier run has a slot for a host, and an open record where it is not put back."""
    stage.ledger.open_run(a_run(OTHER_RUN, START - 7200), [a_host(key, OTHER_RUN)], take_over=True)
    stage.ledger.take_slots(OTHER_RUN, key, {WEB: 1})
    if is_open:
        record = PowerRecord(key, key, "eu-central-1", "web-x", "stopped", START - 7200, OTHER_RUN)
        stage.ledger.record_power(record)


def test_a_host_waits_until_its_peer_is_put_back(stage: Stage) -> None:
    stage.open_run(*HOSTS)
    assert admit(stage, FIRST)["admitted"] is True
    stage.clock.at(1200, lambda: finish(stage, FIRST))
    assert admit(stage, SECOND)["admitted"] is True
    assert 1200 <= stage.clock.passed < 1300
    assert stage.ledger.slots() == [Slot(WEB, SECOND, RUN)]
    assert any("1 of tag Role=web" in line for line in stage.message)


def test_a_host_that_is_refused_after_its_wait_frees_its_slots(stage: Stage) -> None:
    """The breaker opened meanwhile: nothing new starts."""
    stage.open_run(*HOSTS)
    admit(stage, FIRST)
    stage.clock.at(600, lambda: stage.open_breaker("The canary web-9 failed."))
    stage.clock.at(1200, lambda: finish(stage, FIRST))
    assert admit(stage, SECOND)["reason_code"] == "breaker"
    assert stage.ledger.slots() == []


def test_a_host_that_is_held_keeps_its_slot_and_its_peers_are_deferred(stage: Stage) -> None:
    stage.open_run(*HOSTS)
    admit(stage, FIRST)
    stage.ledger.set_outcome(RUN, FIRST, Verdict(Outcome.HELD, Phase.RESTORE))
    perform(RESULT, stage.context(RESULT, run_id=RUN, host=FIRST, state="finished"))
    answer = admit(stage, SECOND)
    assert (answer["outcome"], answer["reason_code"]) == ("deferred", "at_most")
    assert FIRST in answer["reason"]
    assert stage.clock.passed < 60


@pytest.mark.parametrize("is_on", [True, False])
def test_a_host_that_left_its_play_frees_its_slots_when_it_is_put_back(stage: Stage, is_on: bool) -> None:
    """The others of its run do not wait for the end of the run, nor do those of other runs."""
    stage.open_run(*HOSTS, failure_budget_hosts=3)
    assert admit(stage, FIRST)["admitted"] is True
    stage.ledger.begin_phase(RUN, FIRST, Phase.PATCH, stage.clock.now())
    if not is_on:
        stage.ledger.close_power(FIRST, "restored", stage.clock.now())
    lost = perform(RECOVERY, stage.context(RECOVERY, state="lost_hosts", run_id=RUN))["hosts"]
    assert [host["key"] for host in lost] == ([FIRST] if is_on else [])
    assert stage.ledger.slots() == ([Slot(WEB, FIRST, RUN)] if is_on else [])
    stage.clock.at(600, lambda: stage.ledger.close_power(FIRST, "restored", stage.clock.now()))
    assert admit(stage, SECOND)["admitted"] is True
    assert (stage.clock.passed >= 600) is is_on
    assert stage.ledger.slots() == [Slot(WEB, SECOND, RUN)]


def test_a_host_without_ec2_keeps_its_slots_until_its_play_ends(stage: Stage) -> None:
    """It has failed, and the user's tasks after patching may be at work on it."""
    hall = a_host("hall", name="hall", kind="winrm", facts={"peers": {WEB: 1}})
    stage.open_run(hall, *HOSTS, failure_budget_hosts=1)
    assert admit(stage, "hall")["admitted"] is True
    stage.ledger.set_outcome(RUN, "hall", Verdict(Outcome.FAILED, Phase.PATCH))
    stage.clock.at(1200, lambda: finish(stage, "hall"))
    assert admit(stage, FIRST)["admitted"] is True
    assert stage.clock.passed >= 1200


@pytest.mark.parametrize("is_open", [True, False])
def test_what_a_dead_run_left_blocks_until_restore(stage: Stage, is_open: bool) -> None:
    """Its host may be in any state. With the run closed and no record open it was put back."""
    leave_slot(stage, "i-0ffffffffffffffff", is_open=is_open)
    stage.open_run(*HOSTS)
    assert admit(stage, FIRST)["reason_code"] == "at_most"
    stage.ledger.close_power("i-0ffffffffffffffff", "restored", stage.clock.now())
    stage.ledger.close_run(OTHER_RUN, stage.clock.now())
    assert admit(stage, SECOND)["admitted"] is True
    assert stage.ledger.slots() == [Slot(WEB, SECOND, RUN)]


def test_a_run_waits_for_a_host_that_it_took_over_itself(stage: Stage) -> None:
    leave_slot(stage, THIRD, is_open=True)
    stage.open_run(*HOSTS)
    stage.clock.at(600, lambda: admit(stage, THIRD))
    stage.clock.at(1200, lambda: finish(stage, THIRD))
    assert admit(stage, FIRST)["admitted"] is True
    assert stage.clock.passed >= 1200
