# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Patch runs of others before and during ours: waited for, and followed by a scan of ours. The restore's are in
test_power_restore.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import PatchFleetError
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.patch_baseline import OPERATION as INSTALL
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.patch_compliance_info import (
    OPERATION as COMPLIANCE,
)
from ansible_collections.patchfleet.windows.plugins.module_utils._update.foreign_runs import LOOKBACK_SECONDS
from ansible_collections.patchfleet.windows.plugins.module_utils._update.patch_baseline import GAP_SECONDS, SCANS
from operations import perform

from .fakes import ID, client_error
from .foreign_runs import a_command, an_association
from .patch_manager import DOCUMENT, SNAPSHOT, Found, PatchManager
from .stage import RUN, Stage

Rows = Callable[[], list[dict[str, Any]]]


def poll(stage: Stage) -> dict[str, Any]:
    return perform(COMPLIANCE, stage.context(COMPLIANCE, instance_id=ID, snapshot_id=SNAPSHOT))


def sent_at(stage: Stage) -> list[float]:
    """When our own patch runs were sent, in seconds since the test began."""
    return [call.at for call in stage.account.of("send_command") if call.params["DocumentName"] == DOCUMENT]


def until(stage: Stage, seconds: float, row: Callable[..., dict[str, Any]]) -> Rows:
    """In progress until ``seconds`` after the test began, then ended."""
    return lambda: [row("InProgress" if stage.clock.passed < seconds else "Success", started_at=-100)]


@pytest.mark.parametrize("kind", ["foreign_commands", "associations"])
def test_a_patch_run_of_others_is_waited_for_before_ours_and_kept_apart(stage: Stage, kind: str) -> None:
    PatchManager(stage, Found())
    setattr(stage.guest, kind, until(stage, 1000, a_command if kind == "foreign_commands" else an_association))
    assert poll(stage)["outcome"] == "compliant"
    (at,) = sent_at(stage)
    assert 1000 + GAP_SECONDS <= at < 1000 + GAP_SECONDS + 120
    assert any("waiting for a foreign patch run" in line for line in stage.message)


def test_one_that_does_not_end_is_waited_for_until_the_time_is_over(stage: Stage) -> None:
    PatchManager(stage, Found())
    stage.guest.foreign_commands = lambda: [a_command("InProgress")]
    with pytest.raises(PatchFleetError) as caught:
        poll(stage)
    assert caught.value.code == "others_patching"
    assert "AWS-RunPatchBaseline (command 99999999" in caught.value.reason
    assert sent_at(stage) == []


def test_a_scan_during_which_another_user_began_is_repeated_when_they_have_ended(stage: Stage) -> None:
    """Their installation may have put on, or taken off, what the scan had found."""
    PatchManager(stage, Found(), Found(missing=("KB1",)))
    stage.guest.foreign_commands = lambda: (
        []
        if stage.clock.passed < 30
        else [a_command("InProgress" if stage.clock.passed < 800 else "Success", started_at=30)]
    )
    assert poll(stage)["missing"] == ["KB1"]
    first, second = sent_at(stage)
    assert (first < 30, second >= 800 + GAP_SECONDS) == (True, True)


def test_one_that_has_ended_already_when_the_scan_is_read_counts_too(stage: Stage) -> None:
    PatchManager(stage, Found(), Found(missing=("KB1",)))
    stage.guest.associations = lambda: [an_association("Success", started_at=30)] if stage.clock.passed >= 30 else []
    assert poll(stage)["missing"] == ["KB1"]
    assert len(sent_at(stage)) == 2


def test_others_that_patch_again_and_again_prove_nothing(stage: Stage) -> None:
    PatchManager(stage, Found())
    stage.guest.foreign_commands = lambda: [a_command("Success", started_at=stage.clock.passed)]
    with pytest.raises(PatchFleetError) as caught:
        poll(stage)
    assert caught.value.code == "others_patching"
    assert len(sent_at(stage)) == SCANS


def test_an_installation_by_others_that_begins_during_ours_comes_before_the_verifying_scan(stage: Stage) -> None:
    manager = PatchManager(stage, Found())
    stage.open_run()
    stage.guest.answers("update_history", {"entries": []})
    stage.guest.foreign_commands = lambda: (
        []
        if stage.clock.passed < 30
        else [a_command("InProgress" if stage.clock.passed < 2000 else "Success", started_at=30)]
    )
    options = {"run_id": RUN, "host": ID, "instance_id": ID, "snapshot_id": SNAPSHOT}
    script = "# patchfleet-script: update_history"
    assert perform(INSTALL, stage.context(INSTALL, **options, history_script=script))["outcome"] == "compliant"
    assert manager.operations == ["Install", "Scan"]
    assert sent_at(stage)[1] >= 2000 + GAP_SECONDS


@pytest.mark.parametrize(
    "row",
    [
        a_command("InProgress", DocumentName="AWS-RunPowerShellScript"),
        a_command("InProgress", Comment=f"patchfleet: Scan {SNAPSHOT}"),
        a_command("InProgress", started_at=-LOOKBACK_SECONDS - 60),
        a_command("Success", started_at=-60),
    ],
    ids=["another document", "our own", "of yesterday", "ended"],
)
def test_what_is_no_patch_run_of_others_keeps_no_one_waiting(stage: Stage, row: dict[str, Any]) -> None:
    PatchManager(stage, Found())
    stage.guest.foreign_commands = lambda: [row]
    poll(stage)
    assert sent_at(stage) == [0.0]


def test_only_the_last_hours_are_asked_for(stage: Stage) -> None:
    PatchManager(stage, Found())
    poll(stage)
    asked = next(call for call in stage.account.of("list_command_invocations") if "Filters" in call.params)
    assert asked.params["Filters"] == [{"key": "InvokedAfter", "value": "2026-11-14T10:00:00Z"}]
    assert LOOKBACK_SECONDS == 12 * 3600


def test_a_node_that_is_not_registered_has_no_associations(stage: Stage) -> None:
    PatchManager(stage, Found())
    stage.account.on("describe_instance_associations_status", client_error("InvalidInstanceId"))
    assert poll(stage)["outcome"] == "compliant"


def test_our_commands_say_whose_they_are(stage: Stage) -> None:
    PatchManager(stage, Found())
    stage.open_run()
    perform(COMPLIANCE, stage.context(COMPLIANCE, run_id=RUN, host=ID, instance_id=ID, snapshot_id=SNAPSHOT))
    (sent,) = stage.account.of("send_command")
    assert sent.params["Comment"].startswith(f"patchfleet: Scan {RUN} ")
