# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which hosts of a run are patched as threads of one worker (patch_runner), and which host's task does that for them.

Ansible works on a batch of hosts at a time. Of a batch's hosts that are threads, the first one has a task that takes all of them
through their steps. The other hosts of the batch have tasks of their own, at the same time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict

from .._model.settings import Settings
from .agreement import setting_of

if TYPE_CHECKING:
    from .planning import PlannedHost

THREADS = "threads"
USERS_TASKS = (
    "pre_tasks",
    "post_tasks",
    "start_tasks",
    "stop_tasks",
    "room_tasks",
    "restore_point_tasks",
)
"""Settings that name files of the user's own tasks; Ansible alone runs them."""
USUAL = {"sessions": ("warn", "ignore"), "operation": ("install", "scan"), "clusters": ("ignore",)}
"""Settings, and their values that need no step that only some runs have."""
ADD_STEPS = ("sessions_message", "kbs", "skip_when")
"""Settings that add such a step where they are set."""


PLANNED, IN_TURN, IN_THREADS = "patchfleet_planned", "patchfleet_in_turn", "patchfleet_in_threads"
"""Groups of the playbook patch: all hosts of a run without threads; of another run those that have tasks of their own, and those
that are threads.
"""


class ThreadsOfBatch(TypedDict):
    """The hosts of a batch that are threads, by their names in the inventory, and how many of them may be at work."""

    names: list[str]
    at_once: int


class Turn(TypedDict, total=False):
    """How a host gets its turn: its groups in the playbook; of a thread the host that leads it, and that one has all threads."""

    groups: list[str]
    lead: str
    threads: ThreadsOfBatch


@dataclass(frozen=True)
class Batch:
    """The hosts of a batch, in planned order; ``at_once`` threads may be at work."""

    in_threads: Sequence[PlannedHost]
    by_tasks: Sequence[PlannedHost]
    at_once: int

    @property
    def tasks(self) -> int:
        """How many of its hosts have tasks of their own."""
        return len(self.by_tasks) + bool(self.in_threads)


def assign_runners(hosts: Sequence[PlannedHost], settings: Settings, batch_size: int) -> list[int]:
    """Give each host its turn.

    Args:
        hosts: that the run works on, in planned order.
        settings: of the run.
        batch_size: how many of them are worked on at the same time.

    Returns:
        How many hosts of each batch have tasks of their own; nothing where all of them have.
    """
    found = batches(hosts, settings, batch_size)
    if not any(batch.in_threads for batch in found):
        for host in hosts:
            host["groups"] = [PLANNED]
        return []
    for batch in found:
        for host in batch.by_tasks:
            host["groups"] = [IN_TURN]
        for host in batch.in_threads:
            host["groups"], host["lead"] = [IN_THREADS], str(batch.in_threads[0]["inventory_name"])
        for lead in batch.in_threads[:1]:
            names = [str(host["inventory_name"]) for host in batch.in_threads]
            lead["groups"], lead["threads"] = [IN_TURN, IN_THREADS], {"names": names, "at_once": batch.at_once}
    return [batch.tasks for batch in found]


def batches(hosts: Sequence[PlannedHost], settings: Settings, batch_size: int) -> list[Batch]:
    """The batches of a run as Ansible makes them; in rolling mode all hosts are one."""
    step = max(len(hosts), 1) if settings["rollout"] == "rolling" else batch_size
    return [_batch(hosts[first : first + step], settings, batch_size) for first in range(0, len(hosts), step)]


def _batch(hosts: Sequence[PlannedHost], settings: Settings, batch_size: int) -> Batch:
    """In a sliding window the other hosts take what they need of it first. Where that is more than half, all hosts have tasks."""
    fit = [settings["runner"] == THREADS and has_usual_steps(host, settings) for host in hosts]
    with_tasks = fit.count(False)
    at_once = batch_size - with_tasks
    if at_once < fit.count(True) and at_once < (batch_size + 1) // 2:
        fit = [False] * len(hosts)
    in_threads = [host for host, fits in zip(hosts, fit, strict=True) if fits]
    by_tasks = [host for host, fits in zip(hosts, fit, strict=True) if not fits]
    return Batch(in_threads, by_tasks, max(min(at_once, len(in_threads)), 1))


def has_usual_steps(host: PlannedHost, settings: Settings) -> bool:
    """Whether SSM reaches the host, and it needs no step that only some runs have: see playbooks/tasks/admission.yml."""

    def own(key: str) -> Any:
        return setting_of(settings, host["inventory_name"], key)

    return (
        host["transport"] == "ssm"
        and not any(own(key) for key in (*USERS_TASKS, *ADD_STEPS))
        and all(own(key) in values for key, values in USUAL.items())
    )
