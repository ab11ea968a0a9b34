# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What worked before a host was patched and does not after it makes it fail; what did not work before decides nothing."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._base.clock import iso
from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import LoginRefused, PatchFleetError
from ansible_collections.patchfleet.windows.plugins.module_utils._host.check_answers import HostChecks
from ansible_collections.patchfleet.windows.plugins.module_utils._host.fields import Fields
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.patch_baseline import OPERATION as INSTALL
from ansible_collections.patchfleet.windows.plugins.module_utils._update import observed as observed_module
from operations import perform

from .fakes import DAY, ID, START, answered, complained, shown
from .patch_manager import SNAPSHOT, Found, PatchManager
from .stage import RUN, Stage

SHOP, HEALTH = {"name": "shop", "tcp": 443}, {"name": "health", "http": "http://localhost/", "text": "ok"}


@pytest.fixture(autouse=True)
def a_host_in_a_run(stage: Stage) -> None:
    stage.open_run()
    stage.account.on("describe_instances", shown("running"))
    stage.guest.answers("update_history", {"entries": [{"kb": "KB1", "result": "succeeded", "at": iso(START)}]})
    PatchManager(stage, Found())


def boot(since: float, stopped: int | None = None) -> dict[str, Any]:
    """What inspect_boot says; ``stopped`` is the exit code of the service W3SVC, which runs otherwise."""
    lacking = [] if stopped is None else [{"name": "W3SVC", "state": "stopped", "exit_code": stopped}]
    running = ["EventLog", *([] if lacking else ["W3SVC"])]
    times = {"boot_time": iso(START + since), "time": iso(START + 1), "boots": [iso(START + since)]}
    return {**times, "services": running, "services_not_running": lacking}


def observed(*ok: bool, up_seconds: float = DAY, cut: bool = False, **evidence: list[str] | str) -> dict[str, Any]:
    """What check_host says; evidence that is a text could not be taken."""
    rows = [
        {"kind": kind, "items": [], "cut": False, "trouble": items}
        if isinstance(items, str)
        else {"kind": kind, "items": items, "cut": cut, "trouble": None}
        for kind, items in evidence.items()
    ]
    checks = [{"ok": it, "detail": None if it else "Refused."} for it in ok]
    return {"time": iso(START), "boot_time": iso(START - up_seconds), "checks": checks, "evidence": rows}


def install(stage: Stage, *answers: dict[str, Any], stopped: int | None = None, **params: Any) -> dict[str, Any]:
    stage.guest.answers("inspect_boot", boot(-DAY), boot(600, stopped))
    if answers:
        stage.guest.answers("check_host", *answers)
    options = {"run_id": RUN, "host": ID, "instance_id": ID, "snapshot_id": SNAPSHOT, "history_script": "text"}
    options |= {"boot_script": "text", "scripts": {"check_host": "text"}, "agent_timeout_seconds": 60}
    return perform(INSTALL, stage.context(INSTALL, **{**options, **params}))


def trouble(stage: Stage, *answers: dict[str, Any], **params: Any) -> PatchFleetError:
    with pytest.raises(PatchFleetError) as caught:
        install(stage, *answers, **params)
    return caught.value


def test_where_nothing_is_asked_for_no_command_is_sent(stage: Stage) -> None:
    install(stage, evidence={"ports": "off"})
    assert "check_host" not in stage.guest.names
    assert set(stage.facts()) & {"checks", "evidence"} == set()


def test_what_passes_before_and_after_is_kept(stage: Stage) -> None:
    assert install(stage, observed(True, True), checks=[SHOP, HEALTH])["outcome"] == "patched"
    both = {"before": True, "after": True}
    assert (stage.facts()["checks"], stage.facts()["remarks"]) == ({"shop": both, "health": both}, [])
    sent = stage.guest.inputs("check_host")
    assert len(sent) == 2
    assert sent[0] == {
        "checks": [
            {"port": 443, "timeout_seconds": 30},
            {"http": "http://localhost/", "status": 200, "text": "ok", "timeout_seconds": 30},
        ],
        "evidence": [],
    }


def test_a_check_that_passed_before_and_fails_after_the_time_to_settle_makes_the_host_fail(stage: Stage) -> None:
    began = stage.clock.now()
    error = trouble(
        stage, observed(True, True), observed(True, False), checks=[SHOP, HEALTH], checks_settle_seconds=900
    )
    assert (error.code, "health (Refused)" in error.reason, "shop" in error.reason) == ("check_failed", True, False)
    host = stage.ledger.host(RUN, ID)
    assert (host.outcome, host.phase, host.facts["installed"]) == ("failed", "verify", ["KB1"])
    assert host.facts["checks"]["health"] == {"before": True, "after": False}
    assert stage.clock.now() - began > 900


def test_programs_get_time_for_their_start(stage: Stage) -> None:
    assert (
        install(stage, observed(True), observed(False), observed(False), observed(True), checks=[SHOP])["outcome"]
        == "patched"
    )
    assert stage.guest.names.count("check_host") == 4


@pytest.mark.parametrize("after", [False, True])
def test_what_failed_before_is_a_remark(stage: Stage, after: bool) -> None:
    assert install(stage, observed(False), observed(after), checks=[SHOP])["outcome"] == "patched"
    (remark,) = stage.facts()["remarks"]
    assert remark == "The check shop failed before the host was patched (Refused), so that it decides nothing."
    assert stage.guest.names.count("check_host") == 2, "it is not waited for"


def test_a_host_that_has_just_started_gets_time_before_too(stage: Stage) -> None:
    answers = [observed(False, up_seconds=30), observed(True, up_seconds=60), observed(False)]
    assert trouble(stage, *answers, checks=[SHOP]).code == "check_failed"


def test_what_could_not_be_asked_before_decides_nothing(stage: Stage) -> None:
    stage.guest.on(
        "check_host", complained("check_host", "script_failed", "No CIM."), answered("check_host", **observed(False))
    )
    assert install(stage, checks=[SHOP])["outcome"] == "patched"
    assert stage.facts()["checks"] == {"shop": {"before": None, "after": False}}
    assert "could not be run before the host was patched" in stage.facts()["remarks"][0]


def test_what_cannot_be_asked_after_has_failed(stage: Stage) -> None:
    stage.guest.on(
        "check_host", answered("check_host", **observed(True)), complained("check_host", "script_failed", "Gone.")
    )
    error = trouble(stage, checks=[SHOP])
    assert (error.code, "shop (Gone)" in error.reason) == ("check_failed", True)
    assert stage.facts()["checks"] == {"shop": {"before": True, "after": None}}


def test_an_answer_with_fewer_checks_than_were_asked_for_is_not_believed_of_the_rest(stage: Stage) -> None:
    error = trouble(stage, observed(True, True), observed(True), checks=[SHOP, HEALTH])
    assert (error.code, "health" in error.reason) == ("check_failed", True)


# With services and evidence


@pytest.mark.parametrize(
    ("before", "after", "params", "code"),
    [
        (observed(True), observed(False), {"checks": [SHOP]}, "check_failed"),
        (observed(True), observed(True), {"checks": [SHOP]}, "services_not_back"),
        (observed(ports=["443"]), observed(ports=[]), {"evidence": {"ports": "failure"}}, "services_not_back"),
        (
            observed(ports=["443"]),
            observed(ports=[]),
            {"evidence": {"ports": "failure", "services": "remark"}},
            "check_failed",
        ),
    ],
    ids=["a check comes first", "then services", "then evidence", "services are a remark"],
)
def test_where_several_see_one_fault_a_check_comes_first(
    stage: Stage, before: dict[str, Any], after: dict[str, Any], params: dict[str, Any], code: str
) -> None:
    assert trouble(stage, before, after, stopped=1067, **params).code == code


def test_services_may_be_a_remark(stage: Stage) -> None:
    assert install(stage, stopped=1067, evidence={"services": "remark"})["outcome"] == "patched"
    assert ["W3SVC (exit code 1067)" in remark for remark in stage.facts()["remarks"]] == [True]
    assert "check_host" not in stage.guest.names


@pytest.mark.parametrize("kind", ["ports", "sites", "app_pools", "databases", "cluster", "tasks"])
@pytest.mark.parametrize("level", ["failure", "remark"])
def test_what_is_not_there_any_more_is_what_its_level_says(stage: Stage, kind: str, level: str) -> None:
    answers = [observed(**{kind: ["a", "b"]}), observed(**{kind: ["b", "c"]})]
    if level == "failure":
        error = trouble(stage, *answers, evidence={kind: level})
        assert (error.code, " a." in error.reason) == ("check_failed", True)
    else:
        assert install(stage, *answers, evidence={kind: level})["outcome"] == "patched"
        (remark,) = stage.facts()["remarks"]
        assert remark.endswith(" a.")
    assert stage.facts()["evidence"] == {kind: {"before": ["a", "b"], "after": ["b", "c"]}}


def test_services_build_and_uptime_are_kept(stage: Stage) -> None:
    answers = [observed(build=["20348.1"]), observed(up_seconds=60, build=["20348.2"])]
    install(stage, *answers, evidence={"services": "failure", "build": "remark", "uptime": "remark"})
    assert stage.facts()["evidence"] == {
        "build": {"before": ["20348.1"], "after": ["20348.2"]},
        "uptime": {"before": [f"up since {iso(START - DAY)}"], "after": [f"up since {iso(START - 60)}"]},
        "services": {"before": ["EventLog", "W3SVC"], "after": ["EventLog", "W3SVC"]},
    }


def test_what_was_cut_off_an_answer_is_not_missed(stage: Stage) -> None:
    answers = [observed(tasks=["a", "b", "d"]), observed(tasks=["b", "c"], cut=True)]
    install(stage, *answers, evidence={"tasks": "remark"})
    (remark,) = stage.facts()["remarks"]
    assert remark.endswith("scheduled tasks a.")


def test_evidence_that_cannot_be_taken_any_more_is_missed(stage: Stage) -> None:
    answers = [observed(databases=["shop"], sites="No IIS."), observed(databases="Login failed.", sites="No IIS.")]
    error = trouble(stage, *answers, evidence={"databases": "failure", "sites": "failure"})
    assert "databases unknown (Login failed)" in error.reason
    assert stage.facts()["evidence"]["databases"] == {"before": ["shop"], "after": None}
    assert stage.facts()["remarks"] == ["The evidence sites could not be taken: No IIS."]


def test_new_sources_of_errors_are_remarked(stage: Stage) -> None:
    answers = [observed(events=["System/disk: 3"]), observed(events=["Application/MSSQLSERVER: 1", "System/disk: 9"])]
    install(stage, *answers, evidence={"events": "remark"})
    (remark,) = stage.facts()["remarks"]
    assert remark.endswith(": Application/MSSQLSERVER: 1.")


# Hosts that fail for another reason, and runs that die


def test_a_host_that_misses_updates_keeps_what_works_in_it(stage: Stage) -> None:
    PatchManager(stage, Found(missing=("KB2",)))
    assert trouble(stage, observed(True), observed(False), checks=[SHOP]).code == "still_missing"
    assert stage.facts()["checks"] == {"shop": {"before": True, "after": False}}


def test_a_log_on_that_is_refused_then_does_not_hide_what_is_missing(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    PatchManager(stage, Found(missing=("KB2",)))
    answers = iter([observed(True)])

    def ask(*_arguments: Any, **_values: Any) -> HostChecks:
        data = next(answers, None)
        if data is None:
            raise LoginRefused("admin", "Access is denied.")
        return HostChecks.read(Fields("check_host", data))

    monkeypatch.setattr(observed_module, "run_guest_script", ask)
    assert trouble(stage, checks=[SHOP]).code == "still_missing"
    assert stage.facts()["checks"] == {"shop": {"before": True, "after": None}}


@pytest.mark.parametrize(
    ("dead", "outcome"),
    [
        ({"checks": {"shop": {"before": True, "after": None}}}, "check_failed"),
        ({"checks": {"shop": {"before": True, "after": False}}, "proposed_outcome": "patched"}, "patched"),
        ({}, "patched"),
    ],
    ids=["died before it could compare", "had compared", "had not begun"],
)
def test_a_run_that_takes_a_host_over_compares_with_what_the_dead_one_found(
    stage: Stage, dead: dict[str, Any], outcome: str
) -> None:
    """The updates that broke the shop are in already."""
    stage.ledger.update_facts(RUN, ID, dead)
    stage.ledger.close_run(RUN, START)
    stage.open_run(run_id="second")
    stage.ledger.update_facts("second", ID, {"adopted_from": RUN})
    if outcome == "patched":
        assert install(stage, observed(False), checks=[SHOP], run_id="second")["outcome"] == outcome
    else:
        assert trouble(stage, observed(False), checks=[SHOP], run_id="second").code == outcome


def test_the_module_needs_the_script_for_it(stage: Stage) -> None:
    error = trouble(stage, checks=[SHOP], scripts={})
    assert (error.code, "check_host" in error.reason) == ("invalid_option", True)
