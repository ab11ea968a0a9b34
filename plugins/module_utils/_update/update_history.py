# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What became of updates: by Windows' own history, and where that is refused, by what win_updates has reported.

A reset of the update cache takes the history with it, so what was read of it in this operation is kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .._base.clock import iso
from .._host.answers import HistoryEntry, UpdateHistory
from .._host.fields import ScriptEnded
from .._host.guest_scripts import run_guest_text
from .._host.update_answers import UpdateResult
from .._model.fact_values import FailedUpdate
from .._model.reasons import Reason
from .._operation.channel import Scan
from .._operation.context import OperationContext

HISTORY_SECONDS = 300
KNOWN = "update_history"
OWN_RESULTS = "win_updates_results"


def update_results(context: OperationContext, started_at: float, found: Scan) -> tuple[list[str], list[FailedUpdate]]:
    """KBs installed since then that are still there, and those that failed with their HRESULT."""
    known: dict[str, HistoryEntry] = context.cache.setdefault(KNOWN, {})
    known |= {
        entry.kb: entry for entry in sorted(_entries(context, started_at), key=lambda entry: entry.at) if entry.kb
    }
    good = {kb for kb, entry in known.items() if (entry.result or "").startswith("succeeded")}
    missing = set(found.missing) | set(found.failed)
    bad = [kb for kb in sorted(known) if known[kb].result in {"failed", "aborted"}]
    failed = [FailedUpdate(kb=kb, hresult=known[kb].hresult) for kb in bad]
    return sorted(good - missing), failed


def _entries(context: OperationContext, started_at: float) -> Iterable[HistoryEntry]:
    """To a network logon Windows may refuse its history, on a host that it lets install updates all the same."""
    text = context.params["history_script"]
    try:
        return run_guest_text(context, UpdateHistory, text, HISTORY_SECONDS, since=iso(started_at)).entries
    except ScriptEnded as error:
        if error.code != Reason.UPDATE_API_REFUSED:
            raise
    context.report_progress("Windows refuses its update history to this logon: using what win_updates reported")
    own: list[HistoryEntry] = context.cache.get(OWN_RESULTS, [])
    return own


def store_results(context: OperationContext, results: Iterable[UpdateResult]) -> None:
    """Keep what the Update agent answered of each update; what its history says of the same one goes before."""
    known: dict[str, HistoryEntry] = context.cache.setdefault(KNOWN, {})
    known |= {each.kb: HistoryEntry(each.kb, each.result, each.hresult, context.clock.now()) for each in results}


def store_own_results(context: OperationContext, result: Mapping[str, Any]) -> None:
    """Keep what win_updates reports of each update that it has installed, or failed to."""
    own: list[HistoryEntry] = context.cache.setdefault(OWN_RESULTS, [])
    updates = result.get("updates")
    for update in updates.values() if isinstance(updates, dict) else ():
        code = update.get("failure_hresult_code")
        if not update.get("installed") and code is None:
            continue
        hresult = None if code is None else f"0x{int(code) & 0xFFFFFFFF:08X}"
        outcome = "failed" if hresult else "succeeded"
        own += [HistoryEntry(kb, outcome, hresult, context.clock.now()) for kb in kbs_of(update)]


def installed_by_win_updates(context: OperationContext) -> set[str]:
    """The KBs that win_updates has installed in this operation, by its own word."""
    own: list[HistoryEntry] = context.cache.get(OWN_RESULTS, [])
    return {entry.kb for entry in own if entry.result == "succeeded"}


def kbs_of(update: Mapping[str, Any]) -> list[str]:
    """KBs as Patch Manager writes them; an update without one goes by its title."""
    return [f"KB{number}" for number in update.get("kb") or ()] or [str(update.get("title"))]
