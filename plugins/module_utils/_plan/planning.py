# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plan a run: which hosts it takes, in which order, and what there is to say about it. Nothing is touched or written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TypedDict

from .._aws.errors import AwsError
from .._base.clock import iso
from .._base.text import join_names, join_sentences
from .._fleet.claims import claim_of, scheduler_of
from .._fleet.hosts import FleetHost, Location, from_result
from .._ledger import lenient
from .._ledger.records import Ledger
from .._model.account import AccountOption
from .._model.outcomes import UNFINISHED
from .._model.reasons import Reason
from .._model.run_settings import RunSettings
from .._model.settings import Settings
from .._operation.commands import playbook_command
from .._operation.context import OperationContext
from .._operation.results import Result
from .._power.owner_tag import read_owner_tag
from .account_windows import defer_closed, find_windows, limits_of, within_windows
from .at_most import longest_group_seconds
from .credentials import end_of_credentials
from .durations import predict
from .estate import since_last_run, unpatched_windows, windows_elsewhere, without_targets
from .kbs import unknown_kbs
from .names import refuse_unmatched_exclusions, unmatched_checks
from .order import Plan, Planned, make_plan
from .permissions import missing_power_right, refuse_missing_rights
from .prerequisites import Prerequisite, missing_prerequisites, prerequisite_lines
from .prices import missing_prices
from .quota import headroom_lines
from .report_folder import refuse_hopeless
from .restore_points import without_restore_point
from .runner import Turn
from .stop_alarms import find_stop_alarms
from .text import INDENT, plan_lines, wrapped
from .variables import check_together
from .workload import nothing_recorded, read_workloads

NAMED = 10
"""The number of hosts of the last run that are named."""


class PlannedHost(Turn):
    """A host in planned order; ``included`` is whether this run works on it, ``fence`` is the number of its lease.

    ``starts_after_seconds`` counts from the start of the run, ``expected_seconds`` and ``longest_seconds`` are what half and what
    nine of ten of its workflows did not exceed; None for hosts that are left out. The rest is that of a run
    that was opened.
    """

    key: str
    name: str
    inventory_name: str | None
    transport: str
    instance_id: str | None
    region: str | None
    account: AccountOption | None
    kind: str
    position: int
    wave: int | None
    starts_after_seconds: float | None
    expected_seconds: float | None
    longest_seconds: float | None
    included: bool
    fence: int | None


class PlanResult(TypedDict):
    """A plan; ``lines`` is its text. The durations are as Plan has them."""

    hosts: list[PlannedHost]
    batch_size: int
    estimate_seconds: float
    longest_seconds: float
    rolling_seconds: float | None
    lines: list[str]


class PlannedRun(Result, PlanResult):
    """A run that was planned and not opened."""

    prerequisites: list[Prerequisite]
    run_id: None


def plan_run(context: OperationContext, held: Mapping[str, str]) -> PlannedRun:
    """What a run would do: touches nothing and writes nothing. ``held`` is as make_run_plan has it."""
    given = context.params["settings"]
    refuse_hopeless(given["report_dir"])
    settings = within_windows(given, *find_windows(context, given), context.clock.now())
    plan = make_run_plan(context, settings, held)
    missing = missing_prerequisites(context, [planned.host for planned in plan.included])
    fleet = [from_result(host) for host in context.params["fleet"]]
    about = [
        *headroom_lines(context, plan, settings),
        *since_last_run(context, fleet, settings),
        *without_targets(fleet, settings),
        *unpatched_windows(context, fleet, settings),
        *windows_elsewhere(context, fleet, settings),
        *missing_prices(context, plan, settings),
    ]
    lines = [*plan_as_lines(context, plan, settings, missing), *wrapped(about, columns=context.columns - INDENT)]
    planned = plan_as_result(plan, lines)
    return {**planned, "prerequisites": missing, "changed": False, "run_id": None}


def make_run_plan(context: OperationContext, settings: Settings, held: Mapping[str, str]) -> Plan:
    """The hosts that a run gets, in their order.

    Args:
        context: of the operation.
        settings: of the run.
        held: the hosts that another run at work holds, by key, with a sentence about it.
    """
    check_together(settings, context.params["forks"], context.clock.now())
    found = [from_result(host) for host in context.params["fleet"]]
    refuse_unmatched_exclusions(settings, found, context.params["inventory"])
    alarms, about_alarms = find_stop_alarms(context, settings, found)
    fleet = [defer_closed(_unclaimed(_free(_found(host), held), settings), settings) for host in found]
    hosts = _with_rights(context, fleet)
    at_work = _left_at_work(context, settings)
    recorded = partial(read_workloads, context) if settings["operation"] == "install" else nothing_recorded
    plan = make_plan(hosts, settings, lambda chosen: predict(context.ledger, chosen, settings), at_work, recorded)
    check_together({**settings, "batch_size": plan.batch_size}, context.params["forks"], context.clock.now())
    included = [planned.host for planned in plan.included]
    warnings = refuse_missing_rights(context, included)
    about_checks = unmatched_checks(settings, found, [*context.params["inventory"], *context.params["groups"]])
    plan = replace(
        plan,
        warnings=(*warnings, *about_alarms, *about_checks, *without_restore_point(settings, included)),
        stop_alarms=tuple(alarms),
    )
    return _with_peers(plan, settings)


def _left_at_work(context: OperationContext, settings: Settings) -> set[str]:
    """Those that an earlier run has left at work. Hosts that wait for their slots, or until fewer instances
    are on (patch_max_running), would wait until their own time is over if these came later.
    """
    left_on = context.ledger.found_stopped() if settings["max_running"] else set[str]()
    return left_on | {slot.host_key for slot in context.ledger.slots()}


def _with_peers(plan: Plan, settings: Settings) -> Plan:
    """The durations where peers wait for each other (patch_at_most)."""
    usual = longest_group_seconds(plan.whole, settings["at_most"], lambda expected: expected.median_seconds)
    longest = longest_group_seconds(plan.whole, settings["at_most"], lambda expected: expected.p90_seconds)
    return replace(
        plan,
        estimate_seconds=max(plan.estimate_seconds, usual),
        longest_seconds=max(plan.longest_seconds, longest),
        rolling_seconds=None if plan.rolling_seconds is None else max(plan.rolling_seconds, usual),
    )


def _found(host: FleetHost) -> FleetHost:
    if host.state != "gone" or host.exclusion is not None:
        return host
    return replace(
        host, exclusion=(Reason.INSTANCE_GONE, f"AWS knows no {host.key} in the regions that were searched.")
    )


def _free(host: FleetHost, held: Mapping[str, str]) -> FleetHost:
    if host.exclusion is not None or host.key not in held:
        return host
    return replace(host, exclusion=(Reason.LEASED, held[host.key]))


def _unclaimed(host: FleetHost, settings: Settings) -> FleetHost:
    claim = claim_of(host.tags, _claim_tags(settings), accepted_scheduler(host, settings))
    if claim is None or host.exclusion is not None:
        return host
    code, sentence = claim
    hint = "Set patch_scheduled_ok to patch it all the same." if code == Reason.SCHEDULED else None
    return replace(host, exclusion=(code, join_sentences(sentence, hint)))


def accepted_scheduler(host: FleetHost, settings: Settings) -> str | None:
    return scheduler_of(host.tags, _claim_tags(settings)) if settings["scheduled_ok"] else None


def _claim_tags(settings: Settings) -> RunSettings:
    return {"keep_tag": settings["keep_tag"], "scheduler_tag": settings["scheduler_tag"]}


def _with_rights(context: OperationContext, hosts: list[FleetHost]) -> list[FleetHost]:
    """Hosts that are off are left alone where they could not be started, or not be stopped again; one a region is tried.

    Raises:
        PatchFleetError: that is true of every host.
    """
    denied: dict[Location, AwsError | None] = {}
    checked = []
    for host in hosts:
        if host.exclusion is None and host.kind == "ec2" and host.power == "stopped":
            if host.location not in denied:
                denied[host.location] = missing_power_right(context, host)
            error = denied[host.location]
            checked.append(replace(host, exclusion=(Reason.ACCESS_DENIED, error.reason)) if error else host)
        else:
            checked.append(host)
    missing = [error for error in denied.values() if error]
    if missing and all(host.exclusion is not None for host in checked):
        raise missing[0]
    return checked


def plan_as_result(
    plan: Plan, lines: list[str], leased: Collection[str] = (), fences: Mapping[str, int] | None = None
) -> PlanResult:
    held = fences or {}
    return {
        "hosts": [_planned_result(planned, leased, held.get(planned.host.key)) for planned in plan.hosts],
        "batch_size": plan.batch_size,
        "estimate_seconds": plan.estimate_seconds,
        "longest_seconds": plan.longest_seconds,
        "rolling_seconds": plan.rolling_seconds,
        "lines": lines,
    }


def plan_as_lines(
    context: OperationContext, plan: Plan, settings: Settings, missing: Sequence[Prerequisite] = ()
) -> list[str]:
    """The plan as text; made before the run is opened, since it reports on the last one."""
    message = [
        *plan.warnings,
        *_missing_accounts(context),
        *unknown_kbs(context, [planned.host for planned in plan.included], settings),
        *_too_late(context, plan, settings),
        *_too_long(context, plan),
        *_tried_again(context.ledger, plan),
        *leftovers(context.ledger),
        *unknown_starts(
            context.ledger, [planned.host for planned in plan.hosts], settings["mark_tag"], context.params.get("ledger")
        ),
    ]
    lines = prerequisite_lines(missing)
    return plan_lines(plan, settings, context.clock.now(), message, lines, context.columns - INDENT)


def _missing_accounts(context: OperationContext) -> list[str]:
    missing = [f"{account['reason']} Its hosts are left out." for account in context.params["missing_accounts"]]
    return [*missing, *context.params["left_out_accounts"]]


def _too_late(context: OperationContext, plan: Plan, settings: Settings) -> list[str]:
    """A sentence for each deadline that leaves no time for some hosts, by what is known now; each is deferred at its turn."""
    expected, late = Counter[float](), dict[float, list[str]]()
    for planned in plan.included:
        deadline_at = limits_of(settings, planned.host.account.id if planned.host.account else None)["deadline_at"]
        if deadline_at is None or planned.expected is None:
            continue
        expected[deadline_at] += 1
        if context.clock.now() + planned.starts_after_seconds + planned.expected.p90_seconds > deadline_at:
            late.setdefault(deadline_at, []).append(planned.host.name)
    if not late:
        return []
    return [
        *(
            f"By {iso(at)} there is time for about {expected[at] - len(names)} of {expected[at]} hosts. "
            f"Too late: {join_names(names, NAMED)}."
            for at, names in sorted(late.items())
        ),
        "More have time with a later end, a larger patch_batch_size, or patch_expected_seconds where hosts are faster.",
    ]


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
    named = join_names([f"{host.name} ({host.outcome}: {host.reason_code})" for host in again], NAMED)
    return [f"Tried again after run {last.run_id}: {named}."]


def leftovers(ledger: Ledger) -> list[str]:
    """Hosts that an earlier run started and no run has put back yet, as sentences."""
    return [
        f"{record.name} ({record.instance_id}) was started by run {record.started_by} and is not put back yet."
        for record in ledger.open_power()
        if record.started_by
    ]


def unknown_starts(ledger: Ledger, hosts: Sequence[FleetHost], mark_tag: str | None, where: str | None) -> list[str]:
    """A sentence about hosts that are on and carry the owner tag of a run that the ledger does not know.

    Its own ledger may be lost. Then this run would find them running, and leave them on for ever.
    """
    known: dict[str, bool] = {}
    unknown = []
    for host in hosts:
        tag = read_owner_tag(host.tags.get(mark_tag or "", ""))
        if host.kind != "ec2" or host.power != "running" or not tag.is_of_a_run:
            continue
        if tag.run_id not in known:
            known[tag.run_id] = lenient.knows_run(ledger, tag.run_id)
        if not known[tag.run_id]:
            unknown.append(f"{host.name} ({host.instance_id}): run {tag.run_id}")
    if not unknown:
        return []
    named = join_names(unknown, NAMED)
    sentence = f"These hosts are on and carry the tag of a run that this ledger does not know: {named}."
    command = playbook_command("restore", where, {"patch_mark_tag": mark_tag, "patch_from_account": "check"})
    return [f"{sentence} If its ledger is lost, they stay on. Run this first:", command]


def _planned_result(planned: Planned, leased: Collection[str], fence: int | None) -> PlannedHost:
    host, expected = planned.host, planned.expected
    return {
        "key": host.key,
        "name": host.name,
        "inventory_name": host.inventory_name,
        "transport": host.transport,
        "instance_id": host.instance_id,
        "region": host.region,
        "account": host.account.as_option() if host.account else None,
        "kind": host.kind,
        "position": planned.position,
        "wave": planned.wave,
        "starts_after_seconds": planned.starts_after_seconds if expected else None,
        "expected_seconds": expected.median_seconds if expected else None,
        "longest_seconds": expected.p90_seconds if expected else None,
        "included": planned.wave is not None and host.key not in leased,
        "fence": fence,
    }
