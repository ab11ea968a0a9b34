# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""history.json, from what the ledger holds of all runs of the last days."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict

from .._base.clock import iso
from .._ledger.records import Ledger, Run
from .._model.outcomes import Outcome
from .._model.severities import SEVERITIES
from .._model.versions import COLLECTION, HISTORY_SCHEMA, major
from .development import Cause, OnHours, Period, causes, on_hours, trend
from .hosts import ABSENT_DAYS, HostSummary, summaries
from .spans import DAY_SECONDS, MISSING, Span, missing_since, severities_of, spans_of
from .visits import by_host, read_visits


class HistoryRun(TypedDict):
    """A run; ``outcomes`` is the number of hosts by outcome."""

    run_id: str
    opened_at: str | None
    closed_at: str | None
    operation: str
    outcomes: dict[str, int]


class HistoryHost(TypedDict):
    """A host over all runs; docs/history.md says what its fields mean."""

    host: str
    instance_id: str | None
    kind: str
    account: str | None
    region: str | None
    state: str
    runs: int
    first_run_at: str | None
    last_run_at: str | None
    proven_at: str | None
    last_outcome: Outcome | None
    last_reason_code: str | None
    last_reason: str | None
    missing: list[str]
    missing_since: dict[str, str | None]
    late_severities: list[str]
    failures: int
    failures_in_a_row: int
    fails_again: bool
    last_failure_code: str | None
    absent: bool
    unproven: bool


class HistoryUpdate(TypedDict):
    """The time for which an update was missing on a host."""

    host: str
    instance_id: str | None
    kb: str
    severity: str
    state: str
    first_missing_at: str | None
    first_missing_in: str
    last_missing_at: str | None
    proven_at: str | None
    proven_by: str | None
    days: float
    limit_days: float | None
    late: bool
    hresult: str | None


class Totals(TypedDict):
    """Numbers of hosts by state, and of updates."""

    runs: int
    hosts: int
    complete: int
    incomplete: int
    not_proven: int
    fail_again: int
    missing_updates: int
    late_updates: int


class History(TypedDict):
    """All that is in history.json. Unknown is null, times are ISO 8601 in UTC."""

    schema: int
    schema_version: str
    collection_version: str
    written_at: str | None
    since: str | None
    history_days: int
    sla_days: dict[str, float]
    absent_days: float
    totals: Totals
    trend: list[Period]
    causes: list[Cause]
    on_hours: OnHours
    runs: list[HistoryRun]
    hosts: list[HistoryHost]
    updates: list[HistoryUpdate]


def recent_runs(ledger: Ledger, history_days: int, now: float) -> list[Run]:
    """The runs of the last days, the newest first."""
    return [run for run in ledger.runs() if run.opened_at >= now - history_days * DAY_SECONDS]


def build_history(
    ledger: Ledger, runs: Sequence[Run], history_days: int, sla_days: Mapping[str, float], now: float
) -> History:
    """The history of these runs, at least one."""
    visits = read_visits(ledger, list(runs))
    severities, visits_by_host = severities_of(visits), by_host(visits)
    hosts = summaries(visits_by_host)
    limits = {severity: sla_days[severity] for severity in SEVERITIES if severity in sla_days}
    spans = {host.key: spans_of(host.visits, severities) for host in hosts}
    updates = [
        update_row(host, span, limits, now)
        for host in hosts
        for span in sorted(spans[host.key], key=lambda span: (span.first_missing_at, span.kb))
    ]
    rows = [_host(host, spans[host.key], missing_since(host.visits, severities), limits, now) for host in hosts]
    since = min(run.opened_at for run in runs)
    return {
        "schema": major(HISTORY_SCHEMA),
        "schema_version": HISTORY_SCHEMA,
        "collection_version": COLLECTION,
        "written_at": iso(now),
        "since": iso(since),
        "history_days": history_days,
        "sla_days": limits,
        "absent_days": ABSENT_DAYS,
        "totals": _totals(len(runs), rows, updates),
        "trend": trend(hosts, since, now),
        "causes": causes(visits),
        "on_hours": on_hours(visits, ledger.open_power(), now),
        "runs": [_run(ledger, run) for run in runs],
        "hosts": rows,
        "updates": updates,
    }


def _run(ledger: Ledger, run: Run) -> HistoryRun:
    counts = ledger.outcome_counts(run.run_id)
    return {
        "run_id": run.run_id,
        "opened_at": iso(run.opened_at),
        "closed_at": iso(run.closed_at),
        "operation": run.operation,
        "outcomes": {str(outcome): counts[outcome] for outcome in Outcome if outcome in counts},
    }


def _host(
    host: HostSummary, spans: Sequence[Span], since: Mapping[str, float], limits: Mapping[str, float], now: float
) -> HistoryHost:
    last, proven = host.last, host.proven
    late = [
        severity for severity, at in since.items() if severity in limits and now - at > limits[severity] * DAY_SECONDS
    ]
    return {
        "host": last.name,
        "instance_id": last.instance_id,
        "kind": last.kind,
        "account": last.account,
        "region": last.region,
        "state": host.state(now),
        "runs": len(host.visits),
        "first_run_at": iso(host.visits[0].opened_at),
        "last_run_at": iso(last.opened_at),
        "proven_at": iso(proven.verified_at) if proven else None,
        "last_outcome": last.outcome,
        "last_reason_code": last.reason_code,
        "last_reason": last.reason,
        "missing": sorted(span.kb for span in spans if span.state == MISSING),
        "missing_since": {severity: iso(at) for severity, at in since.items()},
        "late_severities": late,
        "failures": host.failures,
        "failures_in_a_row": host.failures_in_a_row,
        "fails_again": host.fails_again,
        "last_failure_code": host.last_failure_code,
        "absent": host.is_absent(now),
        "unproven": host.is_unproven(now),
    }


def update_row(host: HostSummary, span: Span, limits: Mapping[str, float], now: float) -> HistoryUpdate:
    """The time for which an update was missing on a host, as JSON has it."""
    return {
        "host": host.last.name,
        "instance_id": host.last.instance_id,
        "kb": span.kb,
        "severity": span.severity,
        "state": span.state,
        "first_missing_at": iso(span.first_missing_at),
        "first_missing_in": span.first_missing_in,
        "last_missing_at": iso(span.last_missing_at),
        "proven_at": iso(span.ended_at),
        "proven_by": span.ended_by,
        "days": round(span.days(now), 1),
        "limit_days": limits.get(span.severity),
        "late": span.is_late(limits, now),
        "hresult": span.hresult,
    }


def _totals(runs: int, hosts: Sequence[HistoryHost], updates: Sequence[HistoryUpdate]) -> Totals:
    """Hosts that no run has had for a while are not counted by their state."""
    states = [host["state"] for host in hosts if not host["absent"]]
    missing = [update for update in updates if update["state"] == MISSING]
    return {
        "runs": runs,
        "hosts": len(hosts),
        "complete": states.count("complete"),
        "incomplete": states.count("incomplete"),
        "not_proven": states.count("not_proven"),
        "fail_again": sum(host["fails_again"] for host in hosts),
        "missing_updates": len(missing),
        "late_updates": sum(update["late"] for update in missing),
    }
