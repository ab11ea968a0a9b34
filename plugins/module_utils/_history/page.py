# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The history as one HTML page that needs nothing else, built as the report is (see _report/html.py)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ansible_collections.patchfleet.windows.plugins.module_utils._report import _format as f
from ansible_collections.patchfleet.windows.plugins.module_utils._report._assets import (
    HISTORY_SCRIPT,
    HISTORY_STYLE,
    STYLE,
)
from ansible_collections.patchfleet.windows.plugins.module_utils._report._markup import page_head, text, time

from .._base.text import counted
from . import lines
from .build import History, HistoryHost, HistoryUpdate
from .development import Period
from .spans import MISSING

STATES = {"complete": "complete", "incomplete": "updates missing", "not_proven": "not proven"}
"""What the page calls the states of hosts."""
NUMBERS = frozenset(
    {
        "Complete, %",
        "Days",
        "Failures",
        "Hosts",
        "Hours on",
        "Limit, days",
        "Longest, days",
        "Runs",
        "Times",
        *map(str.capitalize, STATES.values()),
    }
)
"""Headings above numbers."""
WIDTH, HEIGHT = 1000.0, 100.0
"""Of the drawing of the trend, which is stretched to the page."""
SHARE = 0.9
"""What a bar has of the space between the beginnings of two."""


def to_page(history: History) -> str:
    """The whole page, to be written as UTF-8. It makes no request, and shows every host without JavaScript too."""
    body = [
        _header(history),
        _tiles(history),
        _late(history),
        _list("Hosts that fail again and again", map(lines.repeated_failure, lines.failing_again(history))),
        _list("Not proven for a while", map(lines.not_proven, lines.unproven(history))),
        _trend(history["trend"]),
        _causes(history),
        _hours(history),
        _TOOLBAR,
        _hosts(history["hosts"]),
        _updates(history["updates"]),
    ]
    return "\n".join(
        [
            page_head(f"Patch history since {text(_date(history['since']))}", STYLE + HISTORY_STYLE, [HISTORY_SCRIPT]),
            "<body>",
            "<main class=history>",
            *filter(None, body),
            "</main>",
            f"<script>{HISTORY_SCRIPT}</script>",
            "</html>",
            "",
        ]
    )


def _header(history: History) -> str:
    limits = ", ".join(f"{severity} {days:g}" for severity, days in history["sla_days"].items())
    hours, unknown = history["on_hours"]["total"], history["on_hours"]["unknown"]
    on = f"{hours:.1f} h"
    if unknown:
        on = f"{on}, and {counted(unknown, 'start')} of unknown length"
    facts = (
        ("Written", time(history["written_at"])),
        ("Runs", str(history["totals"]["runs"])),
        ("Limits in days", text(limits) if limits else "none (patch_sla_days)"),
        ("On because of runs", text(on)),
    )
    return f"""<header>
<p class=kicker>Patch history</p>
<h1>{text(_date(history["since"]))} to {text(_date(history["written_at"]))}</h1>
<p class=lead>{text(lines.summary(history))}</p>
<dl class=facts>{"".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in facts)}</dl>
</header>"""


def _tiles(history: History) -> str:
    totals = history["totals"]
    numbers = (
        (totals["hosts"], "all hosts"),
        (totals["complete"], "complete"),
        (totals["incomplete"], "with updates missing"),
        (totals["not_proven"], "not proven"),
        (totals["fail_again"], "fail again and again"),
        (totals["missing_updates"], "updates missing, summed over hosts"),
        (totals["late_updates"], "of them beyond their limit"),
    )
    tiles = "".join(
        f'<div class="tile{"" if number else " zero"}"><b>{number}</b><span>{name}</span></div>'
        for number, name in numbers
    )
    return f"<section class=tiles aria-label=Numbers>{tiles}</section>"


def _late(history: History) -> str:
    rows = []
    for (severity, kb), updates in lines.late_updates(history).items():
        names = ", ".join(f.plain(update["host"]) for update in updates)
        longest, limit = updates[0]["days"], updates[0]["limit_days"]
        numbers = (_number(number) for number in (limit, longest, len(updates)))
        rows.append([_text(kb), _text(severity), *numbers, _text(names, "names")])
    table = _table("late", ("KB", "Severity", "Limit, days", "Longest, days", "Hosts", "Names"), rows)
    whole = [
        f"{f.plain(host['host'])}: {severity} updates have been missing since {_date(host['missing_since'][severity])}."
        for host, severity in lines.hosts_late_as_a_whole(history)
    ]
    return (
        f"<section><h2 id=late-title>Missing longer than their limit</h2>{table if rows else ''}{_items(whole)}</section>"
        if rows or whole
        else ""
    )


def _list(title: str, sentences: Iterable[str]) -> str:
    items = _items(list(sentences))
    return f"<section><h2>{title}</h2>{items}</section>" if items else ""


def _items(sentences: Sequence[str]) -> str:
    return f"<ul class=plain>{''.join(f'<li>{text(one)}</li>' for one in sentences)}</ul>" if sentences else ""


def _trend(periods: Sequence[Period]) -> str:
    drawn = "".join(_bar(number, period, len(periods)) for number, period in enumerate(periods))
    legend = "".join(
        f"<li><svg aria-hidden=true><rect class={state} width=16 /></svg>{name}</li>" for state, name in STATES.items()
    )
    rows = [
        [
            _text(_date(period["until"]), "date"),
            *(_number(_count(period, state)) for state in STATES),
            _number(period["complete_percent"]),
        ]
        for period in periods
    ]
    table = _table("trend", ("Until", *map(str.capitalize, STATES.values()), "Complete, %"), rows)
    first, last = _date(periods[0]["until"]), _date(periods[-1]["until"])
    label = f"Hosts by state from {first} to {last}; the table below has the numbers"
    return f"""<section><h2 id=trend-title>Compliance</h2>
<ul class=legend>{legend}</ul>
<svg class=trend viewBox="0 0 {WIDTH:g} {HEIGHT:g}" preserveAspectRatio=none role=img aria-label="{text(label)}">{drawn}</svg>
<p class=ends aria-hidden=true><span>{text(first)}</span><span>{text(last)}</span></p>
<details><summary>The numbers</summary>{table}</details></section>"""


def _bar(number: int, period: Period, periods: int) -> str:
    hosts = period["complete"] + period["incomplete"] + period["not_proven"]
    width, top, parts = WIDTH / (periods - 1 + SHARE), HEIGHT, []
    for state in ("complete", "incomplete", "not_proven"):
        height = HEIGHT * _count(period, state) / hosts if hosts else 0.0
        top -= height
        if height:
            parts.append(
                f'<rect class={state} x="{number * width:.2f}" y="{top:.2f}" width="{width * SHARE:.2f}" height="{height:.2f}" />'
            )
    return "".join(parts)


def _count(period: Period, state: str) -> int:
    return {"complete": period["complete"], "incomplete": period["incomplete"]}.get(state, period["not_proven"])


def _causes(history: History) -> str:
    rows = [
        [
            _text(f.words(cause["reason_code"])),
            _text(", ".join(cause["hresults"]) or None),
            _text(", ".join(cause["kbs"]) or None, "names"),
            _number(cause["times"]),
            _text(", ".join(cause["hosts"]), "names"),
            _text(_date(cause["last_at"]), "date"),
        ]
        for cause in history["causes"]
    ]
    table = _table("causes", ("Cause", "HRESULTs", "KBs", "Times", "Names", "Last"), rows)
    return f"<section><h2 id=causes-title>Why hosts failed</h2>{table}</section>" if rows else ""


def _hours(history: History) -> str:
    rows = [[_text(month), _number(hours)] for month, hours in history["on_hours"]["by_month"].items()]
    table = _table("hours", ("Month", "Hours on"), rows)
    return f"<section><h2 id=hours-title>Hours on because of runs</h2>{table}</section>" if rows else ""


def _hosts(hosts: Sequence[HistoryHost]) -> str:
    rows = [
        [
            _text(host["host"]),
            *(_text(host[key]) for key in ("instance_id", "account", "region")),
            _text(STATES[host["state"]]),
            _text(_date(host["proven_at"]), "date"),
            _text(host["last_outcome"]),
            _text(f.words(host["last_reason_code"]) if host["last_reason_code"] else None),
            _number(host["failures"]),
            _number(host["runs"]),
            _text(", ".join(host["missing"]) or None, "names"),
        ]
        for host in hosts
    ]
    heads = (
        "Host",
        "Id",
        "Account",
        "Region",
        "State",
        "Proven",
        "Last outcome",
        "Reason",
        "Failures",
        "Runs",
        "Missing",
    )
    return f"<section><h2 id=all-hosts-title>Hosts</h2>{_table('all-hosts', heads, rows, is_sorted=True)}</section>"


def _updates(updates: Sequence[HistoryUpdate]) -> str:
    """What is missing, and what was missing for too long; all others are in the CSV."""
    shown = [update for update in updates if update["state"] == MISSING or update["late"]]
    rows = [
        [
            *(_text(update[key]) for key in ("kb", "host", "severity")),
            _text(f.words(update["state"])),
            *(_text(_date(update[key]), "date") for key in ("first_missing_at", "proven_at")),
            _number(update["days"], update["late"]),
            _number(update["limit_days"]),
            _text(update["hresult"]),
        ]
        for update in sorted(shown, key=lambda update: -update["days"])
    ]
    heads = ("KB", "Host", "Severity", "State", "First missing", "Ended", "Days", "Limit, days", "HRESULT")
    more = len(updates) - len(shown)
    note = f"<p class=note>{counted(more, 'more row')} of updates that are installed are in history.csv.</p>"
    table = _table("updates", heads, rows, is_sorted=True) if rows else "<p class=note>No update is missing.</p>"
    return f"<section><h2 id=updates-title>Updates</h2>{table}{note if more else ''}</section>"


def _table(name: str, heads: Sequence[str], rows: Sequence[Sequence[str]], *, is_sorted: bool = False) -> str:
    """A table of cells (_text, _number) under the heading with the id NAME-title. Each cell names its column, for windows in
    which the table is a block a row.
    """
    marked = ((" class=number" if head in NUMBERS else "", head) for head in heads)
    head = "".join(f"<th scope=col{mark}>{head}" for mark, head in marked)
    body = "\n".join(_row(heads, row) for row in rows)
    return (
        f'<div class="scroll stacked" tabindex=0 role=region aria-labelledby={name}-title>'
        f"<table{' class=sorted' if is_sorted else ''} aria-labelledby={name}-title><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>"
    )


def _row(heads: Sequence[str], cells: Sequence[str]) -> str:
    labelled = zip(heads[1:], cells[1:], strict=True)
    return f"<tr><th scope=row{cells[0]}" + "".join(f'<td data-label="{head}"{cell}' for head, cell in labelled)


def _text(value: object, mark: str = "") -> str:
    """The rest of a cell, after the name of its element."""
    return f"{f' class={mark}' if mark else ''}>{text(value)}"


def _number(value: float | None, is_late: bool = False) -> str:
    """The rest of a cell, with the value by which it is sorted."""
    shown = f.NOTHING if value is None else f"{value:g}"
    return f' class="number{" late" if is_late else ""}" data-v="{-1 if value is None else value}">{shown}'


def _date(moment: str | None) -> str:
    return f.utc(moment, "{date}")


_TOOLBAR = """<div class=toolbar role=search hidden>
<label for=query>Filter hosts and updates</label>
<input id=query type=search placeholder="Name, KB, severity, reason …" autocomplete=off spellcheck=false>
<output id=shown for=query aria-live=polite></output>
</div>"""
