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

from ansible_collections.patchfleet.windows.plugins.module_utils._errors import InvalidOption

OPTIONS = ("patch_pre_tasks", "patch_post_tasks")
BREAKING_KEYWORDS = ("run_once", "throttle", "any_errors_fatal")
FOR_ALL_HOSTS = frozenset({"add_host", "pause"})
"""What bypasses ansible-core's host loop (a test holds it equal to ansible-core's own)."""
HARMLESS_META = frozenset({"noop", "flush_handlers", "reset_connection", "clear_facts"})
BLOCKS = ("block", "rescue", "always")
INCLUDES = ("include_tasks", "import_tasks")
PREFIXES = ("ansible.builtin.", "ansible.legacy.")


def task_files(value: Any) -> list[str]:
    """The absolute paths of what a user gave: a list, or a text with commas. Relative ones count from the working folder."""
    parts = value.split(",") if isinstance(value, str) else list(value or [])
    return [os.path.abspath(os.path.expanduser(str(part).strip())) for part in parts if str(part).strip()]


def refuse_unfit(option: str, value: Any, loader: Any) -> None:
    """Look through the files and all that they include by a fixed name.

    Raises:
        InvalidOption: one is missing, is no file of tasks, or holds what would break the waves.
    """
    seen: set[str] = set()
    for path in task_files(value):
        _Reader(option, loader, seen).read(path)


class _Reader:
    """Reads task files, each once, with Ansible's own loader."""

    def __init__(self, option: str, loader: Any, seen: set[str]) -> None:
        self._option, self._loader, self._seen = option, loader, seen

    def read(self, path: str) -> None:
        if path in self._seen:
            return
        self._seen.add(path)
        for task in _tasks(self._load(path)):
            if not isinstance(task, dict):
                raise self._unfit(path, f"It must be a list of tasks; {task!r} is none.")
            self._refuse_breaking(path, task)
            for included in _included(task):
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

    def _refuse_breaking(self, path: str, task: dict[str, Any]) -> None:
        name = task.get("name") or next(iter(task), "")
        for keyword in BREAKING_KEYWORDS:
            if task.get(keyword) not in (None, False, 0, "false", "no"):
                raise self._unfit(path, f"The task {name!r} has {keyword}, which breaks the waves of hosts.")
        action = _action(task)
        if action == "meta" and _words(task, action)[:1] and _words(task, action)[0] not in HARMLESS_META:
            raise self._unfit(
                path,
                f"The task {name!r} is meta: {_words(task, action)[0]}, which would keep the host from being put back.",
            )
        if action in FOR_ALL_HOSTS:
            raise self._unfit(
                path, f"The task {name!r} uses {action}, which works on all hosts at once and ends the run."
            )

    def _unfit(self, path: str, why: str) -> InvalidOption:
        return InvalidOption(self._option, path, f"{why} Nothing was touched.")


def _tasks(tasks: Any) -> Iterator[Any]:
    """All tasks, those of blocks too."""
    for task in tasks if isinstance(tasks, list) else [tasks]:
        yield task
        if isinstance(task, dict):
            for part in BLOCKS:
                if task.get(part):
                    yield from _tasks(task[part])


def _short(name: str) -> str:
    return next((name.removeprefix(prefix) for prefix in PREFIXES if name.startswith(prefix)), name)


def _action(task: dict[str, Any]) -> str | None:
    """The action of a task, if it is one that matters here."""
    for old in ("action", "local_action"):
        given = task.get(old)
        if given:
            named = given.get("module", "") if isinstance(given, dict) else str(given).split()[0]
            return _short(str(named))
    names = [_short(str(key)) for key in task]
    return next((name for name in names if name == "meta" or name in FOR_ALL_HOSTS), None)


def _words(task: dict[str, Any], action: str) -> list[str]:
    """The free text of an action."""
    for key, value in task.items():
        if _short(str(key)) == action and isinstance(value, str):
            return value.split()
        if key in ("action", "local_action"):
            return str(value).split()[1:]
    return []


def _included(task: dict[str, Any]) -> Iterator[str]:
    """The files that a task includes by a fixed name."""
    for key, value in task.items():
        if _short(str(key)) in INCLUDES:
            named = value.get("file") if isinstance(value, dict) else str(value).split(" ")[0]
            if named and "{{" not in str(named):
                yield str(named)
