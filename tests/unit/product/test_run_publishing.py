# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Outcomes as tags and as events."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import InvalidOption
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.records import Verdict
from ansible_collections.patchfleet.windows.plugins.module_utils._model.outcomes import Outcome
from ansible_collections.patchfleet.windows.plugins.module_utils._model.phases import Phase
from ansible_collections.patchfleet.windows.plugins.module_utils._model.reasons import Reason
from ansible_collections.patchfleet.windows.plugins.module_utils._modules import host_result, patch_run, run_recovery
from ansible_collections.patchfleet.windows.plugins.module_utils._plan.variables import check_together, read
from operations import perform

from .fakes import DAY, ID, START, client_error
from .stage import RUN, Stage, a_host

SENT = {"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]}
PAGE = Path(__file__).parents[3] / "docs" / "outcomes.md"


def finish(stage: Stage, outcome: Outcome, **facts: Any) -> dict[str, str]:
    """The tags that a host gets that ends with an outcome."""
    stage.open_run(dataclasses.replace(a_host(), facts=facts), outcome_tags=True)
    stage.account.on("create_tags", {})
    stage.ledger.set_outcome(RUN, ID, Verdict(outcome, Phase.PATCH, Reason.NOT_PROVEN, "Why."))
    perform(host_result.OPERATION, stage.context(host_result.OPERATION, state="finished", run_id=RUN, host=ID, fence=1))
    calls = stage.account.of("create_tags")
    return {tag["Key"]: tag["Value"] for call in calls for tag in call.params["Tags"]}


def test_a_proven_host_gets_outcome_run_and_time(stage: Stage) -> None:
    assert finish(stage, Outcome.PATCHED, verified_at="2026-11-14T22:00:00Z") == {
        "patchfleet:outcome": "patched",
        "patchfleet:run": RUN,
        "patchfleet:proven-at": "2026-11-14T22:00:00Z",
    }


def test_a_failed_host_keeps_the_time_of_its_last_proof(stage: Stage) -> None:
    tags = finish(stage, Outcome.FAILED, verified_at="2026-11-14T22:00:00Z")
    assert tags == {"patchfleet:outcome": "failed", "patchfleet:run": RUN}


@pytest.mark.parametrize("outcome", [Outcome.EXCLUDED, Outcome.DEFERRED])
def test_a_host_that_was_not_touched_gets_no_tag(stage: Stage, outcome: Outcome) -> None:
    assert finish(stage, outcome) == {}


def test_a_tag_that_cannot_be_set_changes_no_outcome(stage: Stage) -> None:
    stage.open_run(outcome_tags=True)
    stage.account.on("create_tags", client_error("UnauthorizedOperation", "no"))
    stage.ledger.set_outcome(RUN, ID, Verdict(Outcome.PATCHED))
    context = stage.context(host_result.OPERATION, state="finished", run_id=RUN, host=ID, fence=1)
    assert perform(host_result.OPERATION, context)["outcome"] == "patched"
    assert stage.message[0] == "patched"
    assert "its outcome is not on its tags" in stage.message[1]


def test_without_the_variable_no_tag_is_set(stage: Stage) -> None:
    stage.open_run()
    stage.ledger.set_outcome(RUN, ID, Verdict(Outcome.PATCHED))
    context = stage.context(host_result.OPERATION, state="finished", run_id=RUN, host=ID, fence=1)
    perform(host_result.OPERATION, context)
    assert stage.account.calls == []


def test_the_owner_tag_must_be_another_one() -> None:
    settings: Any = read({"patch_outcome_tags": True, "patch_mark_tag": "patchfleet:run"})
    with pytest.raises(InvalidOption, match=r"patch_mark_tag.*another key"):
        check_together(settings, 5, START)


def close(stage: Stage, count: int = 1, bus: str = "default") -> dict[str, Any]:
    hosts = [a_host(f"i-{n:017x}", position=n) for n in range(count)]
    stage.open_run(*hosts, event_bus=bus)
    for host in hosts:
        stage.ledger.set_outcome(RUN, host.key, Verdict(Outcome.PATCHED))
    return dict(perform(patch_run.OPERATION, stage.context(patch_run.OPERATION, state="closed", run_id=RUN)))


def schemas() -> dict[str, Any]:
    """The schemas of the page, by detail type."""
    parts = re.findall(r"detail type `([^`]+)`.*?```json\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return {name: json.loads(text) for name, text in parts}


def test_each_host_and_the_run_get_an_event_that_the_page_describes(stage: Stage) -> None:
    stage.account.on("put_events", SENT)
    assert close(stage, count=12) == {"changed": True}
    calls = stage.account.of("put_events")
    assert [len(call.params["Entries"]) for call in calls] == [10, 3]
    entries = [entry for call in calls for entry in call.params["Entries"]]
    assert {(entry["EventBusName"], entry["Source"]) for entry in entries} == {("default", "patchfleet.windows")}
    for entry in entries:
        jsonschema.validate(json.loads(entry["Detail"]), schemas()[entry["DetailType"]])
    assert json.loads(entries[-1]["Detail"])["totals"] == {"patched": 12}
    assert {entry["DetailType"] for entry in entries} == schemas().keys()


def test_the_region_of_a_bus_is_in_its_arn(stage: Stage) -> None:
    stage.account.on("put_events", SENT)
    close(stage, bus="arn:aws:events:us-east-1:210987654321:event-bus/patching")
    assert [call.region for call in stage.account.of("put_events")] == ["us-east-1"]


@pytest.mark.parametrize(
    "answer",
    [
        client_error("AccessDeniedException", "not authorized"),
        {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "InternalFailure", "ErrorMessage": "try again"}]},
    ],
)
def test_what_the_bus_refuses_is_a_warning(stage: Stage, answer: Any) -> None:
    stage.account.on("put_events", answer)
    (warning,) = close(stage)["warnings"]
    assert warning.startswith("The outcomes are not on the event bus:")
    assert stage.ledger.run(RUN).closed_at is not None


def test_restore_publishes_a_run_whose_controller_died(stage: Stage) -> None:
    stage.account.on("put_events", SENT)
    stage.open_run(event_bus="default")
    stage.clock.jump(DAY)
    perform(run_recovery.OPERATION, stage.context(run_recovery.OPERATION, state="closed"))
    (call,) = stage.account.of("put_events")
    assert json.loads(call.params["Entries"][0]["Detail"])["outcome"] == "deferred"
