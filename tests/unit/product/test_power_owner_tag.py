# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tag that shows other users which run has a host: it is set first, and removed whatever becomes of the host."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._base.clock import iso
from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import NeedsAttention, PatchFleetError
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.instance_power import OPERATION
from ansible_collections.patchfleet.windows.plugins.module_utils._power.owner_tag import read_owner_tag
from operations import perform

from .fakes import ID, START, client_error, shown, tags
from .stage import RUN, Stage

KEY = "patchfleet:run"
OURS = [{"Key": KEY, "Value": RUN}]
LAUNCHED = [{"Key": KEY, "Value": f"{RUN} launched {iso(START + 5)}"}]


@pytest.fixture
def night(stage: Stage) -> Stage:
    """A stopped host of a run, recorded, that comes up as soon as it is started."""
    stage.open_run()
    stage.record("stopped")
    stage.account.on("start_instances", {"StartingInstances": []})
    stage.account.on("stop_instances", {"StoppingInstances": []})
    stage.account.on("describe_instances", shown("stopped"), shown("running", launched=5))
    stage.account.on("create_tags", {})
    stage.account.on("delete_tags", {})
    return stage


def start(stage: Stage, *, check_mode: bool = False, run_id: str = RUN) -> dict[str, Any]:
    options = {"run_id": run_id, "host": ID, "instance_id": ID, "state": "started", "mark_tag": KEY}
    return perform(OPERATION, stage.context(OPERATION, check_mode=check_mode, **options))


def restore(stage: Stage, *answers: dict[str, Any], run_id: str = RUN) -> dict[str, Any]:
    stage.account.on("describe_instances", *(answers or (shown("running", launched=5), shown("stopped", launched=5))))
    return perform(OPERATION, stage.context(OPERATION, run_id=run_id, host=ID, instance_id=ID, state="restored"))


def marks(stage: Stage) -> list[tuple[str, list[dict[str, str]]]]:
    """What was set and taken away, in order."""
    calls = [call for call in stage.account.calls if call.operation in {"create_tags", "delete_tags"}]
    assert all(call.params["Resources"] == [ID] for call in calls)
    return [(call.operation, call.params["Tags"]) for call in calls]


def test_a_host_is_marked_before_its_start_and_until_it_is_off_again(night: Stage) -> None:
    start(night)
    restore(night)
    changes = [call.operation for call in night.account.calls if not call.operation.startswith(("describe", "list"))]
    assert changes == [
        "create_tags",
        "start_instances",
        "create_tags",
        "stop_instances",
        "delete_tags",
    ]
    assert marks(night) == [
        ("create_tags", OURS),
        ("create_tags", LAUNCHED),
        ("delete_tags", LAUNCHED),
    ]
    assert night.ledger.power(ID) is None
    assert night.facts().keys().isdisjoint({"mark", "mark_launch", "mark_shown"})
    restore(night)
    assert len(marks(night)) == 3, "once"


def test_a_host_that_is_on_is_marked_too_and_the_mark_goes(night: Stage) -> None:
    night.account.on("describe_instances", shown("running"))
    start(night)
    restore(night, shown("running"))
    assert marks(night) == [("create_tags", OURS), ("delete_tags", OURS)]


def test_nothing_is_marked_in_check_mode(night: Stage) -> None:
    start(night, check_mode=True)
    assert marks(night) == []


def test_the_mark_is_in_the_ledger_before_it_is_set(night: Stage) -> None:
    observed = []

    def answer(**_params: Any) -> dict[str, Any]:
        observed.append((night.facts()["mark"], night.facts().get("mark_launch")))
        return {}

    night.account.on("create_tags", answer)
    start(night)
    assert observed == [(KEY, None), (KEY, START + 5)]


def test_a_tag_that_cannot_show_the_start_fails_no_host(night: Stage) -> None:
    night.account.on("create_tags", {}, client_error("UnauthorizedOperation"))
    assert start(night)["started"]
    assert f"its tag {KEY} does not show the start: " in " ".join(night.message)
    restore(night)
    assert [operation for operation, _tags in marks(night)[2:]] == ["delete_tags", "delete_tags"], "whichever it has"


@pytest.mark.parametrize("value", [RUN, f"{RUN} launched {iso(START)}"])
def test_a_value_is_read_as_it_was_written(value: str) -> None:
    assert read_owner_tag(value).value == value


@pytest.mark.parametrize("value", ["Ann", "", f"{RUN} launched soon", f"{RUN} launched "])
def test_a_value_of_others_shows_no_start(value: str) -> None:
    assert read_owner_tag(value).launch_time is None


def test_a_host_that_cannot_be_marked_is_not_started(night: Stage) -> None:
    night.account.on("create_tags", client_error("UnauthorizedOperation"))
    with pytest.raises(PatchFleetError):
        start(night)
    assert night.account.of("start_instances") == []
    restore(night, shown("stopped"))
    assert [operation for operation, _tags in marks(night)] == ["create_tags"], "nothing is taken away that was not set"


def test_a_tag_that_another_user_has_set_stays(night: Stage) -> None:
    night.account.on("describe_instances", shown("running", Tags=tags(patchfleet__run="Ann")))
    start(night)
    restore(night, shown("running"))
    assert marks(night) == []
    assert f"not marked: its tag {KEY}=Ann belongs to another user" in night.message


@pytest.mark.parametrize(
    "became",
    [
        {"launched": 500},
        {"launched": 5, "Tags": tags(aws__autoscaling__groupName="web")},
        {"launched": 5, "Tags": tags(patchfleet__keep="Ann")},
    ],
    ids=["restarted", "group", "keep"],
)
def test_a_host_that_is_left_to_another_user_loses_the_mark(night: Stage, became: dict[str, Any]) -> None:
    start(night)
    night.account.on("delete_tags", client_error("UnauthorizedOperation"), {})
    with pytest.raises(NeedsAttention) as caught:
        restore(night, shown("running", **became))
    assert caught.value.code != "mark_left", "there is worse to tell"
    assert marks(night)[-1] == ("delete_tags", LAUNCHED)


def test_a_mark_that_cannot_be_taken_away_is_reported_and_tried_again(night: Stage) -> None:
    start(night)
    night.account.on("delete_tags", client_error("UnauthorizedOperation"), {})
    with pytest.raises(NeedsAttention) as caught:
        restore(night)
    assert (caught.value.code, night.ledger.power(ID) is None) == ("mark_left", False)
    assert night.ledger.host(RUN, ID).facts["final_state"] == "stopped"
    assert f"{KEY} of run {RUN}: The credentials lack the right" in caught.value.reason
    restore(night, shown("stopped", launched=5))
    assert marks(night)[-1] == ("delete_tags", LAUNCHED)
    assert night.ledger.power(ID) is None


@pytest.mark.parametrize("gone", [{"Reservations": []}, shown("terminated")])
def test_of_a_host_that_is_gone_nothing_is_taken_away(night: Stage, gone: dict[str, Any]) -> None:
    start(night)
    restore(night, gone)
    assert {operation for operation, _tags in marks(night)} == {"create_tags"}
    assert night.facts().get("mark") is None


def test_a_run_that_takes_a_host_over_replaces_the_mark_of_the_dead_one_and_takes_both_away(night: Stage) -> None:
    start(night)
    night.clock.sleep(2000)
    night.open_run(run_id="second")
    night.account.on("describe_instances", shown("running", launched=5, Tags=tags(patchfleet__run=RUN)))
    start(night, run_id="second")
    theirs = [{"Key": KEY, "Value": "second"}]
    theirs_launched = [{"Key": KEY, "Value": f"second launched {iso(START + 5)}"}]
    assert marks(night)[-2:] == [("create_tags", theirs), ("create_tags", theirs_launched)], "still our start"
    restore(night, run_id="second")
    assert sorted(map(str, marks(night)[-2:])) == sorted(
        str(("delete_tags", tags)) for tags in (theirs_launched, LAUNCHED)
    )


def test_who_has_lost_the_host_marks_nothing(night: Stage) -> None:
    context = night.context(OPERATION, run_id=RUN, host=ID, instance_id=ID, state="started", mark_tag=KEY, fence=1)
    night.ledger.take_over(RUN, [ID], START, force=True)
    with pytest.raises(NeedsAttention):
        perform(OPERATION, context)
    assert marks(night) == []
