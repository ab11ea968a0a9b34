# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""patch_kbs, patch_exclude_kbs, patch_reboot and patch_operation=reboot: what is installed, and what a host becomes."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import InvalidOption, PatchFleetError
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.proposed import proposed_verdict
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.patch_baseline import OPERATION as INSTALL
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.patch_compliance_info import (
    OPERATION as COMPLIANCE,
)
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.patch_run import OPERATION as PLAN
from ansible_collections.patchfleet.windows.plugins.module_utils._plan.kbs import unknown_kbs
from ansible_collections.patchfleet.windows.plugins.module_utils._plan.variables import read
from ansible_collections.patchfleet.windows.plugins.module_utils._report.not_offered import not_offered_lines
from ansible_collections.patchfleet.windows.plugins.module_utils._update.foreign_runs import (
    Own,
    find_foreign_patch_runs,
)
from operations import perform

from .fakes import ID, client_error, complained, listed, moment, node, shown
from .patch_manager import DOCUMENT, SNAPSHOT, Found, PatchManager
from .stage import RUN, Stage
from .test_run_open import a_target

SCRIPTS = {"search_updates": "", "install_updates": "", "servicing_state": "", "restart_windows": ""}
FOREIGN_COMMAND = "99999999-0000-4000-8000-000000000000"
QUIET = {"installing": False, "pending_reboot": [], "processes": [], "cpu_seconds": 0}

BOOT = {
    "boot_time": "2026-11-14T20:00:00Z",
    "time": "2026-11-14T22:00:00Z",
    "boots": [],
    "services": [],
    "services_not_running": [],
}


@pytest.fixture(autouse=True)
def a_host_in_a_run(stage: Stage) -> None:
    stage.open_run()
    stage.account.on("describe_instances", shown("running"))
    stage.account.on("describe_instance_information", listed(node()))
    history(stage)
    stage.guest.answers("install_updates", {"results": []})
    stage.guest.answers("servicing_state", QUIET)


def history(stage: Stage, *kbs: str) -> None:
    """What the host's own update history says is installed."""
    at = "2026-11-14T22:00:00Z"
    rows = [{"kb": kb, "result": "succeeded", "hresult": "0x00000000", "at": at} for kb in kbs]
    stage.guest.answers("update_history", {"entries": rows})


def searches(stage: Stage, *states: dict[str, str]) -> None:
    """What each search finds, by KB."""
    rows = [[{"kb": kb, "state": state, "superseded_by": None} for kb, state in one.items()] for one in states]
    stage.guest.answers("search_updates", *({"updates": one} for one in rows))


def pending(stage: Stage, *kinds: list[str]) -> None:
    """What waits for a reboot each time that the host is asked."""
    stage.guest.answers("servicing_state", *({**QUIET, "pending_reboot": one} for one in kinds))


def restarts(stage: Stage) -> None:
    before, after = {"boot_time": "2026-11-14T20:00:00Z"}, {"boot_time": "2026-11-14T22:30:00Z"}
    stage.guest.answers("restart_windows", before, before, after)


def work(stage: Stage, **params: Any) -> dict[str, Any]:
    options = {
        "run_id": RUN,
        "host": ID,
        "instance_id": ID,
        "snapshot_id": SNAPSHOT,
        "history_script": "text",
        "scripts": SCRIPTS,
    }
    return perform(INSTALL, stage.context(INSTALL, **{**options, **params}))


def proposal(stage: Stage) -> tuple[str, str | None]:
    """The outcome and the reason code that the host gets once it is put back."""
    proposed = proposed_verdict(stage.ledger.host(RUN, ID))
    assert proposed is not None
    return str(proposed.outcome), proposed.reason_code


# ---- patch_kbs


def test_only_named_updates_are_installed_and_each_has_a_verdict(stage: Stage) -> None:
    searches(stage, {"KB5000001": "missing"}, {"KB5000001": "installed"})
    history(stage, "KB5000001")
    result = work(stage, kbs=["KB5000001", "KB5000002"])
    assert (result["outcome"], result["installed"], result["passes"]) == ("patched", ["KB5000001"], 1)
    assert stage.guest.inputs("install_updates") == [{"kbs": ["KB5000001"]}]
    assert stage.guest.inputs(DOCUMENT) == []
    assert stage.facts()["verdicts"] == {"KB5000001": "installed", "KB5000002": "not_applicable"}


@pytest.mark.parametrize(
    ("state", "verdict"), [(None, "not_applicable"), ("installed", "installed"), ("superseded", "superseded")]
)
def test_a_host_that_lacks_none_of_them_ends_with_its_first_search(
    stage: Stage, state: str | None, verdict: str
) -> None:
    searches(stage, {"KB5000001": state} if state else {})
    assert work(stage, kbs=["KB5000001"])["outcome"] == "compliant"
    assert stage.facts()["verdicts"] == {"KB5000001": verdict}
    assert "install_updates" not in stage.guest.names
    assert stage.guest.names.count("search_updates") == 1


def test_an_installed_update_that_replaced_another_is_named(stage: Stage) -> None:
    row = {"kb": "KB5000001", "state": "superseded", "superseded_by": "KB5000009"}
    stage.guest.answers("search_updates", {"updates": [row]})
    work(stage, kbs=["KB5000001"])
    assert stage.facts()["remarks"] == [
        "Newer updates that are installed have replaced others: KB5000001 by KB5000009."
    ]


def test_an_update_that_cannot_be_downloaded_is_missing_with_its_hresult(stage: Stage) -> None:
    searches(stage, {"KB5000001": "missing"})
    result = {"kb": "KB5000001", "result": "failed", "hresult": "0x80240034"}
    stage.guest.answers("install_updates", {"results": [result]})
    with pytest.raises(PatchFleetError, match="KB5000001 \\(0x80240034\\)") as caught:
        work(stage, kbs=["KB5000001"])
    assert caught.value.code == "still_missing"
    assert stage.facts()["missing"] == ["KB5000001"]


def test_a_search_that_fails_names_windows_own_error(stage: Stage) -> None:
    stage.guest.on("search_updates", complained("search_updates", "script_failed", "no route", "0x8024402C"))
    with pytest.raises(PatchFleetError, match="0x8024402C") as caught:
        work(stage, kbs=["KB5000001"])
    assert caught.value.code == "scan_failed"


def test_the_host_reboots_after_the_installation_and_is_searched_after_that(stage: Stage) -> None:
    searches(stage, {"KB5000001": "missing"}, {"KB5000001": "installed"})
    pending(stage, [], ["windows_update"], [])
    restarts(stage)
    assert work(stage, kbs=["KB5000001"])["outcome"] == "compliant"
    order = [name for name in stage.guest.names if name in ("install_updates", "restart_windows", "search_updates")]
    assert (order[0], order[1], order[-1]) == ("search_updates", "install_updates", "search_updates")
    assert {"restart": True} in stage.guest.inputs("restart_windows")


def test_a_scan_of_named_updates_installs_nothing(stage: Stage) -> None:
    searches(stage, {"KB5000001": "missing"})
    tracked_host = {"run_id": RUN, "host": ID, "instance_id": ID, "snapshot_id": SNAPSHOT, "scripts": SCRIPTS}
    result = perform(COMPLIANCE, stage.context(COMPLIANCE, kbs=["KB5000001"], **tracked_host))
    assert (result["outcome"], result["missing"]) == ("noncompliant", ["KB5000001"])
    assert stage.facts()["verdicts"] == {"KB5000001": "missing"}


@pytest.mark.parametrize("state", [None, "installed", "superseded"])
def test_a_host_that_lacks_none_of_them_has_its_outcome_before_it_is_prepared(stage: Stage, state: str | None) -> None:
    searches(stage, {"KB5000001": state} if state else {})
    assert first_search(stage) == (True, "compliant")
    assert proposal(stage) == ("compliant", None)
    facts = stage.facts()
    assert (facts["only_a_part"], facts["installed"], facts["reboots"]) == (True, [], 0)
    assert stage.ledger.host(RUN, ID).outcome is None


def test_a_host_that_lacks_one_is_prepared(stage: Stage) -> None:
    searches(stage, {"KB5000001": "missing"})
    assert first_search(stage) == (False, "noncompliant")


def test_a_host_that_waits_for_a_reboot_is_prepared(stage: Stage) -> None:
    searches(stage, {"KB5000001": "installed"})
    pending(stage, ["component_based_servicing"])
    assert first_search(stage) == (False, "noncompliant")


def test_a_first_search_that_fails_decides_nothing(stage: Stage) -> None:
    """Windows Update may need a repair first."""
    stage.guest.on("search_updates", complained("search_updates", "script_failed", "no route", "0x8024402C"))
    assert first_search(stage) == (False, None)
    assert stage.ledger.host(RUN, ID).outcome is None
    assert "0x8024402C" in " ".join(stage.message)


def test_a_host_that_was_taken_over_reports_what_it_has_got_before(stage: Stage) -> None:
    """A killed run may have installed the update: the installation asks for it."""
    searches(stage, {"KB5000001": "installed"})
    stage.ledger.update_facts(RUN, ID, {"adopted_from": "20261101T000000Z-0000"})
    assert first_search(stage) == (False, "compliant")


def first_search(stage: Stage) -> tuple[bool, str | None]:
    options = {"run_id": RUN, "host": ID, "instance_id": ID, "snapshot_id": SNAPSHOT, "scripts": SCRIPTS}
    result = perform(COMPLIANCE, stage.context(COMPLIANCE, state="searched", kbs=["KB5000001"], **options))
    return result["done"], result.get("outcome")


def test_the_script_that_installs_is_a_patch_run_for_everybody_else(stage: Stage) -> None:
    searches(stage, {"KB5000001": "missing"}, {})
    work(stage, kbs=["KB5000001"])
    context = stage.context(INSTALL, instance_id=ID, snapshot_id=SNAPSHOT, history_script="text")
    row = {
        "CommandId": FOREIGN_COMMAND,
        "InstanceId": ID,
        "DocumentName": "AWS-RunPowerShellScript",
        "Comment": "patchfleet: Install another-run 0123",
        "Status": "Pending",
        "RequestedDateTime": moment(0),
    }
    sent = [call.params for call in stage.account.of("send_command")]
    installs = [call["Comment"] for call in sent if "install_updates" in str(call["Parameters"])]
    assert installs
    assert all(comment.startswith(f"patchfleet: Install {RUN} ") for comment in installs)
    stage.guest.foreign_commands = lambda: [row]
    assert find_foreign_patch_runs(context, ID, Own({RUN})) == [f"AWS-RunPowerShellScript (command {FOREIGN_COMMAND})"]
    stage.guest.foreign_commands = lambda: [{**row, "Comment": "patchfleet: search_updates 0123"}]
    assert find_foreign_patch_runs(context, ID, Own({RUN})) == []


# ---- patch_exclude_kbs


def test_all_but_excluded_updates_are_installed_and_the_host_is_noncompliant(stage: Stage) -> None:
    manager = PatchManager(stage, Found(missing=("KB5000001", "KB5000002")), Found(missing=("KB5000002",)))
    history(stage, "KB5000001")
    result = work(stage, exclude_kbs=["kb5000002"])
    assert (result["outcome"], result["installed"]) == ("noncompliant", ["KB5000001"])
    assert stage.guest.inputs("install_updates") == [{"kbs": ["KB5000001"]}]
    assert manager.operations == ["Scan", "Scan"]
    assert (stage.facts()["missing"], stage.facts()["verdicts"]) == ([], {"KB5000002": "excluded"})
    assert proposal(stage) == ("noncompliant", "updates_excluded")


def test_more_missing_updates_than_patch_manager_names_are_no_pending_reboot(stage: Stage) -> None:
    PatchManager(stage, Found(missing=("KB5000002",), counts={"MissingCount": 3}))
    with pytest.raises(PatchFleetError) as caught:
        work(stage, exclude_kbs=["KB5000002"])
    assert caught.value.code == "still_missing"
    assert "2 updates are still missing or failed" in caught.value.reason
    assert caught.value.reason.endswith("Left out on purpose (patch_exclude_kbs), and missing: KB5000002.")


def test_an_excluded_update_that_is_not_missing_changes_nothing(stage: Stage) -> None:
    PatchManager(stage, Found())
    assert work(stage, exclude_kbs=["KB5000002"])["outcome"] == "compliant"
    assert proposal(stage) == ("compliant", None)


def test_an_excluded_update_is_not_installed_because_it_is_named(stage: Stage) -> None:
    searches(stage, {"KB5000001": "missing"})
    assert work(stage, kbs=["KB5000001"], exclude_kbs=["KB5000001"])["outcome"] == "noncompliant"
    assert "install_updates" not in stage.guest.names
    assert proposal(stage) == ("noncompliant", "updates_excluded")


# ---- reboots at another time


def test_without_a_reboot_a_host_that_waits_for_it_is_not_compliant(stage: Stage) -> None:
    PatchManager(stage, Found(pending_reboot=1))
    history(stage, "KB5000001")
    result = work(stage, reboot="never")
    assert (result["outcome"], result["installed"]) == ("noncompliant", ["KB5000001"])
    assert proposal(stage) == ("noncompliant", "reboot_pending")
    assert [one["RebootOption"] for one in stage.guest.inputs(DOCUMENT)] == [["NoReboot"], ["NoReboot"]]
    assert "restart_windows" not in stage.guest.names


def test_without_a_reboot_a_host_that_needs_none_is_patched(stage: Stage) -> None:
    PatchManager(stage, Found())
    history(stage, "KB5000001")
    assert work(stage, reboot="never")["outcome"] == "patched"


def test_without_a_reboot_a_missing_update_is_a_failure_all_the_same(stage: Stage) -> None:
    PatchManager(stage, Found(missing=("KB5000001",), pending_reboot=1))
    with pytest.raises(PatchFleetError) as caught:
        work(stage, reboot="never")
    assert caught.value.code == "still_missing"


def test_a_host_that_was_off_is_rebooted_as_needed(stage: Stage) -> None:
    PatchManager(stage, Found())
    stage.ledger.update_facts(RUN, ID, {"original_state": "stopped"})
    work(stage, reboot="never")
    assert stage.guest.inputs(DOCUMENT)[0]["RebootOption"] == ["RebootIfNeeded"]


def test_a_run_that_only_reboots_brings_what_waited_to_its_end(stage: Stage) -> None:
    manager = PatchManager(stage, Found())
    pending(stage, ["component_based_servicing"], [])
    restarts(stage)
    history(stage, "KB5000001")
    stage.guest.answers(
        "inspect_boot", BOOT, {**BOOT, "boot_time": "2026-11-14T22:30:00Z", "boots": ["2026-11-14T22:30:00Z"]}
    )
    result = work(stage, state="rebooted", reboot="never", boot_script="text")
    assert (result["outcome"], result["installed"]) == ("patched", ["KB5000001"])
    assert manager.operations == ["Scan"]
    assert stage.facts()["reboots"] == 1


def test_a_run_that_only_reboots_leaves_a_host_that_waits_for_nothing(stage: Stage) -> None:
    PatchManager(stage, Found())
    history(stage, "KB5000001")
    assert work(stage, state="rebooted")["outcome"] == "compliant"
    assert "restart_windows" not in stage.guest.names


def test_a_run_that_only_reboots_installs_nothing_that_is_missing(stage: Stage) -> None:
    manager = PatchManager(stage, Found(missing=("KB5000002",)))
    result = work(stage, state="rebooted")
    assert (result["outcome"], result["missing"]) == ("noncompliant", ["KB5000002"])
    assert manager.operations == ["Scan"]


def test_a_reboot_that_stays_pending_is_a_failure(stage: Stage) -> None:
    PatchManager(stage, Found())
    pending(stage, ["windows_update"])
    restarts(stage)
    with pytest.raises(PatchFleetError) as caught:
        work(stage, state="rebooted")
    assert caught.value.code == "reboot_pending"


# ---- the variables


@pytest.mark.parametrize("given", ["KB5031364,kb5031364", ["kb5031364 "], "KB5031364"])
def test_numbers_are_written_as_windows_writes_them(given: Any) -> None:
    assert read({"patch_kbs": given})["kbs"] == ["KB5031364"]


@pytest.mark.parametrize("name", ["patch_kbs", "patch_exclude_kbs"])
@pytest.mark.parametrize("given", ["5031364", "KB12", "KB503136400", "MS17-010", "KB5031364; shutdown", [5031364]])
def test_what_is_no_number_of_an_update_is_refused(name: str, given: Any) -> None:
    with pytest.raises(InvalidOption, match="KB5031364") as caught:
        read({name: given})
    assert caught.value.option == name


# ---- numbers that are wrong


KNOWN = {"Patches": [{"Id": "x", "KbNumber": "KB5000001"}]}
RECORDED = {"Title": "x", "KBId": "KB5000002", "Classification": "x", "Severity": "x", "State": "Missing"}


def unknown(stage: Stage, **variables: Any) -> str:
    context = stage.context(PLAN, state="planned", settings=read(variables), fleet=[])
    hosts = [a_target(ID), a_target("winrm-1", instance_id=None, region=None, kind="winrm")]
    return " ".join(unknown_kbs(context, hosts, read(variables)))


def test_numbers_that_aws_does_not_know_are_named_in_the_plan(stage: Stage) -> None:
    stage.account.on("describe_available_patches", KNOWN)
    stage.account.on("describe_instance_patches", {"Patches": [{**RECORDED, "InstalledTime": moment(0)}]})
    line = unknown(stage, patch_kbs=["KB5000001", "KB5000002"], patch_exclude_kbs=["KB5000003"])
    assert "KB5000003" in line
    assert "KB5000001" not in line
    assert "KB5000002" not in line


def test_nothing_is_asked_where_no_number_is_given_or_all_are_known(stage: Stage) -> None:
    assert unknown(stage) == ""
    stage.account.on("describe_available_patches", KNOWN)
    assert unknown(stage, patch_kbs=["KB5000001"]) == ""
    assert stage.account.of("describe_instance_patches") == []


def test_without_the_right_the_plan_says_that_numbers_were_not_checked(stage: Stage) -> None:
    denied = client_error("AccessDeniedException", "is not authorized", "DescribeAvailablePatches", 400)
    stage.account.on("describe_available_patches", denied)
    assert unknown(stage, patch_kbs=["KB5000001"]).startswith(
        "Whether these numbers of updates are right is unknown: KB5000001."
    )


@pytest.mark.parametrize(
    ("verdicts", "line"),
    [
        ([{"KB1": "not_applicable"}, {"KB1": "not_applicable"}], "No host was offered KB1, and none has it."),
        (
            [{"KB1": "not_applicable"}, None],
            "No host was offered KB1, and none has it. 1 of 2 hosts were not searched.",
        ),
        ([{"KB1": "not_applicable"}, {"KB1": "installed"}], None),
        ([{"KB1": "not_applicable"}, {"KB1": "superseded"}], None),
        ([None, None], None),
    ],
)
def test_a_number_that_no_host_was_offered_is_named_once(
    verdicts: list[dict[str, str] | None], line: str | None
) -> None:
    assert not_offered_lines([{"verdicts": one} for one in verdicts]) == ([line] if line else [])
