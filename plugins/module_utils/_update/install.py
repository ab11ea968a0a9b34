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
from .._model.host_facts import FailedUpdate
from .._model.outcomes import UP_TO_DATE, Outcome
from .._model.phases import Phase
from .._model.reasons import Reason
from .._operation.channel import Scan
from .._operation.context import OperationContext
from .._operation.results import Result
from . import checks, reboots
from .hresults import cause_of
from .messages import updates_missing
from .patch_baseline import SearchFailed
from .pending_reboot import reboot_if_pending, search_with_own_word
from .repair import OF_SERVICES, forbidden, may_repair, old_cache, remove_backup, repair
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
    passes, found = _nothing_to_install(context) or _passes(context, started_at)
    installed, failed_updates = update_results(context, started_at, found)
    context.update_facts(installed=installed, failed_updates=failed_updates)
    now = reboots.count(context, before, earlier_seconds)
    if not found.compliant:
        checks.observe_after(context, was)
        raise _still_missing(context, found, failed_updates)
    checks.refuse_what_broke(context, was, before, now)
    outcome = Outcome.PATCHED if installed else Outcome.COMPLIANT
    propose(context, outcome)
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


def _nothing_to_install(context: OperationContext) -> tuple[int, Scan] | None:
    """Where a restore point is wanted, a search comes first: it is the proof where nothing is missing, and nothing is
    installed. Where something is, the restore point is taken.

    Raises:
        Failed: ``restore_point_failed``, or why the search failed.
    """
    if context.params["restore_point"] == "none" or not context.params["instance_id"].startswith("i-"):
        return None
    context.report_progress("searching for missing updates before the restore point")
    found = _search(context)
    if found.compliant:
        return 0, found
    if found.missing or found.failed:
        make_restore_point(context)
    return None


def _passes(context: OperationContext, started_at: float) -> tuple[int, Scan]:
    """Install and scan until nothing is missing, nothing changes any more, or the passes are used up.

    A pass after a repair is worth it although the last one changed nothing.
    """
    number, before = 0, None
    while True:
        number += 1
        context.enter(Phase.PATCH)
        context.report_progress(f"installing, pass {number}")
        context.channel.install()
        found = _verify(context)
        if found.pending_reboot and reboot_if_pending(context):
            found = _verify(context)
        if found.compliant:
            remove_backup(context)
        if found.compliant or number >= context.params["max_passes"]:
            return number, found
        if not _repair_by_hresult(context, started_at, found) and found.missing == before:
            return number, found
        before = found.missing


def _repair_by_hresult(context: OperationContext, started_at: float, found: Scan) -> bool:
    """Repair what kept updates from being installed, by their HRESULTs; returns whether something was repaired."""
    if not context.params["scripts"]:
        return False
    installed, failed_updates = update_results(context, started_at, found)
    context.update_facts(installed=installed, failed_updates=failed_updates)
    for update in failed_updates:
        cause = cause_of(update["hresult"])
        if may_repair(context, cause):
            context.enter(Phase.REPAIR)
            repair(context, cause, ask_what_to_repair(context, cause) if cause.repair == OF_SERVICES else ())
            return True
    return False


def propose(context: OperationContext, outcome: Outcome) -> None:
    """The outcome that the host gets once it is put back."""
    context.update_facts(proposed_outcome=str(outcome))


def _verify(context: OperationContext) -> Scan:
    context.enter(Phase.VERIFY)
    context.report_progress("scanning again")
    return _search(context)


def _search(context: OperationContext, failed_before: int = 0) -> Scan:
    """A fresh search; one that fails with an error that often passes is repeated after a while."""
    try:
        return search_with_own_word(context)
    except SearchFailed as error:
        if failed_before >= len(error.cause.pauses):
            raise
        pause = error.cause.pauses[failed_before]
        context.report_progress(f"{error.reason} Searching again in {pause:.0f} s")
    context.pause(pause)
    return _search(context, failed_before + 1)


def _still_missing(context: OperationContext, found: Scan, failed_updates: list[FailedUpdate]) -> PatchFleetError:
    codes = {str(update["kb"]): update["hresult"] for update in failed_updates}
    missing = sorted({*found.missing, *found.failed})
    named = [f"{kb} ({codes[kb]})" if codes.get(kb) else kb for kb in missing]
    if named:
        causes = dict.fromkeys(cause_of(codes[kb]) for kb in missing if codes.get(kb))
        source, not_allowed = context.facts.get("update_source"), forbidden(context, causes)
        message = updates_missing(named, causes, source, not_allowed, old_cache(context))
        return Failed(message, Reason.STILL_MISSING)
    return Failed("Nothing is missing, but a reboot is still pending after the installation.", Reason.REBOOT_PENDING)


def scan_compliance(context: OperationContext) -> ComplianceResult:
    """Scan for missing updates.

    Returns:
        changed (false), compliant, outcome (compliant or noncompliant), missing, pending_reboot, verified_at.
    """
    if context.check_mode:
        return {"changed": False}
    context.report_progress("scanning")
    found = _search(context)
    outcome = Outcome.COMPLIANT if found.compliant else Outcome.NONCOMPLIANT
    propose(context, outcome)
    waits_for_reboot = bool(found.pending_reboot) and replace(found, pending_reboot=0).compliant
    context.update_facts(only_reboot_missing=waits_for_reboot)
    context.report_progress(f"{outcome}: Windows waits for a reboot" if waits_for_reboot else str(outcome))
    return {
        "changed": False,
        "compliant": found.compliant,
        "outcome": outcome,
        "missing": sorted({*found.missing, *found.failed}),
        "pending_reboot": bool(found.pending_reboot),
        "verified_at": iso(found.verified_at),
    }
