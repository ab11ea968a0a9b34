# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Find the hosts that left their play, and what earlier runs left open."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TypedDict

from .._aws.iam import caller_account
from .._base.clock import iso
from .._base.errors import Failed, InvalidOption, NoRun, NotRecorded, PatchFleetError
from .._fleet.peers import release_left
from .._ledger import describe_ledger, lenient
from .._ledger.records import Host, PowerRecord, Run, Verdict
from .._model.account import AccountOption
from .._model.outcomes import PROVEN, Outcome
from .._model.phases import Phase
from .._model.reasons import Reason
from .._model.run_settings import ROLL_BACK
from .._operation.commands import playbook_command
from .._operation.context import OperationContext
from .._operation.results import Result
from .._power.roll_back import is_unfinished
from .closing import announce_end, delete_old_runs, post_tasks_missing, set_interrupted_outcomes
from .left_services import entries_of_services
from .lost_records import raise_if_lost, rebuild_where_confirmed
from .messages import (
    host_busy,
    host_ended,
    host_found,
    host_lost,
    host_of_other_account,
    hosts_put_back,
    run_to_continue,
    still_on,
)
from .open_host import OpenHost
from .slices import runs_of_job


class LostHost(TypedDict):
    """A host that may have to be put back."""

    key: str
    name: str
    instance_id: str | None
    region: str | None
    account: AccountOption | None


class LostHosts(Result):
    hosts: list[LostHost]
    lines: list[str]


class OpenHosts(Result):
    hosts: list[OpenHost]
    busy: list[str]
    lines: list[str]


def lost_hosts(context: OperationContext) -> LostHosts:
    """Hosts that left their play in the middle of their workflow: Ansible found them unreachable, or a task ended their play.

    They have failed. Returns those that may have to be put back, under hosts (key, name, instance_id, region), and a line for each.
    """
    run_id, ledger = context.required_run_id, context.ledger
    last = {time.host_key: time.phase for time in ledger.phases(run_id) if time.phase != Phase.ADMIT}
    lost = [host for host in ledger.hosts(run_id) if host.outcome is None and host.key in last]
    lines = list[str]()
    for host in lost:
        power = ledger.power(host.key)
        on = host.kind != "ec2" and power is not None and power.started_by is not None
        # What stops such a host would run on the host itself, which has left.
        reason = host_lost(
            last[host.key],
            post_tasks_missing=post_tasks_missing(host),
            restore_command=context.command("restore") if on else None,
        )
        outcome = Outcome.HELD if on else Outcome.FAILED
        ledger.set_outcome(run_id, host.key, Verdict(outcome, last[host.key], Reason.UNREACHABLE, reason))
        lines.append(f"{host.name}  {host_ended(outcome, reason)}")
    release_left(ledger, lost)
    return {
        "changed": bool(lost),
        "lines": lines,
        "hosts": [
            {
                "key": host.key,
                "name": host.name,
                "instance_id": host.instance_id,
                "region": host.region,
                "account": host.facts.get("account"),
            }
            for host in lost
            if host.kind == "ec2" and ledger.power(host.key)
        ],
    }


def open_hosts(context: OperationContext) -> OpenHosts:
    """The hosts whose power record is open, leased to the caller, in the name of the run that held them.

    So are hosts without EC2, which have none, where a run left services enabled that it had found disabled.

    Returns:
        hosts (key, name, instance_id, region, run_id, fence), busy (sentences: hosts that an active run works on, or that belong
        to another account), lines.

    Raises:
        Failed: ``no_run`` for a ledger that does not exist or holds no run: it cannot say that nothing is on; ``records_lost``
            for instances that are on because of runs that it does not know (from_account).
    """
    only, take_over = _only(context), context.params["take_over"]
    where = describe_ledger(context.params.get("ledger"))
    rebuilt = rebuild_where_confirmed(context)
    runs = context.existing_ledger().runs()
    records, unreadable = _open_records(context), context.ledger.unreadable_power()
    if not runs and not records and not unreadable:
        raise NoRun(
            f"The ledger {where} holds no run: it is new, or its runs belong to another account. Whether hosts are on because of a "
            "run is unknown here. Name the ledger of the run (patch_ledger) and use credentials of its account. If it is lost, see "
            "docs/runbook.md, The ledger is lost."
        )
    let_go = context.params.get("let_go")
    if let_go:
        records = _to_let_go(records, let_go)
    if only and not records:
        context.ledger.run(min(only))  # says so when there is none
    busy = [
        host_of_other_account(record, account, context.command("restore"))
        for record, account in _elsewhere(context, records)
    ]
    entries = [_entry(context, record, holder) for record, holder in records if not _other_account(context, record)]
    if let_go:
        entries = [{**entry, "let_go": True} for entry in entries]
    else:
        entries += entries_of_services(context, {record.host_key for record, _holder in records})
    hosts: list[OpenHost] = []
    for entry in entries:
        host = f"{entry['name']} ({entry['instance_id']})"
        if not take_over and lenient.is_active(partial(context.ledger.run, entry["run_id"]), context.clock.now()):
            busy.append(host_busy(host, context.ledger.run(entry["run_id"])))
            continue
        if not context.check_mode:
            # Who worked on it for the same run until now loses it: workers that a killed controller left behind.
            leased = context.ledger.take_over(entry["run_id"], [entry["key"]], context.clock.now(), force=take_over)
            if leased.held:
                busy.append(host_busy(host, None))
                continue
            entry["fence"] = leased.fences[entry["key"]]
        hosts.append(entry)
    lines = [
        host_found(host["name"], host["instance_id"], host["run_id"], ours=host.get("ours")) for host in hosts
    ] + busy
    lines += unreadable
    lines += [f"{host['name']}: {host['unreadable']}" for host in hosts if host["unreadable"]]
    return {
        "changed": False,
        "hosts": hosts,
        "busy": busy,
        "lines": rebuilt + (lines or _all_clear(runs[0], where)),
    }


def _to_let_go(records: list[tuple[PowerRecord, str]], wanted: str) -> list[tuple[PowerRecord, str]]:
    """The one open record of the host that a person lets go of.

    Raises:
        InvalidOption: no host is open under that name or id, or several are.
    """
    found = [one for one in records if wanted in {one[0].name, one[0].host_key, one[0].instance_id}]
    if len(found) == 1:
        return found
    open_now = ", ".join(f"{record.name} ({record.instance_id})" for record, _holder in found or records) or "none"
    raise InvalidOption(
        "patch_let_go", wanted, f"It must be the name or the id of one open host. Open now: {open_now}."
    )


def _all_clear(last: Run, where: str) -> list[str]:
    """With the ledger and its last run, so that a reader sees whether it is the right one."""
    closed = f"closed {iso(last.closed_at)}" if last.closed_at else "not closed yet"
    account = last.settings.get("account")
    return [
        "Nothing is open: every host is as it was found.",
        f"Ledger {where}, last run {last.run_id}, {closed}.",
        *([f"The hosts of that run belong to account {account}."] if account else []),
    ]


def _elsewhere(context: OperationContext, records: list[tuple[PowerRecord, str]]) -> list[tuple[PowerRecord, str]]:
    """The records of hosts in another account, each with that account."""
    accounts = ((record, _other_account(context, record)) for record, _holder in records)
    return [(record, account) for record, account in accounts if account]


def _other_account(context: OperationContext, record: PowerRecord) -> str | None:
    """The account of a host, where it is known and another than the credentials': there its instance looks as if it were gone."""
    account = lenient.settings_of(partial(context.ledger.run, record.run_id)).get("account")
    if account is None or not record.region:
        return None
    if "account" not in context.cache:
        context.cache["account"] = _own_account(context, record.region)
    return None if context.cache["account"] in {None, account} else account


def _own_account(context: OperationContext, region: str) -> str | None:
    """The credentials' account; None where AWS does not answer or refuses them, which each host will report by itself."""
    try:
        return caller_account(context.aws.in_region(region))
    except PatchFleetError:
        return None


def _only(context: OperationContext) -> set[str]:
    """The runs that were asked for: one, or the slices of a job. Empty: all."""
    wanted = context.params["run_id"]
    if not wanted:
        return set()
    return {run.run_id for run in runs_of_job(context.ledger, wanted)} or {wanted}


def _open_records(context: OperationContext) -> list[tuple[PowerRecord, str]]:
    """Open records, each with the run that has its lease: the one that started the host, or a later one that adopted it."""
    only = _only(context)
    found = []
    for record in context.ledger.open_power():
        holder = context.ledger.holder(record.host_key) or record.started_by or record.run_id
        if not only or only & {holder, record.started_by, record.run_id}:
            found.append((record, holder))
    return found


def _entry(context: OperationContext, record: PowerRecord, holder: str) -> OpenHost:
    """What putting back needs is in the power record; the row of the run adds what an EC2 instance does not need."""
    kind = (
        "ec2" if record.instance_id.startswith("i-") else "hybrid" if record.instance_id.startswith("mi-") else "winrm"
    )
    host, unreadable = Host(record.run_id, record.host_key, record.name, 0, kind), None
    try:
        host = context.ledger.host(record.run_id, record.host_key)
        if host.unreadable:
            unreadable = f"Run {record.run_id} cannot read {host.unreadable}."
    except NotRecorded as error:
        unreadable = error.reason
    return {
        "unreadable": unreadable,
        "kind": host.kind,
        "transport": host.facts.get("transport", "ssm"),
        "key": record.host_key,
        "name": record.name,
        "instance_id": record.instance_id,
        "region": record.region,
        "account": record.account,
        "run_id": holder,
        "ours": record.started_by is not None,
    }


def _close_abandoned(context: OperationContext, run: Run, now: float, *, force: bool) -> None:
    """Close a dead run. Its controller may only stand still: it loses its hosts first, so that it starts none when it continues."""
    ledger, fences = context.ledger, context.ledger.fences(run.run_id)
    keys = [host.key for host in ledger.hosts(run.run_id) if host.key in fences and _may_begin(host)]
    leased = ledger.take_over(run.run_id, keys, now, force)
    if not leased.held:
        set_interrupted_outcomes(ledger, run.run_id)
        ledger.close_run(run.run_id, now)
        delete_old_runs(context, run)
        for warning in announce_end(context, run):
            context.report_progress(warning)
    for key, fence in leased.fences.items():
        ledger.extend_lease(key, fence, None)


def _may_begin(host: Host) -> bool:
    """Whether its controller would work on the host: it has no outcome, or comes again where AWS had no room."""
    return host.outcome is None or (host.reason_code is not None and host.reason_code.retry_later)


class ClosedRuns(Result):
    lines: list[str]


def close_abandoned_runs(context: OperationContext) -> ClosedRuns:
    """Close dead runs of which nothing is open any more; fails when something is on because of us, or half rolled back.

    Returns:
        changed (false), lines: what has become of the hosts that were found open, and how a run continues that left some unpatched.

    Raises:
        PatchFleetError: ``still_on``, with each host.
    """
    only, take_over, now = _only(context), context.params["take_over"], context.clock.now()
    still_open = _open_records(context)
    held = {run_id for record, holder in still_open for run_id in (holder, record.started_by, record.run_id)}
    for run in context.ledger.runs():
        dead = run.closed_at is None and (take_over or not run.is_active(now))
        if dead and run.run_id not in held and (not only or run.run_id in only):
            _close_abandoned(context, run, now, force=take_over)
    on = [_words_of(context, record) for record, _holder in still_open if record.started_by]
    unknown = context.ledger.unreadable_power()
    rolled_back = [
        _words_of(context, record) for record, holder in still_open if _is_rolled_back(context, record, holder)
    ]
    if on or unknown or rolled_back:
        holders = [run for run in context.ledger.runs() if run.run_id in held]
        command = playbook_command("restore", context.params.get("ledger"))
        raise Failed(still_on(on, unknown, holders, now, command, rolled_back), Reason.STILL_ON)
    raise_if_lost(context)
    return {"changed": False, "lines": _what_was_done(context)}


def _what_was_done(context: OperationContext) -> list[str]:
    """The last lines of a restore, so that no user has to count the hosts above."""
    found = [(host["run_id"], host["key"]) for host in context.params.get("hosts") or ()]
    if not found:
        return []
    rows = [lenient.stored_host(context.ledger, run_id, key) for run_id, key in found]
    states = Counter(str(row.facts.get("final_state") or "unknown") for row in rows if row is not None)
    still_open = sum(context.ledger.power(key) is not None for _run_id, key in found)
    left = {row.run_id for row in rows if row is not None and row.outcome not in PROVEN}
    unpatched = [run for run in context.ledger.runs() if run.run_id in left and run.operation != ROLL_BACK]
    return [
        hosts_put_back(states, still_open),
        *(run_to_continue(run.run_id, run.settings.get("started_with")) for run in unpatched),
    ]


def _is_rolled_back(context: OperationContext, record: PowerRecord, holder: str) -> bool:
    """Whether its root volume was about to be exchanged, and a restore neither finished nor undid that."""
    host = lenient.stored_host(context.ledger, holder, record.host_key)
    plan = host.facts.get("roll_back") if host else None
    return plan is not None and is_unfinished(plan)


def _words_of(context: OperationContext, record: PowerRecord) -> str:
    account = _other_account(context, record)
    if account:
        return f"{record.name} ({record.instance_id} in account {account})"
    return f"{record.name} ({record.instance_id})"
