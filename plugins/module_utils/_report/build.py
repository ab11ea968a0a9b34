# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""report.json, from what the ledger holds of a run."""

from __future__ import annotations

from typing import Any

from .._base.clock import iso
from .._ledger.records import Host, Ledger, PhaseTime

OUTCOMES = ("patched", "compliant", "noncompliant", "failed", "deferred", "excluded", "held")
WORK_PHASES = ("disk", "repair", "patch", "verify")


def build_report(ledger: Ledger, run_id: str, now: float) -> dict[str, Any]:
    """The report of a run; unknown is null, never 0. Times are ISO 8601 in UTC, sizes GiB, durations seconds."""
    run = ledger.run(run_id)
    steps: dict[str, list[PhaseTime]] = {}
    for step in ledger.phases(run_id):
        steps.setdefault(step.host_key, []).append(step)
    # A phase without an end was cut off with its controller, which was active at its last heartbeat.
    checked_at = now if run.is_active(now) else run.heartbeat_at
    hosts = [_host(host, steps.get(host.key, []), now, checked_at) for host in ledger.hosts(run_id)]
    totals: dict[str, int] = {}
    for host in hosts:
        totals[host["outcome"]] = totals.get(host["outcome"], 0) + 1
    return {
        "schema": 1,
        "run_id": run.run_id,
        "started_at": iso(run.opened_at),
        "finished_at": iso(run.closed_at or now),
        "operation": run.operation,
        "breaker": run.breaker,
        "targets": run.settings.get("targets", {}),
        "totals": {outcome: totals[outcome] for outcome in OUTCOMES if outcome in totals},
        "hosts": hosts,
    }


def _host(host: Host, steps: list[PhaseTime], now: float, checked_at: float) -> dict[str, Any]:
    facts = host.facts
    seconds: dict[str, float] = {}
    for step in steps:
        ended_at = step.finished_at or max(checked_at, step.started_at)
        seconds[step.step] = round(seconds.get(step.step, 0.0) + ended_at - step.started_at, 1)
    on_seconds = _on_seconds(facts, now)
    return {
        "host": host.name,
        "instance_id": host.instance_id,
        "kind": host.kind,
        "type": facts.get("type"),
        "region": host.region,
        "az": facts.get("az"),
        "wave": host.wave,
        "outcome": host.outcome,
        "step": host.step,
        "reason": host.reason,
        "reason_code": host.reason_code,
        "original_state": facts.get("original_state"),
        "final_state": facts.get("final_state"),
        "started_by_run": bool(facts.get("started_by_run")),
        "installed": facts.get("installed"),
        "missing": facts.get("missing"),
        "failed_updates": facts.get("failed_updates"),
        "reboots": facts.get("reboots"),
        "free_gib_before": facts.get("free_gib_before"),
        "free_gib_after": facts.get("free_gib_after"),
        "wanted_gib": facts.get("wanted_gib"),
        "rungs": facts.get("rungs"),
        "grown_gib": facts.get("grown_gib"),
        "snapshot_id": facts.get("snapshot_id"),
        "sessions": facts.get("sessions"),
        "pre_tasks": facts.get("pre_tasks"),
        "post_tasks": facts.get("post_tasks"),
        "repaired": facts.get("repaired", []),
        "verified_at": facts.get("verified_at"),
        "seconds": seconds,
        "on_seconds": on_seconds,
        "idle_seconds": _idle_seconds(on_seconds, seconds),
        "timeline": [
            {"step": s.step, "started_at": iso(s.started_at), "finished_at": iso(s.finished_at), "ok": bool(s.ok)}
            for s in steps
        ],
    }


def _on_seconds(facts: dict[str, Any], now: float) -> float | None:
    since = facts.get("on_since")
    if since is None:
        return None
    return round(float(facts.get("off_at") or now) - float(since), 1)


def _idle_seconds(on_seconds: float | None, seconds: dict[str, float]) -> float | None:
    """On because of us, while no phase worked in the host."""
    if on_seconds is None:
        return None
    return round(max(on_seconds - sum(seconds.get(step, 0.0) for step in WORK_PHASES), 0.0), 1)
