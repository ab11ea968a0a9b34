# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The shape of the plays, as ansible-core's treatment of batches, failures and limits forces it."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ansible.template
import pytest
import yaml
from ansible.parsing.dataloader import DataLoader

ROOT = Path(__file__).parents[3]
COLLECTION = "patchfleet.windows."
PLAYBOOKS = sorted((ROOT / "playbooks").glob("*.yml"))
GIVEN_BY_THE_PLUGIN = {"ledger", "run_id", "host", "fence", "instance_id", "region"}
TASK_FILES = sorted(
    [
        *(ROOT / "roles").glob("*/tasks/*.yml"),
        *(ROOT / "playbooks").glob("*.yml"),
        *(ROOT / "playbooks/tasks").rglob("*.yml"),
    ]
)
HOST = ROOT / "playbooks/tasks/host.yml"
OF_USUAL_HOSTS = {
    "instance.yml",
    "other.yml",
    "ready.yml",
    "started.yml",
    "install.yml",
    "scan.yml",
    "stop.yml",
    "services.yml",
}
STEPS = HOST.with_name("install_or_scan.yml")
SEARCH_FIRST = ("patch_compliance_info", "searched")
OF_SOME_RUNS: dict[str | tuple[str, str], tuple[str, ...]] = {
    SEARCH_FIRST: ("patch_kbs",),
    "windows_sessions": ("patch_sessions", "patch_sessions_message"),
    "user_tasks_result": ("patch_pre_tasks", "patch_post_tasks"),
    "host_power": ("patch_start_tasks", "patch_stop_tasks"),
}
"""The modules of host.yml that only some runs need, and the variables by which admission.yml knows such a run."""


def plays(name: str) -> dict[str, dict[str, Any]]:
    """The plays of a playbook by their names."""
    return {play["name"]: play for play in yaml.safe_load((ROOT / "playbooks" / f"{name}.yml").read_text())}


def roles(tasks: list[dict[str, Any]]) -> list[str]:
    """The roles that tasks import, each with its entry point."""
    imports = [task["ansible.builtin.import_role"] for task in tasks if "ansible.builtin.import_role" in task]
    return [f"{one['name'].removeprefix(COLLECTION)}/{one['tasks_from']}" for one in imports]


def all_tasks(tasks: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for task in tasks:
        yield task
        for part in ("block", "rescue", "always"):
            yield from all_tasks(task.get(part, []))


def tasks_of(path: Path) -> list[dict[str, Any]]:
    document = yaml.safe_load(path.read_text())
    if path.parent.name == "playbooks":
        return [task for play in document for task in all_tasks(play["tasks"])]
    return list(all_tasks(document))


@pytest.fixture
def patch() -> dict[str, Any]:
    return plays("patch")["Patch"]


@pytest.fixture
def host_tasks() -> list[dict[str, Any]]:
    """All steps of an admitted host."""
    tasks: list[dict[str, Any]] = yaml.safe_load(HOST.read_text())
    return tasks


@pytest.fixture
def admission() -> list[dict[str, Any]]:
    """What the play Patch imports."""
    tasks: list[dict[str, Any]] = yaml.safe_load(HOST.with_name("admission.yml").read_text())
    return tasks


PATCH = ("patch_baseline", "{{ 'rebooted' if patch_operation == 'reboot' else 'installed' }}")


def modules(tasks: list[dict[str, Any]], path: Path, parts: tuple[str, ...]) -> Iterator[tuple[str, str | None]]:
    """The modules of this collection with their states, in these parts of blocks; files with a fixed name are followed."""
    for task in tasks:
        for part in parts:
            yield from modules(task.get(part, []), path, parts)
        for name, options in task.items():
            action = name.removeprefix("ansible.builtin.")
            if name.startswith(COLLECTION):
                yield name.removeprefix(COLLECTION), (options or {}).get("state")
            elif action in {"import_role", "include_role"}:
                role = (
                    ROOT / "roles" / options["name"].removeprefix(COLLECTION) / "tasks" / f"{options['tasks_from']}.yml"
                )
                yield from modules(yaml.safe_load(role.read_text()), role, parts)
            elif action in {"import_tasks", "include_tasks"} and isinstance(options, str) and "{{" not in options:
                file = path.parent / options
                yield from modules(yaml.safe_load(file.read_text()), file, parts)


def test_an_admitted_host_gets_the_steps_of_its_kind(admission: list[dict[str, Any]]) -> None:
    """A condition costs a process and a line for each host, so no step of the usual files has one, but after a failure."""
    ask, include = admission
    assert f"{COLLECTION}host_admission" in ask
    assert include["when"] == "patch__admission.admitted | default(false)"
    files = sorted((HOST.parent / "usual").glob("*.yml"))
    assert [file.stem for file in files] == ["instance_install", "instance_scan", "other_install", "other_scan"]
    for file in files:
        (workflow,) = yaml.safe_load(file.read_text())
        for tasks_from in roles(workflow["block"] + workflow["always"]):
            role, _separator, name = tasks_from.partition("/")
            tasks = yaml.safe_load((ROOT / "roles" / role / "tasks" / f"{name}.yml").read_text())
            without_rescue = [one for task in tasks for one in [task, *task.get("block", []), *task.get("always", [])]]
            assert [task["name"] for task in without_rescue if "when" in task] == [], tasks_from


@pytest.mark.parametrize(
    ("name", "left_out"),
    [
        ("instance_install", {("patch_compliance_info", None), ("windows_update_health", "restored")}),
        (
            "instance_scan",
            {PATCH, ("system_drive_space", None), ("windows_update_health", "restored")},
        ),
        (
            "other_install",
            {("patch_compliance_info", None), ("instance_power", "started"), ("instance_power", "restored")},
        ),
        (
            "other_scan",
            {
                PATCH,
                ("system_drive_space", None),
                ("instance_power", "started"),
                ("instance_power", "restored"),
            },
        ),
    ],
)
def test_a_usual_host_misses_no_step(
    name: str, left_out: set[tuple[str, str | None]], host_tasks: list[dict[str, Any]], admission: list[dict[str, Any]]
) -> None:
    """A step of host.yml is in each usual file, or in OF_SOME_RUNS with a variable that admission.yml asks for."""
    file = HOST.parent / "usual" / f"{name}.yml"
    usual = yaml.safe_load(file.read_text())
    for parts in (("block", "always"), ("rescue", "always", "block")):
        every = [one for one in modules(host_tasks, HOST, parts) if not {one, one[0]} & set(OF_SOME_RUNS)]
        assert dict.fromkeys(modules(usual, file, parts)) == dict.fromkeys(one for one in every if one not in left_out)
    condition = str(admission[1]["vars"])
    assert [one for names in OF_SOME_RUNS.values() for one in names if one not in condition] == []


def test_a_host_has_its_workflow_in_this_order(host_tasks: list[dict[str, Any]]) -> None:
    (workflow,) = host_tasks
    assert roles(workflow["block"]) == ["start_hosts/host", "patch/search"]
    assert workflow["block"][-1]["ansible.builtin.include_tasks"] == STEPS.name
    assert roles(yaml.safe_load(STEPS.read_text())) == [
        "repair_windows_update/sessions",
        "user_tasks/pre",
        "expand_ebs/host",
        "repair_windows_update/host",
        "repair_windows_update/message",
        "patch/host",
    ]


def test_each_host_is_put_back_as_soon_as_it_is_done_and_whatever_happened(host_tasks: list[dict[str, Any]]) -> None:
    """instance-scheduler-on-aws#648: stop each host when its own patching has ended, not when the window closes."""
    workflow = host_tasks[-1]
    (leaving,) = workflow["always"]
    assert roles(leaving["block"]) == ["user_tasks/post"]
    assert roles(leaving["always"]) == ["restore_state/host"], "also when the user's own tasks fail"
    (record_failure,) = workflow["rescue"]
    file = HOST.parent / record_failure["ansible.builtin.include_tasks"]
    again, failed = yaml.safe_load(file.read_text())
    assert "ansible.builtin.group_by" in again, "host_pinned knows no add_host"
    assert again["register"] == "patch__retry", (
        "by which the user's tasks know a host that failed and is not tried again"
    )
    for record in (failed, *leaving["rescue"]):
        assert record[f"{COLLECTION}host_result"] == {"state": "failed", "failure": "{{ ansible_failed_result }}"}
        assert record["when"] == "ansible_failed_result.outcome is not defined", "an operation has written its own"


@pytest.mark.parametrize(("retry", "failed"), [(None, False), ({"changed": False}, False), ({"skipped": True}, True)])
def test_tasks_of_users_know_a_host_that_failed_and_is_not_tried_again(retry: Any, failed: bool) -> None:
    """A host that had no capacity at first, and is patched in its second try, has not failed."""
    (include,) = [
        task for task in tasks_of(ROOT / "roles/user_tasks/tasks/run.yml") if "ansible.builtin.include_tasks" in task
    ]
    text = getattr(ansible.template, "trust_as_template", str)(include["vars"]["patchfleet_failed"])
    variables = {} if retry is None else {"patch__retry": retry}
    assert ansible.template.Templar(loader=DataLoader(), variables=variables).template(text) is failed


def test_a_host_without_capacity_has_the_same_workflow_after_the_others(patch: dict[str, Any]) -> None:
    (again,) = [play for play in plays("patch").values() if "patchfleet_again" in play["hosts"]]
    the_same = {"order", "serial", "strategy", "gather_facts", "any_errors_fatal", "timeout"}
    assert {key: again[key] for key in the_same} == {key: patch[key] for key in the_same}
    imports = [play["tasks"][0]["ansible.builtin.import_tasks"] for play in (patch, again)]
    assert imports == ["tasks/admission.yml"] * 2


def test_hosts_beside_threads_have_the_same_workflow(patch: dict[str, Any]) -> None:
    (beside,) = [play for play in plays("patch").values() if "patchfleet_in_turn" in play["hosts"]]
    the_same = {"order", "strategy", "gather_facts", "any_errors_fatal", "timeout"}
    assert {key: beside[key] for key in the_same} == {key: patch[key] for key in the_same}
    threads, each = beside["tasks"]
    assert (threads["when"], each["when"]) == (
        "patch__host.threads is defined",
        "patch__host.threads is not defined",
    )
    assert threads["ignore_errors"] is True
    assert each["ansible.builtin.import_tasks"] == "tasks/admission.yml"


def test_a_thread_that_failed_is_rescued_as_any_host() -> None:
    (shown,) = yaml.safe_load(HOST.with_name("thread.yml").read_text())
    (usual,) = yaml.safe_load((HOST.parent / "usual/instance_install.yml").read_text())
    (rescue,) = usual["rescue"]
    assert shown["rescue"] == [{**rescue, "ansible.builtin.include_tasks": "failure.yml"}]


def test_a_file_whose_name_depends_on_the_host_imports_no_tasks() -> None:
    """ansible-core 2.17 and 2.18 look for an imported file in the folder of the include, and know no variables of hosts then."""
    names = [HOST, *HOST.parent.glob("usual/*.yml")]
    assert len(names) == 5
    assert [file.name for file in names if "import_tasks" in file.read_text(encoding="utf-8")] == []


def test_no_host_waits_for_another_between_two_steps(patch: dict[str, Any]) -> None:
    """ansible/ansible#81736: a barrier wastes the fast hosts' time."""
    assert patch["strategy"] == "ansible.builtin.host_pinned"
    assert patch["order"] == "inventory"


def test_the_breaker_is_ours_and_not_that_of_a_batch(
    patch: dict[str, Any], admission: list[dict[str, Any]], host_tasks: list[dict[str, Any]]
) -> None:
    """ansible/ansible#82267, #7019: a batch that fails whole would stop the play, and with it the report."""
    assert "max_fail_percentage" not in patch
    assert patch["any_errors_fatal"] is False
    assert admission[0]["ignore_errors"] is True
    workflows = [
        *host_tasks,
        *(task for file in HOST.parent.glob("usual/*.yml") for task in yaml.safe_load(file.read_text())),
    ]
    assert all("rescue" in task and "always" in task for task in workflows)


def test_nothing_in_a_hosts_workflow_runs_for_all_or_changes_the_inventory() -> None:
    """host_pinned runs run_once for every host, aborts on add_host, and loses its window by a throttle."""
    files = {"start_hosts", "user_tasks", "expand_ebs", "repair_windows_update", "patch", "restore_state"}
    for path in TASK_FILES:
        if path.parents[1].name in files and path.name in {
            "host.yml",
            "sessions.yml",
            "message.yml",
            "power.yml",
            "pre.yml",
            "post.yml",
            "run.yml",
            *OF_USUAL_HOSTS,
        }:
            for task in tasks_of(path):
                assert not {"run_once", "throttle", "ansible.builtin.add_host"} & set(task), path


@pytest.mark.parametrize("name", ["patch", "plan"])
def test_a_run_without_hosts_cannot_end_green(name: str) -> None:
    """awx#14804, awx#15775."""
    patterns = [play["hosts"] for play in plays(name).values() if "target_pattern" in play["hosts"]]
    plain = [play["hosts"] for play in plays(name).values() if "target_pattern" not in play["hosts"]]
    assert len(patterns) == 2
    assert plain[0] == "{{ 'localhost' | patchfleet.windows.without_tags }}"
    assert all("in groups else '!all'" in pattern for pattern in plain[1:]), "only what an earlier play has chosen"
    assert all("patchfleet.windows.target_pattern(groups, " in pattern for pattern in patterns)
    assert all("ansible_limit" in pattern for pattern in patterns)


@pytest.mark.parametrize("path", PLAYBOOKS, ids=lambda path: path.stem)
def test_no_playbook_does_a_part_of_its_work_for_tags_or_a_limit(path: Path) -> None:
    first = yaml.safe_load(path.read_text())[0]
    assert re.search(r"patchfleet\.windows\.(without_limit|without_tags)", first["hosts"])


@pytest.mark.parametrize("path", PLAYBOOKS, ids=lambda path: path.stem)
def test_each_play_has_a_strategy_of_its_own(path: Path) -> None:
    """ansible/ansible#73554: add_host and run_once do not work with a strategy of the user's configuration."""
    for play in yaml.safe_load(path.read_text()):
        assert play["strategy"] in {"ansible.builtin.linear", "ansible.builtin.host_pinned"}


@pytest.mark.parametrize("name", ["patch", "restore"])
def test_no_setting_of_the_user_ends_a_play_early_or_cuts_a_task_off(name: str) -> None:
    """ANSIBLE_ANY_ERRORS_FATAL would end the run with its first failed host, ANSIBLE_TASK_TIMEOUT an installation."""
    for play in plays(name).values():
        assert (play["any_errors_fatal"], play["timeout"]) == (False, 0)


def test_a_restore_that_fails_for_one_host_continues_with_the_others() -> None:
    """What its rescue does is ignored where it fails, so that the last play reports the host."""
    (block,) = plays("restore")["Restore"]["tasks"]
    assert [task.get("ignore_errors") for task in block["rescue"]] == [True]


def test_no_play_gathers_facts() -> None:
    """Most hosts are off, and none needs a connection of Ansible's."""
    for path in (ROOT / "playbooks").glob("*.yml"):
        assert all(play["gather_facts"] is False for play in yaml.safe_load(path.read_text()))


@pytest.mark.parametrize("path", TASK_FILES, ids=lambda path: f"{path.parents[1].name}/{path.name}")
def test_tasks_name_options_of_their_modules_and_leave_the_run_to_the_action_plugin(path: Path) -> None:
    """plugin_utils/_tracking.py gives each task its run, host, fence, id and region; a task names only another host."""
    for task in tasks_of(path):
        for name, options in task.items():
            if not name.startswith(COLLECTION):
                continue
            operation = importlib.import_module(
                f"ansible_collections.patchfleet.windows.plugins.action.{name.removeprefix(COLLECTION)}"
            ).ActionModule.operation
            assert set(options or {}) - {"region"} <= set(operation.arguments)
            named = {option: value for option, value in (options or {}).items() if option in GIVEN_BY_THE_PLUGIN}
            assert not any("patch__" in str(value) or "patch_ledger" in str(value) for value in named.values())
