# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A reboot that Patch Manager does not know of is still a reboot: it is made, or the host is not called compliant."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._base.clock import iso
from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import NeedsAttention, PatchFleetError
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.records import Verdict
from ansible_collections.patchfleet.windows.plugins.module_utils._model.phases import Phase
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.instance_power import OPERATION as POWER
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.patch_baseline import OPERATION as INSTALL
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.patch_compliance_info import OPERATION as SCAN
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.operation import Operation
from operations import perform

from .fakes import ID, START, Outcome, answered, complained, listed, node, shown
from .patch_manager import SNAPSHOT, Found, PatchManager
from .stage import RUN, Stage

WAITING = {"pending_reboot": ["component_based_servicing"]}
QUIET: dict[str, Any] = {"pending_reboot": []}
SCRIPTS = {"servicing_state": "", "restart_windows": ""}
BOOTED, BOOTED_AGAIN = {"boot_time": iso(START - 86400)}, {"boot_time": iso(START + 300)}


def restarts(stage: Stage) -> int:
    return sum(bool(given["restart"]) for given in stage.guest.inputs("restart_windows"))


@pytest.fixture
def host(stage: Stage) -> PatchManager:
    stage.open_run()
    stage.account.on("describe_instances", shown("running"))
    stage.guest.answers("update_history", {"entries": []})
    stage.guest.answers("restart_windows", BOOTED, BOOTED, BOOTED_AGAIN)
    return PatchManager(stage, Found())


def work(stage: Stage, operation: Operation, **params: Any) -> dict[str, Any]:
    options: dict[str, Any] = {
        "run_id": RUN,
        "host": ID,
        "instance_id": ID,
        "snapshot_id": SNAPSHOT,
        "scripts": SCRIPTS,
    }
    if operation is INSTALL:
        options["history_script"] = "text"
    return perform(operation, stage.context(operation, **{**options, **params}))


def test_a_reboot_that_others_left_is_made_and_proven_by_another_scan(stage: Stage, host: PatchManager) -> None:
    stage.guest.answers("servicing_state", WAITING, WAITING, QUIET)
    result = work(stage, INSTALL)
    assert (result["outcome"], restarts(stage)) == ("compliant", 1)
    assert host.operations == ["Install", "Scan", "Scan"]
    assert stage.facts()["reboot_pending"] is False


WORKING: dict[str, Any] = {"installing": True, "pending_reboot": []}


@pytest.mark.parametrize("operation", [INSTALL, SCAN], ids=["install", "scan"])
def test_a_scan_while_windows_still_works_on_updates_is_made_again_when_it_has_ended(
    stage: Stage, host: PatchManager, operation: Operation
) -> None:
    """After the reboot of an update the servicing stack may work for many minutes, with the agent there already."""
    stage.guest.answers("servicing_state", WORKING, WORKING, QUIET)
    assert work(stage, operation)["outcome"] == "compliant"
    assert host.operations[-2:] == ["Scan", "Scan"]
    assert stage.facts()["servicing"] is False


@pytest.mark.usefixtures("host")
def test_a_host_is_not_rebooted_while_windows_still_works_on_updates(stage: Stage) -> None:
    both = {**WORKING, **WAITING}
    stage.guest.answers("servicing_state", both, both, WAITING, WAITING, WAITING, QUIET)
    work(stage, INSTALL)
    asked = [(name, bool(given.get("restart"))) for name, given in stage.guest.asked]
    before = [name for name, _restart in asked[: asked.index(("restart_windows", True))]]
    assert (restarts(stage), before.count("servicing_state")) == (1, 5)


@pytest.mark.usefixtures("host")
def test_servicing_that_does_not_end_is_left_to_the_stop(stage: Stage) -> None:
    """The stop asks again, and holds the host while Windows works."""
    stage.guest.answers("servicing_state", WORKING)
    assert work(stage, INSTALL, install_timeout_seconds=3600)["outcome"] == "compliant"
    assert stage.facts()["servicing"] is True


def test_one_that_stays_pending_is_no_proof(stage: Stage, host: PatchManager) -> None:
    stage.guest.answers("servicing_state", WAITING)
    with pytest.raises(PatchFleetError) as caught:
        work(stage, INSTALL)
    assert caught.value.code == "reboot_pending"
    assert stage.facts()["reboot_pending"] is True


@pytest.mark.usefixtures("host")
def test_where_the_host_cannot_be_asked_patch_manager_has_the_word(stage: Stage) -> None:
    stage.guest.on("servicing_state", complained("servicing_state", "script_failed", "No."))
    assert work(stage, INSTALL)["outcome"] == "compliant"
    assert "reboot_pending" not in stage.facts()


@pytest.mark.usefixtures("host")
def test_file_renames_alone_are_no_reason(stage: Stage) -> None:
    stage.guest.answers("servicing_state", QUIET)
    assert work(stage, INSTALL)["outcome"] == "compliant"
    assert restarts(stage) == 0


@pytest.mark.usefixtures("host")
def test_a_scan_reboots_no_host_and_does_not_call_it_compliant(stage: Stage) -> None:
    stage.guest.answers("servicing_state", WAITING)
    result = work(stage, SCAN)
    assert (result["outcome"], result["missing"], result["pending_reboot"]) == ("noncompliant", [], True)
    assert restarts(stage) == 0


# Restarting


@pytest.mark.usefixtures("host")
def test_a_restart_is_proven_by_the_time_at_which_windows_started(stage: Stage) -> None:
    stage.guest.on(
        "restart_windows",
        answered("restart_windows", **BOOTED),
        answered("restart_windows", **BOOTED),
        answered("restart_windows", **BOOTED),
        Outcome("TimedOut", "Delivery Timed Out"),
        Outcome("TimedOut", "Delivery Timed Out"),
        answered("restart_windows", **BOOTED_AGAIN),
    )
    stage.context(INSTALL, run_id=RUN, host=ID, instance_id=ID, scripts=SCRIPTS).channel.reboot(3600)
    assert restarts(stage) == 1


@pytest.mark.usefixtures("host")
def test_a_host_that_does_not_restart_in_time_is_named(stage: Stage) -> None:
    stage.guest.answers("restart_windows", BOOTED)
    with pytest.raises(PatchFleetError, match="not restarted within 900 s") as caught:
        stage.context(INSTALL, run_id=RUN, host=ID, instance_id=ID, scripts=SCRIPTS).channel.reboot(900)
    assert caught.value.code == "command_timeout"


# Before a stop


@pytest.fixture
def night(stage: Stage, host: PatchManager) -> Stage:
    """A host that our run started."""
    stage.record("stopped")
    stage.ledger.note_start(ID, RUN, START)
    stage.ledger.note_launch(ID, START + 10)
    running, stopped = shown("running", launched=10), shown("stopped", launched=10)
    stage.account.on("describe_instances", running)
    stage.account.on("describe_instance_information", listed(node(60)))
    stage.guest.answers("probe", {})

    def stop(**_params: Any) -> dict[str, Any]:
        stage.account.on("describe_instances", stopped)
        return {"StoppingInstances": []}

    stage.account.on("stop_instances", stop)
    stage.clock.sleep(600)
    return stage


def restore(stage: Stage, *, was_ready: bool = True) -> dict[str, Any]:
    stage.ledger.begin_phase(RUN, ID, Phase.READY, START + 60)
    stage.ledger.end_phase(RUN, ID, Phase.READY, START + 90, ok=was_ready)
    options = {"run_id": RUN, "host": ID, "instance_id": ID, "state": "restored", "scripts": SCRIPTS}
    return perform(POWER, stage.context(POWER, **options))


def test_a_host_that_waits_for_a_reboot_is_rebooted_before_it_is_stopped(night: Stage) -> None:
    night.guest.answers("servicing_state", WAITING, QUIET)
    assert restore(night)["state"] == "stopped"
    assert restarts(night) == 1
    (stop,) = night.account.of("stop_instances")
    assert stop.at > max(call.at for call in night.account.of("send_command"))


@pytest.mark.parametrize("answer", [QUIET, None], ids=["waits for none", "cannot be asked"])
def test_the_launch_is_checked_once_more_after_the_question(night: Stage, answer: dict[str, Any] | None) -> None:
    if answer is None:
        night.guest.on("servicing_state", complained("servicing_state", "script_failed", "No."))
    else:
        night.guest.answers("servicing_state", answer)
    assert restore(night)["state"] == "stopped"
    names = [call.operation for call in night.account.calls]
    stopped = names.index("stop_instances")
    asked = max(at for at, name in enumerate(names[:stopped]) if name == "send_command")
    assert "describe_instances" in names[asked:stopped]


def test_what_was_known_before_an_installation_is_asked_again(night: Stage) -> None:
    night.ledger.update_facts(RUN, ID, {"reboot_pending": False, "servicing": True, "installing_command_id": ""})
    night.guest.answers("servicing_state", QUIET, WAITING, QUIET)
    assert restore(night)["state"] == "stopped"
    assert restarts(night) == 1


def test_one_that_waits_for_yet_another_is_held(night: Stage) -> None:
    night.guest.answers("servicing_state", WAITING, QUIET, WAITING)
    night.guest.answers("restart_windows", BOOTED, BOOTED, BOOTED_AGAIN)
    with pytest.raises(NeedsAttention) as caught:
        restore(night)
    assert (caught.value.code, night.account.of("stop_instances")) == ("reboot_pending", [])


def test_one_that_does_not_come_back_is_held(night: Stage) -> None:
    night.guest.answers("servicing_state", WAITING)
    night.guest.answers("restart_windows", BOOTED)
    with pytest.raises(NeedsAttention) as caught:
        restore(night)
    assert (caught.value.code, night.account.of("stop_instances")) == ("reboot_pending", [])


def test_one_that_is_known_to_wait_for_none_is_not_asked(night: Stage) -> None:
    night.ledger.update_facts(RUN, ID, {"reboot_pending": False})
    restore(night)
    assert night.guest.names == []


@pytest.mark.parametrize("was_ready", [True, False], ids=["agent lost", "never ready"])
def test_one_that_cannot_be_asked_is_stopped_as_it_is(night: Stage, was_ready: bool) -> None:
    if was_ready:
        night.account.on("describe_instance_information", listed(node(60, "ConnectionLost")))
    night.guest.answers("servicing_state", WAITING)
    night.ledger.set_outcome(RUN, ID, Verdict("failed", Phase.READY, "agent_silent", "It is silent."))  # type: ignore[arg-type]
    assert restore(night, was_ready=was_ready)["state"] == "stopped"
    assert restarts(night) == 0
