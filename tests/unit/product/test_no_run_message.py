# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The message that comes when no run was closed for some days: who moves it, and what happens when it cannot be moved."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.records import Verdict
from ansible_collections.patchfleet.windows.plugins.module_utils._model.outcomes import Outcome
from ansible_collections.patchfleet.windows.plugins.module_utils._modules import patch_run, run_recovery
from ansible_collections.patchfleet.windows.plugins.module_utils._plan.variables import read
from ansible_collections.patchfleet.windows.plugins.module_utils._run.no_run_message import no_run_message
from operations import perform

from .fakes import DAY, ID, client_error
from .stage import RUN, Stage

TOPIC = "arn:aws:sns:eu-central-1:123456789012:operators"
ROLE = "arn:aws:iam::123456789012:role/PatchFleet-no-run-eu-central-1"
PUBLISH = "arn:aws:scheduler:::aws-sdk:sns:publish"
THERE = {"Target": {"Arn": PUBLISH, "RoleArn": ROLE, "Input": json.dumps({"TopicArn": TOPIC, "Message": "old"})}}
MOVED = {"ScheduleArn": "arn:aws:scheduler:eu-central-1:123456789012:schedule/default/PatchFleet-no-run"}
MESSAGE = {"schedule": "PatchFleet-no-run", "days": 35}


def scripted(stage: Stage, found: Any = THERE, moved: Any = MOVED) -> Stage:
    stage.account.on("get_schedule", found)
    stage.account.on("update_schedule", moved)
    return stage


def close(stage: Stage, message: Any = MESSAGE) -> dict[str, Any]:
    stage.open_run(no_run_message=message)
    stage.ledger.set_outcome(RUN, ID, Verdict(Outcome.PATCHED))
    context = stage.context(patch_run.OPERATION, state="closed", run_id=RUN, ledger="dynamodb://PatchFleet-ledger")
    return dict(perform(patch_run.OPERATION, context))


def test_a_closed_run_moves_it_and_is_named_in_it(stage: Stage) -> None:
    assert close(scripted(stage)) == {"changed": True}
    (call,) = stage.account.of("update_schedule")
    assert call.params["Name"] == "PatchFleet-no-run"
    assert call.params["GroupName"] == "default"
    assert call.params["ActionAfterCompletion"] == "NONE"
    assert call.params["ScheduleExpression"] == "at(2026-12-19T22:00:00)"
    target = call.params["Target"]
    assert (target["Arn"], target["RoleArn"]) == (PUBLISH, ROLE)
    sent = json.loads(target["Input"])
    assert sent["TopicArn"] == TOPIC
    assert sent["Subject"] == "Patch Fleet: no run was closed for 35 days"
    assert f"run {RUN} (install), closed at 2026-11-14T22:00:00Z on the controller controller" in sent["Message"]
    assert (
        "`ansible-playbook patchfleet.windows.history -e patch_ledger=dynamodb://PatchFleet-ledger`" in sent["Message"]
    )


def test_without_the_variable_nothing_is_asked(stage: Stage) -> None:
    assert close(stage, None) == {"changed": True}
    assert stage.account.calls == []


def test_what_a_run_keeps_of_the_variables() -> None:
    settings: Any = read({"patch_no_run_days": 35, "patch_setup_prefix": "Other"})
    assert no_run_message(settings) == {"schedule": "Other-no-run", "days": 35}
    assert no_run_message(read({})) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("found", "moved", "why"),
    [
        (client_error("AccessDeniedException", "no"), MOVED, "The credentials lack the right"),
        (THERE, client_error("AccessDeniedException", "no"), "The credentials lack the right"),
        (
            client_error("ResourceNotFoundException", "no"),
            MOVED,
            "Make it: `ansible-playbook patchfleet.windows.setup_aws -e patch_no_run_days=35 -e",
        ),
        ({"Target": {"Arn": PUBLISH, "RoleArn": ROLE}}, MOVED, "publishes to no topic"),
        ({"Target": {**THERE["Target"], "Input": "text"}}, MOVED, "publishes to no topic"),
    ],
)
def test_what_cannot_be_moved_is_a_warning_and_costs_no_verdict(stage: Stage, found: Any, moved: Any, why: str) -> None:
    (warning,) = close(scripted(stage, found, moved))["warnings"]
    assert warning.startswith("The message that no run was closed for 35 days is not moved on.")
    assert why in warning
    assert stage.ledger.run(RUN).closed_at is not None
    assert stage.ledger.host(RUN, ID).outcome == Outcome.PATCHED


def test_restore_moves_it_for_a_run_whose_controller_died(stage: Stage) -> None:
    scripted(stage).open_run(no_run_message=MESSAGE)
    stage.clock.jump(DAY)
    perform(run_recovery.OPERATION, stage.context(run_recovery.OPERATION, state="closed"))
    assert [call.params["ScheduleExpression"] for call in stage.account.of("update_schedule")] == [
        "at(2026-12-20T22:00:00)"
    ]
