# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts as threads of one worker: each goes through its steps to its restore, whatever happens to it or to another one."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import Deferred, Failed
from ansible_collections.patchfleet.windows.plugins.module_utils._model.reasons import Reason
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.context import OperationContext
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.operation import Operation
from ansible_collections.patchfleet.windows.plugins.plugin_utils._host_calls import HostCalls, Step
from ansible_collections.patchfleet.windows.plugins.plugin_utils._host_steps import Workflow, read_workflow, usual_file
from ansible_collections.patchfleet.windows.plugins.plugin_utils._host_threads import HostThreads
from ansible_collections.patchfleet.windows.plugins.plugin_utils._operation_call import OperationCall

Work = Callable[[OperationContext], dict[str, Any]]
FORK = multiprocessing.get_context("fork")


def nothing(_context: OperationContext) -> dict[str, Any]:
    return {"changed": False}


def admits(_context: OperationContext) -> dict[str, Any]:
    return {"changed": False, "admitted": True}


def fails(error: Exception) -> Work:
    def work(_context: OperationContext) -> dict[str, Any]:
        raise error

    return work


class Night:
    """Takes hosts through works; ``did`` has the names of those that were done, and ``failures`` what was recorded."""

    def __init__(self, folder: Path) -> None:
        self._ledger = str(folder / "ledger.sqlite")
        self.did: list[str] = []
        self.failures: list[dict[str, Any]] = []

    def host(self, admission: Work = admits, work: Work = nothing, restore: Work = nothing) -> HostCalls:
        steps = (self._step("work", work), self._step("more", nothing))
        workflow = Workflow(self._step("admission", admission), steps, (self._step("restore", restore),))
        return HostCalls(workflow, self._step("failed", self._record))

    def patch(self, *hosts: HostCalls, at_once: int = 5) -> list[dict[str, Any]]:
        return list(HostThreads({str(at): host for at, host in enumerate(hosts)}).patch(at_once).values())

    def _step(self, name: str, work: Work) -> Step:
        def noted(context: OperationContext) -> dict[str, Any]:
            self.did.append(name)
            return work(context)

        arguments: Any = {"ledger": {"type": "str"}, "failure": {"type": "dict"}}
        operation = Operation(name, arguments, noted, uses_aws=False)
        call = OperationCall(operation, {"ledger": self._ledger, "failure": None}, name, {}.get)
        return Step(call, shows_changes=name != "restore")

    def _record(self, context: OperationContext) -> dict[str, Any]:
        self.failures.append(context.params["failure"])
        return {"changed": True}


@pytest.fixture
def night(tmp_path: Path) -> Night:
    return Night(tmp_path)


def test_a_host_goes_through_all_its_steps(night: Night) -> None:
    assert night.patch(night.host()) == [{"changed": False}]
    assert night.did == ["admission", "work", "more", "restore"]


def test_a_host_that_is_not_admitted_is_left_alone(night: Night) -> None:
    assert night.patch(night.host(lambda _context: {"changed": False, "admitted": False})) == [{"changed": False}]
    assert night.did == ["admission"]


def test_an_admission_that_fails_is_ignored_as_in_the_playbook(night: Night) -> None:
    (result,) = night.patch(night.host(fails(Failed("The ledger is full.", Reason.NO_ROOM))))
    assert (result["failed"], result["ignored"], result["msg"]) == (True, True, "The ledger is full.")
    assert night.did == ["admission"]


@pytest.mark.parametrize("error", [Failed("KeyError: 'disk'", Reason.TASK_FAILED), KeyError("disk")])
def test_a_host_that_fails_is_restored_and_no_other_one_is_concerned(night: Night, error: Exception) -> None:
    failed, fine = night.patch(night.host(work=fails(error)), night.host(), at_once=1)
    assert (failed["failed"], failed["msg"], failed["reason_code"]) == (True, "KeyError: 'disk'", "task_failed")
    assert fine == {"changed": False}
    assert night.did == ["admission", "work", "failed", "restore", "admission", "work", "more", "restore"]
    assert [failure["msg"] for failure in night.failures] == ["KeyError: 'disk'"]


def test_a_failure_that_a_step_has_recorded_is_not_recorded_again(night: Night) -> None:
    error = Failed("C: is full.", Reason.NO_ROOM, {"outcome": "failed", "step": "disk"})
    (result,) = night.patch(night.host(work=fails(error)))
    assert (result["outcome"], result["step"]) == ("failed", "disk")
    assert night.did == ["admission", "work", "restore"]


def test_the_first_failure_is_shown(night: Night) -> None:
    later = fails(Failed("It does not stop.", Reason.TASK_FAILED))
    (result,) = night.patch(night.host(work=fails(Failed("C: is full.", Reason.NO_ROOM)), restore=later))
    assert result["msg"] == "C: is full."
    assert [failure["msg"] for failure in night.failures] == ["C: is full.", "It does not stop."]


def test_a_host_without_capacity_comes_again(night: Night) -> None:
    error = fails(Deferred("There is no capacity.", Reason.NO_CAPACITY))
    again, restore = night.patch(night.host(work=error), night.host(restore=error))
    assert (again["retry_later"], "retry_later" in restore) == (True, False)


def test_a_change_shows_where_the_task_shows_one(night: Night) -> None:
    changes: Work = lambda _context: {"changed": True}  # noqa: E731
    results = night.patch(night.host(work=changes), night.host(restore=changes))
    assert [result["changed"] for result in results] == [True, False]


def test_as_many_hosts_are_at_work_as_asked_for(night: Night) -> None:
    met, at_work, most = threading.Barrier(2), set[int](), list[int]()

    def work(_context: OperationContext) -> dict[str, Any]:
        at_work.add(threading.get_ident())
        most.append(len(at_work))
        met.wait(30)
        at_work.discard(threading.get_ident())
        met.wait(30)
        return {"changed": False}

    night.patch(*(night.host(work=work) for _number in range(4)), at_once=2)
    assert (max(most), len(most)) == (2, 4)


def test_a_worker_that_ansible_ends_leaves_no_thread(night: Night) -> None:
    """A pool waits for its threads, and the interpreter does at its end."""
    working = FORK.Event()

    def work(_context: OperationContext) -> dict[str, Any]:
        working.set()
        threading.Event().wait()
        return {"changed": False}

    def worker() -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        night.patch(night.host(work=work))

    process = FORK.Process(target=worker)
    process.start()
    try:
        working.wait(60)
        os.kill(process.pid or 0, signal.SIGINT)
        process.join(60)
        assert process.exitcode == 1
    finally:
        process.kill()
        process.join()


@pytest.mark.parametrize("operation", ["install", "scan"])
@pytest.mark.parametrize("kind", ["ec2", "hybrid"])
def test_the_steps_are_those_of_the_file_that_the_playbook_includes(kind: str, operation: str) -> None:
    workflow = read_workflow(usual_file(kind, operation))
    modules = [task.module for task in (workflow.admission, *workflow.work, *workflow.restore)]
    starts = {"ec2": ["instance_power"], "hybrid": []}[kind]
    room = {"install": ["system_drive_space"], "scan": []}[operation]
    patches = {"install": "patch_baseline", "scan": "patch_compliance_info"}[operation]
    restores = {"ec2": "instance_power", "hybrid": "windows_update_health"}[kind]
    steps = [*starts, "managed_node_wait", *room, "windows_update_health", patches, restores, "host_result"]
    assert modules == ["host_admission", *steps]
    assert [task.shows_changes for task in workflow.restore] == [True, False]
