# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report as one HTML page that needs nothing else: no server, no network, and for reading no JavaScript.

Everything is rendered here; the script sorts, filters and opens details, which come as JSON. What may run and style
the page is named by its hash in the Content-Security-Policy: markup that slipped through from the data could neither
run nor call home. Positions are SVG attributes for the same reason, so that no inline styles are needed.
"""

from __future__ import annotations

from ansible_collections.patchfleet.windows.plugins.module_utils._report import _format as f
from ansible_collections.patchfleet.windows.plugins.module_utils._report._assets import EARLY_SCRIPT, SCRIPT, STYLE
from ansible_collections.patchfleet.windows.plugins.module_utils._report._chart import timeline
from ansible_collections.patchfleet.windows.plugins.module_utils._report._hosts import details, host_table
from ansible_collections.patchfleet.windows.plugins.module_utils._report._locations import sums
from ansible_collections.patchfleet.windows.plugins.module_utils._report._markup import (
    data,
    icon,
    page_head,
    text,
    time,
)
from ansible_collections.patchfleet.windows.plugins.module_utils._report._symbols import SYMBOLS
from ansible_collections.patchfleet.windows.plugins.module_utils._report.updates import update_section

from .._base.text import counted
from .._model.outcomes import FAILURES, Outcome

# The top of the page names at most this number of hosts that need a person; the table has all of them.
_NAMED_AT_THE_TOP = 5
_RELOAD_SECONDS = 30


def to_html(report: f.Report) -> str:
    """The whole page, to be written as UTF-8.

    It makes no request, works from ``file://``, and shows every host, whatever its name is made of.
    """
    hosts = f.hosts_of(report)
    chart, windows = timeline(report, hosts)
    body = [
        _header(report, hosts),
        _tiles(hosts),
        _need_a_person(hosts),
        sums(hosts),
        update_section(hosts),
        _TOOLBAR,
        chart,
        host_table(hosts),
        f'<script type="application/json" id=data>{data({"windows": windows, **details(hosts)})}</script>',
        f"<script>{SCRIPT}</script>",
    ]
    return "\n".join(
        [_head(report, hosts), "<body>", SYMBOLS, "<main>", *body[:-2], "</main>", *body[-2:], "</html>", ""]
    )


def _head(report: f.Report, hosts: list[f.Host]) -> str:
    title = f"Patch run {text(report.get('run_id'))}: {text(f.totals_line(hosts))}"
    return page_head(title, STYLE, (EARLY_SCRIPT, SCRIPT), f"{_reload(report)}<script>{EARLY_SCRIPT}</script>\n")


def _header(report: f.Report, hosts: list[f.Host]) -> str:
    finished = report.get("finished_at")
    facts = (
        ("Operation", text(report.get("operation"))),
        ("Started", time(report.get("started_at"))),
        ("Finished", time(finished) if finished else "not yet" if report.get("as_of") else "not: the run was cut off"),
        ("Duration", f.duration(f.run_seconds(report))),
        ("Started by", text(f.describe_operator(report.get("by")))),
        ("Targets", text(f.describe_targets(report.get("targets")))),
        ("On because of this run", _on_time(hosts)),
    )
    return f"""<header>
<p class=kicker>Patch run</p>
<h1>{text(report.get("run_id"))}</h1>
{_at_work(report)}<p class=lead>{text(f.headline(report))}</p>
<dl class=facts>{"".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in facts)}</dl>
</header>"""


def _reload(report: f.Report) -> str:
    """Without JavaScript; with it the script does, keeps what the viewer opened and focused, and can be paused (WCAG 2.2.1)."""
    if not report.get("as_of"):
        return ""
    return f"<noscript><meta http-equiv=refresh content={_RELOAD_SECONDS}></noscript>\n"


def _at_work(report: f.Report) -> str:
    """Says of the page of a run at work that it is unfinished, and when it was written."""
    if not report.get("as_of"):
        return ""
    return (
        f"<div class=live data-seconds={_RELOAD_SECONDS}><p><b>Unfinished.</b> Written at {time(report['as_of'])}. "
        "The page loads itself again until the run has ended.</p>"
        "<button id=pause aria-pressed=false hidden>Pause reloading</button></div>\n"
    )


def _on_time(hosts: list[f.Host]) -> str:
    """The total time that the run's hosts were on, as far as it is known."""
    on, idle = ([host[key] for host in hosts if host.get(key) is not None] for key in ("on_seconds", "idle_seconds"))
    text = f.duration(sum(on)) if on else f.NOTHING
    priced = [host["on_usd"] for host in hosts if host.get("on_usd") is not None]
    parts = [text, f"{f.duration(sum(idle))} of it idle" if idle else "", f"{sum(priced):.2f} USD" if priced else ""]
    without = len(on) - len(priced)
    if priced and without:
        parts.append(f"{without} {'host' if without == 1 else 'hosts'} without a price")
    return ", ".join(filter(None, parts))


def _tiles(hosts: list[f.Host]) -> str:
    """Hosts per outcome. The script makes them filters: until then they are disabled."""
    tiles = [f'<button class=tile disabled data-o=""><b>{len(hosts)}</b><span>all hosts</span></button>']
    for outcome, number in f.totals(hosts).items():
        label = f"{icon(outcome)}<span>{outcome}</span>"
        tiles.append(
            f'<button class="tile{"" if number else " zero"}" disabled data-o="{outcome}"><b>{number}</b>{label}</button>'
        )
    more = " at-work" if len(tiles) > len(Outcome) + 1 else ""
    return f'<section class="tiles{more}" aria-label="Hosts per outcome">{"".join(tiles)}</section>'


def _need_a_person(hosts: list[f.Host]) -> str:
    """The first failed and held hosts with their reasons; they are the first of the table, too."""
    troubled = [host for host in hosts if host.get("outcome") in FAILURES]
    if not troubled:
        return ""
    items = [
        f"<li>{icon(host['outcome'])}<div><a href=#h{row}>{text(f.name_of(host))}</a> "
        f"<span class=what>{text(f.outcome_and_phase(host))}</span><p>{text(f.sentence(host))}</p></div></li>"
        for row, host in enumerate(troubled[:_NAMED_AT_THE_TOP])
    ]
    more = len(troubled) - len(items)
    rest = f"<p class=note>… and {counted(more, 'more host')}, first in the table below.</p>" if more else ""
    return f"<section class=person><h2>Hosts that need a person</h2><ul>{''.join(items)}</ul>{rest}</section>"


_TOOLBAR = """<div class=toolbar role=search hidden>
<label for=query>Filter hosts</label>
<input id=query type=search placeholder="Name, KB, error code, reason …" autocomplete=off spellcheck=false>
<output id=shown for=query aria-live=off></output>
<button id=clear hidden>Show all</button>
</div>
<noscript><p class=note>Sorting, filtering and the details of a host need JavaScript; the table has every host.</p></noscript>"""
