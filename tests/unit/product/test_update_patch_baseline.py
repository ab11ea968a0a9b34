# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Scanning: which state is believed, and what it says."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import PatchFleetError
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.patch_compliance_info import (
    OPERATION as COMPLIANCE,
)
from ansible_collections.patchfleet.windows.plugins.module_utils._update.patch_baseline import GAP_SECONDS
from ansible_collections.patchfleet.windows.plugins.module_utils._update.patch_verdict import STATE_LAG_SECONDS
from operations import perform

from .fakes import DAY, ID, START, Outcome, client_error, moment, shown
from .patch_manager import DOCUMENT, SNAPSHOT, Found, PatchManager
from .stage import RUN, Stage

FOREIGN = "99999999-2222-4333-8444-555555555555"


def poll(stage: Stage, *, check_mode: bool = False, in_run: bool = False, **params: Any) -> dict[str, Any]:
    tracked_host = {"run_id": RUN, "host": ID} if in_run else {}
    options = {"instance_id": ID, "snapshot_id": SNAPSHOT, **tracked_host, **params}
    return perform(COMPLIANCE, stage.context(COMPLIANCE, check_mode=check_mode, **options))


def trouble(stage: Stage) -> PatchFleetError:
    with pytest.raises(PatchFleetError) as caught:
        poll(stage)
    return caught.value


def test_a_scan_that_finds_nothing_proves_compliance(stage: Stage) -> None:
    manager = PatchManager(stage, Found())
    assert poll(stage) == {
        "changed": False,
        "compliant": True,
        "outcome": "compliant",
        "missing": [],
        "pending_reboot": False,
        "verified_at": "2026-11-14T22:01:26Z",
    }
    assert manager.operations == ["Scan"]


def test_a_scan_never_reboots_and_is_of_the_runs_snapshot(stage: Stage) -> None:
    PatchManager(stage, Found())
    poll(stage)
    assert stage.guest.inputs(DOCUMENT) == [
        {
            "Operation": ["Scan"],
            "SnapshotId": [SNAPSHOT],
            "RebootOption": ["NoReboot"],
            "StepTimeoutSeconds": ["3600"],
        }
    ]


def test_only_parameters_that_the_document_lists_are_sent(stage: Stage) -> None:
    PatchManager(stage, Found())
    listed = [{"Name": "Operation"}, {"Name": "SnapshotId"}, {"Name": "AssociationId"}]
    stage.account.on("describe_document", {"Document": {"Parameters": listed}})
    poll(stage)
    assert stage.guest.inputs(DOCUMENT) == [{"Operation": ["Scan"], "SnapshotId": [SNAPSHOT]}]


def test_what_is_missing_is_read_from_all_pages(stage: Stage) -> None:
    PatchManager(stage, Found(missing=("KB3", "KB1"), failed=("KB2",)))
    result = poll(stage)
    assert (result["outcome"], result["missing"]) == ("noncompliant", ["KB1", "KB2", "KB3"])
    assert len(stage.account.of("describe_instance_patches")) == 3


def test_a_reboot_that_is_pending_is_not_compliant(stage: Stage) -> None:
    PatchManager(stage, Found(pending_reboot=1))
    result = poll(stage)
    assert (result["outcome"], result["missing"], result["pending_reboot"]) == ("noncompliant", [], True)


def test_updates_that_are_not_approved_yet_are_no_gap(stage: Stage) -> None:
    """AvailableSecurityUpdatesComplianceStatus can make the node NON_COMPLIANT; no pass can help."""
    stage.open_run()
    PatchManager(stage, Found(available=3))
    assert poll(stage, in_run=True)["compliant"] is True


DAILY = "KB2267602"


def shows_definition(stage: Stage, state: str = "Missing") -> None:
    """The compliance items of the next scan have Defender's definition update in this state."""

    def listed(**_params: Any) -> dict[str, Any]:
        command = f"{len(stage.guest.asked):08d}-0000-4000-8000-000000000000"
        item = {
            "ComplianceType": "Patch",
            "Id": DAILY,
            "ExecutionSummary": {"ExecutionTime": moment(0), "ExecutionId": command, "ExecutionType": "Command"},
            "Details": {"PatchState": state, "Classification": "DefinitionUpdates"},
        }
        return {"ComplianceItems": [item]}

    stage.account.on("list_compliance_items", listed)


def test_a_definition_update_that_is_new_again_is_no_gap_and_is_named(stage: Stage) -> None:
    """Microsoft Defender's come out several times a day under one number (ansible.windows#530)."""
    stage.open_run()
    PatchManager(stage, Found(definitions=(DAILY,)))
    shows_definition(stage)
    result = poll(stage, in_run=True)
    assert (result["compliant"], result["missing"], stage.facts()["missing"]) == (True, [], [])
    (remark,) = stage.facts()["remarks"]
    assert DAILY in remark


def test_beside_a_definition_update_what_is_missing_counts(stage: Stage) -> None:
    PatchManager(stage, Found(missing=("KB1",), definitions=(DAILY,)))
    shows_definition(stage)
    result = poll(stage)
    assert (result["outcome"], result["missing"]) == ("noncompliant", ["KB1"])


def test_a_row_of_an_earlier_scan_makes_no_gap_a_definition_update(stage: Stage) -> None:
    """Rows do not name their scan. The items do, and without them an update that is missing counts."""
    PatchManager(stage, Found(definitions=(DAILY,)))
    shows_items(stage, "Missing", named="another command")
    assert poll(stage)["outcome"] == "noncompliant"


@pytest.mark.parametrize("state", ["Installed", "Failed"])
def test_items_that_call_it_otherwise_do_not_excuse_a_definition_update(stage: Stage, state: str) -> None:
    PatchManager(stage, Found(definitions=(DAILY,)))
    shows_definition(stage, state)
    assert poll(stage)["outcome"] == "noncompliant"


def test_a_definition_update_that_failed_counts(stage: Stage) -> None:
    PatchManager(stage, Found(failed=(DAILY,), definitions=(DAILY,), counts={"MissingCount": 0}))
    assert poll(stage)["outcome"] == "noncompliant"


def test_policies_that_hold_updates_back_stand_in_the_report(stage: Stage) -> None:
    """Microsoft's service does not offer what they hold back, and a scan cannot find it."""
    stage.open_run()
    policies = ["PauseQualityUpdatesStartTime=2026-11-01"]
    source = {"kind": "microsoft", "url": None, "proxy": None, "policies": policies}
    stage.ledger.update_facts(RUN, ID, {"update_source": source})
    PatchManager(stage, Found())
    assert poll(stage, in_run=True)["compliant"] is True
    (remark,) = stage.facts()["remarks"]
    assert "PauseQualityUpdatesStartTime=2026-11-01" in remark


# Which state is believed


def test_a_state_that_appears_late_is_waited_for(stage: Stage) -> None:
    manager = PatchManager(stage, Found(lag=STATE_LAG_SECONDS - 30))
    assert poll(stage)["compliant"] is True
    assert manager.operations == ["Scan"]


def test_a_state_from_before_the_command_is_not_believed(stage: Stage) -> None:
    """Else yesterday's scan would prove tonight's installation."""
    PatchManager(stage, Found())
    poll(stage)
    stage.clock.sleep(DAY)
    manager = PatchManager(stage, Found(), None)
    assert trouble(stage).code == "not_proven"
    assert manager.operations == ["Scan"] * 3


@pytest.mark.parametrize(
    "foreign", [Found(snapshot=FOREIGN), Found(operation="Install"), None], ids=["snapshot", "install", "nothing"]
)
def test_a_state_that_is_not_ours_is_not_believed_and_the_scan_repeated(stage: Stage, foreign: Found | None) -> None:
    """Quick Setup, a maintenance window or "Patch now" overwrites the state."""
    manager = PatchManager(stage, foreign, Found(missing=("KB1",)))
    assert poll(stage)["missing"] == ["KB1"]
    assert manager.operations == ["Scan", "Scan"]


def test_a_state_that_is_never_ours_proves_nothing(stage: Stage) -> None:
    manager = PatchManager(stage, Found(snapshot=FOREIGN))
    error = trouble(stage)
    assert (error.code, manager.operations) == ("not_proven", ["Scan", "Scan"])
    assert "the scan ended Success" in error.reason


def test_the_state_is_believed_and_not_the_commands_end(stage: Stage) -> None:
    """amazon-ssm-agent#681: failed although everything was done."""
    PatchManager(stage, Found())
    stage.guest.on(DOCUMENT, Outcome("Failed", seconds=60, code=1))
    assert poll(stage)["compliant"] is True


def test_a_search_that_failed_is_reported_with_the_nodes_exit_notice(stage: Stage) -> None:
    """Counts are -1 and times in 1970 then."""
    manager = PatchManager(stage, Found(search_failed=True))
    words = "Running with snapshot id\nPatch scan failed: 0x8024402C\n"
    stage.guest.on(DOCUMENT, Outcome("Failed", seconds=60, stderr=words))
    error = trouble(stage)
    assert (error.code, manager.operations) == ("scan_failed", ["Scan"] * 4)
    assert error.reason.startswith(
        "Windows could not search for updates: Patch scan failed: 0x8024402C. The host does not reach its update source. Check"
    )


def test_a_search_that_failed_without_a_word_is_reported_with_how_it_ended(stage: Stage) -> None:
    PatchManager(stage, Found(search_failed=True))
    stage.guest.on(DOCUMENT, Outcome("Failed", seconds=60))
    assert trouble(stage).reason == "Windows could not search for updates: the scan ended Failed."


def test_a_scan_that_does_not_end_is_given_up(stage: Stage) -> None:
    PatchManager(stage, Found())
    stage.account.on("describe_instances", shown("running"))
    stage.guest.on(DOCUMENT, Outcome(seconds=DAY))
    assert trouble(stage).code == "command_timeout"
    assert stage.clock.passed == 3600


# Two runs of the document


def test_the_gap_counts_from_the_step_before(stage: Stage) -> None:
    stage.open_run()
    PatchManager(stage, Found())
    stage.ledger.update_facts(RUN, ID, {"baseline_ended_at": START - 100})
    poll(stage, in_run=True)
    assert stage.account.of("send_command")[0].at == GAP_SECONDS - 100


def test_an_end_in_the_future_does_not_keep_it_waiting_for_ever(stage: Stage) -> None:
    """Two controllers' clocks may differ."""
    stage.open_run()
    PatchManager(stage, Found())
    stage.ledger.update_facts(RUN, ID, {"baseline_ended_at": START + DAY})
    poll(stage, in_run=True)
    assert stage.account.of("send_command")[0].at == GAP_SECONDS


# Around it


def test_what_was_found_is_in_the_ledger(stage: Stage) -> None:
    stage.open_run()
    PatchManager(stage, Found(missing=("KB2", "KB1")))
    poll(stage, in_run=True)
    facts = stage.facts()
    assert (facts["missing"], facts["verified_at"]) == (["KB1", "KB2"], "2026-11-14T22:01:26Z")
    assert facts["proposed_outcome"] == "noncompliant"
    assert [step.phase for step in stage.ledger.phases(RUN)] == ["verify"]


@pytest.mark.parametrize(
    ("found", "only_reboot"),
    [
        (Found(pending_reboot=1), True),
        (Found(missing=("KB1",), pending_reboot=1), False),
        (Found(), False),
    ],
    ids=["a reboot", "a reboot and an update", "nothing"],
)
def test_a_scan_says_whether_only_a_reboot_is_missing(stage: Stage, found: Found, only_reboot: bool) -> None:
    stage.open_run()
    PatchManager(stage, found)
    poll(stage, in_run=True)
    assert stage.facts()["only_reboot_missing"] is only_reboot


def test_output_goes_to_cloudwatch_when_asked(stage: Stage) -> None:
    PatchManager(stage, Found())
    poll(stage, cloudwatch_log_group="/aws/ssm/patch-manager")
    config = stage.account.of("send_command")[0].params["CloudWatchOutputConfig"]
    assert config["CloudWatchLogGroupName"] == "/aws/ssm/patch-manager"


def test_check_mode_scans_nothing(stage: Stage) -> None:
    assert poll(stage, check_mode=True) == {"changed": False}
    assert stage.account.calls == []


# What counts, and whose clock


def test_the_counts_decide_although_no_row_names_an_update(stage: Stage) -> None:
    """The rows are another inventory type behind another API, and may be shown later."""
    PatchManager(stage, Found(missing=("KB1", "KB2")))
    stage.account.on("describe_instance_patches", {"Patches": []})
    result = poll(stage)
    assert (result["outcome"], result["compliant"], result["missing"]) == ("noncompliant", False, [])


def test_rows_are_waited_for_until_they_are_as_many_as_the_counts(stage: Stage) -> None:
    manager = PatchManager(stage, Found(missing=("KB1",)))
    rows = stage.account._answers["describe_instance_patches"][0]  # noqa: SLF001 - the fake's own answer
    stage.account.on("describe_instance_patches", *[{"Patches": []}] * 5, rows)
    assert poll(stage)["missing"] == ["KB1"]
    assert manager.operations == ["Scan"]


@pytest.mark.parametrize("skew", [-280.0, 280.0])
def test_no_clock_of_a_host_bends_the_verdict(stage: Stage, skew: float) -> None:
    """OperationEndTime is the host's; AWS and Kerberos tolerate five minutes."""
    manager = PatchManager(stage, Found(skew=skew))
    assert poll(stage)["compliant"] is True
    assert manager.operations == ["Scan"]


def test_an_old_failed_search_does_not_hide_the_fresh_state(stage: Stage) -> None:
    """Its times are of 1970 like those of any other failed search."""
    PatchManager(stage, Found(search_failed=True))
    stage.guest.on(DOCUMENT, Outcome("Failed", seconds=60))
    assert trouble(stage).code == "scan_failed"
    stage.clock.sleep(DAY)
    later = PatchManager(stage, Found(search_failed=True), Found(lag=50))
    assert poll(stage)["compliant"] is True
    assert later.operations == ["Scan", "Scan"]


def test_what_patch_manager_calls_non_compliant_is_reported(stage: Stage) -> None:
    stage.open_run()
    PatchManager(stage, Found(counts={"InstalledRejectedCount": 2, "OtherNonCompliantCount": 1}))
    assert poll(stage, in_run=True)["compliant"] is True
    (remark,) = stage.facts()["remarks"]
    assert "2 rejected by the baseline, but installed" in remark


def test_a_denied_scan_ends_the_step_at_once(stage: Stage) -> None:
    manager = PatchManager(stage, Found())
    stage.guest.on(DOCUMENT, Outcome("Failed", "AccessDenied"))
    error = trouble(stage)
    assert (error.code, error.facts["denied_action"]) == ("access_denied", "ssm:SendCommand")
    assert manager.operations == ["Scan"]


# The second witness: the command in the compliance items


def shows_items(stage: Stage, *states: str, named: str = "scan") -> None:
    """What ListComplianceItems shows from the next scan on: one update in each state, written by a command."""

    def listed(**_params: Any) -> dict[str, Any]:
        command = f"{len(stage.guest.asked):08d}-0000-4000-8000-000000000000" if named == "scan" else FOREIGN
        summary = {"ExecutionTime": moment(0), "ExecutionId": command, "ExecutionType": "Command"}
        items = [
            {"ComplianceType": "Patch", "Id": f"KB{n}", "ExecutionSummary": summary, "Details": {"PatchState": state}}
            for n, state in enumerate(states)
        ]
        return {"ComplianceItems": items}

    stage.account.on("list_compliance_items", listed)


def scan_without_a_new_state(stage: Stage, first: Found) -> PatchManager:
    """Yesterday's state stays, whatever tonight's scan finds."""
    PatchManager(stage, first)
    poll(stage)
    stage.clock.sleep(DAY)
    return PatchManager(stage, first, None)


def test_items_of_the_scan_prove_a_state_that_they_agree_with(stage: Stage) -> None:
    manager = scan_without_a_new_state(stage, Found(counts={"InstalledCount": 2, "InstalledOtherCount": 1}))
    shows_items(stage, "Installed", "INSTALLED", "INSTALLED_OTHER")
    assert poll(stage)["compliant"] is True
    assert manager.operations == ["Scan", "Scan"]


def test_items_of_the_scan_prove_what_is_missing_too(stage: Stage) -> None:
    scan_without_a_new_state(stage, Found(missing=("KB1",), counts={"InstalledCount": 1}))
    shows_items(stage, "MISSING", "Installed")
    result = poll(stage)
    assert (result["outcome"], result["missing"]) == ("noncompliant", ["KB1"])


@pytest.mark.parametrize(
    ("states", "named"),
    [
        (("Installed", "Installed"), "another command"),
        (("Installed", "Missing"), "scan"),
        (("Installed",), "scan"),
        (("Installed", "Installed", "InstalledPendingReboot"), "scan"),
        ((), "scan"),
    ],
    ids=["of another command", "one is missing", "not all of them", "a reboot is pending", "none"],
)
def test_an_old_state_is_not_believed_where_the_items_do_not_agree(
    stage: Stage, states: tuple[str, ...], named: str
) -> None:
    scan_without_a_new_state(stage, Found(counts={"InstalledCount": 2}))
    shows_items(stage, *states, named=named)
    assert trouble(stage).code == "not_proven"


def test_the_state_of_an_installation_proves_nothing_whatever_the_items_are(stage: Stage) -> None:
    """It does not count what is missing."""
    PatchManager(stage, Found(operation="Install", counts={"InstalledCount": 1}))
    shows_items(stage, "Installed")
    assert trouble(stage).code == "not_proven"


def test_items_that_may_not_be_read_prove_nothing(stage: Stage) -> None:
    """A set-up of an earlier version does not grant it."""
    scan_without_a_new_state(stage, Found(counts={"InstalledCount": 1}))
    stage.account.on("list_compliance_items", client_error("AccessDeniedException"))
    assert trouble(stage).code == "not_proven"


def test_items_are_read_only_where_the_state_is_no_witness(stage: Stage) -> None:
    PatchManager(stage, Found())
    poll(stage)
    assert stage.account.of("list_compliance_items") == []
