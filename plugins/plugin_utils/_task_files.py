# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Task files of the user's that run in the way of each host, and what must not be in them.

The play that patches uses the strategy host_pinned. There run_once runs for every host, throttle takes the window away, an
action that bypasses the host loop ends the whole run, and end_host skips what puts the host back. All that can be seen before
anything is touched; only what a template or a role brings in cannot.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from ansible.errors import AnsibleError
from ansible.playbook.task import Task

from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import InvalidOption

OPTIONS = (
    "patch_pre_tasks",
    "patch_post_tasks",
    "patch_start_tasks",
    "patch_stop_tasks",
    "patch_room_tasks",
    "patch_restore_point_tasks",
    "patch_roll_back_tasks",
)
WHILE_OFF = "patch_start_tasks"
"""Its tasks cannot run on the host."""
BREAKING_KEYWORDS = ("run_once", "throttle", "any_errors_fatal")
FOR_ALL_HOSTS = frozenset({"add_host", "pause"})
"""What bypasses ansible-core's host loop (a test holds it equal to ansible-core's own)."""
HARMLESS_META = frozenset({"noop", "flush_handlers", "reset_connection", "clear_facts"})
BLOCKS = ("block", "rescue", "always")
INCLUDES = ("include_tasks", "import_tasks")
PREFIXES = ("ansible.builtin.", "ansible.legacy.")
ON_CONTROLLER = frozenset(
    {*INCLUDES, "include_role", "import_role", "include_vars", "debug", "set_fact", "assert", "fail"}
)
"""Actions that need no connection to the host; meta and this collection's need none either."""

Found = tuple[dict[str, Any], bool]
"""A task, and whether it runs elsewhere than on the host."""


def task_files(value: Any) -> list[str]:
    """The absolute paths of what a user gave: a list, or a text with commas. Relative ones count from the working folder."""
    parts = value.split(",") if isinstance(value, str) else list(value or [])
    return [os.path.abspath(os.path.expanduser(str(part).strip())) for part in parts if str(part).strip()]


def run_on_host(option: str, path: str, loader: Any) -> bool:
    """Look through a file and all that it includes by a fixed name: does a task of them run on the host itself?

    Raises:
        InvalidOption: a file is missing, is no file of tasks, or holds what would break the waves.
    """
    reader = _Reader(option, loader)
    reader.read(path)
    if option == WHILE_OFF and reader.on_host:
        why = (
            "A task of it runs on the host, which is off then; it must run on the controller (delegate_to: localhost)."
        )
        raise InvalidOption(option, path, f"{why} Nothing was touched.")
    return reader.on_host


class _Reader:
    """Reads task files, each once, with Ansible's own loader."""

    def __init__(self, option: str, loader: Any) -> None:
        self._option, self._loader = option, loader
        self._visited: set[str] = set()
        self.on_host = False

    def read(self, path: str) -> None:
        if path in self._visited:
            return
        self._visited.add(path)
        for task, elsewhere in self._tasks(path, self._load(path), elsewhere=False):
            action, words = _action(task)
            self._refuse_breaking(path, task, action, words)
            self.on_host |= not elsewhere and _needs_connection(action)
            included = _included(task) if action in INCLUDES else None
            if included:
                self.read(os.path.join(os.path.dirname(path), included))

    def _load(self, path: str) -> list[Any]:
        if not os.path.isfile(path):
            raise self._unfit(path, "There is no such file. Relative names count from the folder of ansible-playbook.")
        try:
            document = self._loader.load_from_file(path)
        except AnsibleError as error:
            raise self._unfit(path, f"It cannot be read: {error}") from error
        if document is None:
            return []
        if not isinstance(document, list):
            raise self._unfit(path, "It must be a list of tasks.")
        if any(isinstance(entry, dict) and "hosts" in entry for entry in document):
            raise self._unfit(path, "It is a playbook; it must be a list of tasks.")
        return document

    def _tasks(self, path: str, tasks: Any, elsewhere: bool) -> Iterator[Found]:
        """All tasks, those of blocks too, which inherit from these where they run."""
        for task in tasks if isinstance(tasks, list) else [tasks]:
            if not isinstance(task, dict):
                raise self._unfit(path, f"It must be a list of tasks; {task!r} is none.")
            away = elsewhere or _runs_elsewhere(task)
            yield task, away
            for part in BLOCKS:
                if task.get(part):
                    yield from self._tasks(path, task[part], away)

    def _refuse_breaking(self, path: str, task: dict[str, Any], action: str | None, words: str) -> None:
        name = task.get("name") or action
        for keyword in BREAKING_KEYWORDS:
            if task.get(keyword) not in (None, False, 0, "false", "no"):
                raise self._unfit(path, f"The task {name!r} has {keyword}, which breaks the waves of hosts.")
        if action == "meta" and words not in HARMLESS_META:
            why = f"The task {name!r} is meta: {words}, which would keep the host from being put back."
            raise self._unfit(path, why)
        if action in FOR_ALL_HOSTS:
            why = f"The task {name!r} uses {action}, which works on all hosts at once and ends the run."
            raise self._unfit(path, why)

    def _unfit(self, path: str, why: str) -> InvalidOption:
        return InvalidOption(self._option, path, f"{why} Nothing was touched.")


def _short(name: str) -> str:
    return next((name.removeprefix(prefix) for prefix in PREFIXES if name.startswith(prefix)), name)


def _action(task: dict[str, Any]) -> tuple[str | None, str]:
    """The action of a task and its free text; (None, "") of a block."""
    for old in ("action", "local_action"):
        given = task.get(old)
        if isinstance(given, dict):
            return _short(str(given.get("module", ""))), ""
        if given:
            named, _separator, words = str(given).partition(" ")
            return _short(named), words.strip()
    for key, value in task.items():
        if key not in Task.fattributes and key not in (*BLOCKS, "local_action") and not str(key).startswith("with_"):
            return _short(str(key)), value.strip() if isinstance(value, str) else ""
    return None, ""


def _runs_elsewhere(task: dict[str, Any]) -> bool:
    """It is delegated, or says by itself which connection it uses."""
    keywords = ("delegate_to", "local_action", "connection")
    return any(task.get(keyword) for keyword in keywords) or "ansible_connection" in (task.get("vars") or {})


def _needs_connection(action: str | None) -> bool:
    return (
        bool(action) and action != "meta" and action not in ON_CONTROLLER and not str(action).startswith("patchfleet.")
    )


def _included(task: dict[str, Any]) -> str | None:
    """The file that a task includes, if it has a fixed name."""
    value = next((value for key, value in task.items() if _short(str(key)) in INCLUDES), None)
    named = value.get("file") if isinstance(value, dict) else str(value or "").partition(" ")[0]
    return str(named) if named and "{{" not in str(named) else None
