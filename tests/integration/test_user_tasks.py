# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The user's own tasks before and after a host: inside the workflow, and refused where they would break the waves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from living_lab import UPDATE, Ended, LivingLab

PROBE = ["# patchfleet-script: probe", "$PatchFleetInput = 'e30='"]
HOST = {"state": "stopped", "scan_seconds": 10, "updates": [UPDATE]}
NAMES = ("fine", "pre", "post", "patch", "both", "refused", "own")


def fleet() -> Iterator[dict[str, Any]]:
    for name in NAMES:
        yield {"name": name, "tags": {"PatchGroup": "Windows", "Test": name}, "groups": [f"of_{name}"], **HOST}
    yield {"name": "lost-{1..2}", "tags": {"PatchGroup": "Windows", "Test": "lost"}, **HOST}
    yield {"name": "alone", "tags": {"PatchGroup": "Windows", "Test": "alone"}, **HOST}
    yield {"name": "scanned", "tags": {"PatchGroup": "Windows", "Test": "scanned"}, "scan_seconds": 10}
    yield {"name": "broken", "tags": {"PatchGroup": "Windows", "Test": "broken"}, "windows_update": "no_route", **HOST}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivingLab]:
    with LivingLab(tmp_path_factory.mktemp("user-tasks"), list(fleet()), scale=200) as lab:
        yield lab


def reported(*words: str) -> list[dict[str, Any]]:
    """Tasks that say these words and the host's name."""
    return [
        {
            "name": word,
            "ansible.builtin.debug": {"msg": f"{word} of {{{{ inventory_hostname }}}} {{{{ instance_id }}}}"},
        }
        for word in words
    ]


FAILING = {"name": "Stop the database", "ansible.builtin.fail": {"msg": "It does not stop."}}
BEFORE, AFTER = reported("drained"), reported("undrained")


def patch(lab: LivingLab, value: str, pre: Any, post: Any, **variables: Any) -> Ended:
    files = {"patch_pre_tasks": [str(lab.file(f"{value}-pre.yml", pre))], "patch_post_tasks": f"{value}-post.yml"}
    lab.file(f"{value}-post.yml", post)  # by a relative name, from where ansible-playbook runs
    return lab.playbook("patch", variables={"patch_filters": {"tag:Test": value}, **files, **variables})


def order(ended: Ended, *tasks: str) -> list[str]:
    """Which of these tasks ran, in order."""
    return [result.task.rpartition(" : ")[2] for result in ended.results if result.task.endswith(tasks)]


INSTALL, STOP = "Install updates or reboot, and verify", "Restore the power state"


def test_they_run_around_the_work_on_a_host(lab: LivingLab) -> None:
    lab.file("more.yml", reported("stopped"))
    nested = [*BEFORE, {"ansible.builtin.include_tasks": "more.yml"}]
    post = [{"ansible.builtin.assert": {"that": "not patchfleet_failed"}}, *AFTER]
    ended = patch(lab, "fine", nested, post)
    assert (ended.code, ended.outcomes) == (0, {"fine": "patched"}), ended.output
    marks = ["drained", "stopped", INSTALL, "undrained", STOP]
    assert order(ended, *marks) == marks
    assert f"drained of fine {lab.id('fine')}" in ended.output
    host = ended.host("fine")
    assert (host["pre_tasks"], host["post_tasks"]) == ("ok", "ok")


def test_commands_of_users_go_to_their_host_and_other_modules_leave_no_trace_in_the_run(lab: LivingLab) -> None:
    """The run, the host and its region are known; a module that fails where the user's own task allows it fails no host."""
    command = {"name": "Ask the host", "patchfleet.windows.ssm_command": {"parameters": {"commands": PROBE}}}
    allowed = {
        "name": "Wait for another host",
        "patchfleet.windows.managed_node_wait": {"instance_id": "i-0123456789abcdef0", "timeout_seconds": 1},
        "ignore_errors": True,
    }
    ended = patch(lab, "own", [command, allowed], AFTER)
    assert (ended.code, ended.outcomes) == (0, {"own": "patched"}), ended.output
    (asked,) = ended.of("Ask the host")
    assert asked["status"] == "Success"
    assert lab.id("own") in str([call["params"] for call in ended.calls if call["operation"] == "SendCommand"])
    (waited,) = ended.of("Wait for another host")
    assert waited["reason_code"] == "instance_gone"


def test_one_that_fails_before_leaves_the_host_unpatched_and_restored(lab: LivingLab) -> None:
    ended = patch(lab, "pre", [*BEFORE, FAILING], [{"ansible.builtin.assert": {"that": "patchfleet_failed"}}, *AFTER])
    assert ended.code == 2, ended.output
    host = ended.host("pre")
    assert [host[key] for key in ("outcome", "step", "reason_code")] == ["failed", "ready", "pre_tasks_failed"]
    assert host["reason"] == "The tasks of patch_pre_tasks failed: Stop the database: It does not stop."
    assert (host["pre_tasks"], host["post_tasks"]) == ("failed", "ok")
    assert order(ended, "drained", INSTALL, "undrained", STOP) == ["drained", "undrained", STOP]
    truth = lab.truth("pre")
    assert (truth["installed"], truth["state"], truth["starts"]) == ([], "stopped", 1)


def test_one_that_fails_after_is_reported_and_the_host_put_back(lab: LivingLab) -> None:
    ended = patch(lab, "post", BEFORE, [FAILING])
    assert ended.code == 2, ended.output
    host = ended.host("post")
    assert [host[key] for key in ("outcome", "step", "reason_code")] == ["failed", "restore", "post_tasks_failed"]
    assert "It does not stop." in host["reason"]
    assert (host["installed"], host["post_tasks"]) == ([UPDATE["kb"]], "failed")
    assert lab.truth("post")["state"] == "stopped"


def test_those_after_run_also_when_the_patching_failed(lab: LivingLab) -> None:
    ended = patch(lab, "broken", BEFORE, [*AFTER, FAILING])
    host = ended.host("broken")
    assert (host["outcome"], host["step"]) == ("failed", "repair")
    assert host["reason"].endswith("The tasks of patch_post_tasks failed: Stop the database: It does not stop.")
    assert order(ended, "drained", "undrained", STOP) == ["drained", "undrained", STOP]
    assert lab.truth("broken")["state"] == "stopped"


def test_a_scan_disturbs_no_one(lab: LivingLab) -> None:
    ended = patch(lab, "scanned", BEFORE, AFTER, patch_operation="scan")
    assert (ended.code, order(ended, "drained", "undrained")) == (0, []), ended.output
    assert ended.host("scanned")["pre_tasks"] is None


def test_a_task_that_takes_too_long_fails(lab: LivingLab) -> None:
    slow = [{"name": "Wait for ever", "ansible.builtin.command": "sleep 100", "delegate_to": "localhost"}]
    ended = patch(lab, "patch", slow, [], patch_tasks_timeout_seconds=2)
    assert ended.host("patch")["reason_code"] == "pre_tasks_failed", ended.output


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (
            {"name": "Once", "run_once": True, "ansible.builtin.debug": {}},
            "'Once' has run_once, which breaks the waves",
        ),
        ({"ansible.builtin.add_host": {"name": "x"}}, "uses add_host"),
        ({"block": [{"ansible.builtin.meta": "end_play"}]}, "is meta: end_play"),
    ],
    ids=["run_once", "add_host", "end_play"],
)
def test_what_would_break_the_waves_is_refused_before_anything(lab: LivingLab, task: Any, message: str) -> None:
    lab.file("deep.yml", [task])
    ended = patch(lab, "refused", [{"ansible.builtin.import_tasks": "deep.yml"}], AFTER)
    assert ended.code not in (0, "timeout")
    assert ended.touched == []
    assert message in ended.words
    assert "Traceback" not in ended.output


def test_the_files_of_a_single_host_are_checked_too(lab: LivingLab, tmp_path: Path) -> None:
    of_one = lab.file("of-one.yml", {"all": {"hosts": {"refused": {"patch_post_tasks": ["nowhere.yml"]}}}})
    inventories = [lab.workplace.inventory, of_one]
    ended = lab.playbook("patch", variables={"patch_hosts": "of_refused"}, inventories=inventories)
    assert ended.touched == []
    assert "patch_post_tasks: " in ended.words
    assert "There is no such file" in ended.words


def test_tasks_for_a_host_without_a_connection_fail_and_lose_no_host(lab: LivingLab) -> None:
    """Found by its tag, it has none; without looking first, a whole wave of such hosts would end the run."""
    before = [{"name": "Stop it", "ansible.builtin.raw": "x"}]
    ended = patch(lab, "alone", before, AFTER, ansible_ssh_timeout=2, patch_batch_size=1)
    assert ended.code == 2, ended.output
    host = ended.host("alone")
    assert (host["reason_code"], host["post_tasks"]) == ("pre_tasks_failed", "ok")
    assert "Ansible does not reach it over its connection" in host["reason"]
    assert (lab.truth("alone")["state"], lab.truth("alone")["installed"]) == ("stopped", [])


NOWHERE = {"ansible_connection": "winrm", "ansible_host": "127.0.0.1", "ansible_port": 1, "ansible_password": "x"}


def test_a_host_that_a_task_cannot_reach_is_put_back_at_the_end(lab: LivingLab) -> None:
    """ansible/ansible#56265: an unreachable host gets neither rescue nor always."""
    lost = {"name": "Stop it", "ansible.builtin.raw": "x", "vars": NOWHERE, "when": "inventory_hostname == 'lost-1'"}
    ended = patch(lab, "lost", [lost], AFTER)
    assert ended.code == 4, "as Ansible ends when a host was unreachable"
    assert ended.outcomes == {"lost-1": "failed", "lost-2": "patched"}
    host = ended.host("lost-1")
    assert (host["reason_code"], host["step"], host["final_state"]) == ("unreachable", "ready", "stopped")
    assert "Its patch_post_tasks have not run." in host["reason"]
    assert (lab.truth("lost-1")["state"], lab.truth("lost-1")["installed"]) == ("stopped", [])
    assert "are still on because of" not in ended.output
    assert "\n  lost-1  failed: Ansible lost it in the phase ready: " in ended.output
