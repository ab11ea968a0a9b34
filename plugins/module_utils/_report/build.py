# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""report.json, from what the ledger holds of a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from .._base.clock import iso
from .._ledger.records import Host, Ledger, PhaseTime, Run
from .._model.fact_values import LetGo, RestorePoint
from .._model.host_facts import HostFacts
from .._model.outcomes import PROVEN, UNTOUCHED, Outcome
from .._model.run_settings import Brake
from .._model.versions import COLLECTION, REPORT_SCHEMA, major
from .._plan.prices import hourly_price
from .._run.account_breakers import account_breakers
from .fields import Report, ReportBrake, ReportedLetGo, ReportedPoint, ReportHost, ReportOperator


def build_report(ledger: Ledger, run_id: str, now: float) -> Report:
    """The report of a run; unknown is null, never 0. Times are ISO 8601 in UTC, sizes GiB, durations seconds."""
    run = ledger.run(run_id)
    times: dict[str, list[PhaseTime]] = {}
    for time in ledger.phases(run_id):
        times.setdefault(time.host_key, []).append(time)
    # A phase without an end was cut off with its controller, which was active at its last heartbeat.
    is_active = run.is_active(now)
    checked_at = now if is_active else run.heartbeat_at
    prices = run.settings.get("prices") or {}
    hosts = [_host(host, times.get(host.key, []), now, checked_at, prices) for host in ledger.hosts(run_id)]
    totals = Counter(host["outcome"] for host in hosts)
    return {
        "schema": major(REPORT_SCHEMA),
        "schema_version": REPORT_SCHEMA,
        "collection_version": COLLECTION,
        "run_id": run.run_id,
        "started_at": iso(run.opened_at),
        "finished_at": None if is_active else iso(run.closed_at or now),
        "as_of": iso(now) if is_active else None,
        "operation": run.operation,
        "by": operator_of_run(run),
        "breaker": run.breaker,
        "account_breakers": account_breakers(ledger, run),
        "brakes": [_brake(brake) for brake in run.settings.get("brakes", [])],
        "targets": run.settings.get("targets", {}),
        "totals": {outcome: totals[outcome] for outcome in Outcome if outcome in totals},
        "hosts": hosts,
    }


def operator_of_run(run: Run) -> ReportOperator:
    """Who started it. A run of an earlier version has only the user and the machine."""
    controller = run.controller
    return {
        "user": controller.get("user"),
        "machine": controller.get("host"),
        "arn": controller.get("arn"),
        "launched_by": controller.get("launched_by"),
        "job_id": controller.get("job_id"),
    }


def _brake(brake: Brake) -> ReportBrake:
    return {
        "kind": brake["kind"],
        "at": iso(brake["at"]),
        "by": brake["by"],
        "machine": brake["machine"],
        "reason": brake["reason"],
    }


def _host(host: Host, times: list[PhaseTime], now: float, checked_at: float, prices: Mapping[str, float]) -> ReportHost:
    facts = host.facts
    seconds: dict[str, float] = {}
    for time in times:
        ended_at = time.finished_at or max(checked_at, time.started_at)
        seconds[str(time.phase)] = round(seconds.get(time.phase, 0.0) + ended_at - time.started_at, 1)
    on_seconds = _on_seconds(facts, now)
    return {
        "host": host.name,
        "instance_id": host.instance_id,
        "kind": host.kind,
        "type": facts.get("type"),
        "account": facts.get("account", {}).get("id"),
        "region": host.region,
        "az": facts.get("az"),
        "wave": host.wave,
        "outcome": host.outcome,
        "step": host.phase if host.outcome or not times else times[-1].phase,
        "reason": host.reason,
        "reason_code": host.reason_code,
        "original_state": facts.get("original_state"),
        "final_state": _final_state(host),
        "started_by_run": bool(facts.get("started_by_run")),
        "installed": facts.get("installed"),
        "missing": facts.get("missing"),
        "failed_updates": facts.get("failed_updates"),
        "verdicts": facts.get("verdicts"),
        "reboots": facts.get("reboots"),
        "free_gib_before": facts.get("free_gib_before"),
        "free_gib_after": facts.get("free_gib_after"),
        "wanted_gib": facts.get("wanted_gib"),
        "rungs": facts.get("rungs"),
        "grown_gib": facts.get("grown_gib"),
        "snapshot_id": facts.get("snapshot_id"),
        "restore_point": _restore_point(facts.get("restore_point")),
        "sessions": facts.get("sessions"),
        "pre_tasks": facts.get("pre_tasks"),
        "post_tasks": facts.get("post_tasks"),
        "repaired": facts.get("repaired", []),
        "checks": facts.get("checks", {}),
        "evidence": facts.get("evidence", {}),
        "remarks": facts.get("remarks", []),
        "verified_at": facts.get("verified_at"),
        "let_go": _let_go(facts.get("let_go")),
        "command_ids": facts.get("patch_commands", []),
        "seconds": seconds,
        "on_seconds": on_seconds,
        "on_usd": _on_usd(on_seconds, hourly_price(prices, host.region, facts.get("type"))),
        "idle_seconds": _idle_seconds(facts, on_seconds, now),
        "timeline": [
            {"step": t.phase, "started_at": iso(t.started_at), "finished_at": iso(t.finished_at), "ok": bool(t.ok)}
            for t in times
        ],
    }


def _restore_point(point: RestorePoint | None) -> ReportedPoint | None:
    """One that was asked for and never seen is none."""
    if point is None or point["made_at"] is None:
        return None
    return {
        "snapshots": [volume["snapshot_id"] for volume in point["volumes"]],
        "made_at": iso(point["made_at"]),
        "expires_at": iso(point["expires_at"]),
        "gib": sum(volume["gib"] for volume in point["volumes"]),
    }


def _let_go(let_go: LetGo | None) -> ReportedLetGo | None:
    if let_go is None:
        return None
    return {"at": iso(let_go["at"]), "by": let_go["by"], "machine": let_go["machine"]}


def _final_state(host: Host) -> str | None:
    """What the restore wrote; else the last state that the run knows: as found where it changed nothing, on where it is held."""
    facts = host.facts
    if host.outcome == Outcome.HELD and facts.get("started_by_run") and not facts.get("final_state"):
        return "running"
    untouched = host.outcome in UNTOUCHED and not facts.get("started_by_run")
    scanned = host.kind != "ec2" and host.outcome in PROVEN
    return facts.get("final_state") or (facts.get("original_state") if untouched or scanned else None)


def _on_seconds(facts: HostFacts, now: float) -> float | None:
    since = facts.get("on_since")
    if since is None:
        return None
    return round((facts.get("off_at") or now) - since, 1)


def _on_usd(on_seconds: float | None, price: float | None) -> float | None:
    return None if on_seconds is None or price is None else round(on_seconds / 3600 * price, 4)


def _idle_seconds(facts: HostFacts, on_seconds: float | None, now: float) -> float | None:
    """On because of us, while no command of ours ran in the host and no installation of ours was under way."""
    if on_seconds is None or facts.get("work_unknown"):
        return None
    on, off = facts.get("on_since", now), facts.get("off_at") or now
    work = [(ended_at - seconds, ended_at) for ended_at, seconds in facts.get("work", [])]
    since = facts.get("working_since")
    work += [] if since is None else [(since, off)]
    worked_seconds = sum(max(min(end, off) - max(begin, on), 0.0) for begin, end in work)
    return round(max(on_seconds - worked_seconds, 0.0), 1)
