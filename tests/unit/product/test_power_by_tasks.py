# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts without EC2 that their owner's tasks start and stop: nothing is stopped that was not off, and no state is lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._base.clock import iso
from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import (
    Failed,
    NeedsAttention,
    PatchFleetError,
    Unreachable,
)
from ansible_collections.patchfleet.windows.plugins.module_utils._host.scripts import script_name
from ansible_collections.patchfleet.windows.plugins.module_utils._model.host_facts import HostFacts
from ansible_collections.patchfleet.windows.plugins.module_utils._model.reasons import Reason
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.host_power import OPERATION
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.managed_node_wait import OPERATION as WAIT
from ansible_collections.patchfleet.windows.plugins.module_utils._update.channels import open_channel
from operations import perform

from .fakes import ID, NODE_ID, START, answer_of, moment
from .stage import RUN, Stage, a_host, a_run

SKEW = 86400.0  # the host's own clock is a day fast


class Hall:
    """A host in a hall: whether it is on, and since when, is what the test says."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.on = False
        self.booted_at = START - 86400
        self.installing = 0  # the number of polls that it takes
        self.broken: PatchFleetError | None = None

    def press(self, on: bool) -> None:
        self.on = on
        self.booted_at = self._stage.clock.now() if on else self.booted_at

    def run_script(self, text: str, timeout_seconds: float) -> str:
        if not self.on:
            raise Unreachable("The host cannot be reached over its connection: refused")
        name = script_name(text.splitlines())
        if self.broken and name != "probe":
            raise self.broken
        data: dict[str, Any] = {}
        if name == "inspect_boot":
            now = self._stage.clock.now()
            data = {"time": iso(now + SKEW), "boot_time": iso(self.booted_at + SKEW), "boots": None, "services": []}
        elif name == "servicing_state":
            self.installing -= 1
            data = {"installing": self.installing >= 0}
        return answer_of(name, data)

    def win_updates(self, options: dict[str, Any], timeout_seconds: float) -> dict[str, Any]:
        raise AssertionError(options)

    def reboot(self, timeout_seconds: float) -> dict[str, Any]:
        raise AssertionError(timeout_seconds)


Do = Callable[..., dict[str, Any]]


@pytest.fixture
def hall(stage: Stage) -> Hall:
    stage.open_run(a_host(kind="winrm", instance_id=None, region=None))
    return Hall(stage)


@pytest.fixture
def do(stage: Stage, hall: Hall) -> Do:
    def work(state: str, *, check_mode: bool = False, **params: Any) -> dict[str, Any]:
        options = {
            "run_id": RUN,
            "host": ID,
            "instance_id": "hall-01",
            "state": state,
            "can_stop": True,
            "scripts": {"inspect_boot": "", "servicing_state": ""},
            **params,
        }
        context = stage.context(OPERATION, check_mode=check_mode, **options)
        context.channel = open_channel(context, hall)
        result = perform(OPERATION, context)
        if result.get("start"):
            stage.ledger.update_facts(RUN, ID, {"start_tasks": "started"})
        return result

    return work


def held(do: Do, state: str = "restored", **params: Any) -> NeedsAttention:
    with pytest.raises(NeedsAttention) as caught:
        do(state, **params)
    return caught.value


def started(stage: Stage, hall: Hall, do: Do) -> None:
    do("needed")
    stage.clock.sleep(60)
    hall.press(on=True)
    stage.clock.sleep(60)
    assert do("started")["started"] is True


def test_a_host_that_was_off_is_written_down_before_it_is_started_and_stopped_again(
    stage: Stage, hall: Hall, do: Do
) -> None:
    assert do("needed") == {"changed": True, "start": True}
    record = stage.ledger.power(ID)
    assert record is not None
    assert (record.original_state, record.start_requested_at, record.started_by) == ("stopped", START, RUN)
    stage.clock.sleep(60)
    hall.press(on=True)
    stage.clock.sleep(60)
    assert do("started") == {"changed": False, "started": True}
    assert (stage.facts()["started_by_run"], stage.facts()["on_since"]) == (True, START + 60)
    assert do("restored") == {"changed": True, "stop": True}
    hall.press(on=False)
    do("stopped")
    assert (stage.facts()["original_state"], stage.facts()["final_state"]) == ("stopped", "stopped")
    assert stage.ledger.power(ID) is None


def test_a_host_that_was_on_is_none_of_ours(stage: Stage, hall: Hall, do: Do) -> None:
    hall.on = True
    assert do("needed") == {"changed": False, "start": False}
    assert do("started") == {"changed": False, "started": False}
    assert do("restored") == {"changed": False, "stop": False}
    assert stage.ledger.power(ID) is None


def test_one_that_had_only_not_answered_is_left_on(stage: Stage, hall: Hall, do: Do) -> None:
    """Its boot time gives it away, whatever its clock shows."""
    do("needed")
    hall.on = True
    assert do("started")["started"] is False
    assert stage.facts()["original_state"] == "running"
    assert stage.ledger.power(ID) is None
    assert do("restored")["stop"] is False


@pytest.mark.parametrize(("before_seconds", "ours"), [(28, False), (6, False), (4, True), (0, True)])
def test_one_that_booted_right_before_it_was_to_be_started_is_left_on(
    stage: Stage, hall: Hall, do: Do, before_seconds: int, ours: bool
) -> None:
    """Another user restarts it, and it is asked in between. Its uptime is exact to some seconds."""
    hall.booted_at = START - before_seconds
    do("needed")
    stage.clock.sleep(40)
    hall.on = True
    assert do("started")["started"] is ours
    assert do("restored")["stop"] is ours


@pytest.mark.parametrize("before_seconds", [28, 240])
def test_a_later_run_does_not_judge_by_the_clock_of_another_controller(
    stage: Stage, hall: Hall, do: Do, before_seconds: int
) -> None:
    """The first one, which recorded it as off, died; its clock may have been ahead."""
    do("needed")
    other = "20261115T010000Z-bbbb"
    stage.ledger.open_run(a_run(other), [a_host(run_id=other, kind="winrm", instance_id=None)], take_over=True)
    hall.booted_at, hall.on = START - before_seconds, True
    assert held(do, "started", run_id=other).code == Reason.START_UNCLEAR


def test_it_is_found_out_at_the_end_where_the_controller_died_in_between(stage: Stage, hall: Hall, do: Do) -> None:
    do("needed")
    stage.clock.sleep(60)
    hall.press(on=True)
    stage.clock.sleep(3600)
    assert do("restored")["stop"] is True
    assert stage.facts()["started_by_run"] is True


@pytest.mark.parametrize("facts", [{"start_tasks": None}, {"start_tasks": "started", "deadline_at": START + 1200}])
def test_a_start_that_its_tasks_cannot_have_made_is_another_users(
    facts: HostFacts, stage: Stage, hall: Hall, do: Do
) -> None:
    """The controller died before the tasks began, or the host booted long after its time in the run had ended."""
    do("needed")
    stage.ledger.update_facts(RUN, ID, facts)
    stage.clock.sleep(3600)
    hall.press(on=True)
    assert do("restored")["stop"] is False
    assert (stage.ledger.power(ID), stage.facts()["final_state"]) == (None, "running")


def test_one_whose_start_tasks_never_began_is_as_it_was(stage: Stage, hall: Hall, do: Do) -> None:
    do("needed")
    stage.ledger.update_facts(RUN, ID, {"start_tasks": None})
    assert do("restored")["stop"] is False
    assert (stage.ledger.power(ID), stage.facts()["final_state"]) == (None, "stopped")


def test_one_that_booted_for_a_reboot_of_ours_is_still_ours(stage: Stage, hall: Hall, do: Do) -> None:
    started(stage, hall, do)
    stage.clock.sleep(3600)
    hall.press(on=True)
    assert do("restored")["stop"] is True


def test_one_that_boots_while_a_later_run_asks_again_is_still_ours(stage: Stage, hall: Hall, do: Do) -> None:
    """The controller of the first run died while the host booted."""
    do("needed")
    stage.clock.sleep(60)
    hall.booted_at = stage.clock.now()
    stage.clock.sleep(240)
    do("needed")
    hall.on = True
    assert do("started")["started"] is True
    assert do("restored")["stop"] is True


def test_one_that_never_answered_is_held(stage: Stage, hall: Hall, do: Do) -> None:
    do("needed")
    assert held(do).code == Reason.POWER_UNKNOWN
    assert stage.ledger.power(ID) is not None


def test_one_whose_start_failed_and_that_does_not_answer_is_as_it_was(stage: Stage, hall: Hall, do: Do) -> None:
    do("needed")
    stage.ledger.update_facts(RUN, ID, {"start_tasks": "failed"})
    assert do("restored")["stop"] is False
    assert (stage.ledger.power(ID), stage.facts()["final_state"]) == (None, "stopped")


def test_one_whose_start_failed_and_that_is_on_all_the_same_is_stopped(stage: Stage, hall: Hall, do: Do) -> None:
    do("needed")
    stage.ledger.update_facts(RUN, ID, {"start_tasks": "failed"})
    stage.clock.sleep(60)
    hall.press(on=True)
    assert do("restored")["stop"] is True


def test_its_power_is_not_cut_while_it_installs(stage: Stage, hall: Hall, do: Do) -> None:
    started(stage, hall, do)
    hall.installing = 3
    before = stage.clock.now()
    assert do("restored")["stop"] is True
    assert stage.clock.now() - before >= 180
    hall.installing = 10_000
    assert held(do, install_timeout_seconds=3600).code == Reason.INSTALLATION_RUNNING


def test_one_of_which_nothing_can_be_learnt_is_held(stage: Stage, hall: Hall, do: Do) -> None:
    started(stage, hall, do)
    hall.broken = Failed("PowerShell is broken.", Reason.SCRIPT_FAILED)
    error = held(do)
    assert (error.code, error.reason) == ("script_failed", "It may still be on because of us: PowerShell is broken.")


def test_without_anything_that_stops_it_it_is_held(stage: Stage, hall: Hall, do: Do) -> None:
    """The playbook restore, with an inventory that does not say how."""
    started(stage, hall, do)
    assert held(do, can_stop=False).code == Reason.NO_STOP_TASKS
    assert stage.ledger.power(ID) is not None


def test_one_that_answers_after_its_stop_is_held(stage: Stage, hall: Hall, do: Do) -> None:
    started(stage, hall, do)
    do("restored")
    assert held(do, "stopped").code == Reason.STILL_STOPPING
    stage.clock.at(stage.clock.passed + 300, lambda: hall.press(on=False))
    do("stopped")
    assert stage.ledger.power(ID) is None


def test_check_mode_writes_nothing(stage: Stage, hall: Hall, do: Do) -> None:
    assert do("needed", check_mode=True) == {"changed": True, "start": True}
    assert stage.ledger.power(ID) is None
    started(stage, hall, do)
    assert do("restored", check_mode=True) == {"changed": True, "stop": True}
    assert do("stopped", check_mode=True) == {"changed": False}
    assert stage.ledger.power(ID) is not None


def test_one_that_was_started_is_given_time_to_boot(stage: Stage, hall: Hall, do: Do) -> None:
    do("needed")
    stage.clock.at(200, lambda: hall.press(on=True))
    context = stage.context(WAIT, run_id=RUN, host=ID, instance_id="hall-01")
    context.channel = open_channel(context, hall)
    assert perform(WAIT, context) == {"changed": False}
    assert stage.clock.passed >= 200


@pytest.mark.parametrize(
    ("tags", "code"), [({"patchfleet:keep": "Bob"}, Reason.KEEP_TAG), ({"Schedule": "nights"}, Reason.SCHEDULED)]
)
def test_a_hybrid_node_that_is_claimed_by_a_tag_is_left_on(stage: Stage, tags: dict[str, str], code: Reason) -> None:
    """As an instance is; and it is stopped once the tag is gone."""
    tagged = {"TagList": [{"Key": key, "Value": value} for key, value in tags.items()]}
    stage.account.on("list_tags_for_resource", tagged, {"TagList": []})
    node = a_host(NODE_ID, kind="hybrid", instance_id=NODE_ID, facts={"transport": "connection"})
    stage.open_run(node, keep_tag="patchfleet:keep", scheduler_tag="Schedule")
    hall = Hall(stage)

    def do(state: str) -> dict[str, Any]:
        options = {"run_id": RUN, "host": NODE_ID, "instance_id": NODE_ID, "state": state, "can_stop": True}
        context = stage.context(OPERATION, **options, scripts={"inspect_boot": "", "servicing_state": ""})
        context.channel = open_channel(context, hall)
        result = perform(OPERATION, context)
        if result.get("start"):
            stage.ledger.update_facts(RUN, NODE_ID, {"start_tasks": "started"})
        return result

    started(stage, hall, do)
    assert held(do).code == code
    assert stage.ledger.power(NODE_ID) is not None
    assert do("restored") == {"changed": True, "stop": True}


@pytest.mark.parametrize(("listed", "code"), [([], "host_off"), ([("ConnectionLost", 900.0)], "host_off")])
def test_a_hybrid_node_that_is_off_is_deferred(stage: Stage, listed: list[Any], code: str) -> None:
    rows = [{"InstanceId": NODE_ID, "PingStatus": status, "LastPingDateTime": moment(-ago)} for status, ago in listed]
    stage.account.on("describe_instance_information", {"InstanceInformationList": rows})
    stage.open_run(a_host(NODE_ID, kind="hybrid", instance_id=NODE_ID))
    context = stage.context(WAIT, run_id=RUN, host=NODE_ID, instance_id=NODE_ID)
    with pytest.raises(PatchFleetError, match="Nothing was started") as caught:
        perform(WAIT, context)
    assert (caught.value.outcome, caught.value.code) == ("deferred", code)
