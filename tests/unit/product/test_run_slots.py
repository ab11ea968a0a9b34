# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""At most patch_max_running instances are on because of runs: places are taken at admission, and free when a host is put back."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.records import PowerRecord
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.host_admission import OPERATION
from operations import perform

from .fakes import START, instance, reservations
from .stage import RUN, Stage, a_host

OTHER_RUN = "20261114T210000Z-0000"
HOSTS = [a_host(f"i-{number:017x}", position=number, name=f"dev-{number:02}") for number in range(4)]
FIRST, SECOND, THIRD, _ = (one.key for one in HOSTS)


@pytest.fixture(autouse=True)
def states(stage: Stage) -> dict[str, str]:
    """What EC2 shows of instances; stopped unless said otherwise."""
    shown: dict[str, str] = {}

    def answer(*, InstanceIds: list[str]) -> dict[str, Any]:  # noqa: N803
        return reservations(instance(shown.get(InstanceIds[0], "stopped"), InstanceId=InstanceIds[0]))

    stage.account.on("describe_instances", answer)
    return shown


def admit(stage: Stage, key: str) -> dict[str, Any]:
    return perform(OPERATION, stage.context(OPERATION, run_id=RUN, host=key))


def record(stage: Stage, key: str, state: str = "stopped", run_id: str = OTHER_RUN) -> None:
    """An open record of a host, of another run."""
    stage.ledger.record_power(PowerRecord(key, key, "eu-central-1", key, state, stage.clock.now(), run_id))


def put_back_in(stage: Stage, key: str, seconds: float) -> None:
    stage.clock.at(seconds, lambda: stage.ledger.close_power(key, "restored", stage.clock.now()))


def open_keys(stage: Stage) -> set[str]:
    return {one.host_key for one in stage.ledger.open_power()}


def test_a_host_waits_until_another_is_put_back(stage: Stage) -> None:
    stage.open_run(*HOSTS, max_running=2)
    assert admit(stage, FIRST)["admitted"] is True
    assert admit(stage, SECOND)["admitted"] is True
    put_back_in(stage, FIRST, 1200)
    assert admit(stage, THIRD)["admitted"] is True
    assert 1200 <= stage.clock.passed < 1300
    assert open_keys(stage) == {SECOND, THIRD}
    assert stage.ledger.host(RUN, THIRD).facts["deadline_at"] >= START + 1200 + 3600


def test_without_a_limit_no_one_waits(stage: Stage) -> None:
    stage.open_run(*HOSTS)
    for key in (FIRST, SECOND, THIRD):
        assert admit(stage, key)["admitted"] is True
    assert stage.clock.passed == 0


def test_slots_that_other_runs_take_count(stage: Stage) -> None:
    """Slices of a job and teams share a ledger; what a dead run left may be on."""
    stage.open_run(*HOSTS, max_running=1)
    record(stage, "i-0fffffffffffffff0")
    put_back_in(stage, "i-0fffffffffffffff0", 600)
    assert admit(stage, FIRST)["admitted"] is True
    assert stage.clock.passed >= 600


def test_hosts_that_were_on_anyway_take_no_slot_and_need_none(stage: Stage, states: dict[str, str]) -> None:
    stage.open_run(*HOSTS, max_running=1)
    record(stage, "i-0fffffffffffffff0", state="running")
    states[SECOND] = "running"
    assert admit(stage, FIRST)["admitted"] is True
    assert admit(stage, SECOND)["admitted"] is True
    assert stage.clock.passed == 0


def test_a_host_whose_record_is_open_has_its_slot_already(stage: Stage) -> None:
    """It may be on: to make it wait would leave it on for longer."""
    stage.open_run(*HOSTS, max_running=1)
    record(stage, FIRST)
    record(stage, SECOND)
    assert admit(stage, FIRST)["admitted"] is True
    assert stage.clock.passed == 0


def test_two_that_take_the_last_slot_at_once_are_not_both_let_in(stage: Stage) -> None:
    """The other's record is written between our look and our own."""
    stage.open_run(*HOSTS, max_running=1)
    write = stage.ledger.record_power

    def both_at_once(one: PowerRecord, fence: int | None = None) -> PowerRecord:
        stage.ledger.record_power = write  # type: ignore[method-assign]
        record(stage, SECOND)
        put_back_in(stage, SECOND, 900)
        return write(one, fence)

    stage.ledger.record_power = both_at_once  # type: ignore[method-assign]
    assert admit(stage, FIRST)["admitted"] is True
    assert stage.clock.passed >= 900
    assert open_keys(stage) == {FIRST}


def test_all_is_checked_again_after_the_wait(stage: Stage) -> None:
    stage.open_run(*HOSTS, max_running=1, deadline_at=stage.clock.now() + 3600)
    record(stage, SECOND)
    put_back_in(stage, SECOND, 1200)
    result = admit(stage, FIRST)
    assert (result["admitted"], result["reason_code"]) == (False, "no_time")
    assert open_keys(stage) == set()


def test_slots_that_stay_taken_defer_the_host(stage: Stage) -> None:
    stage.open_run(*HOSTS, max_running=1, host_timeout_seconds=7200)
    record(stage, SECOND)
    result = admit(stage, FIRST)
    assert (result["outcome"], result["reason_code"]) == ("deferred", "no_headroom")
    assert "patch_max_running is 1" in result["reason"]
    assert stage.clock.passed == 7200 + 3600
    assert open_keys(stage) == {SECOND}
