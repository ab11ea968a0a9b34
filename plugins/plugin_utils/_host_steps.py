# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of a host in the playbook patch, read from playbooks/tasks and the roles that these files import.

The files of the playbook are the one list of a host's steps; what takes a host through them without Ansible reads it here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

import yaml

from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import PatchFleetError

ROOT = Path(__file__).parents[2]
TASKS, ROLES = ROOT / "playbooks" / "tasks", ROOT / "roles"
COLLECTION = "patchfleet.windows."


@dataclass(frozen=True)
class Task:
    """A task of this collection.

    Attributes:
        module: without the collection's name.
        options: as the file has them.
        role: the folder of the role that has the file.
        variables: what the imports of the file set.
        shows_changes: whether Ansible shows the task as changed where its module changed something.
    """

    module: str
    options: Mapping[str, Any]
    role: Path | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)
    shows_changes: bool = True


T = TypeVar("T")


@dataclass(frozen=True)
class Workflow(Generic[T]):
    """What the playbook does with a host: the task that lets it in, what it does then, and what it does in any case."""

    admission: T
    work: tuple[T, ...]
    restore: tuple[T, ...]

    def take_through(self, do: Callable[[T], object], fail: Callable[[PatchFleetError], None]) -> bool:
        """Take an admitted host through its tasks: after a failure it is restored, as it is without one.

        Args:
            do: a task.
            fail: what the playbook does after a failure, except that the host comes again.

        Returns:
            Whether the host comes again when the other hosts are done.
        """
        error = self._attempt(self.work, do, fail)
        for task in self.restore:
            self._attempt([task], do, fail)
        return error is not None and error.code.retry_later

    @staticmethod
    def _attempt(
        tasks: Iterable[T], do: Callable[[T], object], fail: Callable[[PatchFleetError], None]
    ) -> PatchFleetError | None:
        """Do these tasks up to the first that fails; returns why it did."""
        try:
            for task in tasks:
                do(task)
        except PatchFleetError as error:
            fail(error)
            return error
        return None


def usual_file(kind: str, operation: str) -> Path:
    """The steps of a host that needs none of those that only some runs have; see admission.yml.

    Args:
        kind: of the host.
        operation: ``install`` or ``scan``.
    """
    return TASKS / "usual" / f"{'instance' if kind == 'ec2' else 'other'}_{operation}.yml"


def read_workflow(path: Path, is_done: Callable[[str], bool] = lambda _condition: True) -> Workflow[Task]:
    """The workflow of a file.

    Args:
        path: of a block of tasks.
        is_done: whether a task with this condition is done.
    """
    (admit, *_include), (host,) = (_load(file) for file in (TASKS / "admission.yml", path))
    reader = _Reader(is_done)
    (admission,) = reader.tasks([admit], path, {})
    work, restore = (tuple(reader.tasks(host[part], path, {})) for part in ("block", "always"))
    return Workflow(admission, work, restore)


def _load(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


@dataclass(frozen=True)
class _Reader:
    is_done: Callable[[str], bool]

    def tasks(self, tasks: list[dict[str, Any]], path: Path, variables: Mapping[str, Any]) -> Iterator[Task]:
        """Imported files and roles are followed; what is done only after a failure (rescue) is left out."""
        for task in tasks:
            if self.is_done(str(task.get("when", ""))):
                yield from self._in_task(task, path, variables)

    def _in_task(self, task: dict[str, Any], path: Path, variables: Mapping[str, Any]) -> Iterator[Task]:
        within = {**variables, **task.get("vars", {})}
        for name, options in task.items():
            if name in {"block", "always"}:
                yield from self.tasks(options, path, within)
            elif name in {"ansible.builtin.import_tasks", "ansible.builtin.include_tasks"}:
                if isinstance(options, str) and "{{" not in options:
                    yield from self._in_file(path.parent / options, within)
            elif name == "ansible.builtin.import_role":
                imported = ROLES / options["name"].removeprefix(COLLECTION)
                yield from self._in_file(imported / "tasks" / f"{options['tasks_from']}.yml", within)
            elif name.startswith(COLLECTION):
                role = path.parents[1] if path.is_relative_to(ROLES) else None
                shows = task.get("changed_when") is not False
                yield Task(name.removeprefix(COLLECTION), options or {}, role, within, shows)

    def _in_file(self, path: Path, variables: Mapping[str, Any]) -> Iterator[Task]:
        yield from self.tasks(_load(path), path, variables)
