# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the playbook prints of a history: what is missing too long, and which hosts need a person."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ansible_collections.patchfleet.windows.plugins.module_utils._report import _format as f

from .._base.text import counted, join_names, join_sentences
from .._model.severities import SEVERITIES
from .build import History, HistoryHost, HistoryUpdate
from .spans import MISSING

NAMED_HOSTS = 10
"""Of each update; the page and the files have all of them."""
LONGEST_LIST = 200
NEVER_SCANNED = "No scan has proven anything of it."


def to_lines(history: History) -> list[str]:
    """Sentences, without the paths of the files."""
    return [
        summary(history),
        *_section("Missing longer than patch_sla_days allows:", [*_late_updates(history), *_late_hosts(history)]),
        *_section("Hosts that fail again and again:", [repeated_failure(host) for host in failing_again(history)]),
        *_section("Not proven for a while:", [not_proven(host) for host in unproven(history)]),
    ]


def summary(history: History) -> str:
    """One sentence with the numbers."""
    totals = history["totals"]
    return (
        f"{counted(totals['runs'], 'run')} since {f.utc(history['since'], '{date}')} on {counted(totals['hosts'], 'host')}: "
        f"{totals['complete']} complete, {totals['incomplete']} with updates missing, {totals['not_proven']} not proven."
    )


def failing_again(history: History) -> list[HistoryHost]:
    """The hosts that fail again and again, those with most failures in a row first."""
    found = [host for host in history["hosts"] if host["fails_again"]]
    return sorted(found, key=lambda host: -host["failures_in_a_row"])


def unproven(history: History) -> list[HistoryHost]:
    """The hosts that no run has had for a while, and those of which no scan has proven anything since."""
    return [host for host in history["hosts"] if host["absent"] or host["unproven"]]


def late_updates(history: History) -> dict[tuple[str, str], list[HistoryUpdate]]:
    """What is missing longer than its limit, by severity and KB; the worst severity first, of each host the longest first."""
    found: dict[tuple[str, str], list[HistoryUpdate]] = {}
    for update in sorted(
        history["updates"], key=lambda update: (SEVERITIES.index(update["severity"]), -update["days"])
    ):
        if update["late"] and update["state"] == MISSING:
            found.setdefault((update["severity"], update["kb"]), []).append(update)
    return found


def hosts_late_as_a_whole(history: History) -> list[tuple[HistoryHost, str]]:
    """Hosts on which updates of a severity have been missing for too long, although no single one has."""
    rows = [update for updates in late_updates(history).values() for update in updates]
    late = {(update["host"], update["instance_id"], update["severity"]) for update in rows}
    return [
        (host, severity)
        for host in history["hosts"]
        for severity in host["late_severities"]
        if (host["host"], host["instance_id"], severity) not in late
    ]


def _late_updates(history: History) -> Iterator[str]:
    for (severity, kb), updates in late_updates(history).items():
        limit, longest = updates[0]["limit_days"], max(update["days"] for update in updates)
        listed = join_names([f.plain(update["host"]) for update in updates], NAMED_HOSTS)
        yield f"{f.plain(kb)}, {severity}, limit {_days(limit)}: missing for up to {_days(longest)} on {listed}."


def _late_hosts(history: History) -> Iterator[str]:
    for host, severity in hosts_late_as_a_whole(history):
        since = f.utc(host["missing_since"][severity], "{date}")
        limit = _days(history["sla_days"][severity])
        yield f"{f.plain(host['host'])}: {severity} updates have been missing since {since}, limit {limit}."


def repeated_failure(host: HistoryHost) -> str:
    """One sentence about a host that fails again and again."""
    row = host["failures_in_a_row"]
    times = f"in its last {row} runs" if row > 1 else f"{host['failures']} times, also in its last run"
    missing = f"Missing: {', '.join(map(f.plain, host['missing']))}." if host["missing"] else None
    code = f.plain(host["last_failure_code"] or "unknown")
    return join_sentences(f"{f.plain(host['host'])} failed {times}: {code}.", missing)


def not_proven(host: HistoryHost) -> str:
    """One sentence about a host without a recent proof."""
    name = f.plain(host["host"])
    scanned = f"Its last scan was on {f.utc(host['proven_at'], '{date}')}." if host["proven_at"] else NEVER_SCANNED
    if host["absent"]:
        return join_sentences(f"{name}: no run has had it since {f.utc(host['last_run_at'], '{date}')}.", scanned)
    ended = f"the last run ended with {host['last_outcome']} ({host['last_reason_code']})."
    return join_sentences(f"{name}: {ended}", scanned)


def _days(number: float | None) -> str:
    return f.NOTHING if number is None else f"{number:g} day{'' if number == 1 else 's'}"


def _section(title: str, rows: Sequence[str]) -> list[str]:
    if not rows:
        return []
    more = len(rows) - LONGEST_LIST
    rest = [f"  … and {more} more, in history.html"] if more > 0 else []
    return ["", title, *(f"  {row}" for row in rows[:LONGEST_LIST]), *rest]
