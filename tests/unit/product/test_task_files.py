# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What must not be in the user's own task files, at any depth."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path
from typing import Any

import ansible.plugins.action
import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.action import ActionBase

from ansible_collections.patchfleet.windows.plugins.filter.task_files import FilterModule
from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import InvalidOption
from ansible_collections.patchfleet.windows.plugins.plugin_utils._task_files import (
    FOR_ALL_HOSTS,
    run_on_host,
    task_files,
)


def poll(folder: Path, content: Any, **files: Any) -> bool:
    for name, tasks in {"pre": content, **files}.items():
        text = tasks if isinstance(tasks, str) else yaml.safe_dump(tasks)
        (folder / f"{name}.yml").write_text(text)
    return run_on_host("patch_pre_tasks", str(folder / "pre.yml"), DataLoader())


def refusal(folder: Path, content: Any, **files: Any) -> str:
    with pytest.raises(InvalidOption) as caught:
        poll(folder, content, **files)
    assert caught.value.reason.startswith("patch_pre_tasks: ")
    assert caught.value.reason.endswith("Nothing was touched.")
    return caught.value.reason


DEBUG = {"ansible.builtin.debug": {"msg": "x"}}
BREAKING = [
    ({"run_once": True, **DEBUG}, "run_once"),
    ({"run_once": "yes", **DEBUG}, "run_once"),
    ({"run_once": "{{ x }}", **DEBUG}, "run_once"),
    ({"throttle": 1, **DEBUG}, "throttle"),
    ({"any_errors_fatal": True, **DEBUG}, "any_errors_fatal"),
    ({"add_host": {"name": "x"}}, "add_host"),
    ({"ansible.builtin.add_host": "name=x"}, "add_host"),
    ({"action": "add_host name=x"}, "add_host"),
    ({"local_action": {"module": "ansible.builtin.add_host", "name": "x"}}, "add_host"),
    ({"pause": {"seconds": 5}}, "pause"),
    ({"ansible.builtin.pause": None}, "pause"),
    ({"meta": "end_host"}, "meta: end_host"),
    ({"ansible.builtin.meta": "end_play"}, "meta: end_play"),
    ({"action": "meta end_batch"}, "meta: end_batch"),
    ({"meta": "clear_host_errors"}, "meta: clear_host_errors"),
]


@pytest.mark.parametrize(("task", "message"), BREAKING, ids=str)
def test_what_breaks_the_waves_is_refused(tmp_path: Path, task: dict[str, Any], message: str) -> None:
    assert message in refusal(tmp_path, [DEBUG, task])


@pytest.mark.parametrize("part", ["block", "rescue", "always"])
def test_it_is_found_in_blocks(tmp_path: Path, part: str) -> None:
    inner = [{"block": [DEBUG], "always": [{"name": "Once", "run_once": True, **DEBUG}]}]
    assert "'Once' has run_once" in refusal(tmp_path, [{"block": [DEBUG], part: inner}])
    assert "throttle" in refusal(tmp_path, [{"throttle": 2, "block": [DEBUG]}])


@pytest.mark.parametrize("include", ["include_tasks", "import_tasks", "ansible.builtin.include_tasks"])
@pytest.mark.parametrize("as_file", [True, False])
def test_it_is_found_in_what_is_included(tmp_path: Path, include: str, as_file: bool) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "deep.yml").write_text("- {pause: {seconds: 1}}")
    value: Any = {"file": "sub/more.yml"} if as_file else "sub/more.yml"
    (tmp_path / "sub" / "more.yml").write_text("- include_tasks: deep.yml\n- include_tasks: more.yml")
    assert "sub/deep.yml" in refusal(tmp_path, [{include: value}])


def test_a_file_that_is_included_and_missing_is_refused(tmp_path: Path) -> None:
    assert "There is no such file" in refusal(tmp_path, [{"include_tasks": "nowhere.yml"}])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("- {", "It cannot be read"),
        ("key: value", "It must be a list of tasks."),
        ("just words", "It must be a list of tasks."),
        ("- words", "'words' is none"),
        ([{"hosts": "all", "tasks": []}], "It is a playbook"),
    ],
)
def test_what_is_no_file_of_tasks_is_refused(tmp_path: Path, content: Any, message: str) -> None:
    assert message in refusal(tmp_path, content)


@pytest.mark.parametrize(
    "tasks",
    [
        [],
        [{"run_once": False, "throttle": 0, **DEBUG}],
        [{"name": "x", "delegate_to": "localhost", "when": "a", "loop": [1], **DEBUG}],
        [{"meta": "reset_connection"}, {"ansible.builtin.meta": "flush_handlers"}],
        [{"include_tasks": "{{ which }}.yml"}, {"include_role": {"name": "x"}}],
        [{"my.own.module": {"pause": 1, "run_once": True}}],
        [{"block": [DEBUG], "rescue": [], "always": None}],
    ],
    ids=str,
)
def test_everything_else_is_the_users(tmp_path: Path, tasks: Any) -> None:
    poll(tmp_path, tasks)


ON_HOST: list[Any] = [
    [{"ansible.windows.win_service": {"name": "x"}}],
    [{"name": "x", "when": "a", "loop": [1], "register": "r", "win_shell": "x"}],
    [{"block": [DEBUG, {"raw": "x"}]}],
    [{"action": "command x"}],
    [{"include_tasks": "other.yml"}],
]
ELSEWHERE: list[Any] = [
    [DEBUG, {"set_fact": {"a": 1}}, {"meta": "noop"}],
    [{"uri": {"url": "x"}, "delegate_to": "localhost"}],
    [{"block": [{"uri": {"url": "x"}}], "delegate_to": "localhost"}],
    [{"local_action": "uri url=x"}],
    [{"uri": {"url": "x"}, "vars": {"ansible_connection": "local"}}],
    [{"uri": {"url": "x"}, "connection": "local"}],
    [{"patchfleet.windows.ssm_command": {"instance_id": "x"}}],
    [{"include_role": {"name": "x"}}],
]


@pytest.mark.parametrize(
    ("tasks", "on_host"), [*((tasks, True) for tasks in ON_HOST), *((tasks, False) for tasks in ELSEWHERE)], ids=str
)
def test_what_needs_a_connection_to_the_host_is_known(tmp_path: Path, tasks: Any, on_host: bool) -> None:
    assert poll(tmp_path, tasks, other=[{"win_shell": "x"}]) is on_host


def test_secrets_and_tags_of_ansible_can_be_read(tmp_path: Path) -> None:
    poll(tmp_path, "- debug: {msg: !unsafe '{{ x }}'}")


def test_what_works_on_all_hosts_at_once_is_what_ansible_core_says() -> None:
    modules = [module.name for module in pkgutil.iter_modules(ansible.plugins.action.__path__)]
    found = {
        name
        for name in modules
        if getattr(
            importlib.import_module(f"ansible.plugins.action.{name}"), "ActionModule", ActionBase
        ).BYPASS_HOST_LOOP
    }
    assert found == FOR_ALL_HOSTS


def test_names_are_paths_from_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/me")
    expected = [f"{tmp_path}/a.yml", "/b.yml", "/home/me/c.yml"]
    assert task_files("a.yml, /b.yml,~/c.yml,") == expected
    assert FilterModule().filters()["task_files"](["a.yml", "/b.yml", "~/c.yml"]) == expected
    assert task_files(None) == task_files("") == task_files([]) == []
