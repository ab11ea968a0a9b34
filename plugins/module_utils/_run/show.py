# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the ledger holds: its runs, one of them, and all of one as JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from typing import TypedDict

from .._base.clock import iso
from .._base.errors import InvalidOption
from .._base.text import join_sentences
from .._ledger.records import Run
from .._ledger.stored import host_values, phase_values
from .._model.versions import COLLECTION, EXPORT_SCHEMA, major
from .._operation.context import OperationContext
from .._operation.results import Result


class RunRow(TypedDict):
    """A run; times are ISO 8601 in UTC, ``outcomes`` is the number of hosts by outcome."""

    run_id: str
    opened_at: str | None
    closed_at: str | None
    operation: str
    alive: bool
    breaker: str | None
    outcomes: dict[str, int]


class HostRow(TypedDict):
    """A host of a run; ``open`` is whether it is still on because of the run."""

    host: str
    instance_id: str | None
    outcome: str | None
    step: str | None
    reason_code: str | None
    reason: str | None
    open: bool


class RunsResult(Result):
    runs: list[RunRow]
    lines: list[str]


class RunResult(Result):
    run: RunRow
    hosts: list[HostRow]
    lines: list[str]


class RunExport(TypedDict):
    """All that the ledger holds of a run, as it is stored."""

    schema: int
    schema_version: str
    collection_version: str
    ledger_schema_version: str
    run: Mapping[str, object]
    hosts: list[Mapping[str, object]]
    steps: list[Mapping[str, object]]
    open_power_records: list[Mapping[str, object]]


class ExportResult(Result, total=False):
    """``export`` is there where no file was named."""

    export: RunExport
    dest: str


def list_runs(context: OperationContext) -> RunsResult:
    """All runs, the newest first.

    Returns:
        runs (run_id, opened_at, closed_at, operation, alive, breaker, outcomes), lines.
    """
    runs = [_run(context, run) for run in context.ledger.runs()]
    lines = [_line(run) for run in runs] or ["The ledger holds no run yet."]
    return {"changed": False, "runs": runs, "lines": lines}


def show_run(context: OperationContext) -> RunResult:
    """One run with its hosts.

    Returns:
        run (as in list_runs), hosts (host, instance_id, outcome, step, reason_code, reason, open), lines.
    """
    run_id = context.required_run_id
    run = _run(context, context.ledger.run(run_id))
    started = {record.host_key for record in context.ledger.open_power() if record.started_by}
    hosts: list[HostRow] = [
        {
            "host": host.name,
            "instance_id": host.instance_id,
            "outcome": host.outcome,
            "step": host.phase,
            "reason_code": host.reason_code,
            "reason": host.reason,
            "open": host.key in started and context.ledger.holder(host.key) == run_id,
        }
        for host in context.ledger.hosts(run_id)
    ]
    lines = [_line(run), *(_host_line(host) for host in hosts)]
    return {"changed": False, "run": run, "hosts": hosts, "lines": lines}


def export_run(context: OperationContext) -> ExportResult:
    """All that is known of one run, as JSON in the file ``dest``, or as export in the result.

    Raises:
        InvalidOption: the file cannot be written.
    """
    run_id, dest = context.required_run_id, context.params["dest"]
    export: RunExport = {
        "schema": major(EXPORT_SCHEMA),
        "schema_version": EXPORT_SCHEMA,
        "collection_version": COLLECTION,
        "ledger_schema_version": context.ledger.schema_version(),
        "run": asdict(context.ledger.run(run_id)),
        "hosts": [{**host_values(host), "facts": host.facts} for host in context.ledger.hosts(run_id)],
        "steps": [phase_values(time) for time in context.ledger.phases(run_id)],
        "open_power_records": [
            asdict(record) for record in context.ledger.open_power() if run_id in {record.run_id, record.started_by}
        ],
    }
    if not dest:
        return {"changed": False, "export": export}
    text = json.dumps(export, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    try:
        return {"changed": _write(os.path.expanduser(dest), text, context.check_mode), "dest": dest}
    except OSError as error:
        raise InvalidOption("dest", dest, f"It must be a file that can be written ({error}).") from error


def _write(path: str, text: str, check_mode: bool) -> bool:
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            if file.read() == text:
                return False
    if not check_mode:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    return True


def _run(context: OperationContext, run: Run) -> RunRow:
    return {
        "run_id": run.run_id,
        "opened_at": iso(run.opened_at),
        "closed_at": iso(run.closed_at),
        "operation": run.operation,
        "alive": run.is_active(context.clock.now()),
        "breaker": run.breaker,
        "outcomes": {str(outcome or "none yet"): n for outcome, n in context.ledger.outcome_counts(run.run_id).items()},
    }


def _line(run: RunRow) -> str:
    how = "is active" if run["alive"] else f"closed {run['closed_at']}" if run["closed_at"] else "was cut off"
    counts = ", ".join(f"{number} {outcome}" for outcome, number in sorted(run["outcomes"].items()))
    return f"{run['run_id']}  {run['operation']}  {how}  {counts}"


def _host_line(host: HostRow) -> str:
    reason = join_sentences(host["reason"], "Still on because of this run." if host["open"] else None)
    return f"{host['host']}  {host['outcome'] or 'no outcome yet'}  {reason}".rstrip()
