# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plan a run, and open it in the ledger."""

from __future__ import annotations

import getpass
import os
import secrets
import socket
import time
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from .._aws.errors import AwsError
from .._base.clock import iso
from .._fleet.claims import claim_of, scheduler_of
from .._fleet.hosts import FleetHost, from_result
from .._ledger.records import Host, Ledger, Run, Verdict
from .._model.outcomes import UNFINISHED, Outcome
from .._model.phases import Phase
from .._model.reasons import Reason
from .._operation.context import OperationContext
from .._plan.credentials import end_of_credentials
from .._plan.durations import predict
from .._plan.names import refuse_unmatched_exclusions
from .._plan.order import Plan, Planned, make_plan
from .._plan.permissions import missing_power_right, refuse_missing_rights
from .._plan.prerequisites import missing_prerequisites, prerequisite_lines
from .._plan.quota import headroom_lines
from .._plan.text import plan_lines, wrapped
from .._plan.variables import check_together
from .._plan.window import find_window, refuse_outside, within
from .slices import kept_settings

KEPT_SETTINGS = (
    "operation",
    "rollout",
    "pause_seconds",
    "expected_seconds",
    "deadline_at",
    "host_timeout_seconds",
    "credentials_expire_at",
    "begin_until_at",
    "window",
    "tag_key",
    "tag_value",
    Reason.KEEP_TAG,
    "scheduler_tag",
    "fail_on_deferred",
    "max_running",
)


def plan_run(context: OperationContext) -> dict[str, Any]:
    """What a run would do: touches nothing and writes nothing."""
    given = context.params["settings"]
    settings = within(given, find_window(context, given), context.clock.now())
    plan = _plan(context, settings)
    missing = missing_prerequisites(context, [planned.host for planned in plan.included])
    lines = [*_lines(context, plan, settings, missing), *wrapped(headroom_lines(context, plan, settings))]
    planned = _result(plan, lines)
    return {**planned, "prerequisites": missing, "changed": False, "run_id": None}


def open_run(context: OperationContext) -> dict[str, Any]:
    """Plan, write the run down and lease its hosts.

    Returns:
        run_id, snapshot_id, hosts (in planned order: key, name, inventory_name, instance_id, region, kind, wave, included),
        batch_size, lines (the plan as text).
    """
    given = context.params["settings"]
    window = find_window(context, given)
    refuse_outside(window, given, context.clock.now())
    settings = within(given, window, context.clock.now())
    plan = _plan(context, settings)
    lines = _lines(context, plan, settings)
    run = _new_run(context, plan, settings)
    rows = [_host_row(run.run_id, planned, settings) for planned in plan.hosts]
    leased = context.ledger.open_run(run, rows, bool(settings["take_over"]))
    for key, other in leased.items():
        reason = f"Another run holds it: {other}. If its controller is known to be dead, set patch_take_over."
        context.ledger.set_outcome(run.run_id, key, Verdict(Outcome.DEFERRED, Phase.PLAN, Reason.LEASED, reason))
    fences = context.ledger.fences(run.run_id)
    return {
        **_result(plan, lines, set(leased), fences),
        "changed": True,
        "run_id": run.run_id,
        "snapshot_id": run.snapshot_id,
    }


def _plan(context: OperationContext, settings: dict[str, Any]) -> Plan:
    check_together(settings, int(context.params["forks"]), context.clock.now())
    found = [from_result(host) for host in context.params["fleet"]]
    refuse_unmatched_exclusions(settings, found, context.params["inventory"])
    fleet = [_unclaimed(_found(host), settings) for host in found]
    hosts = _with_rights(context, fleet)
    plan = make_plan(hosts, settings, lambda chosen: predict(context.ledger, chosen, settings))
    check_together({**settings, "batch_size": plan.batch_size}, int(context.params["forks"]), context.clock.now())
    warnings = refuse_missing_rights(context, [planned.host for planned in plan.included])
    return replace(plan, warnings=tuple(warnings))


def _found(host: FleetHost) -> FleetHost:
    if host.state != "gone" or host.exclusion is not None:
        return host
    return replace(
        host, exclusion=(Reason.INSTANCE_GONE, f"AWS knows no {host.key} in the regions that were looked at.")
    )


def _unclaimed(host: FleetHost, settings: dict[str, Any]) -> FleetHost:
    claim = claim_of(host.tags, settings, _accepted_scheduler(host, settings))
    if claim is None or host.exclusion is not None:
        return host
    code, sentence = claim
    hint = " patch_scheduled_ok takes it all the same." if code == Reason.SCHEDULED else ""
    return replace(host, exclusion=(code, sentence + hint))


def _accepted_scheduler(host: FleetHost, settings: dict[str, Any]) -> str | None:
    return scheduler_of(host.tags, settings) if settings["scheduled_ok"] else None


def _with_rights(context: OperationContext, hosts: list[FleetHost]) -> list[FleetHost]:
    """Hosts that are off are left alone where they could not be started, or not be stopped again; one a region is tried.

    Raises:
        PatchFleetError: that is true of every host.
    """
    denied: dict[str, AwsError | None] = {}
    checked = []
    for host in hosts:
        if host.exclusion is None and host.kind == "ec2" and host.power == "stopped":
            region = str(host.region)
            if region not in denied:
                denied[region] = missing_power_right(context, host)
            error = denied[region]
            checked.append(replace(host, exclusion=(Reason.ACCESS_DENIED, error.reason)) if error else host)
        else:
            checked.append(host)
    missing = [error for error in denied.values() if error]
    if missing and all(host.exclusion is not None for host in checked):
        raise missing[0]
    return checked


NAMED = 10


def _new_run(context: OperationContext, plan: Plan, settings: dict[str, Any]) -> Run:
    now = context.clock.now()
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    by_tag = any(planned.host.by_tag for planned in plan.hosts)
    targets = {
        "tag": f"{settings['tag_key']}={settings['tag_value']}" if by_tag else None,
        "hosts": settings["hosts"],
        "regions": sorted({p.host.region for p in plan.hosts if p.host.region}),
        "count": len(plan.hosts),
    }
    return Run(
        run_id=f"{stamp}-{secrets.token_hex(2)}",
        opened_at=now,
        operation=settings["operation"],
        snapshot_id=str(uuid.uuid4()),
        settings={
            **{name: settings[name] for name in KEPT_SETTINGS},
            "failure_budget_hosts": plan.failure_budget,
            **kept_settings(settings.get("slice_of"), settings["failure_budget"], len(plan.included)),
            "canary": plan.canary,
            "batch_size": plan.batch_size,
            "targets": targets,
        },
        controller={"host": socket.gethostname(), "pid": os.getppid(), "user": getpass.getuser()},
        heartbeat_at=now,
    )


def _host_row(run_id: str, planned: Planned, settings: dict[str, Any]) -> Host:
    host = planned.host
    facts: dict[str, Any] = {"type": host.type, "az": host.az, "by_tag": host.by_tag}
    facts["scheduler"] = _accepted_scheduler(host, settings)
    if planned.expected and planned.expected.basis != "default":
        facts.update(expected_seconds=planned.expected.p90_seconds, expected_from=planned.expected.basis)
    if host.transport != "ssm":
        facts["transport"] = host.transport
    if host.exclusion is None:
        verdict = Verdict(None)
    else:
        code, reason = host.exclusion
        # Some reasons make the run fail: the user asked for the host, and it cannot be patched as things are.
        verdict = Verdict(code.outcome, None if code.outcome is Outcome.EXCLUDED else Phase.PLAN, code, reason)
        facts.update(original_state=host.power, final_state=host.power) if host.state != "gone" else None
    return Host(
        run_id=run_id,
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
        facts={name: value for name, value in facts.items() if value is not None},
    )


def _result(
    plan: Plan, lines: list[str], leased: Collection[str] = (), fences: Mapping[str, int] | None = None
) -> dict[str, Any]:
    held = fences or {}
    return {
        "hosts": [{**_planned_result(planned, leased), "fence": held.get(planned.host.key)} for planned in plan.hosts],
        "batch_size": plan.batch_size,
        "estimate_seconds": plan.estimate_seconds,
        "lines": lines,
    }


def _lines(
    context: OperationContext, plan: Plan, settings: dict[str, Any], missing: Sequence[dict[str, Any]] = ()
) -> list[str]:
    """The plan as text; asked for before the run is opened, since it tells of the last one."""
    message = [
        *plan.warnings,
        *_too_long(context, plan),
        *_tried_again(context.ledger, plan),
        *leftovers(context.ledger),
    ]
    return plan_lines(plan, settings, message, prerequisite_lines(missing))


def _too_long(context: OperationContext, plan: Plan) -> list[str]:
    """A sentence where the credentials are known to end before the run does."""
    if not any(planned.host.instance_id for planned in plan.included):
        return []
    end = end_of_credentials(context, context.params["settings"]["credentials_expire_at"])
    if end is None or context.clock.now() + plan.estimate_seconds < end:
        return []
    return [f"The AWS credentials end at {iso(end)}; hosts that could not be put back by then are deferred."]


def _tried_again(ledger: Ledger, plan: Plan) -> list[str]:
    """A sentence about the hosts that the last run did not bring to an end and that this one takes."""
    last = next(iter(ledger.runs()), None)
    if last is None:
        return []
    taken = {planned.host.key for planned in plan.included}
    again = [host for host in ledger.hosts(last.run_id) if host.key in taken and host.outcome in UNFINISHED]
    if not again:
        return []
    message = [f"{host.name} ({host.outcome}: {host.reason_code})" for host in again[:NAMED]]
    more = f" and {len(again) - NAMED} more" if len(again) > NAMED else ""
    return [f"Tried again after run {last.run_id}: {', '.join(message)}{more}."]


def leftovers(ledger: Ledger) -> list[str]:
    """Hosts that an earlier run started and nobody has put back yet, as sentences."""
    return [
        f"{record.name} ({record.instance_id}) was started by run {record.started_by} and is not put back yet."
        for record in ledger.open_power()
        if record.started_by
    ]


def _planned_result(planned: Planned, leased: Collection[str]) -> dict[str, Any]:
    host = planned.host
    return {
        "key": host.key,
        "name": host.name,
        "inventory_name": host.inventory_name,
        "transport": host.transport,
        "instance_id": host.instance_id,
        "region": host.region,
        "kind": host.kind,
        "wave": planned.wave,
        "included": planned.wave is not None and host.key not in leased,
    }
