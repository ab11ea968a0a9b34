# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Installing: how many passes, what counts as installed, and when it is given up."""

from __future__ import annotations

from typing import Any, NoReturn

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._base.clock import iso
from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import PatchFleetError
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.records import SKEW_SECONDS
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.patch_baseline import OPERATION as INSTALL
from ansible_collections.patchfleet.windows.plugins.module_utils._update.patch_baseline import GAP_SECONDS
from operations import perform

from .fakes import DAY, ID, START, Outcome, client_error, complained, listed, node, reservations, shown
from .patch_manager import DOCUMENT, SNAPSHOT, Found, PatchManager
from .stage import RUN, Stage


@pytest.fixture(autouse=True)
def a_host_in_a_run(stage: Stage) -> None:
    stage.open_run()
    stage.account.on("describe_instances", shown("running"))
    stage.account.on("describe_instance_information", listed(node()))
    history(stage)


def history(stage: Stage, *entries: tuple[str, str, str | None]) -> None:
    """What the host's own update history says: (KB, result, HRESULT), oldest first."""
    rows = [
        {"kb": kb, "result": result, "hresult": hresult, "at": f"2026-11-14T22:{number:02}:00Z"}
        for number, (kb, result, hresult) in enumerate(entries)
    ]
    stage.guest.answers("update_history", {"entries": rows[::-1]})


def install(stage: Stage, *, check_mode: bool = False, **params: Any) -> dict[str, Any]:
    options = {
        "run_id": RUN,
        "host": ID,
        "instance_id": ID,
        "snapshot_id": SNAPSHOT,
        "history_script": "text",
        **params,
    }
    return perform(INSTALL, stage.context(INSTALL, check_mode=check_mode, **options))


def trouble(stage: Stage, **params: Any) -> PatchFleetError:
    with pytest.raises(PatchFleetError) as caught:
        install(stage, **params)
    return caught.value


# Passes


def test_what_was_installed_and_proven_is_patched(stage: Stage) -> None:
    manager = PatchManager(stage, Found())
    history(stage, ("KB1", "succeeded", "0x00000000"), ("KB2", "succeeded_with_errors", "0x00240006"))
    result = install(stage)
    assert (result["outcome"], result["installed"], result["passes"]) == ("patched", ["KB1", "KB2"], 1)
    assert (result["missing"], result["failed_updates"], result["changed"]) == ([], [], True)
    assert manager.operations == ["Install", "Scan"]
    assert stage.facts()["proposed_outcome"] == "patched"


@pytest.mark.parametrize(
    ("facts", "seconds_before"),
    [({}, 3600 + SKEW_SECONDS), ({"installed": []}, SKEW_SECONDS)],
    ids=["killed", "reported"],
)
def test_the_history_reaches_back_to_what_a_killed_run_started(
    stage: Stage, facts: dict[str, Any], seconds_before: float
) -> None:
    stage.ledger.update_facts(RUN, ID, facts)
    stage.ledger.begin_phase(RUN, ID, "patch", stage.clock.now())
    stage.clock.sleep(3600)
    stage.ledger.close_run(RUN, stage.clock.now())
    stage.open_run(run_id="next")
    stage.ledger.update_facts("next", ID, {"adopted_from": RUN})
    started_at = stage.clock.now()
    PatchManager(stage, Found())
    install(stage, run_id="next")
    assert stage.guest.inputs("update_history")[-1]["since"] == iso(started_at - seconds_before)


def test_where_nothing_was_missing_the_host_is_compliant(stage: Stage) -> None:
    PatchManager(stage, Found())
    result = install(stage)
    assert (result["outcome"], result["changed"], result["installed"]) == ("compliant", False, [])


def test_an_installation_reboots_only_if_needed_and_is_of_the_runs_snapshot(stage: Stage) -> None:
    PatchManager(stage, Found())
    install(stage, install_timeout_seconds=1800)
    assert stage.guest.inputs(DOCUMENT)[0] == {
        "Operation": ["Install"],
        "SnapshotId": [SNAPSHOT],
        "RebootOption": ["RebootIfNeeded"],
        "StepTimeoutSeconds": ["1800"],
    }


@pytest.mark.parametrize("tracked_host", [{}, {"run_id": None, "host": None}], ids=["in_a_run", "alone"])
def test_the_proving_scan_comes_after_the_installation_and_the_gap(stage: Stage, tracked_host: dict[str, Any]) -> None:
    """Two runs of the document on a node within about two minutes can fail silently."""
    PatchManager(stage, Found())
    verified_at = install(stage, **tracked_host)["verified_at"]
    installed, scanned = (call.at for call in stage.account.of("send_command")[:2])
    assert scanned - (installed + 60) >= GAP_SECONDS
    assert verified_at > "2026-11-14T22:03:00Z"


def test_a_second_pass_follows_while_something_changes(stage: Stage) -> None:
    manager = PatchManager(stage, Found(missing=("KB2",)), Found())
    history(stage, ("KB1", "succeeded", None), ("KB2", "succeeded", None))
    result = install(stage)
    assert (result["passes"], result["outcome"]) == (2, "patched")
    assert manager.operations == ["Install", "Scan", "Install", "Scan"]


def test_passes_stop_when_nothing_changes_any_more(stage: Stage) -> None:
    """Reboot loops: ansible.windows#604, #762; puppetlabs patching_as_code#15."""
    manager = PatchManager(stage, Found(missing=("KB1", "KB2")), Found(missing=("KB2",)), Found(missing=("KB2",)))
    assert trouble(stage, max_passes=9).code == "still_missing"
    assert manager.operations.count("Install") == 3


def test_passes_stop_when_they_are_used_up(stage: Stage) -> None:
    manager = PatchManager(stage, Found(missing=("KB1", "KB2")), Found(missing=("KB2",)), Found())
    assert trouble(stage, max_passes=2).code == "still_missing"
    assert manager.operations.count("Install") == 2


def test_the_steps_of_the_report_follow_the_passes(stage: Stage) -> None:
    PatchManager(stage, Found(missing=("KB1",)), Found())
    install(stage)
    steps = [(step.phase, step.ok) for step in stage.ledger.phases(RUN)]
    assert steps == [("patch", True), ("verify", True), ("patch", True), ("verify", True)]


# What counts


def test_a_command_that_failed_although_everything_is_in_is_patched(stage: Stage) -> None:
    """amazon-ssm-agent#681; GoogleCloudPlatform/osconfig#994: failure reported in the post-patch reboot."""
    PatchManager(stage, Found())
    stage.guest.on(DOCUMENT, Outcome("Failed", seconds=60, code=1), Outcome(seconds=60))
    history(stage, ("KB1", "succeeded", None))
    assert install(stage)["outcome"] == "patched"


def test_an_update_that_is_gone_after_the_reboot_was_not_installed(stage: Stage) -> None:
    """salt#70101: success although the update is absent after the reboot."""
    PatchManager(stage, Found(missing=("KB1",)))
    history(stage, ("KB1", "succeeded", None), ("KB2", "succeeded", None))
    error = trouble(stage)
    assert (error.code, stage.facts()["installed"]) == ("still_missing", ["KB2"])
    assert "KB1" in error.reason


def test_one_failing_update_is_named_with_its_hresult_and_stops_no_other(stage: Stage) -> None:
    """ansible.windows#22: one failing update stops all."""
    PatchManager(stage, Found(missing=("KB2",), failed=("KB3",)))
    history(stage, ("KB1", "succeeded", None), ("KB2", "failed", "0x80073712"), ("KB3", "aborted", None))
    error = trouble(stage)
    assert error.reason == (
        "Still missing after the last installation and a fresh scan: KB2 (0x80073712), KB3. "
        "Windows' component store is damaged. Read C:\\Windows\\Logs\\CBS\\CBS.log: it names what could not be repaired."
    )
    facts = stage.facts()
    assert facts["installed"] == ["KB1"]
    assert facts["failed_updates"] == [{"kb": "KB2", "hresult": "0x80073712"}, {"kb": "KB3", "hresult": None}]
    assert (facts["missing"], "proposed_outcome" in facts) == (["KB2", "KB3"], False)


REPAIRS = {"repair_components": "", "reset_update_cache": "", "remove_old_update_cache": "", "servicing_state": ""}


def test_a_damaged_component_store_is_rebuilt_and_then_there_is_another_pass(stage: Stage) -> None:
    manager = PatchManager(stage, Found(missing=("KB2",)), Found())
    history(stage, ("KB2", "failed", "0x80073712"))
    stage.guest.answers("repair_components", {"restore_health": "repaired"})
    install(stage, scripts=REPAIRS, max_passes=9)
    assert manager.operations.count("Install") == 2
    assert len(stage.guest.inputs("repair_components")) == 1
    assert stage.facts()["repaired"] == ["repair_components"]


SERVICE_REPAIRS = {**REPAIRS, "inspect_windows_update": "", "repair_services": ""}


def a_disabled_service(stage: Stage) -> None:
    """BITS is left disabled before an installation, and this one needs it."""
    working = {"ok": True, "hresult": None, "message": None}
    health = {
        "services": [{"name": "bits", "start_type": "disabled", "status": "stopped"}],
        "agent": working,
        "search": working,
        "pending_reboot": [],
        "update_source": {"kind": "microsoft"},
        "sessions": 0,
        "installing": False,
    }
    repaired = {"name": "bits", "was_start_type": "disabled", "was_status": "stopped", "start_type": "manual"}
    stage.guest.answers("inspect_windows_update", health)
    stage.guest.answers("repair_services", {"repaired": [repaired]})


def test_services_that_an_installation_misses_are_enabled_and_then_there_is_another_pass(stage: Stage) -> None:
    manager = PatchManager(stage, Found(missing=("KB2",)), Found())
    history(stage, ("KB2", "failed", "0x80070422"))
    a_disabled_service(stage)
    install(stage, scripts=SERVICE_REPAIRS)
    assert manager.operations.count("Install") == 2
    assert stage.guest.inputs("repair_services") == [{"services": ["bits"]}]
    assert [found["name"] for found in stage.facts()["services_found"]] == ["bits"]
    assert stage.facts()["repaired"] == ["service bits"]


@pytest.mark.parametrize(("hresult", "kind"), [("0x80070422", "services"), ("0x80073712", "components")])
def test_a_repair_that_is_not_allowed_is_not_made_and_is_named(stage: Stage, hresult: str, kind: str) -> None:
    PatchManager(stage, Found(missing=("KB2",)))
    history(stage, ("KB2", "failed", hresult))
    error = trouble(stage, scripts=SERVICE_REPAIRS, repair=[])
    assert (error.code, f"patch_repair does not allow the repair of {kind}." in error.reason) == ("still_missing", True)
    assert "repaired" not in stage.facts()


def test_nothing_is_repaired_for_a_cause_outside_the_host(stage: Stage) -> None:
    PatchManager(stage, Found(missing=("KB2",)))
    history(stage, ("KB2", "failed", "0x80072EFD"))
    stage.ledger.update_facts(
        RUN, ID, {"update_source": {"kind": "wsus", "url": "http://wsus:8530", "proxy": "proxy:3128"}}
    )
    reason = trouble(stage, scripts=REPAIRS).reason
    assert (
        "does not reach its update source. Its source is http://wsus:8530. WinHTTP uses the proxy proxy:3128. Check"
        in reason
    )
    assert "repaired" not in stage.facts()


def test_the_old_cache_is_removed_when_a_scan_has_proven_the_new_one(stage: Stage) -> None:
    PatchManager(stage, Found(missing=("KB2",)), Found())
    history(stage, ("KB2", "failed", "0x80242006"))
    stage.guest.answers("reset_update_cache", {"renamed": ["old"]})
    stage.guest.answers("remove_old_update_cache", {"removed": ["old"], "left": []})
    install(stage, scripts=REPAIRS)
    names = [name for name in stage.guest.names if "cache" in name or name == DOCUMENT]
    assert names == [DOCUMENT, DOCUMENT, "reset_update_cache", DOCUMENT, DOCUMENT, "remove_old_update_cache"]


def test_the_old_cache_is_kept_and_named_when_the_host_fails_all_the_same(stage: Stage) -> None:
    PatchManager(stage, Found(missing=("KB2",)))
    history(stage, ("KB2", "failed", "0x80248007"))
    stage.guest.answers("reset_update_cache", {"renamed": ["C:\\old"]})
    assert trouble(stage, scripts=REPAIRS).reason.endswith("The cache from before the repair is kept: C:\\old.")


@pytest.mark.parametrize(("earlier", "repairs"), [("reset_update_cache", 0), ("service bits", 1)])
def test_after_an_earlier_repair_there_is_no_other_unless_it_was_of_services(
    stage: Stage, earlier: str, repairs: int
) -> None:
    PatchManager(stage, Found(missing=("KB2",)))
    history(stage, ("KB2", "failed", "0x80073712"))
    stage.guest.answers("repair_components", {"restore_health": "repaired", "sfc": "clean"})
    stage.ledger.update_facts(RUN, ID, {"repaired": [earlier]})
    trouble(stage, scripts=REPAIRS)
    assert len(stage.guest.inputs("repair_components")) == repairs


def test_what_was_installed_before_a_reset_took_the_history_with_it_stays_in_the_report(stage: Stage) -> None:
    PatchManager(stage, Found(missing=("KB2",)), Found())
    stage.guest.answers("reset_update_cache", {"renamed": []})
    first = {"kb": "KB1", "result": "succeeded", "hresult": "0x00000000", "at": "2026-11-14T22:01:00Z"}
    damaged = {"kb": "KB2", "result": "failed", "hresult": "0x80248007", "at": "2026-11-14T22:02:00Z"}
    then = {"kb": "KB2", "result": "succeeded", "hresult": "0x00000000", "at": "2026-11-14T22:20:00Z"}
    stage.guest.answers("update_history", {"entries": [damaged, first]}, {"entries": [then]})
    scripts = {"reset_update_cache": "", "remove_old_update_cache": ""}
    result = install(stage, scripts=scripts)
    assert (result["outcome"], result["installed"]) == ("patched", ["KB1", "KB2"])
    assert (result["failed_updates"], stage.facts()["repaired"]) == ([], ["reset_update_cache"])


def test_the_last_try_of_an_update_counts(stage: Stage) -> None:
    PatchManager(stage, Found())
    history(stage, ("KB1", "failed", "0x80240017"), ("KB1", "succeeded", "0x00000000"))
    result = install(stage)
    assert (result["installed"], result["failed_updates"]) == (["KB1"], [])


def test_entries_without_a_kb_and_such_that_go_on_are_no_result(stage: Stage) -> None:
    PatchManager(stage, Found())
    history(stage, ("", "succeeded", None), ("KB1", "in_progress", None))
    assert install(stage)["installed"] == []


def test_the_history_is_asked_from_the_beginning_of_this_step(stage: Stage) -> None:
    PatchManager(stage, Found())
    stage.clock.sleep(600)
    install(stage)
    assert stage.guest.inputs("update_history") == [{"since": "2026-11-14T22:05:00Z"}], (
        "the clocks may differ by so much"
    )


def test_the_history_is_asked_by_the_hosts_own_clock(stage: Stage) -> None:
    PatchManager(stage, Found())
    own = {"time": "2026-11-14T21:55:20Z", "boot_time": "2026-11-14T08:00:00Z", "boots": [], "services": []}
    stage.guest.answers("inspect_boot", own)
    install(stage, boot_script="x")
    assert stage.guest.inputs("update_history") == [{"since": "2026-11-14T21:55:20Z"}]


def test_a_reboot_that_stays_pending_is_not_compliant(stage: Stage) -> None:
    PatchManager(stage, Found(pending_reboot=1))
    error = trouble(stage)
    assert (error.code, stage.ledger.host(RUN, ID).phase) == ("reboot_pending", "verify")


def test_a_host_whose_history_cannot_be_read_is_not_called_patched(stage: Stage) -> None:
    PatchManager(stage, Found())
    stage.guest.on("update_history", complained("update_history", "script_failed", "COM is broken", "0x80040154"))
    assert "COM is broken (0x80040154)" in trouble(stage).reason
    assert "proposed_outcome" not in stage.facts()


# Time


def test_the_running_command_is_in_the_ledger_until_it_has_ended(stage: Stage) -> None:
    PatchManager(stage, Found())
    observed: list[Any] = []
    stage.clock.at(30, lambda: observed.append(stage.facts().get("installing_command_id")))
    install(stage)
    assert observed == ["00000001-0000-4000-8000-000000000000"]
    assert stage.facts()["installing_command_id"] == ""


def test_what_commands_take_in_the_host_is_counted_and_what_is_waited_between_them_is_not(stage: Stage) -> None:
    PatchManager(stage, Found())
    install(stage)
    assert [seconds for _ended, seconds in stage.facts()["work"]] == [60, 60]  # the installation and the scan
    assert stage.clock.passed > 120 + GAP_SECONDS
    assert "working_since" not in {name for name, value in stage.facts().items() if value is not None}


def test_an_installation_that_may_still_be_active_has_its_start_in_the_ledger(stage: Stage) -> None:
    PatchManager(stage, Found())
    stage.guest.on(DOCUMENT, Outcome(seconds=10 * DAY))
    trouble(stage)
    assert stage.facts()["working_since"] == START
    assert "work_unknown" not in stage.facts()


class Killed(BaseException):
    """The controller's end."""


def test_an_installation_whose_id_no_one_wrote_down_is_in_the_ledger_all_the_same(stage: Stage) -> None:
    """A controller that dies between SendCommand's answer and the next write."""
    PatchManager(stage, Found())

    def die(**_params: Any) -> NoReturn:
        raise Killed

    stage.account.on("send_command", die)
    with pytest.raises(Killed):
        install(stage)
    assert stage.facts()["servicing"] is True


@pytest.mark.parametrize(("code", "unsure"), [("AccessDeniedException", False), ("InternalServerError", True)])
def test_an_installation_that_aws_refused_does_not_keep_the_host_on(stage: Stage, code: str, unsure: bool) -> None:
    PatchManager(stage, Found())
    stage.account.on("send_command", client_error(code))
    trouble(stage)
    assert stage.facts()["servicing"] is unsure


@pytest.mark.parametrize(
    ("known", "given", "seconds"), [(5000, None, 5000), (5000, 1800, 1800), (None, 1800, 1800), (None, None, 10_800)]
)
def test_an_installation_has_the_time_of_the_user_or_else_of_its_own_history(
    stage: Stage, known: int | None, given: int | None, seconds: int
) -> None:
    PatchManager(stage, Found())
    if known:
        stage.ledger.update_facts(RUN, ID, {"install_timeout_seconds": known})
    install(stage, **({"install_timeout_seconds": given} if given else {}))
    assert stage.guest.inputs(DOCUMENT)[0]["StepTimeoutSeconds"] == [str(seconds)]


def test_an_agent_that_does_not_come_back_ends_in_time_and_nothing_is_cut_off(stage: Stage) -> None:
    """amazon-ssm-agent#320; adoptium/infrastructure#3164: an AWX job hung for four days."""
    manager = PatchManager(stage, Found())
    stage.guest.on(DOCUMENT, Outcome(seconds=10 * DAY))
    error = trouble(stage)
    assert (error.code, stage.clock.passed) == ("install_timeout", 10_800)
    assert "It is not cut off" in error.reason
    assert manager.operations == ["Install"]
    assert stage.account.of("cancel_command") == []
    facts = stage.facts()
    assert (facts["installation_overdue"], facts["installing_command_id"][:8]) == (True, "00000001")


@pytest.mark.parametrize(
    ("shown_as", "code"),
    [
        (listed(node(1800, "ConnectionLost")), "agent_lost"),
        (listed(node(7000, "Online")), "install_timeout"),
        (listed(), "install_timeout"),
        (client_error("AccessDeniedException"), "install_timeout"),
    ],
    ids=["silent", "there", "not listed", "nobody may look"],
)
def test_an_agent_that_is_silent_after_a_reboot_is_reported_as_silent(stage: Stage, shown_as: Any, code: str) -> None:
    PatchManager(stage, Found())
    stage.guest.on(DOCUMENT, Outcome(seconds=10 * DAY))
    stage.account.on("describe_instance_information", shown_as)
    error = trouble(stage)
    assert error.code == code
    assert ("silent since 2026-11-14T22:30:00Z" in error.reason) is (code == "agent_lost")
    assert stage.facts().get("work_unknown", False) is (code == "agent_lost")
    assert "It is not cut off" in error.reason


@pytest.mark.parametrize("details", ["Execution Timed Out", "DeliveryTimedOut", "Cancelled"])
def test_an_installation_that_ssm_gave_up_may_still_go_on(stage: Stage, details: str) -> None:
    manager = PatchManager(stage, Found())
    stage.guest.on(DOCUMENT, Outcome("TimedOut", details, seconds=60))
    assert trouble(stage).code == "install_timeout"
    assert manager.operations == ["Install"]
    assert stage.facts()["installing_command_id"]
    assert stage.facts()["installation_overdue"] is True


def test_an_installation_of_which_nothing_is_heard_stays_in_the_ledger(stage: Stage) -> None:
    PatchManager(stage, Found())
    stage.guest.on(DOCUMENT, Outcome(seconds=3000))
    stage.clock.at(600, lambda: stage.account.on("describe_instances", reservations()))
    assert trouble(stage).code == "instance_gone"
    assert stage.facts()["installing_command_id"]


def test_the_hosts_whole_time_ends_an_installation_too(stage: Stage) -> None:
    PatchManager(stage, Found())
    stage.ledger.update_facts(RUN, ID, {"deadline_at": stage.clock.now() + 1000})
    stage.guest.on(DOCUMENT, Outcome(seconds=DAY))
    assert trouble(stage).code == "install_timeout"
    assert stage.clock.passed == 1000


def test_check_mode_installs_nothing(stage: Stage) -> None:
    assert install(stage, check_mode=True) == {"changed": True}
    assert stage.account.calls == []
