# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The outcome where other tools see it: tags on the instance, and events on a bus. docs/outcomes.md describes both.

What cannot be published is reported as progress and as a warning. It changes no outcome.
"""

from __future__ import annotations

from .._aws.ec2 import create_tags
from .._aws.eventbridge import Event, put_events
from .._base.clock import iso
from .._base.errors import NeedsAttention, PatchFleetError
from .._ledger.records import Host, Run
from .._model.outcome_tags import OUTCOME_TAG, PROVEN_AT_TAG, RUN_TAG
from .._model.outcomes import PROVEN, UNTOUCHED, Outcome
from .._operation.context import OperationContext

SOURCE = "patchfleet.windows"
HOST_EVENT, RUN_EVENT = "Patch Fleet Host Finished", "Patch Fleet Run Finished"
SCHEMA = 1
"""The version of the events' details."""


def tag_outcome(context: OperationContext, run: Run, host: Host) -> None:
    """Set the tags of a host on which the run worked. Hosts that must not be touched keep what they have.

    The time of a proof stays until a later scan proves something.
    """
    if not run.settings.get("outcome_tags") or host.kind != "ec2" or host.outcome is None or host.outcome in UNTOUCHED:
        return
    tags = {OUTCOME_TAG: str(host.outcome), RUN_TAG: run.run_id}
    verified_at = host.facts.get("verified_at")
    if host.outcome in PROVEN and verified_at is not None:
        tags[PROVEN_AT_TAG] = verified_at
    try:
        create_tags(context.aws.in_region(host.region), str(host.instance_id), tags)
    except NeedsAttention:
        raise
    except PatchFleetError as error:
        context.report_progress(f"its outcome is not on its tags: {error.reason}")


def publish_events(context: OperationContext, run: Run) -> list[str]:
    """Put an event for each host and one for the run on the bus of the run's settings; returns warnings."""
    bus = run.settings.get("event_bus")
    if not bus:
        return []
    events = [_host_event(run, host) for host in context.ledger.hosts(run.run_id)]
    events.append(_run_event(context, run))
    region = bus.split(":")[3] if bus.startswith("arn:") else None
    try:
        put_events(context.aws.in_region(region), bus, SOURCE, events)
    except PatchFleetError as error:
        return [f"The outcomes are not on the event bus: {error.reason}"]
    return []


def _host_event(run: Run, host: Host) -> Event:
    detail = {
        "schema": SCHEMA,
        "run_id": run.run_id,
        "operation": run.operation,
        "host": host.name,
        "instance_id": host.instance_id,
        "account": host.facts.get("account", {}).get("id"),
        "region": host.region,
        "outcome": None if host.outcome is None else str(host.outcome),
        "phase": None if host.phase is None else str(host.phase),
        "reason_code": None if host.reason_code is None else str(host.reason_code),
        "reason": host.reason,
        "verified_at": host.facts.get("verified_at"),
    }
    return Event(HOST_EVENT, [host.instance_id] if host.instance_id else [], detail)


def _run_event(context: OperationContext, run: Run) -> Event:
    counts = context.ledger.outcome_counts(run.run_id)
    detail = {
        "schema": SCHEMA,
        "run_id": run.run_id,
        "operation": run.operation,
        "started_at": iso(run.opened_at),
        "finished_at": iso(context.clock.now()),
        "breaker": run.breaker,
        "totals": {str(outcome): counts[outcome] for outcome in Outcome if counts.get(outcome)},
    }
    return Event(RUN_EVENT, [], detail)
