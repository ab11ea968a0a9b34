# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The user's own tasks before and after a host, as the ledger and the report have them."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import (
    Deferred,
    LeaseLost,
    PatchFleetError,
)
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.records import Verdict
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.run_recovery import OPERATION as RECOVERY
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.user_tasks_result import OPERATION
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.failures import failure_result
from ansible_collections.patchfleet.windows.plugins.module_utils._report.build import build_report
from ansible_collections.patchfleet.windows.plugins.module_utils._run.closing import set_interrupted_outcomes
from operations import perform

from .fakes import ID
from .stage import RUN, Stage, a_host


@pytest.fixture(autouse=True)
def an_active_run(stage: Stage) -> None:
    stage.open_run()
    stage.ledger.begin_phase(RUN, ID, "start", stage.clock.now())


def write(stage: Stage, state: str, tasks: str) -> None:
    perform(OPERATION, stage.context(OPERATION, state=state, run_id=RUN, host=ID, tasks=tasks))


def fail(stage: Stage, tasks: str, failure: dict[str, Any] | None = None) -> PatchFleetError:
    options = {"run_id": RUN, "host": ID, "tasks": tasks, "reason": "It does not stop.", "failure": failure or {}}
    with pytest.raises(PatchFleetError) as caught:
        perform(OPERATION, stage.context(OPERATION, state="failed", **options))
    return caught.value


def message(stage: Stage) -> dict[str, Any]:
    (host,) = build_report(stage.ledger, RUN, stage.clock.now())["hosts"]
    found: dict[str, Any] = host
    return found


@pytest.mark.parametrize(("tasks", "step"), [("pre", "ready"), ("post", "restore")])
def test_what_they_took_belongs_to_a_step_of_the_report(stage: Stage, tasks: str, step: str) -> None:
    write(stage, "started", tasks)
    stage.clock.sleep(40)
    write(stage, "succeeded", tasks)
    host = message(stage)
    assert (host[f"{tasks}_tasks"], host["seconds"][step]) == ("ok", 40)
    assert host["timeline"][-1]["ok"] is True


@pytest.mark.parametrize(("tasks", "step"), [("pre", "ready"), ("post", "restore")])
def test_one_that_fails_makes_the_host_fail(stage: Stage, tasks: str, step: str) -> None:
    stage.ledger.update_facts(RUN, ID, {"proposed_outcome": "patched"})
    write(stage, "started", tasks)
    fail(stage, tasks)
    host = message(stage)
    assert [host[key] for key in ("outcome", "step", "reason_code")] == ["failed", step, f"{tasks}_tasks_failed"]
    assert host["reason"] == f"The tasks of patch_{tasks}_tasks failed: It does not stop."
    assert (host[f"{tasks}_tasks"], host["timeline"][-1]["ok"]) == ("failed", False)


def test_a_reason_that_is_there_is_kept_and_theirs_added(stage: Stage) -> None:
    stage.ledger.set_outcome(RUN, ID, Verdict("failed", "disk", "no_room", "No room."))
    write(stage, "started", "post")
    fail(stage, "post")
    host = message(stage)
    assert (host["step"], host["reason_code"]) == ("disk", "no_room")
    assert host["reason"] == "No room. The tasks of patch_post_tasks failed: It does not stop."


def test_tasks_keep_the_lease_and_never_run_on_a_host_of_another_run(stage: Stage) -> None:
    stage.clock.sleep(600)
    write(stage, "started", "pre")
    assert stage.ledger.run(RUN).heartbeat_at == stage.clock.now()
    stage.ledger.open_run(
        stage.ledger.run(RUN).__class__(**{**stage.ledger.run(RUN).__dict__, "run_id": "other"}),
        [a_host(run_id="other")],
        take_over=True,
    )
    with pytest.raises(LeaseLost) as lost_lease:
        write(stage, "started", "post")
    assert fail(stage, "post", failure_result(lost_lease.value)).reason == lost_lease.value.reason
    host = message(stage)
    assert (host["outcome"], host["reason_code"], host["post_tasks"]) == ("held", "lease_lost", None)


@pytest.mark.parametrize("tasks", ["start", "pre"])
def test_they_do_not_begin_where_the_controller_stood_still_in_the_write_before_them(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, tasks: str
) -> None:
    begin_phase = stage.ledger.begin_phase
    monkeypatch.setattr(
        stage.ledger, "begin_phase", lambda *of, **more: (begin_phase(*of, **more), stage.clock.jump(9000.0))[0]
    )
    with pytest.raises(Deferred) as caught:
        write(stage, "started", tasks)
    assert str(caught.value.code) == "stood_still"
    assert f"{tasks}_tasks" not in stage.facts()
    assert stage.ledger.phases(RUN, ID)[-1].ok is False


def test_a_run_that_was_cut_off_before_them_says_so(stage: Stage) -> None:
    stage.ledger.update_facts(RUN, ID, {"proposed_outcome": "patched"})
    write(stage, "started", "pre")
    set_interrupted_outcomes(stage.ledger, RUN)
    host = message(stage)
    assert (host["outcome"], host["reason_code"]) == ("failed", "interrupted")
    assert host["reason"].endswith("Its patch_post_tasks have not run.")


def test_a_run_that_was_cut_off_after_them_is_what_it_had_reached(stage: Stage) -> None:
    stage.ledger.update_facts(RUN, ID, {"proposed_outcome": "patched"})
    for tasks in ("pre", "post"):
        write(stage, "started", tasks)
        write(stage, "succeeded", tasks)
    set_interrupted_outcomes(stage.ledger, RUN)
    assert message(stage)["outcome"] == "patched"


# Hosts that leave their play


def lost(stage: Stage) -> dict[str, Any]:
    return perform(RECOVERY, stage.context(RECOVERY, state="lost_hosts", run_id=RUN))


def test_a_host_that_was_lost_in_them_has_failed_and_is_to_be_put_back(stage: Stage) -> None:
    stage.record()
    write(stage, "started", "pre")
    assert [host["key"] for host in lost(stage)["hosts"]] == [ID]
    host = message(stage)
    assert [host[key] for key in ("outcome", "step", "reason_code")] == ["failed", "ready", "unreachable"]
    assert host["reason"].endswith("Its patch_post_tasks have not run.")


def test_a_host_that_has_an_outcome_or_was_never_started_is_not_lost(stage: Stage) -> None:
    stage.ledger.set_outcome(RUN, ID, Verdict("patched"))
    stage.open_run(a_host("i-2", run_id="later"), run_id="later")
    stage.ledger.begin_phase("later", "i-2", "admit", stage.clock.now())
    for run_id in (RUN, "later"):
        result = perform(RECOVERY, stage.context(RECOVERY, state="lost_hosts", run_id=run_id))
        assert result == {"changed": False, "hosts": [], "lines": []}
    assert stage.ledger.host("later", "i-2").outcome is None


def test_a_lost_host_without_a_power_record_is_not_put_back(stage: Stage) -> None:
    line = "dev-01  failed: Ansible lost it in the phase start: a task found it unreachable, or ended its play."
    assert lost(stage) == {"changed": True, "hosts": [], "lines": [line]}
