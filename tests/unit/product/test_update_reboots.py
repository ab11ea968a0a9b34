# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A reboot during an installation is ours to prove: how many there were, and that the services are back."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._base.clock import iso
from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import PatchFleetError
from ansible_collections.patchfleet.windows.plugins.module_utils._model.phases import Phase
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.patch_baseline import OPERATION as INSTALL
from operations import perform

from .fakes import DAY, ID, START, complained, shown
from .patch_manager import SNAPSHOT, Found, PatchManager
from .stage import RUN, Stage

RUNNING = ["EventLog", "MSSQLSERVER", "W32Time"]


@pytest.fixture(autouse=True)
def a_host_in_a_run(stage: Stage) -> None:
    stage.open_run()
    stage.account.on("describe_instances", shown("running"))
    stage.guest.answers("update_history", {"entries": [{"kb": "KB1", "result": "succeeded", "at": iso(START)}]})
    PatchManager(stage, Found())


def up(since: float, boots: int | None = None, stopped: dict[str, int] | None = None) -> dict[str, Any]:
    """What inspect_boot says: up since (seconds from the test's begin), started so often, services that do not run."""
    times = None if boots is None else [iso(START + since)] * boots
    lacking = [{"name": name, "state": "stopped", "exit_code": code} for name, code in (stopped or {}).items()]
    return {
        "boot_time": iso(START + since),
        "time": iso(START + 1),
        "boots": times,
        "services": [name for name in RUNNING if name not in (stopped or {})],
        "services_not_running": lacking,
    }


BEFORE = up(-DAY)


def install(stage: Stage, *uptimes: dict[str, Any], **params: Any) -> dict[str, Any]:
    stage.guest.answers("inspect_boot", *uptimes)
    options = {"run_id": RUN, "host": ID, "instance_id": ID, "snapshot_id": SNAPSHOT, "history_script": "text"}
    return perform(INSTALL, stage.context(INSTALL, **{**options, "boot_script": "text", **params}))


def trouble(stage: Stage, *uptimes: dict[str, Any], **params: Any) -> PatchFleetError:
    with pytest.raises(PatchFleetError) as caught:
        install(stage, *uptimes, **params)
    return caught.value


@pytest.mark.parametrize(
    ("after", "reboots"),
    [
        (up(-DAY, 0), 0),
        (up(600, 1), 1),
        (up(600, 3), 3),
        (up(-DAY + 30), 0),
        (up(600), None),
    ],
    ids=["none", "one", "several in one command", "the clock was set", "the log does not tell"],
)
def test_reboots_are_counted_by_the_hosts_own_log(stage: Stage, after: dict[str, Any], reboots: int | None) -> None:
    assert install(stage, BEFORE, after)["outcome"] == "patched"
    assert stage.facts().get("reboots") == reboots
    assert [given["since"] for given in stage.guest.inputs("inspect_boot")] == [None, "2026-11-14T22:00:01Z"]


def test_the_reboot_of_an_installation_that_was_found_under_way_counts(stage: Stage) -> None:
    """A run that takes a host over from a dead one waits for its installation, whose reboot comes before ours begins."""
    stage.ledger.update_facts(RUN, ID, {"installation_found_at": START - 300})
    install(stage, BEFORE, up(0, boots=1))
    assert stage.facts()["reboots"] == 1
    assert stage.guest.inputs("inspect_boot")[-1]["since"] == "2026-11-14T21:54:56Z", "the answer took five seconds"


@pytest.mark.parametrize(
    ("facts", "since"),
    [
        ({}, "2026-11-14T20:59:56Z"),
        ({"on_since": START - 7200}, "2026-11-14T20:59:56Z"),
        ({"on_since": START - 60}, None),
    ],
    ids=["not ours", "on all the time", "started since"],
)
def test_reboots_since_the_installation_of_a_dead_run_count(
    stage: Stage, facts: dict[str, Any], since: str | None
) -> None:
    """Its report never said them. Our own start is no reboot."""
    stage.ledger.begin_phase(RUN, ID, Phase.PATCH, START - 3600)
    stage.ledger.close_run(RUN, START)
    stage.open_run(run_id="second")
    stage.ledger.update_facts("second", ID, {"adopted_from": RUN, **facts})
    install(stage, BEFORE, up(0, boots=1), run_id="second")
    assert stage.guest.inputs("inspect_boot")[-1]["since"] == (since or "2026-11-14T22:00:01Z")


def test_reboots_are_counted_also_where_something_is_still_missing(stage: Stage) -> None:
    PatchManager(stage, Found(missing=("KB2",)))
    assert trouble(stage, BEFORE, up(600, 2)).code == "still_missing"
    assert stage.facts()["reboots"] == 2


def test_a_host_that_cannot_be_asked_is_patched_all_the_same(stage: Stage) -> None:
    stage.guest.on("inspect_boot", complained("inspect_boot", "script_failed", "No CIM."))
    options = {"run_id": RUN, "host": ID, "instance_id": ID, "snapshot_id": SNAPSHOT, "history_script": "text"}
    result = perform(INSTALL, stage.context(INSTALL, **options, boot_script="text"))
    assert (result["outcome"], stage.facts().get("reboots")) == ("patched", None)
    assert stage.guest.names.count("inspect_boot") == 1


def test_without_the_script_no_one_asks(stage: Stage) -> None:
    install(stage, BEFORE, boot_script=None)
    assert "inspect_boot" not in stage.guest.names


# Services


LACKING = up(600, 1, {"MSSQLSERVER": 1067})


@pytest.mark.parametrize("code", [1067, 1077], ids=["crashed", "not started yet"])
def test_services_that_come_late_are_waited_for(stage: Stage, code: int) -> None:
    lacking = up(600, 1, {"MSSQLSERVER": code})
    assert install(stage, BEFORE, lacking, lacking, up(600, 1))["outcome"] == "patched"
    assert stage.guest.names.count("inspect_boot") == 4


@pytest.mark.parametrize(("code", "words"), [(1067, "exit code 1067"), (1077, "not started")])
def test_a_service_that_does_not_come_back_makes_the_host_fail(stage: Stage, code: int, words: str) -> None:
    error = trouble(stage, BEFORE, up(600, 1, {"MSSQLSERVER": code, "Spare": 1}), agent_timeout_seconds=300)
    assert error.code == "services_not_back"
    assert f"do not run, which ran before: MSSQLSERVER ({words}). " in error.reason
    host = stage.ledger.host(RUN, ID)
    assert (host.outcome, host.phase, host.facts["installed"]) == ("failed", "verify", ["KB1"])
    assert host.facts["reboots"] == 1


def test_a_service_that_is_gone_in_order_is_not_missed(stage: Stage) -> None:
    """It ended with 0, or it is no longer automatic: the script names it in neither list."""
    after = {**up(600, 1), "services": ["EventLog"]}
    assert install(stage, BEFORE, after)["outcome"] == "patched"
    assert stage.guest.names.count("inspect_boot") == 2


@pytest.mark.parametrize("ignored", [["mssqlserver"], ["*"]], ids=str)
def test_services_may_be_left_out(stage: Stage, ignored: list[str]) -> None:
    assert install(stage, BEFORE, LACKING, ignore_services=ignored)["outcome"] == "patched"


def test_without_a_reboot_no_service_is_missed(stage: Stage) -> None:
    """A user may have stopped it meanwhile."""
    assert install(stage, BEFORE, up(-DAY, 0, {"MSSQLSERVER": 1067}))["outcome"] == "patched"
