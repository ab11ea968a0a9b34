# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Installing where there is no managed node: what win_updates says is heard, and only a search is believed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import (
    CommandTimeout,
    LeaseLost,
    NeedsAttention,
    PatchFleetError,
    Unreachable,
)
from ansible_collections.patchfleet.windows.plugins.module_utils._host.scripts import script_name
from ansible_collections.patchfleet.windows.plugins.module_utils._model.reasons import Reason
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.managed_node_wait import OPERATION as WAIT
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.patch_baseline import OPERATION as INSTALL
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.patch_compliance_info import (
    OPERATION as COMPLIANCE,
)
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.operation import Operation
from ansible_collections.patchfleet.windows.plugins.module_utils._update.channels import open_channel
from operations import perform

from .fakes import ID, answer_of
from .stage import RUN, Stage

LOST = Unreachable("The host cannot be reached over its connection: reset")
SCRIPTS = {"servicing_state": ""}


def missing(*kbs: str, **more: Any) -> dict[str, Any]:
    """What a search finds."""
    return {"updates": {kb: {"kb": [kb.removeprefix("KB")], "installed": False} for kb in kbs}, **more}


class FakeConnection:
    """Answers scripts and win_updates in order; the last answer of each stays. An exception is raised."""

    def __init__(self, stage: Stage, searches: list[Any], installs: list[Any] | None = None, busy: int = 0) -> None:
        self._stage = stage
        self._answers = {"searched": searches, "installed": installs or [{"updates": {}}]}
        self._busy = busy
        self.last_progress_at: str | None = None
        self.pending_reboot: list[str] = []
        self.reboots: list[float] = []
        self.after_reboot: Any = {"failed": False}
        self.lost: Exception | None = None
        self.history_refused = False
        self.asked: list[dict[str, Any]] = []
        self.limits: list[float] = []

    def run_script(self, text: str, timeout_seconds: float) -> str:
        name = script_name(text.splitlines())
        if name == "update_history" and self.history_refused:
            error = {"category": "update_api_refused", "message": "Access is denied.", "hresult": "0x80070005"}
            return json.dumps({"patchfleet": 1, "script": name, "ok": False, "data": None, "error": error})
        data: dict[str, Any] = {"entries": []}
        if name == "servicing_state":
            if self.lost and self.asked:
                raise self.lost
            self._busy -= bool(self.asked)
            data = {
                "installing": self._busy >= 0,
                "last_progress_at": self.last_progress_at,
                "pending_reboot": self.pending_reboot,
            }
        return answer_of(name, data)

    def win_updates(self, options: dict[str, Any], timeout_seconds: float) -> dict[str, Any]:
        self.asked.append(options)
        self.limits.append(timeout_seconds)
        answers = self._answers[options["state"]]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return dict(answer)

    def reboot(self, timeout_seconds: float) -> dict[str, Any]:
        self.reboots.append(timeout_seconds)
        if isinstance(self.after_reboot, Exception):
            raise self.after_reboot
        if not self.after_reboot["failed"]:
            self.pending_reboot = []
        return dict(self.after_reboot)

    @property
    def states(self) -> list[str]:
        return [options["state"] for options in self.asked]


Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(stage: Stage) -> Run:
    stage.open_run()

    def work(step: Operation, connection: FakeConnection, **params: Any) -> dict[str, Any]:
        options: dict[str, Any] = {"run_id": RUN, "host": ID, "instance_id": "hall-1", **params}
        if step is INSTALL:
            options |= {"snapshot_id": "s", "history_script": "", "scripts": SCRIPTS}
        elif step is COMPLIANCE:
            options |= {"snapshot_id": "s"}
        context = stage.context(step, **options)
        context.channel = open_channel(context, connection)
        return perform(step, context)

    return work


def test_the_time_of_its_work_is_counted(stage: Stage, run: Run) -> None:
    class Slow(FakeConnection):
        def win_updates(self, options: dict[str, Any], timeout_seconds: float) -> dict[str, Any]:
            stage.clock.sleep(250)
            return super().win_updates(options, timeout_seconds)

    run(INSTALL, Slow(stage, [missing()]))
    assert [seconds for _ended, seconds in stage.facts()["work"]] == [250, 250]  # the installation and the search


def test_a_pass_reboots_and_a_search_proves_it(stage: Stage, run: Run) -> None:
    connection = FakeConnection(stage, [missing()])
    result = run(INSTALL, connection)
    assert (connection.states, result["missing"], result["passes"]) == (["installed", "searched"], [], 1)
    assert connection.asked[0]["category_names"] == ["CriticalUpdates", "SecurityUpdates"]
    assert connection.asked[0]["reboot"] is True
    assert stage.facts()["verified_at"] == result["verified_at"]


def test_a_reboot_that_is_pending_from_before_is_made(stage: Stage, run: Run) -> None:
    """Windows Update itself knows nothing of one that the servicing stack alone waits for."""
    connection = FakeConnection(stage, [missing()])
    connection.pending_reboot = ["component_based_servicing"]
    result = run(INSTALL, connection, agent_timeout_seconds=700)
    assert (result["outcome"], connection.reboots) == ("compliant", [10_800])


@pytest.mark.parametrize("end", [{"failed": True, "msg": "timed out"}, LOST], ids=["failed", "lost"])
def test_one_that_stays_pending_is_no_proof(stage: Stage, run: Run, end: Any) -> None:
    connection = FakeConnection(stage, [missing()])
    connection.pending_reboot, connection.after_reboot = ["component_based_servicing"], end
    with pytest.raises(PatchFleetError) as caught:
        run(INSTALL, connection)
    assert caught.value.code == Reason.REBOOT_PENDING
    assert any(line.startswith("the reboot: win_reboot: ") for line in stage.message)


def test_there_are_as_many_passes_as_change_something(stage: Stage, run: Run) -> None:
    connection = FakeConnection(stage, [missing("KB1", "KB2"), missing("KB2"), missing("KB2")])
    with pytest.raises(PatchFleetError, match=r"Still missing .*KB2") as caught:
        run(INSTALL, connection, max_passes=9)
    assert (caught.value.code, connection.states.count("installed")) == ("still_missing", 3)


def test_a_reboot_that_is_still_due_is_no_proof(stage: Stage, run: Run) -> None:
    with pytest.raises(PatchFleetError) as caught:
        run(INSTALL, FakeConnection(stage, [missing(reboot_required=True)]))
    assert caught.value.code == Reason.REBOOT_PENDING


@pytest.mark.parametrize("trouble", [LOST, {"failed": True, "msg": "no answer"}], ids=["lost", "failed"])
def test_an_installation_that_lost_its_connection_continues_and_is_waited_for(
    stage: Stage, run: Run, trouble: Any
) -> None:
    connection = FakeConnection(stage, [missing()], [trouble], busy=3)
    assert run(INSTALL, connection)["missing"] == []
    assert connection.states == ["installed", "searched"]
    assert stage.clock.passed > 45  # it looked until Windows had ended


@pytest.mark.parametrize("where", ["install", "look"])
def test_who_lost_the_host_neither_waits_nor_looks_on(stage: Stage, run: Run, where: str) -> None:
    taken = LeaseLost("dev-01")
    connection = FakeConnection(stage, [missing()], [taken if where == "install" else LOST])
    if where == "look":
        connection.lost = taken
    with pytest.raises(NeedsAttention) as caught:
        run(INSTALL, connection)
    assert (caught.value.code, connection.states) == ("lease_lost", ["installed"])


def test_one_that_does_not_end_is_not_cut_off(stage: Stage, run: Run) -> None:
    connection = FakeConnection(stage, [missing()], [LOST], busy=1000)
    with pytest.raises(PatchFleetError, match="not cut off") as caught:
        run(INSTALL, connection, install_timeout_seconds=1800)
    assert (caught.value.code, connection.states) == ("install_timeout", ["installed"])
    assert stage.facts()["installation_overdue"] is True
    assert connection.limits == [1800]


def test_one_that_hangs_is_distinguished_from_one_that_is_slow(stage: Stage, run: Run) -> None:
    connection = FakeConnection(stage, [missing()], [LOST], busy=1000)
    connection.last_progress_at = "2026-11-14T21:50:00Z"
    with pytest.raises(PatchFleetError, match="no progress since 2026-11-14T21:50:00Z") as caught:
        run(INSTALL, connection, install_timeout_seconds=7200)
    assert caught.value.code == Reason.INSTALLATION_HUNG


def test_a_search_that_fails_proves_nothing(stage: Stage, run: Run) -> None:
    connection = FakeConnection(stage, [{"failed": True, "msg": "0x8024402C"}])
    stage.ledger.update_facts(RUN, ID, {"update_source": {"kind": "wsus", "url": "http://wsus:8530", "proxy": None}})
    with pytest.raises(
        PatchFleetError, match=r"0x8024402C\. The host does not reach .*http://wsus:8530\. WinHTTP uses no proxy"
    ) as caught:
        run(COMPLIANCE, connection)
    assert caught.value.code == Reason.SCAN_FAILED
    assert "verified_at" not in stage.facts()


def test_a_scan_installs_nothing(stage: Stage, run: Run) -> None:
    connection = FakeConnection(stage, [missing("KB1")])
    assert run(COMPLIANCE, connection)["outcome"] == "noncompliant"
    assert connection.states == ["searched"]


def test_a_host_that_cannot_be_reached_is_not_started(stage: Stage, run: Run) -> None:
    class Gone(FakeConnection):
        def run_script(self, text: str, timeout_seconds: float) -> str:
            raise LOST

    with pytest.raises(PatchFleetError) as caught:
        run(WAIT, Gone(stage, [missing()]))
    assert (caught.value.outcome, caught.value.code) == ("deferred", "unreachable")


def test_a_host_that_is_slow_to_answer_is_asked_again(stage: Stage, run: Run) -> None:
    class Slow(FakeConnection):
        left = 2

        def run_script(self, text: str, timeout_seconds: float) -> str:
            self.left -= 1
            if self.left >= 0:
                stage.clock.sleep(timeout_seconds)
                raise CommandTimeout("The host had not answered after 120 s.")
            return super().run_script(text, timeout_seconds)

    assert run(WAIT, Slow(stage, [missing()])) == {"changed": False}


def test_one_that_never_answers_is_not_started_either(stage: Stage, run: Run) -> None:
    class Silent(FakeConnection):
        def run_script(self, text: str, timeout_seconds: float) -> str:
            stage.clock.sleep(timeout_seconds)
            raise CommandTimeout("The host had not answered after 120 s.")

    with pytest.raises(PatchFleetError, match="Nothing was started: The host had not answered") as caught:
        run(WAIT, Silent(stage, [missing()]), timeout_seconds=600)
    assert (caught.value.outcome, caught.value.code) == ("deferred", "unreachable")
    assert 600 <= stage.clock.passed <= 840


def test_where_the_history_is_refused_what_win_updates_reports_counts(stage: Stage, run: Run) -> None:
    """Windows refuses its API to a network logon; a host that was patched and proven does not fail for that."""
    updates = {
        "a": {"kb": ["5031361"], "title": "Cumulative", "installed": True},
        "b": {"kb": ["5031539"], "title": "Other", "installed": False, "failure_hresult_code": -2147023293},
        "c": {"kb": ["5031540"], "title": "Not tried", "installed": False},
    }
    connection = FakeConnection(stage, [{"updates": {}}], [{"updates": updates}])
    connection.history_refused = True
    result = run(INSTALL, connection, history_script="text")
    assert (result["outcome"], result["installed"]) == ("patched", ["KB5031361"])
    assert result["failed_updates"] == [{"kb": "KB5031539", "hresult": "0x80070643"}]
