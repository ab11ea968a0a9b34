# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import PatchFleetError
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.ssm_command import OPERATION as COMMAND

from .fakes import ID, Outcome
from .stage import Stage


def run(stage: Stage, *, check_mode: bool = False, **params: Any) -> dict[str, Any]:
    options = {"instance_id": ID, "document": "Some-Document", **params}
    return COMMAND.work(stage.context(COMMAND, check_mode=check_mode, **options))


def test_a_document_is_run_and_its_result_returned(stage: Stage) -> None:
    """ansible/ansible#12924, #19868, #54931: an SSM send-command module has been asked for since 2015."""
    stage.guest.on("Some-Document", Outcome(stdout="done"))
    assert run(stage) == {
        "changed": True,
        "command_id": "00000001-0000-4000-8000-000000000000",
        "status": "Success",
        "status_details": "Success",
        "response_code": 0,
        "stdout": "done",
        "stderr": "",
    }


def test_parameters_become_lists_of_strings_as_ssm_wants_them(stage: Stage) -> None:
    stage.guest.on("Some-Document", Outcome())
    run(stage, parameters={"Operation": "Scan", "Count": 3, "commands": ["a", 1]})
    assert stage.guest.inputs("Some-Document") == [{"Operation": ["Scan"], "Count": ["3"], "commands": ["a", "1"]}]


def test_a_command_that_failed_fails_the_task_with_its_output(stage: Stage) -> None:
    stage.guest.on("Some-Document", Outcome("Failed", stdout="half", stderr="broken", code=5))
    with pytest.raises(PatchFleetError, match="ended Failed") as caught:
        run(stage)
    assert caught.value.code == "command_failed"
    assert (caught.value.facts["stderr"], caught.value.facts["response_code"]) == ("broken", 5)


@pytest.mark.parametrize("params", [{"parameters": {"commands": ["{{ssm:x}}"]}}, {"comment": "{{ssm:x}}"}], ids=str)
def test_a_template_is_refused_before_anything_is_sent(stage: Stage, params: dict[str, Any]) -> None:
    for check_mode in (False, True):
        with pytest.raises(PatchFleetError, match="must not hold"):
            run(stage, check_mode=check_mode, **params)
    assert stage.account.calls == []


def test_check_mode_sends_nothing(stage: Stage) -> None:
    assert run(stage, check_mode=True) == {"changed": True}
    assert stage.account.calls == []
