# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the fleet develops: compliance by week or month, causes of failures, and hours for which hosts were on because of us."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from typing import TypedDict

from .._base.clock import iso
from .._ledger.records import PowerRecord
from .._model.outcomes import FAILURES
from .hosts import HostSummary
from .visits import Visit

WEEK_SECONDS = 7 * 86400.0
LONGEST_IN_WEEKS = 26
"""A longer history is shown by months."""


class Period(TypedDict):
    """The hosts at the end of a week or month, by what their last scan says then. ``complete_percent`` is None without hosts."""

    until: str | None
    complete: int
    incomplete: int
    not_proven: int
    complete_percent: float | None


class Cause(TypedDict):
    """Why hosts failed: a reason code, where updates were missing also the HRESULTs that kept them out."""

    reason_code: str | None
    hresults: list[str]
    kbs: list[str]
    times: int
    hosts: list[str]
    last_at: str | None


class OnHours(TypedDict):
    """Hours for which hosts were on because of runs. ``unknown`` counts hosts of runs whose end nothing says."""

    total: float
    by_month: dict[str, float]
    unknown: int


def trend(hosts: Iterable[HostSummary], since: float, now: float) -> list[Period]:
    """The compliance at the end of each week or month from then until now."""
    known = list(hosts)
    return [_period(known, end) for end in _ends(since, now)]


def _period(hosts: list[HostSummary], end: float) -> Period:
    counts = {"complete": 0, "incomplete": 0, "not_proven": 0}
    for host in hosts:
        past = [visit for visit in host.visits if visit.opened_at <= end]
        if past and not HostSummary(host.key, past).is_absent(end):
            counts[HostSummary(host.key, past).state(end)] += 1
    number = sum(counts.values())
    return {
        "until": iso(end),
        "complete": counts["complete"],
        "incomplete": counts["incomplete"],
        "not_proven": counts["not_proven"],
        "complete_percent": round(100.0 * counts["complete"] / number, 1) if number else None,
    }


def _ends(since: float, now: float) -> list[float]:
    if now - since <= LONGEST_IN_WEEKS * WEEK_SECONDS:
        weeks = max(int((now - since) // WEEK_SECONDS), 0)  # the clock of another controller may be ahead
        return [now - WEEK_SECONDS * number for number in range(weeks, -1, -1)]
    months, month = list[float](), _first_of_month(now)
    while month > since:
        months.insert(0, month)
        month = _first_of_month(month - 1)
    return [*months, now]


def _first_of_month(moment: float) -> float:
    day = datetime.datetime.fromtimestamp(moment, datetime.timezone.utc)
    return day.replace(day=1, hour=0, minute=0, second=0, microsecond=0).timestamp()


def causes(visits: Iterable[Visit]) -> list[Cause]:
    """Why hosts failed, the most frequent cause first."""
    found: dict[tuple[str, tuple[str, ...]], list[Visit]] = {}
    for visit in visits:
        if visit.is_attempt and visit.outcome in FAILURES:
            cause = (str(visit.reason_code or ""), tuple(sorted({*_still_missing(visit).values()})))
            found.setdefault(cause, []).append(visit)
    rows: list[Cause] = [
        {
            "reason_code": code or None,
            "hresults": list(hresults),
            "kbs": sorted({kb for visit in theirs for kb in _still_missing(visit)}),
            "times": len(theirs),
            "hosts": sorted({visit.name for visit in theirs}),
            "last_at": iso(max(visit.opened_at for visit in theirs)),
        }
        for (code, hresults), theirs in found.items()
    ]
    return sorted(rows, key=lambda row: (-row["times"], row["reason_code"] or "", row["hresults"]))


def _still_missing(visit: Visit) -> dict[str, str]:
    """The HRESULTs of updates that are missing at the end of the visit, by KB."""
    missing = visit.missing or frozenset()
    return {kb: hresult for kb, hresult in visit.hresults.items() if kb in missing}


def on_hours(visits: Iterable[Visit], open_power: Iterable[PowerRecord], now: float) -> OnHours:
    """The hours of all starts. A run that takes a host over knows the same start, which counts once."""
    is_open = {record.host_key for record in open_power if record.started_by}
    starts: dict[tuple[str, float], float | None] = {}
    for visit in visits:
        if visit.on_since is not None:
            start = (visit.key, visit.on_since)
            ends = [end for end in (starts.get(start), visit.off_at) if end is not None]
            starts[start] = max(ends, default=None)
    by_month: dict[str, float] = {}
    unknown = 0
    newest = dict(sorted(starts))  # of each host its last start
    for (key, since), off_at in starts.items():
        end = now if off_at is None and key in is_open and newest[key] == since else off_at
        if end is None:
            unknown += 1
            continue
        month = (iso(since) or "")[:7]
        by_month[month] = by_month.get(month, 0.0) + max(end - since, 0.0) / 3600
    hours = {month: round(number, 2) for month, number in sorted(by_month.items())}
    return {"total": round(sum(by_month.values()), 2), "by_month": hours, "unknown": unknown}
