# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The runs that someone watches: those at work, read from the ledger alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from .._base.clock import iso
from .._ledger.records import Ledger
from .._model.outcomes import Outcome
from .._model.phases import Phase
from .._operation.commands import playbook_command
from .._operation.context import OperationContext
from .._operation.results import Result
from .._run.progress import Progress, read_progress
from .status import MOST_ROWS, Line, as_text, status_lines

PRINTED_WIDTH = 78
"""A task prints its lines with an indentation of two columns; together they are 80."""
NO_RUN = "The ledger holds no run yet."


class AtWorkRow(TypedDict):
    """A host at work; ``since`` is when its phase began, ``admitted_at`` when its work began, both ISO 8601 in UTC."""

    host: str
    instance_id: str | None
    step: Phase
    since: str | None
    admitted_at: str | None


class ProblemRow(TypedDict):
    """A host that failed or is held."""

    host: str
    instance_id: str | None
    outcome: Outcome | None
    step: Phase | None
    reason: str | None


class ProgressRow(TypedDict):
    """Numbers of hosts: ``done``, ``total``, ``failed``, ``waiting`` and ``on``. Times are ISO 8601 in UTC."""

    run_id: str
    alive: bool
    as_of: str | None
    done: int
    total: int
    failed: int
    waiting: int
    on: int
    at_work: list[AtWorkRow]
    problems: list[ProblemRow]
    ends_at: str | None


class WatchResult(Result):
    progress: list[ProgressRow]
    lines: list[str]


def watch_runs(context: OperationContext) -> WatchResult:
    """Where the runs stand that are at work, or the one of the options; without any, the last run.

    Returns:
        progress (one for each run), lines (the display as text).

    Raises:
        NoRun: there is no ledger.
    """
    return result_of(context, read_watched(context))


def result_of(context: OperationContext, watched: Sequence[Progress]) -> WatchResult:
    """What watch_runs returns of these runs."""
    return {
        "changed": False,
        "progress": [_row(progress) for progress in watched],
        "lines": as_text(display_of(context, watched, PRINTED_WIDTH, with_stop=True)) or [NO_RUN],
    }


def read_watched(context: OperationContext, before: Sequence[Progress] = ()) -> list[Progress]:
    """The runs of watch_runs, or those that were read before, as they are now.

    Raises:
        NoRun: there is no ledger.
    """
    ledger, now = context.existing_ledger(), context.clock.now()
    chosen = [progress.run.run_id for progress in before] or _chosen(context, ledger, now)
    return [read_progress(ledger, run_id, now) for run_id in chosen]


def _chosen(context: OperationContext, ledger: Ledger, now: float) -> list[str]:
    if context.run_id:
        return [context.run_id]
    runs = ledger.runs()
    return [run.run_id for run in reversed([run for run in runs if run.is_active(now)] or runs[:1])]


def display_of(
    context: OperationContext,
    watched: Sequence[Progress],
    width: int = 80,
    rows: int = MOST_ROWS,
    *,
    with_stop: bool = False,
) -> list[Line]:
    """The display of several runs, with an empty line between two. See status_lines.

    ``with_stop`` is for a display that is written once: its commands may be wider than a terminal.
    """
    ledger = context.params.get("ledger")
    restore = playbook_command("restore", ledger)
    lines: list[Line] = []
    for progress in watched:
        stop = playbook_command(
            "stop", ledger, {"patch_run_id": progress.run.run_id, "patch_stop_reason": "Stopped by hand"}
        )
        shown = status_lines(progress, width, rows, restore, stop if with_stop else None)
        lines += [*([Line("")] if lines else []), *shown]
    return lines


def _row(progress: Progress) -> ProgressRow:
    return {
        "run_id": progress.run.run_id,
        "alive": progress.is_active,
        "as_of": iso(progress.now),
        "done": progress.done,
        "total": progress.total,
        "failed": progress.failed,
        "waiting": len(progress.waiting),
        "on": progress.on,
        "at_work": [
            {
                "host": work.host.name,
                "instance_id": work.host.instance_id,
                "step": work.phase,
                "since": iso(work.since),
                "admitted_at": iso(work.admitted_at),
            }
            for work in progress.at_work
        ],
        "problems": [
            {
                "host": host.name,
                "instance_id": host.instance_id,
                "outcome": host.outcome,
                "step": host.phase,
                "reason": host.reason,
            }
            for host in progress.problems
        ],
        "ends_at": iso(progress.ends_at),
    }
