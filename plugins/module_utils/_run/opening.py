# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Open a run in the ledger, and lease its hosts."""

from __future__ import annotations

import getpass
import os
import secrets
import socket
import time
import uuid
from collections.abc import Mapping

from .._aws.errors import AwsError
from .._aws.iam import caller
from .._base.clock import iso
from .._base.errors import PatchFleetError
from .._base.text import clean_text
from .._fleet.hosts import FleetHost
from .._ledger.records import Controller, Host, Run, Verdict
from .._model.host_facts import HostFacts
from .._model.outcomes import Outcome
from .._model.phases import Phase
from .._model.reasons import Reason
from .._model.run_settings import RunSettings, Targets
from .._model.settings import Settings
from .._operation.context import OperationContext
from .._operation.operator import LONGEST
from .._operation.results import Result
from .._plan.account_windows import find_windows, refuse_closed, within_windows
from .._plan.at_most import peer_limits
from .._plan.durations import host_timeout, install_timeout
from .._plan.order import Plan, Planned
from .._plan.planning import PlanResult, accepted_scheduler, make_run_plan, plan_as_lines, plan_as_result
from .._plan.prices import prices_of
from .._plan.report_bucket import ReportStore
from .._plan.report_folder import refuse_unwritable
from .._plan.runner import assign_runners
from .._plan.variables import report_bucket_of
from .held_hosts import held_hosts
from .messages import host_leased
from .no_run_message import no_run_message
from .progress import read_progress
from .restore_points import point_locations
from .slices import kept_of_plan, refuse_other_slices


class OpenedRun(Result, PlanResult):
    """``snapshot_id`` is that of Patch Manager: all hosts of the run get the same updates. For ``turns`` see assign_runners."""

    run_id: str
    snapshot_id: str
    turns: list[int]


def open_run(context: OperationContext) -> OpenedRun:
    """See open_rest; no slice was at work before. The hosts of a slice that died have tasks of Ansible in any case."""
    opened = open_rest(context, {})
    hosts = [host for host in opened["hosts"] if host["included"]]
    opened["turns"] = assign_runners(hosts, context.params["settings"], opened["batch_size"])
    return opened


def open_rest(context: OperationContext, known_peers: Mapping[str, dict[str, int]]) -> OpenedRun:
    """Plan, write the run down and lease its hosts.

    Args:
        context: of the operation that opens it.
        known_peers: how many peers of hosts may be at work, where other slices have counted them: key → group → number.

    Returns:
        run_id, snapshot_id, hosts (in planned order: key, name, inventory_name, instance_id, region, kind, wave, included),
        batch_size, lines (the plan as text).
    """
    given = context.params["settings"]
    refuse_unwritable(given["report_dir"])
    window, of_accounts = find_windows(context, given)
    refuse_closed(window, of_accounts, given, context.clock.now())
    settings = within_windows(given, window, of_accounts, context.clock.now())
    refuse_other_slices(context.ledger, settings, context.clock.now())
    plan = make_run_plan(context, settings, held_hosts(context, settings))
    lines = plan_as_lines(context, plan, settings)
    run = _new_run(context, plan, settings, prices_of(context, plan, settings))
    _announce(context, run, settings)
    peers = {**peer_limits([planned.host for planned in plan.whole], settings["at_most"]), **known_peers}
    rows = [_host_row(run, planned, settings, peers) for planned in plan.hosts]
    leased = context.ledger.open_run(run, rows, bool(settings["take_over"]))
    if plan.canary:
        ours = [planned.host.key for planned in plan.included if planned.host.key not in leased.held]
        canaries = list(plan.canary_keys) if settings["slice"] else ours[: plan.canary]
        context.ledger.keep_settings(run.run_id, {**run.settings, "canary_keys": canaries})
    holders = {other: leased_by(context, other) for other in set(leased.held.values())}
    for key, other in leased.held.items():
        reason = holders[other]
        context.ledger.set_outcome(run.run_id, key, Verdict(Outcome.DEFERRED, Phase.PLAN, Reason.LEASED, reason))
    return {
        **plan_as_result(plan, lines, set(leased.held), leased.fences),
        "changed": True,
        "run_id": run.run_id,
        "snapshot_id": run.snapshot_id,
        "turns": [],
    }


def leased_by(context: OperationContext, run_id: str) -> str:
    """Why a host that this run holds is deferred. The row of that run may be lost."""
    try:
        return host_leased(read_progress(context.ledger, run_id, context.clock.now()))
    except PatchFleetError:
        return f"Another run holds it: {run_id}. The ledger has no row of that run."


def _announce(context: OperationContext, run: Run, settings: Settings) -> None:
    """Try the bucket of the report before a host is leased."""
    bucket = report_bucket_of(settings)
    if bucket is not None:
        started = {"run_id": run.run_id, "started_at": iso(run.opened_at), "hosts": run.settings["targets"]["count"]}
        ReportStore(bucket, run.run_id, context.aws).announce(started)


def controller_of(context: OperationContext, arn: str | None) -> Controller:
    """This process and who started it, for the ledger and the report. ``arn`` is that of the credentials, where it is known."""
    by, job_id = context.params.get("by"), context.params.get("job_id")
    return {
        "host": socket.gethostname(),
        "pid": os.getppid(),
        "user": getpass.getuser(),
        "arn": arn,
        "launched_by": clean_text(by, LONGEST) if by else None,
        "job_id": clean_text(job_id, LONGEST) if job_id else None,
    }


def new_run(now: float, operation: str, settings: RunSettings, controller: Controller) -> Run:
    """A run with an id of its own."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    run_id = f"{stamp}-{secrets.token_hex(2)}"
    return Run(
        run_id=run_id,
        opened_at=now,
        operation=operation,
        snapshot_id=str(uuid.uuid4()),
        settings=settings,
        controller=controller,
        heartbeat_at=now,
    )


def _new_run(context: OperationContext, plan: Plan, settings: Settings, prices: dict[str, float] | None) -> Run:
    by_tag = any(planned.host.by_tag for planned in plan.hosts)
    targets: Targets = {
        "tag": f"{settings['tag_key']}={settings['tag_value']}" if by_tag else None,
        "hosts": settings["hosts"],
        "regions": sorted({p.host.region for p in plan.hosts if p.host.region}),
        "missing_accounts": [account["name"] for account in context.params["missing_accounts"]],
        "count": len(plan.hosts),
    }
    # A restore with the credentials of another account would find none of these hosts, and close their records as gone.
    regions = [planned.host.region for planned in plan.included if planned.host.instance_id and planned.host.region]
    account, arn = identity(context, regions[0] if regions else None)
    kept: RunSettings = {**_run_settings(plan, settings, targets), "account": account, "prices": prices}
    kept["started_with"] = context.params["started_with"]
    return new_run(context.clock.now(), settings["operation"], kept, controller_of(context, arn))


def identity(context: OperationContext, region: str | None) -> tuple[str | None, str | None]:
    """The account and the ARN of the credentials, asked for in a region of the hosts; None where no host needs AWS."""
    try:
        return caller(context.aws.in_region(region)) if region else (None, None)
    except AwsError:
        return None, None  # no host needs it


def _run_settings(plan: Plan, settings: Settings, targets: Targets) -> RunSettings:
    return {
        "canary": plan.canary,
        "included": len(plan.included),
        "batch_size": plan.batch_size,
        "live_report": (settings["report_dir"] or "") if settings["report_live"] else None,
        "pause_seconds": settings["pause_seconds"],
        "expected_seconds": settings["expected_seconds"],
        "host_timeout_seconds": settings["host_timeout_seconds"]
        or max((host_timeout(planned.expected) for planned in plan.included), default=host_timeout(None)),
        "failure_budget_hosts": plan.failure_budget,
        "account_failure_budget": settings["account_failure_budget"],
        "account_hosts": {account.id: number for account, number in plan.by_account.items()},
        **kept_of_plan(settings, plan),
        "deadline_at": settings["deadline_at"],
        "begin_until_at": settings["begin_until_at"],
        "window": settings["window"],
        "is_closed": settings["is_closed"],
        "account_limits": settings["account_limits"],
        "credentials_expire_at": settings["credentials_expire_at"],
        **({"stop_alarms": list(plan.stop_alarms)} if plan.stop_alarms else {}),
        "tag_key": settings["tag_key"],
        "tag_value": settings["tag_value"],
        "keep_tag": settings["keep_tag"],
        "scheduler_tag": settings["scheduler_tag"],
        "max_running": settings["max_running"],
        "fail_on_deferred": settings["fail_on_deferred"],
        "restore_points": point_locations(plan, settings),
        "outcome_tags": settings["outcome_tags"],
        "event_bus": settings["event_bus"],
        "no_run_message": no_run_message(settings),
        "history_days": settings["history_days"],
        "targets": targets,
    }


def _host_row(run: Run, planned: Planned, settings: Settings, peers: Mapping[str, dict[str, int]]) -> Host:
    host = planned.host
    if host.exclusion is None:
        verdict = Verdict(None)
    else:
        code, reason = host.exclusion
        # Some reasons make the run fail: the user asked for the host, and it cannot be patched as things are.
        verdict = Verdict(code.outcome, None if code.outcome is Outcome.EXCLUDED else Phase.PLAN, code, reason)
    facts = _facts(planned, accepted_scheduler(host, settings), peers.get(host.key))
    if settings["host_timeout_seconds"] is None and planned.expected:
        timeout_seconds = host_timeout(planned.expected)
        if timeout_seconds != run.settings["host_timeout_seconds"]:
            facts["timeout_seconds"] = timeout_seconds
    return Host(
        run_id=run.run_id,
        key=host.key,
        name=host.name,
        position=planned.position,
        kind=host.kind,
        instance_id=host.instance_id,
        region=host.region,
        wave=planned.wave,
        outcome=verdict.outcome,
        phase=verdict.phase,
        reason_code=verdict.reason_code,
        reason=verdict.reason,
        facts=facts,
    )


def _found_facts(host: FleetHost) -> HostFacts:
    """What AWS says of a host."""
    facts: HostFacts = {"by_tag": host.by_tag}
    if host.type is not None:
        facts["type"] = host.type
    if host.az is not None:
        facts["az"] = host.az
    if platform := host.node.get("platform_name"):
        facts["os"] = platform
    if host.account is not None:
        facts["account"] = host.account.as_option()
    return facts


def _facts(planned: Planned, scheduler: str | None, peers: dict[str, int] | None) -> HostFacts:
    """What the plan knows of a host."""
    host, expected = planned.host, planned.expected
    facts = _found_facts(host)
    if peers:
        facts["peers"] = peers
    if scheduler is not None:
        facts["scheduler"] = scheduler
    if expected and expected.basis != "default":
        facts["expected_seconds"], facts["expected_from"] = expected.p90_seconds, expected.basis
    if expected and expected.install_p99_seconds is not None:
        facts["install_timeout_seconds"] = install_timeout(expected.install_p99_seconds)
    if host.transport != "ssm":
        facts["transport"] = host.transport
    if host.exclusion is not None and host.exclusion[0] != Reason.LEASED and host.state != "gone":
        facts["original_state"] = facts["final_state"] = host.power
    return facts
