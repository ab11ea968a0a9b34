# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import NeedsAttention, PatchFleetError
from ansible_collections.patchfleet.windows.plugins.module_utils._host.run_command import HEAD_START_SECONDS
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.windows_update_health import OPERATION
from ansible_collections.patchfleet.windows.plugins.module_utils._update.causes import (
    CACHE,
    CANCELLED,
    COMPONENTS,
    DOWNLOAD,
    NETWORK,
    OLD_AGENT,
    POLICY,
    PROXY,
    SERVER,
    SERVICE,
    SIGN_IN,
    TRUST,
    UNKNOWN,
    UNSPECIFIC,
)
from ansible_collections.patchfleet.windows.plugins.module_utils._update.hresults import (
    CAUSES,
    ROWS,
    cause_of,
    name_of,
)
from ansible_collections.patchfleet.windows.plugins.module_utils._update.policies import held_back
from operations import perform

from .fakes import ID, START, Outcome, answered, complained, instance, reservations
from .stage import RUN, Stage

SERVICES = ("wuauserv", "bits", "cryptsvc", "trustedinstaller")
SCRIPTS = {"inspect_windows_update": "", "repair_services": ""}
WORKS = {"ok": True, "hresult": None, "message": None}
REPAIRED = {
    "repaired": [{"name": "wuauserv", "was_start_type": "disabled", "was_status": "stopped", "start_type": "manual"}]
}


def health(*disabled: str, **more: Any) -> dict[str, Any]:
    """An idle host: wuauserv is stopped there, and starts on demand."""
    services = [
        {"name": name, "start_type": "disabled" if name in disabled else "manual", "status": "stopped"}
        for name in SERVICES
    ]
    return {
        "services": services,
        "agent": WORKS,
        "search": WORKS,
        "pending_reboot": [],
        "update_source": {"kind": "wsus", "url": "http://wsus.example:8530"},
        "sessions": 0,
        "installing": False,
        **more,
    }


def broken(hresult: str, message: str | None = None) -> dict[str, Any]:
    return {"ok": False, "hresult": hresult, "message": message}


def check(stage: Stage, *found: dict[str, Any], check_mode: bool = False, **params: Any) -> dict[str, Any]:
    stage.open_run()
    stage.guest.answers("inspect_windows_update", *found)
    stage.guest.answers("repair_services", REPAIRED)
    options = {"run_id": RUN, "host": ID, "instance_id": ID, "scripts": SCRIPTS, **params}
    return perform(OPERATION, stage.context(OPERATION, check_mode=check_mode, **options))


def trouble(stage: Stage, *found: dict[str, Any], **params: Any) -> PatchFleetError:
    with pytest.raises(PatchFleetError) as caught:
        check(stage, *found, **params)
    return caught.value


def test_a_healthy_idle_host_is_left_as_it_is(stage: Stage) -> None:
    """Services must be usable, not running."""
    assert check(stage, health()) == {
        "changed": False,
        "repaired": [],
        "sessions": 0,
        "pending_reboot": [],
        "update_source": {"kind": "wsus", "url": "http://wsus.example:8530", "proxy": None, "policies": []},
    }
    assert stage.guest.names == ["inspect_windows_update"]


# Services


@pytest.mark.parametrize("name", [name for name in SERVICES if name != "bits"])
def test_a_disabled_service_is_enabled(stage: Stage, name: str) -> None:
    result = check(stage, health(name), health())
    assert (result["changed"], result["repaired"]) == (True, ["service wuauserv"])
    assert stage.guest.inputs("repair_services") == [{"services": [name]}]
    assert stage.facts()["repaired"] == ["service wuauserv"]


def test_bits_alone_is_left_disabled_where_a_search_works(stage: Stage) -> None:
    """Delivery Optimization downloads; an installation that needs BITS fails with 0x80070422, which is repaired then."""
    assert check(stage, health("bits"))["repaired"] == []
    assert "repair_services" not in stage.guest.names


def test_bits_is_enabled_where_a_search_needs_it(stage: Stage) -> None:
    check(stage, health("bits", search=broken("0x80070422")), health())
    assert stage.guest.inputs("repair_services") == [{"services": ["bits"]}]


@pytest.mark.parametrize("hresult", ["0x80070422", "0X80070422"])
def test_an_agent_that_does_not_start_on_demand_is_started(stage: Stage, hresult: str) -> None:
    check(stage, health(agent=broken(hresult)), health())
    assert stage.guest.inputs("repair_services") == [{"services": ["wuauserv"]}]


def test_a_disabled_update_service_is_repaired_once(stage: Stage) -> None:
    check(stage, health("wuauserv", "bits", agent=broken("0x80070422")), health())
    assert stage.guest.inputs("repair_services") == [{"services": ["wuauserv", "bits"]}]


def test_a_repair_is_tried_once_and_then_reported(stage: Stage) -> None:
    error = trouble(stage, health(agent=broken("0x80070422", "The service cannot be started")))
    assert error.code == "update_service"
    assert error.reason == (
        "A service that Windows Update needs is stopped or disabled. "
        "Windows Update answered 0x80070422: The service cannot be started. "
        "Find out what switches it off: a policy, or software that hardens the host."
    )
    assert stage.guest.names.count("repair_services") == 1


# Causes that are not repaired here


def test_a_source_that_cannot_be_reached_is_reported_with_its_address(stage: Stage) -> None:
    """0x8024402C means proxy or DNS; a blunt reset of everything does not help."""
    error = trouble(stage, health(search=broken("0x8024402C", "name not resolved")))
    assert error.code == "update_source_unreachable"
    assert "http://wsus.example:8530" in error.reason
    assert "after 4 searches" in error.reason
    assert stage.guest.names == ["inspect_windows_update"] * 4


def test_a_source_without_address_is_reported_by_its_kind(stage: Stage) -> None:
    source = {"kind": "microsoft", "url": None}
    error = trouble(stage, health(search=broken("0x8024402C"), update_source=source))
    assert "0x8024402C after 4 searches: WU_E_PT_WINHTTP_NAME_NOT_RESOLVED. Its source is microsoft. " in error.reason
    assert "WinHTTP uses no proxy. Check name resolution" in error.reason


def test_the_proxy_is_reported_with_the_source(stage: Stage) -> None:
    source = {"kind": "wsus", "url": "http://wsus:8530", "proxy": "proxy.example:3128"}
    error = trouble(stage, health(search=broken("0x8024401B"), update_source=source))
    assert (
        error.code,
        "Its source is http://wsus:8530. WinHTTP uses the proxy proxy.example:3128." in error.reason,
    ) == (
        "update_proxy",
        True,
    )


def test_where_there_is_no_proxy_that_is_reported(stage: Stage) -> None:
    source = {"kind": "wsus", "url": "http://wsus:8530", "proxy": None}
    assert (
        "Its source is http://wsus:8530. WinHTTP uses no proxy. Check"
        in trouble(stage, health(search=broken("0x80072EE2"), update_source=source)).reason
    )


def test_the_source_is_known_to_the_steps_that_follow(stage: Stage) -> None:
    check(stage, health())
    assert stage.facts()["update_source"] == {**health()["update_source"], "proxy": None, "policies": []}


def test_the_table_has_each_code_once_with_its_source() -> None:
    assert len(ROWS) >= 30
    assert len({row.hresult for row in ROWS}) == len(ROWS)
    assert all(re.fullmatch(r"0x[0-9A-F]{8}", row.hresult) and row.source.startswith("https://learn.") for row in ROWS)


def test_the_documentation_shows_the_table() -> None:
    page = (Path(__file__).parents[3] / "docs" / "windows-update-causes.md").read_text()
    shown = [[cell.strip("` ") for cell in line.strip("|").split("|")] for line in page.splitlines() if "|" in line]
    assert [cells[:3] for cells in shown if cells[0].startswith("0x")] == [
        [row.hresult, row.name, row.cause.code] for row in ROWS
    ]
    assert [row.source for row in ROWS if f"| `{row.hresult}` " not in page or f"({row.source})" not in page] == []
    causes = {row.cause for row in ROWS}
    assert {tuple(cells[:4]) for cells in shown if cells[0] in {cause.code for cause in causes}} == {
        (cause.code, cause.sentence.removesuffix("."), (cause.repair or "–"), (cause.proof or "–")) for cause in causes
    }


def test_what_lies_outside_the_host_is_not_repaired_in_it_and_a_repair_has_a_proof() -> None:
    for cause in {row.cause for row in ROWS}:
        assert cause.outside == (cause in (NETWORK, PROXY, DOWNLOAD, SERVER, POLICY, TRUST))
        assert not (cause.repair and cause.outside)
        assert cause.repair or cause.advice
        assert bool(cause.repair) == bool(cause.proof)


ALL_SCRIPTS = {**SCRIPTS, "reset_update_cache": "", "remove_old_update_cache": "", "repair_components": ""}


def test_a_damaged_cache_is_reset_and_the_old_one_removed_once_a_search_works(stage: Stage) -> None:
    stage.guest.answers("reset_update_cache", {"renamed": ["old"]})
    stage.guest.answers("remove_old_update_cache", {"removed": ["old"], "left": []})
    result = check(stage, health(search=broken("0x80248007")), health(), scripts=ALL_SCRIPTS)
    assert result["repaired"] == stage.facts()["repaired"] == ["reset_update_cache"]
    assert stage.guest.inputs("reset_update_cache") == [{"catroot2": False}]
    assert len(stage.guest.inputs("remove_old_update_cache")) == 1
    assert stage.facts()["old_cache"] == []


def test_the_old_cache_stays_where_the_new_one_does_not_help(stage: Stage) -> None:
    stage.guest.answers("reset_update_cache", {"renamed": ["old"]})
    error = trouble(stage, health(search=broken("0x80248007")), scripts=ALL_SCRIPTS)
    assert error.code == "update_cache_corrupt"
    assert error.reason.endswith("The cache from before the repair is kept: old.")
    assert stage.guest.inputs("remove_old_update_cache") == []


def test_catalogs_are_made_again_for_the_one_cause_that_asks_for_it(stage: Stage) -> None:
    stage.guest.answers("reset_update_cache", {"renamed": ["old"]})
    stage.guest.answers("remove_old_update_cache", {"removed": ["old"], "left": []})
    check(stage, health(search=broken("0x80242006")), health(), scripts=ALL_SCRIPTS)
    assert stage.guest.inputs("reset_update_cache") == [{"catroot2": True}]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (Outcome("Failed", stderr="Access is denied"), "the old update cache stays: The script"),
        (answered("remove_old_update_cache", removed=[], left=["old"]), "the old update cache stays: old"),
    ],
    ids=["failed", "left"],
)
def test_an_old_cache_that_cannot_be_removed_harms_no_repaired_host(
    stage: Stage, answer: Outcome, message: str
) -> None:
    stage.guest.answers("reset_update_cache", {"renamed": ["old"]})
    stage.guest.on("remove_old_update_cache", answer)
    assert check(stage, health(search=broken("0x80248007")), health(), scripts=ALL_SCRIPTS)["changed"]
    assert stage.message[-1].startswith(message)
    assert stage.facts()["old_cache"] == ["old"]


def test_a_damaged_component_store_that_a_search_stumbles_over_is_rebuilt(stage: Stage) -> None:
    stage.guest.answers("repair_components", {"restore_health": "repaired"})
    result = check(stage, health(search=broken("0x80070490")), health(), scripts=ALL_SCRIPTS)
    assert (result["repaired"], stage.facts()["servicing"]) == (["repair_components"], False)


@pytest.mark.parametrize(("exit_code", "reported"), [(1, True), (0, False), (None, False)])
def test_system_files_that_stay_damaged_are_reported(stage: Stage, exit_code: int | None, reported: bool) -> None:
    stage.guest.answers("repair_components", {"restore_health": "repaired", "system_files": exit_code})
    check(stage, health(search=broken("0x80073712")), health(), scripts=ALL_SCRIPTS)
    assert any("sfc /scannow ended with exit code 1" in line for line in stage.message) is reported


@pytest.mark.parametrize(
    ("restore_health", "words"),
    [("repaired", "is gone"), ("not_known", "may have had none"), ("still_damaged", "still marks")],
)
def test_a_rebuilding_claims_no_more_than_it_proves(stage: Stage, restore_health: str, words: str) -> None:
    """CheckHealth reads a flag of damage that something met; without one, the store may have been damaged or not."""
    stage.guest.answers("repair_components", {"restore_health": restore_health})
    check(stage, health(search=broken("0x80073712")), health(), scripts=ALL_SCRIPTS)
    assert sum(words in line for line in stage.message) == 1


def test_a_rebuilding_of_which_nothing_is_heard_stays_in_the_ledger(stage: Stage) -> None:
    """So that the power of a host is not cut while its component store is being written."""
    stage.guest.on("repair_components", Outcome(seconds=86400))
    stage.account.on("describe_instances", reservations(instance()))
    error = trouble(stage, health(search=broken("0x80073712")), scripts=ALL_SCRIPTS)
    assert (error.code, stage.facts()["servicing"]) == ("command_timeout", True)


def test_a_rebuilding_that_failed_is_reported_with_its_hresult(stage: Stage) -> None:
    failed = complained("repair_components", "restore_health_failed", "It could not be rebuilt.", "0x800F081F")
    stage.guest.on("repair_components", failed)
    error = trouble(stage, health(search=broken("0x80073712")), scripts=ALL_SCRIPTS)
    assert (error.code, error.reason) == ("restore_health_failed", "It could not be rebuilt. (0x800F081F)")
    assert stage.facts()["servicing"] is False


@pytest.mark.parametrize("hresult", ["0x800F0906", "0x800F0907", "0x800F0954", "0x800F0915"])
def test_a_rebuilding_without_a_source_says_what_to_set(stage: Stage, hresult: str) -> None:
    """Behind WSUS DISM finds no files to repair with."""
    stage.guest.on("repair_components", complained("repair_components", "restore_health_failed", "No.", hresult))
    error = trouble(stage, health(search=broken("0x80073712")), scripts=ALL_SCRIPTS)
    assert (error.code, hresult in error.reason) == ("repair_source_missing", True)
    assert "component repair" in error.reason


def test_a_search_that_misses_the_sign_in_assistant_lets_it_start(stage: Stage) -> None:
    """Hardening guides disable it, and Windows Update needs it."""
    check(stage, health(search=broken("0x80070426")), health())
    assert stage.guest.inputs("repair_services") == [{"services": ["wlidsvc"]}]


# What patch_repair does not allow


@pytest.mark.parametrize(
    ("found", "kind"),
    [
        (health("wuauserv", agent=broken("0x80070422")), "services"),
        (health(search=broken("0x80248007")), "cache"),
        (health(search=broken("0x80242006")), "cache"),
        (health(search=broken("0x80073712")), "components"),
    ],
    ids=["services", "cache", "metadata", "components"],
)
def test_a_repair_that_is_not_allowed_is_not_made_and_is_named(stage: Stage, found: dict[str, Any], kind: str) -> None:
    allowed = [name for name in ("services", "cache", "components") if name != kind]
    error = trouble(stage, found, scripts=ALL_SCRIPTS, repair=allowed)
    assert f"patch_repair does not allow the repair of {kind}." in error.reason
    assert stage.guest.names == ["inspect_windows_update"]


def test_a_repair_that_is_allowed_is_made_where_others_are_not(stage: Stage) -> None:
    stage.guest.answers("reset_update_cache", {"renamed": []})
    check(stage, health(search=broken("0x80248007")), health(), scripts=ALL_SCRIPTS, repair=["cache"])
    assert stage.facts()["repaired"] == ["reset_update_cache"]


# One search


@pytest.mark.parametrize(("ago", "searches"), [(600, False), (4000, True)])
def test_a_search_that_has_just_worked_is_not_run_again(stage: Stage, ago: float, searches: bool) -> None:
    """That for the sizes of updates comes minutes before."""
    stage.open_run()
    stage.ledger.update_facts(RUN, ID, {"searched_at": stage.clock.now() - ago})
    stage.guest.answers("inspect_windows_update", health())
    perform(OPERATION, stage.context(OPERATION, run_id=RUN, host=ID, instance_id=ID, scripts=SCRIPTS))
    assert stage.guest.inputs("inspect_windows_update") == [{} if searches else {"search": False}]


def test_after_a_repair_there_is_a_search_whatever_was_before_it(stage: Stage) -> None:
    stage.open_run()
    stage.ledger.update_facts(RUN, ID, {"searched_at": stage.clock.now() - 60})
    stage.guest.answers("inspect_windows_update", health("cryptsvc"), health())
    stage.guest.answers("repair_services", REPAIRED)
    perform(OPERATION, stage.context(OPERATION, run_id=RUN, host=ID, instance_id=ID, scripts=SCRIPTS))
    assert stage.guest.inputs("inspect_windows_update") == [{"search": False}, {}]


def test_a_search_that_fails_is_not_remembered_as_one_that_works(stage: Stage) -> None:
    trouble(stage, health(search=broken("0x80070005")))
    assert "searched_at" not in stage.facts()


# Errors that pass


@pytest.mark.parametrize(
    "hresult", ["0x8024401C", "0x80244010", "0x80072EE2", "0x8024402C", "0x80248001", "0x8024A105"]
)
def test_an_error_that_passes_fails_no_host(stage: Stage, hresult: str) -> None:
    result = check(stage, health(search=broken(hresult)), health())
    assert (result["changed"], result["repaired"]) == (False, [])
    assert stage.clock.passed >= 60


@pytest.mark.parametrize("hresult", ["0x80070005", "0x8024002E", "0x80073712"])
def test_an_error_that_does_not_pass_is_not_met_again(stage: Stage, hresult: str) -> None:
    trouble(stage, health(search=broken(hresult)))
    assert len(stage.guest.inputs("inspect_windows_update")) == 1


def test_a_source_that_stays_away_has_fourteen_minutes(stage: Stage) -> None:
    assert trouble(stage, health(search=broken("0x8024401C"))).code == "update_source_failed"
    assert 840 <= stage.clock.passed < 1000


def test_a_new_cache_meets_a_large_wsus(stage: Stage) -> None:
    """The first search of a client without a cache often exceeds the server's limit of round trips."""
    stage.guest.answers("reset_update_cache", {"renamed": ["old"]})
    stage.guest.answers("remove_old_update_cache", {"removed": ["old"], "left": []})
    found = [health(search=broken("0x80248007")), health(search=broken("0x80244010")), health()]
    assert check(stage, *found, scripts=ALL_SCRIPTS)["repaired"] == ["reset_update_cache"]


def test_a_search_that_does_not_end_decides_nothing(stage: Stage) -> None:
    stage.account.on("describe_instances", reservations(instance()))
    stage.open_run()
    stage.guest.on("inspect_windows_update", Outcome(seconds=86400), answered("inspect_windows_update", **health()))
    options = {"run_id": RUN, "host": ID, "instance_id": ID, "scripts": SCRIPTS}
    assert perform(OPERATION, stage.context(OPERATION, **options))["changed"] is False
    assert stage.guest.inputs("inspect_windows_update") == [{}, {"search": False}]
    assert "continuing without it" in stage.message[0]


def test_where_windows_does_not_say_whether_it_installs_nothing_is_repaired(stage: Stage) -> None:
    error = trouble(stage, health(search=broken("0x80248007"), installing=None), scripts=ALL_SCRIPTS)
    assert (error.code, stage.guest.inputs("reset_update_cache")) == ("update_cache_corrupt", [])


def test_an_api_that_is_refused_to_the_logon_is_no_verdict(stage: Stage) -> None:
    """Newer ones refuse each call to a network logon, and win_updates works all the same, in a task of Windows' scheduler."""
    refused = broken("0x80070005", "Access is denied.")
    found = health(agent=refused, search=refused, installing=None)
    assert check(stage, found, scripts=ALL_SCRIPTS)["repaired"] == []
    assert "refuses its Update API to this logon" in stage.message[-1]


def test_an_agent_that_is_denied_although_its_installer_answers_is_broken(stage: Stage) -> None:
    refused = broken("0x80070005", "Access is denied.")
    assert trouble(stage, health(agent=refused, search=refused)).code == "update_access_denied"


def test_while_others_install_nothing_is_searched(stage: Stage) -> None:
    check(stage, health(installing=True), health(), health(), scripts={**SCRIPTS, "servicing_state": ""})
    assert stage.guest.inputs("inspect_windows_update") == [{}, {"search": False}]


# Services that were disabled on purpose

RESTORE_SCRIPTS = {"restore_services": "", "servicing_state": ""}


def restore(stage: Stage, **params: Any) -> dict[str, Any]:
    options = {"run_id": RUN, "host": ID, "instance_id": ID, "state": "restored", "scripts": RESTORE_SCRIPTS, **params}
    return perform(OPERATION, stage.context(OPERATION, **options))


def repaired_service(stage: Stage) -> None:
    check(stage, health("wuauserv"), health())
    stage.guest.answers("restore_services", {"restored": [{"name": "wuauserv", "changed_by_others": False}]})
    stage.guest.answers("servicing_state", {"installing": False})


def test_a_service_that_was_enabled_gets_its_start_type_back(stage: Stage) -> None:
    repaired_service(stage)
    assert restore(stage) == {"changed": True, "restored": ["wuauserv"]}
    expected = {"name": "wuauserv", "start_type": "disabled", "status": "stopped", "expected_start_type": "manual"}
    assert stage.guest.inputs("restore_services") == [{"services": [expected]}]
    assert restore(stage) == {"changed": False, "restored": []}
    assert len(stage.guest.inputs("restore_services")) == 1


def test_a_service_is_written_down_before_it_is_enabled(stage: Stage) -> None:
    stage.guest.on("repair_services", Outcome("Failed"))
    stage.open_run()
    stage.guest.answers("inspect_windows_update", health("cryptsvc"))
    options = {"run_id": RUN, "host": ID, "instance_id": ID, "scripts": SCRIPTS}
    with pytest.raises(PatchFleetError):
        perform(OPERATION, stage.context(OPERATION, **options))
    (found,) = stage.facts()["services_found"]
    assert (found["name"], found["start_type"], found["expected_start_type"]) == ("cryptsvc", "disabled", None)


def test_what_was_not_changed_is_not_restored(stage: Stage) -> None:
    check(stage, health(), scripts=SCRIPTS)
    assert restore(stage)["changed"] is False
    assert "restore_services" not in stage.guest.names


def test_no_service_is_stopped_while_windows_installs(stage: Stage) -> None:
    repaired_service(stage)
    stage.guest.answers("servicing_state", {"installing": True}, {"installing": True}, {"installing": False})
    assert restore(stage)["changed"] is True
    assert stage.clock.passed >= 120


@pytest.mark.parametrize("state", [{"installing": True}, {"installing": None}], ids=str)
def test_a_host_whose_services_cannot_be_set_back_is_held(stage: Stage, state: dict[str, Any]) -> None:
    repaired_service(stage)
    stage.guest.answers("servicing_state", state)
    with pytest.raises(NeedsAttention, match="wuauserv") as caught:
        restore(stage, install_timeout_seconds=600)
    assert caught.value.code == "services_left"
    host = stage.ledger.host(RUN, ID)
    assert (host.outcome, host.facts["services_found"] != []) == ("held", True)


def test_a_service_that_another_program_has_changed_is_named(stage: Stage) -> None:
    repaired_service(stage)
    stage.guest.answers("restore_services", {"restored": [{"name": "wuauserv", "changed_by_others": True}]})
    restore(stage)
    assert "the service wuauserv has another start type by now, and is left so" in stage.message


def test_one_repair_is_tried_in_a_host_and_run_beside_the_services_that_it_needs(stage: Stage) -> None:
    """Services are disabled on purpose in many fleets, and hide what else is wrong until they are enabled."""
    stage.guest.answers("reset_update_cache", {"renamed": []})
    found = [health("cryptsvc"), health(search=broken("0x80248007")), health(search=broken("0x80073712"))]
    error = trouble(stage, *found, scripts=ALL_SCRIPTS)
    assert error.code == "component_store_corrupt"
    repairs = [name for name in stage.guest.names if name in ALL_SCRIPTS and name.startswith(("repair", "reset"))]
    assert repairs == ["repair_services", "reset_update_cache"]
    assert stage.facts()["repaired"] == ["service wuauserv", "reset_update_cache"]


def test_services_that_are_disabled_again_are_enabled_once(stage: Stage) -> None:
    check(stage, health("cryptsvc"), health("cryptsvc"), scripts=ALL_SCRIPTS)
    assert stage.guest.names.count("repair_services") == 1


def test_an_installation_of_others_that_stands_still_is_not_waited_for_to_the_end(stage: Stage) -> None:
    stage.guest.answers("servicing_state", {"installing": True, "last_progress_at": "2026-11-14T20:00:00Z"})
    error = trouble(stage, health(installing=True), scripts={**SCRIPTS, "servicing_state": ""})
    assert (error.code, "no progress since 2026-11-14T20:00:00Z" in error.reason) == ("installation_hung", True)
    assert stage.clock.passed < 600
    facts = stage.facts()
    assert (facts["servicing"], facts["installation_overdue"]) == (True, True)


def test_an_inspection_that_fails_does_not_end_the_installation_that_it_watches(stage: Stage) -> None:
    """Else a host would be stopped in the middle of it without a question."""
    watched = answered("inspect_windows_update", **health(installing=True))
    stage.guest.on("inspect_windows_update", watched, Outcome(stdout='{"patchfleet": 1, "ok"'))
    stage.open_run()
    with pytest.raises(PatchFleetError) as caught:
        perform(OPERATION, stage.context(OPERATION, run_id=RUN, host=ID, instance_id=ID, scripts=SCRIPTS))
    assert (caught.value.code, stage.facts()["servicing"]) == ("answer_cut_off", True)


@pytest.mark.parametrize(
    "later",
    [
        {"cpu_seconds": 70.0},
        {"processes": ["TiWorker", "wusa"]},
        {"last_progress_at": "2026-11-14T22:00:30Z"},
        {"installing": False},
    ],
    ids=str,
)
def test_an_installation_that_is_silent_but_works_is_waited_for(stage: Stage, later: dict[str, Any]) -> None:
    silent = {
        "installing": True,
        "processes": ["TiWorker"],
        "cpu_seconds": 9.0,
        "last_progress_at": "2026-11-14T20:00:00Z",
    }
    stage.guest.answers("servicing_state", silent, {**silent, **later})
    found = [health(installing=True), health(installing=True), health()]
    assert check(stage, *found, scripts={**SCRIPTS, "servicing_state": ""})["repaired"] == []
    assert len(stage.guest.inputs("servicing_state")) == 2
    facts = stage.facts()
    assert facts["servicing"] is False
    assert 0 < facts["installation_found_at"] - START < 60


def test_what_no_known_repair_fixes_is_reported(stage: Stage) -> None:
    assert trouble(stage, health(agent=broken("0x8024FFFF"))).code == "windows_update_broken"


@pytest.mark.parametrize(
    ("hresult", "cause"),
    [
        ("0x80070422", SERVICE),
        ("0x8024402c", NETWORK),
        ("0x80248007", CACHE),
        ("0x8024000E", OLD_AGENT),
        ("0x8024000B", CANCELLED),
        ("0X80072EE2", NETWORK),
        ("0x8024FFFF", UNSPECIFIC),
        ("0x80244029", SERVER),
        ("0x80070426", SIGN_IN),
        ("0x80248007x", UNKNOWN),
        ("0x12345678", UNKNOWN),
        (None, UNKNOWN),
        ("", UNKNOWN),
    ],
)
def test_a_cause_is_found_whatever_the_spelling(hresult: str | None, cause: object) -> None:
    assert cause_of(hresult) is cause


def test_an_installer_that_failed_may_be_that_of_the_recovery_environment() -> None:
    assert "Windows Recovery Environment" in cause_of("0x80070643").advice


def test_an_error_without_a_code_is_reported_in_the_words_of_windows(stage: Stage) -> None:
    unnamed = {"ok": False, "hresult": None, "message": "It is odd."}
    error = trouble(stage, health(search=unnamed))
    assert (error.code, "answered without an error code: It is odd." in error.reason) == ("windows_update_broken", True)


def test_every_known_code_is_an_hresult_in_capitals() -> None:
    assert all(code == "0x" + f"{int(code, 16):08X}" for code in CAUSES)


# People and other installations


@pytest.mark.parametrize(
    ("count", "warn", "message"),
    [
        (2, True, ["2 people are logged on; a reboot will take their work"]),
        (1, True, ["1 person is logged on; a reboot will take their work"]),
        (2, False, []),
        (0, True, []),
    ],
)
def test_people_are_warned_of_if_they_are_minded(stage: Stage, count: int, warn: bool, message: list[str]) -> None:
    assert check(stage, health(sessions=count), warn_of_sessions=warn)["sessions"] == count
    assert (stage.message, stage.facts()["sessions"]) == (message, count)


def test_an_installation_by_others_is_waited_for_and_never_doubled(stage: Stage) -> None:
    going_on = health(installing=True, agent=broken("0x80070422"))
    assert check(stage, going_on, going_on, health())["repaired"] == []
    assert stage.guest.names == ["inspect_windows_update"] * 3
    assert [pause for pause in stage.clock.pauses if pause != HEAD_START_SECONDS] == [60]


def test_a_check_that_a_reboot_takes_with_it_is_made_again(stage: Stage) -> None:
    """The installation of another user ends in one."""
    lost = Outcome("TimedOut", "Execution Timed Out")
    stage.clock.at(30, lambda: stage.guest.on("inspect_windows_update", lost))
    stage.clock.at(100, lambda: stage.guest.answers("inspect_windows_update", health()))
    assert check(stage, health(installing=True))["repaired"] == []
    assert "no answer: it may be rebooting" in stage.message


def test_an_installation_by_others_that_does_not_end_is_reported(stage: Stage) -> None:
    error = trouble(stage, health(installing=True), install_timeout_seconds=3600)
    assert (error.code, 3600 <= stage.clock.passed < 4000) == ("installation_running", True)


@pytest.mark.parametrize("options", [{"check_mode": True}, {"state": "inspected"}], ids=str)
def test_an_inspection_repairs_and_refuses_nothing(stage: Stage, options: dict[str, Any]) -> None:
    result = check(stage, health("wuauserv", search=broken("0x8024402C")), **options)
    assert (result["changed"], stage.guest.names) == (False, ["inspect_windows_update"])


def test_a_missing_file_is_one_of_the_cache_at_a_search_and_one_of_windows_at_an_installation() -> None:
    assert cause_of("0x80070002", at_search=True) is CACHE
    assert cause_of("0x80070002") is COMPONENTS


def test_every_code_of_microsofts_page_has_a_name_and_a_cause() -> None:
    """windows-update-error-reference, "Windows Update error codes by component"; success codes need no cause."""
    codes = (Path(__file__).parent / "windows_update_codes.txt").read_text().split()
    assert len(codes) == 249
    assert [code for code in codes if cause_of(f"0x{code}") is UNKNOWN or name_of(f"0x{code}") is None] == []


def test_the_frequent_codes_of_servers_have_a_row() -> None:
    frequent = """80070002 80070003 80070005 8007000D 8007000E 80070020 80070057 80070070 80070422 80070426 80070490 80070570
        80070643 800705AA 800705B4 80070BC2 80070BC9 80073701 80073712 800B0109 80092004 800F081F 800F0831 800F0906 800F0922
        800F0985 800F0986 800F0988 80072EE2 80072EFD 80072F8F 80240022 80242014 80242016 80242017 80244007 80244010 8024401C
        80244022 8024402C 80246002 80246007 80248007 80248014 8024801C"""
    assert [code for code in frequent.split() if f"0x{code}" not in CAUSES] == []


@pytest.mark.parametrize(("installing", "servicing"), [(False, False), (None, True)], ids=str)
def test_a_clean_up_that_went_on_is_forgotten_once_windows_says_that_it_has_ended(
    stage: Stage, installing: bool | None, servicing: bool
) -> None:
    stage.open_run()
    stage.ledger.update_facts(RUN, ID, {"servicing": True})
    stage.guest.answers("inspect_windows_update", health(installing=installing))
    perform(OPERATION, stage.context(OPERATION, run_id=RUN, host=ID, instance_id=ID, scripts=SCRIPTS))
    assert stage.facts()["servicing"] is servicing


# Policies


def source(kind: str = "microsoft", **policies: str) -> dict[str, Any]:
    rows = [{"name": name, "value": value} for name, value in policies.items()]
    return {"kind": kind, "url": None, "proxy": None, "policies": rows}


NO_INTERNET = {"DoNotConnectToWindowsUpdateInternetLocations": "1"}


@pytest.mark.parametrize("hresult", ["0x8024402C", "0x80072EE2", "0x8024401C", "0x8024002E", "0x8000FFFF"])
@pytest.mark.parametrize("policies", [{"DisableWindowsUpdateAccess": "1"}, NO_INTERNET], ids=str)
def test_a_policy_that_forbids_the_source_is_the_cause_and_is_named(
    stage: Stage, policies: dict[str, str], hresult: str
) -> None:
    """No route is missing. Where the policy is certain to count, no search after some minutes finds one either."""
    found = health(search=broken(hresult), update_source=source(**policies))
    error = trouble(stage, found, scripts=ALL_SCRIPTS)
    assert error.code == "update_source_forbidden"
    assert f"These policies are set: {next(iter(policies))}=1." in error.reason
    passes = policies == NO_INTERNET and hresult != "0x8024002E"
    searches = {"0x8000FFFF": 2}.get(hresult, 4) if passes else 1
    assert stage.guest.names == ["inspect_windows_update"] * searches


@pytest.mark.parametrize(
    "other",
    [source("wsus", **NO_INTERNET), source(DoNotConnectToWindowsUpdateInternetLocations="0"), source(AUOptions="4")],
    ids=["WSUS is asked", "off", "another policy"],
)
def test_a_policy_that_does_not_forbid_the_source_explains_nothing(stage: Stage, other: dict[str, Any]) -> None:
    found = health(search=broken("0x8024402C"), update_source=other)
    assert trouble(stage, found).code == "update_source_unreachable"


def test_a_damaged_cache_is_reset_whatever_the_policies_are(stage: Stage) -> None:
    stage.guest.answers("reset_update_cache", {"renamed": []})
    found = health(search=broken("0x80248007"), update_source=source(**NO_INTERNET))
    assert check(stage, found, health(), scripts=ALL_SCRIPTS)["repaired"] == ["reset_update_cache"]


@pytest.mark.parametrize("name", ["wuauserv", "cryptsvc", "trustedinstaller"])
def test_a_service_that_a_policy_disables_is_named_and_left_alone(stage: Stage, name: str) -> None:
    reply = {"agent": broken("0x80070422")} if name == "wuauserv" else {}
    error = trouble(stage, health(name, services_of_policy=[name], **reply))
    assert error.code == "service_disabled_by_policy"
    assert f"Disabled by policy: {name}." in error.reason
    assert stage.guest.inputs("repair_services") == []


def test_the_sign_in_assistant_that_a_policy_disables_is_not_enabled(stage: Stage) -> None:
    error = trouble(stage, health(search=broken("0x80070426"), services_of_policy=["wlidsvc"]))
    assert (error.code, stage.guest.inputs("repair_services")) == ("service_disabled_by_policy", [])


def test_bits_that_a_policy_disables_keeps_nothing_from_working(stage: Stage) -> None:
    """Delivery Optimization downloads."""
    assert check(stage, health("bits", services_of_policy=["bits"]))["repaired"] == []


def test_a_service_that_a_policy_wants_disabled_and_that_runs_is_no_fault(stage: Stage) -> None:
    found = health("wuauserv", services_of_policy=["wuauserv"])
    found["services"][0]["status"] = "running"
    assert check(stage, found)["changed"] is False


def test_configuration_manager_is_named_as_what_has_set_the_source(stage: Stage) -> None:
    its = {"kind": "configmgr", "url": "http://sup:8530", "proxy": None}
    reason = trouble(stage, health(search=broken("0x8024401C"), update_source=its)).reason
    assert "Its source is http://sup:8530. Configuration Manager has set this source." in reason


@pytest.mark.parametrize(
    ("update_source", "expected"),
    [
        ({"kind": "microsoft", "policies": ["PauseQualityUpdatesStartTime=2026-11-01"]}, 1),
        ({"kind": "microsoft", "policies": ["DeferQualityUpdates=1", "DeferQualityUpdatesPeriodInDays=14"]}, 1),
        ({"kind": "microsoft", "policies": ["DeferQualityUpdates=0", "DeferQualityUpdatesPeriodInDays=14"]}, 0),
        ({"kind": "microsoft", "policies": ["DeferQualityUpdates=1", "DeferQualityUpdatesPeriodInDays=0"]}, 0),
        ({"kind": "microsoft", "policies": ["TargetReleaseVersion=1", "TargetReleaseVersionInfo=21H2"]}, 1),
        ({"kind": "wsus", "policies": ["PauseQualityUpdatesStartTime=2026-11-01"]}, 0),
        ({"kind": "microsoft"}, 0),
        (None, 0),
    ],
    ids=str,
)
def test_policies_that_hold_updates_back_are_known(update_source: dict[str, Any] | None, expected: int) -> None:
    assert len(held_back(update_source)) == expected
