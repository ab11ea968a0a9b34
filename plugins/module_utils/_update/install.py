# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation patch_baseline: install in passes until a fresh scan finds nothing missing, or a pass changes nothing."""

from __future__ import annotations

from dataclasses import replace

from .._base.clock import iso
from .._base.errors import Failed, PatchFleetError
from .._disk.restore_point import make_restore_point
from .._ledger.earlier import earlier_hosts
from .._ledger.records import SKEW_SECONDS
from .._model.fact_values import FailedUpdate
from .._model.outcomes import UP_TO_DATE, Outcome
from .._model.phases import Phase
from .._model.reasons import Reason
from .._operation.channel import Scan
from .._operation.context import OperationContext
from .._operation.results import Result
from . import checks, reboots
from .hresults import cause_of
from .messages import reboot_to_come, updates_excluded, updates_missing, updates_unnamed
from .patch_baseline import SearchFailed
from .pending_reboot import reboot_if_pending
from .repair import OF_SERVICES, forbidden, may_repair, old_cache, remove_backup, repair
from .selection import EXCLUDED, Selection, search, selection_of
from .services import ask_what_to_repair
from .update_history import update_results


class InstallResult(Result, total=False):
    """KBs by what became of them; in check mode only ``changed``. ``verified_at`` is ISO 8601."""

    outcome: Outcome
    installed: list[str]
    missing: list[str]
    failed_updates: list[FailedUpdate]
    passes: int
    verified_at: str | None


class ComplianceResult(Result, total=False):
    """KBs that a fresh scan misses; in check mode only ``changed``. ``verified_at`` is ISO 8601."""

    compliant: bool
    outcome: Outcome
    missing: list[str]
    pending_reboot: bool
    verified_at: str | None
    done: bool


def install(context: OperationContext) -> InstallResult:
    """Install what the baseline approves and prove it.

    Returns:
        changed, outcome (patched or compliant), installed, missing, failed_updates, passes, verified_at.

    Raises:
        PatchFleetError: something is still missing, a pass did not end in time, nothing could be proven, or what worked
            before does not work after it.
    """
    if context.check_mode:
        return {"changed": True}
    before = reboots.read_boot_state(context)
    was = checks.take_before(context, before)
    # The update history has the host's own times, and its clock may differ from ours.
    now_in_host = before.time if before else context.clock.now() - SKEW_SECONDS
    started_at = _first_unreported_start(context, now_in_host)
    earlier_seconds = reboots.earlier_seconds(context, now_in_host - started_at)
    selection = selection_of(context)
    if selection.kbs:
        context.update_facts(only_a_part=True)
    passes, found = _passes(context, selection, started_at)
    installed, failed_updates = update_results(context, started_at, found)
    context.note_facts(installed=installed, failed_updates=failed_updates)
    now = reboots.count(context, before, earlier_seconds)
    if not selection.is_reached(found):
        checks.observe_after(context, was)
        raise _still_missing(context, found, failed_updates)
    checks.refuse_what_broke(context, was, before, now)
    outcome = _propose_reached(context, found, Outcome.PATCHED if installed else Outcome.COMPLIANT)
    context.report_progress(f"{outcome}: {', '.join(installed) or 'nothing was missing'}")
    return {
        "changed": bool(installed),
        "outcome": outcome,
        "installed": installed,
        "missing": [],
        "failed_updates": failed_updates,
        "passes": passes,
        "verified_at": iso(found.verified_at),
    }


def reboot(context: OperationContext) -> InstallResult:
    """Reboot a host that waits for it and prove what its updates have come to. Nothing is installed.

    Returns:
        As install: ``installed`` has what Windows has installed since its last start.

    Raises:
        PatchFleetError: ``reboot_pending``, a reboot is still pending; nothing could be proven; or what worked before does not
            work after it.
    """
    if context.check_mode:
        return {"changed": True}
    context.update_facts(only_a_part=True)
    selection = replace(selection_of(context), may_reboot=True)
    before = reboots.read_boot_state(context)
    was = checks.take_before(context, before)
    rebooted = reboot_if_pending(context)
    found = _verify_rebooted(context, selection)
    installed, failed_updates = update_results(context, before.boot_time, found) if rebooted and before else ([], [])
    context.note_facts(installed=installed, failed_updates=failed_updates)
    now = reboots.count(context, before)
    if found.pending_reboot:
        checks.observe_after(context, was)
        raise Failed("A reboot is still pending after a reboot.", Reason.REBOOT_PENDING)
    checks.refuse_what_broke(context, was, before, now)
    outcome = _propose_found(context, found, Outcome.PATCHED if installed else Outcome.COMPLIANT)
    context.report_progress(f"{outcome}: {', '.join(installed) or 'nothing waited for the reboot'}")
    return {
        "changed": rebooted,
        "outcome": outcome,
        "installed": installed,
        "missing": sorted({*found.missing, *found.failed}),
        "failed_updates": failed_updates,
        "passes": 0,
        "verified_at": iso(found.verified_at),
    }


def _first_unreported_start(context: OperationContext, now_in_host: float) -> float:
    """When the first installation started whose updates no report shows yet, by the host's clock.

    A killed run reported nothing of what it installed in a host that this run took over.
    """
    if not context.tracked_host:
        return now_in_host
    ahead = now_in_host - context.clock.now()
    hosts = earlier_hosts(context.ledger, [context.facts.get("adopted_from")], context.tracked_host[1])
    starts = [
        time.started_at + ahead
        for host in hosts
        if host.outcome not in UP_TO_DATE and host.facts.get("installed") is None
        for time in context.ledger.phases(host.run_id, host.key)
        if time.phase == Phase.PATCH
    ]
    return min([now_in_host, *starts])


def _search_first(context: OperationContext, selection: Selection) -> Scan | None:
    """A search before the first installation, where updates are selected by their numbers or a restore point is wanted. The
    restore point is taken where something is missing. None without such a search.

    Raises:
        Failed: ``restore_point_failed``, or why the search failed.
    """
    wants_point = context.params["restore_point"] != "none" and context.params["instance_id"].startswith("i-")
    if not (selection.is_by_number or wants_point):
        return None
    context.report_progress("searching for missing updates before the installation")
    found = _verify_rebooted(context, selection) if selection.is_by_number else _search(context, selection)
    if wants_point and _to_install(found):
        context.enter(Phase.PATCH)
        make_restore_point(context)
    return found


def _started_with(context: OperationContext) -> str | None:
    """The command that started the run, where it can be repeated."""
    return context.ledger.run(context.run_id).settings.get("started_with") if context.run_id else None


def _propose_reached(context: OperationContext, found: Scan, outcome: Outcome) -> Outcome:
    """Propose this outcome, unless a reboot is still to come or updates were left out on purpose; returns what was proposed."""
    excluded = _excluded(found)
    if found.pending_reboot:
        return propose(
            context, Outcome.NONCOMPLIANT, Reason.REBOOT_PENDING, reboot_to_come(excluded, _started_with(context))
        )
    if excluded:
        return propose(context, Outcome.NONCOMPLIANT, Reason.UPDATES_EXCLUDED, updates_excluded(excluded))
    return propose(context, outcome)


def _excluded(found: Scan) -> list[str]:
    return [kb for kb, verdict in found.verdicts.items() if verdict == EXCLUDED]


def _propose_found(context: OperationContext, found: Scan, outcome: Outcome) -> Outcome:
    """The same where nothing was to be installed, so that missing updates are no failure."""
    return _propose_reached(context, found, outcome) if found.compliant else propose(context, Outcome.NONCOMPLIANT)


def _passes(context: OperationContext, selection: Selection, started_at: float) -> tuple[int, Scan]:
    """Install and scan until nothing is missing, nothing changes any more, or the passes are used up.

    A pass after a repair is worth it although the last one changed nothing. Updates that are selected by their numbers are
    searched for first: a host that lacks none of them is left as it is.
    """
    number, before = 0, None
    first = _search_first(context, selection)
    wanted = _to_install(first) if first is not None and selection.is_by_number else ()
    if first is not None and (selection.is_reached(first) or (selection.is_by_number and not wanted)):
        return 0, first
    while True:
        number += 1
        context.enter(Phase.PATCH)
        context.report_progress(f"installing what is missing, pass {number}")
        context.channel.install(wanted, may_reboot=selection.may_reboot)
        found = _verify_rebooted(context, selection)
        wanted = _to_install(found) if selection.is_by_number else ()
        reached = selection.is_reached(found)
        if reached:
            remove_backup(context)
        if reached or (selection.is_by_number and not wanted) or number >= context.params["max_passes"]:
            return number, found
        if not _repair_by_hresult(context, started_at, found) and found.missing == before:
            return number, found
        before = found.missing


def _repair_by_hresult(context: OperationContext, started_at: float, found: Scan) -> bool:
    """Repair what kept updates from being installed, by their HRESULTs; returns whether something was repaired."""
    if not context.params["scripts"]:
        return False
    installed, failed_updates = update_results(context, started_at, found)
    context.note_facts(installed=installed, failed_updates=failed_updates)
    for update in failed_updates:
        cause = cause_of(update["hresult"])
        if may_repair(context, cause):
            context.enter(Phase.REPAIR)
            repair(context, cause, ask_what_to_repair(context, cause) if cause.repair == OF_SERVICES else ())
            return True
    return False


def _to_install(found: Scan) -> tuple[str, ...]:
    return tuple(sorted({*found.missing, *found.failed}))


def propose(
    context: OperationContext, outcome: Outcome, code: Reason | None = None, reason: str | None = None
) -> Outcome:
    """Write down the outcome that the host gets once it is put back, with its reason where it has one; returns it."""
    context.note_facts(
        proposed_outcome=str(outcome), proposed_reason_code=str(code) if code else None, proposed_reason=reason
    )
    return outcome


def _verify_rebooted(context: OperationContext, selection: Selection) -> Scan:
    """A scan, and where a reboot is pending and allowed, that and another scan."""
    found = _verify(context, selection)
    if selection.may_reboot and found.pending_reboot and reboot_if_pending(context):
        return _verify(context, selection)
    return found


def _verify(context: OperationContext, selection: Selection) -> Scan:
    context.enter(Phase.VERIFY)
    context.report_progress("scanning again")
    return _search(context, selection)


def _search(context: OperationContext, selection: Selection, failed_before: int = 0) -> Scan:
    """A fresh search; one that fails with an error that often passes is repeated after a while."""
    try:
        return search(context, selection)
    except SearchFailed as error:
        if failed_before >= len(error.cause.pauses):
            raise
        pause = error.cause.pauses[failed_before]
        context.report_progress(f"{error.reason} Searching again in {pause:.0f} s")
    context.pause(pause)
    return _search(context, selection, failed_before + 1)


def _still_missing(context: OperationContext, found: Scan, failed_updates: list[FailedUpdate]) -> PatchFleetError:
    codes = {str(update["kb"]): update["hresult"] for update in failed_updates}
    missing = sorted({*found.missing, *found.failed})
    named = [f"{kb} ({codes[kb]})" if codes.get(kb) else kb for kb in missing]
    if named:
        causes = dict.fromkeys(cause_of(codes[kb]) for kb in missing if codes.get(kb))
        source, not_allowed = context.facts.get("update_source"), forbidden(context, causes)
        message = updates_missing(named, causes, source, not_allowed, old_cache(context))
        return Failed(message, Reason.STILL_MISSING)
    if found.unnamed:
        return Failed(updates_unnamed(found.unnamed, _excluded(found)), Reason.STILL_MISSING)
    return Failed("Nothing is missing, but a reboot is still pending after the installation.", Reason.REBOOT_PENDING)


def search_before(context: OperationContext) -> ComplianceResult:
    """scan_compliance before a host is prepared for the installation of single updates.

    A host that lacks none of them, and waits for no reboot, has its outcome by it (``done``). One that this run took over may have
    got updates that no report shows yet, so its installation is asked for those. A search that fails decides nothing: what is
    wrong with Windows Update is repaired first.

    Returns:
        As scan_compliance, with done; of a search that failed only changed and done.
    """
    if context.check_mode:
        return {"changed": False, "done": False}
    context.update_facts(only_a_part=True)
    try:
        found = scan_compliance(context)
    except Failed as error:
        context.report_progress(f"the search before the installation failed: {error.reason}")
        return {"changed": False, "done": False}
    done = found["compliant"] and context.facts.get("adopted_from") is None
    if done:
        context.update_facts(installed=[], failed_updates=[], reboots=0)
    return {**found, "done": done}


def scan_compliance(context: OperationContext) -> ComplianceResult:
    """Scan for missing updates.

    Returns:
        changed (false), compliant, outcome (compliant or noncompliant), missing, pending_reboot, verified_at.
    """
    if context.check_mode:
        return {"changed": False}
    context.report_progress("scanning")
    found = _search(context, selection_of(context))
    waits_for_reboot = bool(found.pending_reboot) and replace(found, pending_reboot=0).compliant
    context.update_facts(only_reboot_missing=waits_for_reboot)
    outcome = _propose_found(context, found, Outcome.COMPLIANT)
    context.report_progress(f"{outcome}: Windows waits for a reboot" if waits_for_reboot else str(outcome))
    return {
        "changed": False,
        "compliant": found.compliant,
        "outcome": outcome,
        "missing": sorted({*found.missing, *found.failed}),
        "pending_reboot": bool(found.pending_reboot),
        "verified_at": iso(found.verified_at),
    }
