# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible.windows.win_updates on a host of the lab, held to the action plugin and the module that are installed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ansible.windows.plugins.action import win_updates as action

from lab.windows_messages import BUSY
from lab.winrm.win_updates import OPTIONS
from virtual_lab import UPDATE, VirtualLab, script
from winrm_hall import BOOTSTRAP, Hall, encoded, payload

MakeLab = Callable[..., VirtualLab]
DRIVER = {"kb": "KB5000002", "class": "driver", "seconds": 30}
MODULE = (Path(action.__file__).parents[1] / "modules" / "win_updates.ps1").read_text(encoding="utf-8")


class Updates(Hall):
    """A host, and what win_updates' action plugin makes of it."""

    def started(self, **options: Any) -> dict[str, Any]:
        return self.module("win_updates", **options, _operation="start")

    def follow(self, **options: Any) -> Any:
        """Start, poll and cancel as the action plugin does; its UpdateResult, with ``lines`` of the progress that it reported."""
        started = self.started(**options)
        result = action.UpdateResult()
        result.lines = []
        while not result.lines or result.lines[-1]["task"] != "exit":
            polled = self.module("win_updates", _operation="poll", _operation_options=started["poll_options"])
            result.lines += polled["output"]
            for line in polled["output"]:
                result.process_result(line["task"], line["result"], "hall")
        self.module("win_updates", _operation="cancel", _operation_options=started["cancel_options"])
        assert not self.machine.update_tasks
        return result


@pytest.fixture
def updates(make_lab: MakeLab) -> Callable[..., Updates]:
    """Makes a host with these updates and keys."""

    def make(*offered: dict[str, Any], **keys: Any) -> Updates:
        return Updates(make_lab({"name": "hall", "kind": "winrm", "updates": list(offered), **keys}))

    return make


def test_the_module_that_is_installed_has_no_other_options() -> None:
    spec = re.search(r"^\$spec = @\{(.*?)^\}", MODULE, re.MULTILINE | re.DOTALL)
    assert spec
    names = set(re.findall(r"^ {8}(\w+) = @\{", spec[1], re.MULTILINE))
    assert {"category_names", "_operation"} <= names <= OPTIONS


def test_an_update_has_the_fields_that_the_module_gives_it(updates: Callable[..., Updates]) -> None:
    body = re.search(r"\[Ordered\]@\{(.*?)^ {8}\}", MODULE, re.MULTILINE | re.DOTALL)
    assert body
    result = updates(UPDATE).follow(state="searched")
    (update,) = result.updates.values()
    assert list(update) == re.findall(r"^ {12}(\w+) = ", body[1], re.MULTILINE)
    assert {line["task"] for line in result.lines} == {"search_result", "exit"}


def test_searching_changes_nothing(updates: Callable[..., Updates]) -> None:
    host = updates(UPDATE)
    result = host.follow(state="searched")
    assert (result.changed, result.failed, result.reboot_required, len(result.selected_updates)) == (
        False,
        False,
        False,
        1,
    )
    assert host.lab.truth("hall")["missing"] == ["KB5031361"]


def test_a_source_that_says_no_once_does_so_to_win_updates_too(updates: Callable[..., Updates]) -> None:
    host = updates(UPDATE, windows={"search_faults": ["0x8024401C"]})
    assert host.follow(state="searched").failed is True
    assert len(host.follow(state="searched").selected_updates) == 1


def test_check_mode_only_shows_what_would_be_done(updates: Callable[..., Updates]) -> None:
    host = updates(UPDATE)
    assert host.follow(_ansible_check_mode=True).changed is True
    assert host.lab.truth("hall")["installed"] == []


def test_installing(updates: Callable[..., Updates]) -> None:
    host = updates(UPDATE)
    result = host.follow(state="installed", reboot=True, reboot_timeout=1200)
    (installed,) = result.install_results.values()
    assert installed == {"result_code": 2, "hresult": 0, "reboot_required": True}
    assert [line["task"] for line in result.lines] == [
        "search_result",
        "download",
        "download_result",
        "install",
        "install_result",
        "exit",
    ]
    assert (result.changed, result.failed, result.reboot_required) == (True, False, True)
    assert host.lab.truth("hall")["installed"] == ["KB5031361"]


def test_nothing_more_is_installed_before_a_reboot(updates: Callable[..., Updates]) -> None:
    host = updates(UPDATE, {**UPDATE, "kb": "KB5031362"})
    assert host.follow(accept_list=["kb5031361"]).reboot_required is True
    result = host.follow()
    assert (result.failed, result.msg) == (True, "A reboot is required before more updates can be installed")
    assert host.lab.truth("hall")["missing"] == ["KB5031362"]


def test_what_was_downloaded_is_not_downloaded_again(updates: Callable[..., Updates]) -> None:
    host = updates(UPDATE)
    assert len(host.follow(state="downloaded").download_results) == 1
    again = host.follow(state="installed")
    assert (again.download_results, len(again.install_results)) == ({}, 1)


@pytest.mark.parametrize(
    ("options", "reasons"),
    [
        ({}, {"KB5000002": ["category_names"]}),
        ({"category_names": ["*"]}, {}),
        ({"category_names": []}, {}),
        ({"category_names": ["drivers"]}, {"KB5031361": ["category_names"]}),
        ({"category_names": ["Windows Server 2022"]}, {}),
        ({"category_names": ["*"], "accept_list": ["KB\\d+1$"]}, {"KB5000002": ["accept_list"]}),
        ({"category_names": ["*"], "reject_list": ["security"]}, {"KB5031361": ["reject_list"]}),
        ({"accept_list": ["nothing"]}, {"KB5031361": ["accept_list"], "KB5000002": ["accept_list", "category_names"]}),
    ],
)
def test_which_updates_are_taken(updates: Callable[..., Updates], options: Any, reasons: Any) -> None:
    result = updates(UPDATE, DRIVER).follow(state="searched", **options)
    kbs = {key: update["kb"][0] for key, update in result.updates.items()}
    assert {kbs[key]: why for key, why in result.filtered_updates.items()} == reasons
    assert {kbs[key] for key in result.selected_updates} == {"KB5031361", "KB5000002"} - reasons.keys()


@pytest.mark.parametrize(
    ("fault", "hresult", "action_of"),
    [
        ("no_route", 0x8024402C, "Searching for updates: "),
        ("service_disabled", 0x80070422, "Searching for updates: "),
    ],
)
def test_a_search_that_cannot_work(updates: Callable[..., Updates], fault: str, hresult: int, action_of: str) -> None:
    result = updates(UPDATE, windows_update=fault).follow()
    assert (result.failed, result.hresult, result.changed) == (True, hresult, False)
    assert result.msg.startswith(action_of)


def test_an_error_of_windows_update_that_no_scenario_has(make_lab: MakeLab) -> None:
    host = Updates(make_lab({"name": "hall", "kind": "winrm", "updates": [UPDATE]}), search_error="0x80070005")
    result = host.follow()
    assert (result.hresult, result.msg[-17:]) == (0x80070005, "Access is denied.")
    inspected = json.loads(host.run(encoded("\n".join(script("inspect_windows_update"))))[0])["data"]
    assert (inspected["agent"]["ok"], inspected["search"]["hresult"]) == (True, "0x80070005")


@pytest.mark.parametrize(
    ("update", "code", "hresult"),
    [
        ({"result": "0x800F0922"}, 4, 0x800F0922),
        ({"gib": 31}, 4, 0x80070070),
        ({"result": "reported_failed"}, 4, 0x80070643),
        ({"result": "vanishes"}, 2, 0),
    ],
)
def test_installations_that_fail(
    updates: Callable[..., Updates], update: dict[str, Any], code: int, hresult: int
) -> None:
    result = updates({**UPDATE, **update}).follow()
    (installed,) = result.install_results.values()
    assert (installed["result_code"], installed["hresult"]) == (code, hresult)
    assert result.failed is (code != 2)
    assert result.failed is ("Failed to install all updates" in (result.msg or ""))


def test_two_installations_do_not_go_together(updates: Callable[..., Updates]) -> None:
    host = updates(UPDATE, {"kb": "KB5000009", "result": "hangs"})
    windows_update = host.machine.host.guest.updates
    windows_update.begin_installation([windows_update.known["KB5000009"]])
    result = host.follow()
    assert (result.failed, result.hresult) == (True, int(BUSY, 16))


def test_cancelling_lets_windows_finish_what_it_has_started(updates: Callable[..., Updates]) -> None:
    host = updates(UPDATE, {**UPDATE, "kb": "KB5031362"})
    shell_id = host.open()
    command_id = host.begin(shell_id, encoded(BOOTSTRAP), with_input=True)
    host.send(shell_id, command_id, payload("win_updates", {"_operation": "start"}))
    host.lab.run_for(100)  # the first is being installed
    (task,) = host.machine.update_tasks.values()
    task.cancel()
    host.lab.run_for(3600)
    assert host.lab.truth("hall")["installed"] == ["KB5031361"]
    (results,) = (line["result"]["info"] for line in task.lines if line["task"] == "install_result")
    assert [result["result_code"] for result in results] == [2, 5]


def test_a_reboot_ends_the_program(updates: Callable[..., Updates]) -> None:
    host = updates(UPDATE)
    started = host.started()
    host.machine.host.guest.reboot()
    host.lab.run_for(300)
    polled = host.module("win_updates", _operation="poll", _operation_options=started["poll_options"])
    assert (polled["failed"], polled["msg"]) == (True, "Timed out waiting for server pipe to be available")


def test_the_module_does_it_all_under_async(updates: Callable[..., Updates]) -> None:
    host = updates(UPDATE, DRIVER)
    result = host.module("win_updates", _operation_options={"wait": True})
    (update,), (driver,) = result["updates"].values(), result["filtered_updates"].values()
    assert (update["kb"], update["installed"], update["downloaded"]) == (["5031361"], True, True)
    assert driver["filtered_reasons"] == ["category_names"]
    counts = [result[f"{what}_update_count"] for what in ("found", "failed", "installed")]
    assert (counts, result["reboot_required"], result["failed"]) == ([1, 0, 1], True, False)
    broken = updates(UPDATE, windows_update="no_route").module("win_updates", _operation_options={"wait": True})
    assert (broken["failed"], broken["hresult"]) == (True, 0x8024402C - 2**32)


def test_a_task_under_async(updates: Callable[..., Updates]) -> None:
    host = updates(UPDATE)
    args = {"_operation_options": {"wait": True}}
    started = host.in_background("win_updates", args, timeout_seconds=3000)
    assert (started["started"], started["finished"]) == (True, False)
    status = host.module("async_status", jid=started["ansible_job_id"], mode="status", _async_dir="C:\\async")
    assert (status["finished"], status["installed_update_count"]) == (True, 1)
    host.module("async_status", jid=started["ansible_job_id"], mode="cleanup", _async_dir="C:\\async")
    assert host.module("async_status", jid=started["ansible_job_id"], _async_dir="C:\\async")["failed"] is True


def test_a_task_under_async_that_takes_too_long(updates: Callable[..., Updates]) -> None:
    host = updates({**UPDATE, "result": "hangs"})
    started = host.in_background("win_updates", {"_operation_options": {"wait": True}}, timeout_seconds=600)
    status = host.module("async_status", jid=started["ansible_job_id"], _async_dir="C:\\async")
    assert (status["finished"], status["failed"]) == (True, True)
    assert "timed out waiting for module completion" in status["msg"]
