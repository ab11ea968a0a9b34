# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation patch_baseline on hosts without a managed node: ansible.windows.win_updates installs, reboots and searches.

No baseline approves updates there: critical and security updates are installed, by their class. The proof is the same as for Patch
Manager's hosts, a search that came after the installation and its last reboot.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from .._base.clock import iso
from .._base.errors import Failed, LoginRefused
from .._host.servicing import diagnose_overrun, is_quiet
from .._model.reasons import Reason
from .._operation.channel import HostConnection, Scan
from .._operation.context import OperationContext
from . import messages
from .named_updates import scan_of, search_states, verdicts_of
from .patch_baseline import search_failed
from .pending_reboot import reboot_if_pending
from .policies import held_back
from .update_history import installed_by_win_updates, kbs_of, store_own_results

CATEGORIES = ("CriticalUpdates", "SecurityUpdates")
"""What AWS-DefaultPatchBaseline approves, as far as Windows knows it: it has classes, not severities."""
SEARCH_TIMEOUT_SECONDS = 3600.0


def install(
    context: OperationContext, connection: HostConnection, kbs: Sequence[str] = (), *, may_reboot: bool = True
) -> None:
    """One pass: install what is missing and reboot as often as that asks for, also for what was pending from before.

    With ``kbs`` only these, of whatever class.

    A reported failure or lost connection does not end the pass: Windows continues by itself, so the pass ends when Windows
    installs no more, and the search after it decides.

    Raises:
        PatchFleetError: ``install_timeout`` or ``installation_hung``, when Windows had not ended in time. Nothing is cut off.
    """
    if may_reboot:
        reboot_if_pending(
            context
        )  # win_updates knows those of the Update agent; others wait for the servicing stack alone
    _wait_for_installation(context, connection, _selected(kbs), may_reboot=may_reboot)
    if may_reboot:
        reboot_if_pending(context)


def _selected(kbs: Sequence[str]) -> dict[str, Any]:
    """win_updates' options for what it takes. Its patterns match anywhere in the title and the numbers of an update."""
    if not kbs:
        return {"category_names": list(CATEGORIES)}
    return {"category_names": ["*"], "accept_list": [rf"{re.escape(kb)}(?!\d)" for kb in kbs]}


def reboot(connection: HostConnection, timeout_seconds: float) -> None:
    """Reboot by ansible.windows.win_reboot, which waits until the host is back; Failed where it does not succeed."""
    trouble = _trouble(lambda: connection.reboot(timeout_seconds))
    if trouble:
        raise Failed(f"win_reboot: {trouble}.", Reason.RESTART_FAILED)


def _wait_for_installation(
    context: OperationContext, connection: HostConnection, selected: dict[str, Any], *, may_reboot: bool
) -> None:
    seconds = context.install_timeout_seconds
    deadline = context.deadline(seconds)
    options = {
        "state": "installed",
        **selected,
        "reboot": may_reboot,
        "reboot_timeout": int(context.clock.real_seconds(seconds)) + 1,
    }

    def install_updates() -> dict[str, Any]:
        result = connection.win_updates(options, max(deadline - context.clock.now(), 1.0))
        store_own_results(context, result)
        return result

    trouble = _trouble(install_updates)
    context.update_facts(
        installing_command_id=""
    )  # no command of SSM's; a standstill from now on does not give the host up
    if trouble is None:
        return
    context.report_progress(f"win_updates: {trouble}")
    if not context.wait_until(lambda: _answers_and_is_quiet(context), deadline, 15.0, 60.0):
        context.update_facts(installation_overdue=True)
        overrun = diagnose_overrun(context)
        raise Failed(messages.installation_overdue(seconds, overrun, trouble), overrun.code)


def _trouble(call: Callable[[], dict[str, Any]]) -> str | None:
    """The error with which one of ansible.windows's actions ended, None when it ended well."""
    try:
        result = call()
    except LoginRefused:
        raise
    except Failed as error:
        return error.reason.rstrip(".")
    return str(result.get("msg") or "no message") if result.get("failed") else None


def _answers_and_is_quiet(context: OperationContext) -> bool:
    try:
        return is_quiet(context, context.params["instance_id"])
    except LoginRefused:
        raise
    except Failed:
        return False


def search(context: OperationContext, connection: HostConnection) -> Scan:
    """A fresh search in the host.

    Raises:
        PatchFleetError: ``scan_failed``, with Windows' own words; ``unreachable``.
    """
    missing, reboot_required = _search(context, connection, ())
    found = Scan(
        missing=tuple(sorted(missing)),
        failed=(),
        pending_reboot=int(reboot_required),
        verified_at=context.clock.now(),
    )
    remarks = messages.updates_held_back(held_back(context.facts.get("update_source"))) if found.compliant else []
    context.update_facts(missing=list(found.missing), verified_at=iso(found.verified_at), remarks=remarks)
    return found


def search_kbs(context: OperationContext, connection: HostConnection, kbs: Sequence[str]) -> Scan:
    """A fresh search for these updates; what is installed already stands in Windows' own list, which each logon may read.

    Raises:
        PatchFleetError: as search.
    """
    missing, reboot_required = _search(context, connection, kbs)
    found = search_states(context, kbs, search=False)
    states = {kb: row.state for kb, row in found.items()} | dict.fromkeys(missing, "missing")
    states |= {kb: "pending_reboot" for kb in installed_by_win_updates(context) if kb not in states}
    return scan_of(context, verdicts_of(states, kbs), {}, int(reboot_required))


def _search(context: OperationContext, connection: HostConnection, kbs: Sequence[str]) -> tuple[set[str], bool]:
    """What is missing of these updates, or of all that are approved, and whether Windows asks for a reboot."""
    result = connection.win_updates({"state": "searched", **_selected(kbs)}, SEARCH_TIMEOUT_SECONDS)
    if result.get("failed"):
        raise search_failed(context, str(result.get("msg")))
    updates = [update for update in result["updates"].values() if not update.get("installed")]
    missing = {kb for update in updates for kb in kbs_of(update)}
    return (missing & set(kbs) if kbs else missing), bool(result.get("reboot_required"))
