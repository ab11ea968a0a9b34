# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The timeline of the page: a bar for each host that started, its phases as segments, in the order of the waves."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.patchfleet.windows.plugins.module_utils._report import _format as f
from ansible_collections.patchfleet.windows.plugins.module_utils._report._markup import icon, text
from ansible_collections.patchfleet.windows.plugins.module_utils._report._timeline import (
    PhaseSpan,
    Window,
    clock_ticks,
    clock_window,
    end_of,
    own_ticks,
    own_window,
    phases_of,
)

from .._base.text import counted

# Above this number of bars, each is drawn thin and without words.
_MOST_ROOMY_BARS = 60
# Shortest segment in percent: a phase of one second in a night of ten hours stays visible.
_THINNEST = 0.15
# Percent of the bar that one letter takes in the narrowest window in which words are shown.
_PERCENT_PER_LETTER = 0.85

_Bar = tuple[int, f.Host, list[PhaseSpan]]


def timeline(report: f.Report, hosts: Sequence[f.Host]) -> tuple[str, dict[str, list[float]]]:
    """The section, and the windows (start and end, in seconds) of its two scales for the script.

    ``hosts`` are in the order of the table: a bar leads to the row of its number.
    """
    bars = _in_order([(row, host, spans) for row, host in enumerate(hosts) if (spans := phases_of(host))])
    workflows = [spans for _row, _host, spans in bars]
    clock = clock_window(report, workflows)
    own = own_window(clock, workflows)
    windows = {"clock": [clock.start, clock.end], "own": [own.start, own.end]}
    if not bars:
        return "<section class=timeline><h2>Timeline</h2><p class=note>No host started.</p></section>", windows
    roomy = len(bars) <= _MOST_ROOMY_BARS
    waves = [bars[0][1].get("wave"), *(host.get("wave") for _row, host, _spans in bars)]
    rows = "\n".join(
        _bar(entry, clock, roomy, entry[1].get("wave") != before) for entry, before in zip(bars, waves, strict=False)
    )
    clock_axis, clock_lines = _axis("clock", clock_ticks(clock), "UTC")
    own_axis, own_lines = _axis("own", own_ticks(own), "elapsed", hidden=True)
    return (
        f"""<section class=timeline>
<div class=bar-head><h2>Timeline</h2>{_legend(workflows)}{_SCALES}</div>
<div class="chart{"" if roomy else " compact"}" role=group aria-label="Steps of each host over time; arrow keys move between them">
{clock_axis}{own_axis}
<div class=bars>{clock_lines}{own_lines}{rows}</div>
</div>{_without_bar(len(hosts) - len(bars))}
<div id=tip role=tooltip hidden></div>
</section>""",
        windows,
    )


_SCALES = """<div class=scales role=group aria-label="Scale of the timeline" hidden>
<button data-scale=clock aria-pressed=true>By the clock</button><button data-scale=own aria-pressed=false>From
each host&#39;s start</button></div>"""


def _in_order(bars: list[_Bar]) -> list[_Bar]:
    """By wave, then by start: hosts that ran at the same time are next to each other."""

    def key(entry: _Bar) -> tuple[bool, int, float, tuple[tuple[int, int, str], ...]]:
        _row, host, spans = entry
        wave = host.get("wave")
        return wave is None, wave or 0, spans[0].start, f.natural_key(f.name_of(host))

    return sorted(bars, key=key)


def _legend(workflows: Sequence[Sequence[PhaseSpan]]) -> str:
    shown = {span.name for spans in workflows for span in spans}
    items = [
        f"<li><svg aria-hidden=true><rect class={name} width=100% /></svg>{name}</li>"
        for name in f.PHASES
        if name in shown
    ]
    if any(span.ok is False for spans in workflows for span in spans):
        items.append('<li><svg aria-hidden=true><rect class="patch bad" width=100% /></svg>failed there</li>')
    return f"<ul class=legend aria-label=Legend>{''.join(items)}</ul>"


def _axis(scale: str, ticks: Sequence[tuple[float, str]], unit: str, hidden: bool = False) -> tuple[str, str]:
    """The line of labels at the top, and the lines through all bars."""
    labels = "".join(f"<text x={percent:.2f}% y=14>{label}</text>" for percent, label in ticks)
    lines = "".join(f"<line x1={percent:.2f}% x2={percent:.2f}% y2=100% />" for percent, _label in ticks)
    attributes = f"data-axis={scale} aria-hidden=true{' hidden' if hidden else ''}"
    axis = f"<div class=axis {attributes}><span><i>Wave</i><i>{unit}</i></span><svg>{labels}</svg></div>"
    return axis, f"<svg class=lines {attributes}>{lines}</svg>"


def _bar(entry: _Bar, clock: Window, roomy: bool, first_of_wave: bool) -> str:
    row, host, spans = entry
    classes = '"bar first"' if first_of_wave else "bar"
    wave = "" if host.get("wave") is None else f" data-w={int(host['wave'])}"
    segments = "".join(_segment(span, clock, roomy) for span in spans)
    name = f"<a href=#h{row} tabindex=-1>{text(f.name_of(host))}</a>"
    track = f"<svg class=track role=presentation>{segments}</svg>"
    return f"<div class={classes} data-i={row}{wave}>{icon(host.get('outcome'))}{name}{track}</div>"


def _segment(span: PhaseSpan, clock: Window, roomy: bool) -> str:
    start, end = clock.percent(span.start), clock.percent(end_of(span, clock))
    width = max(end - start, _THINNEST)
    classes = [span.name if span.name in f.PHASES else "other"]
    classes += ["bad"] if span.ok is False else []
    classes += ["open"] if span.end is None else []
    if roomy and width < _PERCENT_PER_LETTER * len(span.name):
        classes.append("tight")
    name = classes[0] if len(classes) == 1 else f'"{" ".join(classes)}"'
    position = f"x={start:.2f}% width={width:.2f}%"
    if not roomy:
        return f"<rect class={name} {position} />"
    return f"<svg class={name} {position}><rect width=100% /><text x=50% y=50%>{text(span.name)}</text></svg>"


def _without_bar(number: int) -> str:
    if not number:
        return ""
    return f"<p class=note>{counted(number, 'host')} without a bar: no phase started there.</p>"
