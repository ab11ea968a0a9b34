# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long each update was missing on each host, by the scans of its runs, and how that compares with the limits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from .._model.reasons import Reason
from .._model.severities import SEVERITIES, UNSPECIFIED
from .visits import Visit

DAY_SECONDS = 86400.0
MISSING, INSTALLED, NOT_OFFERED = "missing", "installed", "not_offered"
"""NOT_OFFERED: a scan does not miss it any more, and no run installed it. Another program did, or a newer update replaced it."""


@dataclass(frozen=True)
class Span:
    """The time for which an update was missing on a host. Times are seconds since 1970.

    Attributes:
        first_missing_at: the first scan that missed it; the start of the run where the same run found and installed it.
        last_missing_at: the last scan that missed it.
        ended_at: the scan that proves its end; None while it is missing.
        ended_by: the run of that scan.
        hresult: why the last run could not install it.
    """

    key: str
    host: str
    kb: str
    state: str
    severity: str
    first_missing_at: float
    first_missing_in: str
    last_missing_at: float
    ended_at: float | None = None
    ended_by: str | None = None
    hresult: str | None = None

    def days(self, now: float) -> float:
        """For how long it was missing, in days."""
        return max(((now if self.ended_at is None else self.ended_at) - self.first_missing_at) / DAY_SECONDS, 0.0)

    def is_late(self, sla_days: Mapping[str, float], now: float) -> bool:
        """Whether that is longer than the limit of its severity allows."""
        limit = sla_days.get(self.severity)
        return limit is not None and self.days(now) > limit


def severities_of(visits: Iterable[Visit]) -> dict[str, str]:
    """The severity of each KB. All hosts share it, because not every search says it; where hosts differ, the worst counts."""
    found: dict[str, str] = {}
    for visit in visits:
        for kb, severity in visit.severities.items():
            found[kb] = min(severity, found.get(kb, UNSPECIFIED), key=SEVERITIES.index)
    return found


def spans_of(visits: Iterable[Visit], severities: Mapping[str, str]) -> list[Span]:
    """The spans of one host, from its visits in the order of time."""
    is_open, ended = dict[str, Span](), list[Span]()
    put_in = set[str]()  # installed, and not proven yet
    for visit in visits:
        put_in |= visit.installed
        if visit.proof is None:
            continue
        at, missing = visit.proof
        if visit.reason_code != Reason.REBOOT_PENDING:
            put_in -= missing
        for kb in sorted(missing):
            before = is_open.get(kb) or _begin(visit, kb, at, severities)
            is_open[kb] = replace(before, last_missing_at=at, hresult=visit.hresults.get(kb) or before.hresult)
        for kb in sorted(visit.installed - missing - is_open.keys()):
            is_open[kb] = _begin(visit, kb, visit.opened_at, severities)
        for kb in sorted(_ended(visit, frozenset(is_open) - missing)):
            state = INSTALLED if kb in put_in else NOT_OFFERED
            ended.append(replace(is_open.pop(kb), state=state, ended_at=at, ended_by=visit.run_id))
            put_in.discard(kb)
    return [*ended, *is_open.values()]


def _ended(visit: Visit, not_missing: frozenset[str]) -> frozenset[str]:
    """Of the updates that a visit does not miss any more, those of which it proves that. An update that waits for a reboot is not
    installed yet.
    """
    if visit.reason_code == Reason.REBOOT_PENDING:
        return frozenset()
    return not_missing if visit.searched is None else not_missing & visit.searched


def _begin(visit: Visit, kb: str, at: float, severities: Mapping[str, str]) -> Span:
    severity = severities.get(kb, UNSPECIFIED)
    return Span(visit.key, visit.name, kb, MISSING, severity, at, visit.run_id, at)


def missing_since(visits: Iterable[Visit], severities: Mapping[str, str]) -> dict[str, float]:
    """Since when each scan of a host has missed some update of a severity, by severity, seconds since 1970.

    A monthly update replaces the one before, so no single one may be missing for long on a host that never gets any.
    """
    since: dict[str, float] = {}
    for visit in visits:
        if visit.proof is None or not visit.is_full_proof:
            continue
        at, missing = visit.proof
        now_missing = {severities.get(kb, UNSPECIFIED) for kb in missing}
        since = {severity: since.get(severity, at) for severity in SEVERITIES if severity in now_missing}
    return since
