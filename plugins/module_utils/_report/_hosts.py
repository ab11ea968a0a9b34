# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of the page, and the details of each host that the script opens under its row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from ansible_collections.patchfleet.windows.plugins.module_utils._report import _format as f
from ansible_collections.patchfleet.windows.plugins.module_utils._report._locations import (
    account_of,
    by_location,
    region_of,
)
from ansible_collections.patchfleet.windows.plugins.module_utils._report._markup import icon, text
from ansible_collections.patchfleet.windows.plugins.module_utils._report._timeline import phases_of

# The table cuts longer lists of updates; the details have all of them.
_LONGEST_CELL = 4

# A cell: what it shows (HTML), and the number by which it is sorted; without one it is sorted by its text.
_Cell: TypeAlias = "tuple[str, float | None]"


def host_table(hosts: Sequence[f.Host]) -> str:
    """The section with a row for each host, in the order given."""
    heads = "".join(
        f"<th scope=col class=c-{name}{_below(title)}{' aria-sort=ascending' if name == 'outcome' else ''}>{title}"
        for name, title, _cell in _COLUMNS
    )
    rows = "\n".join(_row(row, host) for row, host in enumerate(hosts))
    location = "" if len(by_location(hosts)) > 1 else " class=one-location"
    return f"""<section class=hosts>
<h2 id=hosts-title>Hosts</h2>
<div class=scroll tabindex=0 role=region aria-labelledby=hosts-title>
<table id=hosts{location} aria-labelledby=hosts-title>
<thead><tr>{heads}</tr></thead>
<tbody>{rows}</tbody>
</table>
<button id=more hidden></button>
</div>
<p class=note id=none hidden>No host fits the filter.</p>
</section>"""


def details(hosts: Sequence[f.Host]) -> dict[str, Any]:
    """What the script needs in addition to the table: ``labels`` of the facts, and of each host its ``facts`` and ``steps``.

    A step is ``[name, start, end, duration, ok]``, times in seconds since 1970 or null.
    """
    return {
        "labels": [label for label, _value in _FACTS],
        "hosts": [{"facts": [value(host) for _label, value in _FACTS], "steps": _steps(host)} for host in hosts],
    }


def _steps(host: f.Host) -> list[list[Any]]:
    """The steps with their times; only their durations where the times are not known."""
    spans = phases_of(host)
    if not spans:
        return [
            [f.plain(name), None, None, f.duration(value), None] for name, value in (host.get("seconds") or {}).items()
        ]
    return [[span.name, span.start, span.end, f.duration(span.seconds), span.ok] for span in spans]


def _row(row: int, host: f.Host) -> str:
    cells = []
    for name, _title, cell in _COLUMNS:
        content, key = cell(host)
        sort = "" if key is None else f" data-s={key:g}" if abs(key) < 1e6 else f" data-s={key:.0f}"
        cells.append(f"<{'th scope=row' if name == 'host' else 'td'} class=c-{name}{sort}>{content}")
    filters = f'data-o="{text(host.get("outcome"))}" data-a="{text(account_of(host))}" data-r="{text(region_of(host))}"'
    return f"<tr id=h{row} {filters}>{''.join(cells)}"


def _host(host: f.Host) -> _Cell:
    name = f.name_of(host)
    instance = host.get("instance_id")
    below = instance if instance and instance != name else host.get("kind")
    return f"<b>{text(name)}</b><small>{text(below)}</small>", None


def _outcome(host: f.Host) -> _Cell:
    outcome = host.get("outcome")
    return f"<span class=outcome>{icon(outcome)}{text(outcome)}</span>", float(f.rank(host))


def _step(host: f.Host) -> _Cell:
    step = host.get("step")
    return text(step), float(f.PHASES.index(step)) if step in f.PHASES else None


def _state(host: f.Host) -> _Cell:
    before, after = host.get("original_state"), host.get("final_state")
    changed = before is not None and after is not None and before != after
    content = text(f.states(host))
    return f"<span class=changed>{content}</span>" if changed else content, None


def _list(items: Sequence[object] | None) -> _Cell:
    if items is None:
        return f.NOTHING, None
    shown = [text(item) for item in items[:_LONGEST_CELL]]
    if len(items) > _LONGEST_CELL:
        shown.append(f"and {len(items) - _LONGEST_CELL} more")
    return "<br>".join(shown) or "none", float(len(items))


def _gib(key: str) -> Callable[[f.Host], _Cell]:
    return lambda host: (f.gib(host.get(key)), host.get(key))


def _seconds(key: str) -> Callable[[f.Host], _Cell]:
    return lambda host: (f.duration(host.get(key)), host.get(key))


# Name, title and cell of each column. All cells of a column have the class c-NAME: the style sheet gives it its width.
_COLUMNS: tuple[tuple[str, str, Callable[[f.Host], _Cell]], ...] = (
    ("host", "Host", _host),
    ("outcome", "Outcome", _outcome),
    ("step", "Step", _step),
    ("why", "Reason", lambda host: (text(f.sentence(host)), None)),
    ("account", "Account", lambda host: (text(account_of(host)), None)),
    ("region", "Region", lambda host: (text(region_of(host)), None)),
    ("installed", "Installed", lambda host: _list(host.get("installed"))),
    ("missing", "Missing", lambda host: _list(host.get("missing"))),
    ("errors", "Failed updates", lambda host: _list(f.failed_updates(host))),
    ("reboots", "Reboots", lambda host: (text(host.get("reboots")), host.get("reboots"))),
    ("before", "Free before, GiB", _gib("free_gib_before")),
    ("after", "Free after, GiB", _gib("free_gib_after")),
    ("grown", "Grown, GiB", _gib("grown_gib")),
    ("state", "State", _state),
    ("on", "On time", _seconds("on_seconds")),
    ("idle", "Idle time", _seconds("idle_seconds")),
)


# The width in pixels below which the style sheet hides a column; the details have it there.
_HIDDEN_BELOW = {
    **dict.fromkeys(("Reboots", "Free before, GiB", "Free after, GiB", "Grown, GiB", "State", "Idle time"), 1650),
    **dict.fromkeys(("Step", "Failed updates", "On time"), 1200),
    **dict.fromkeys(("Installed", "Missing"), 640),
}


def _below(title: str) -> str:
    return f" data-below={_HIDDEN_BELOW[title]}" if title in _HIDDEN_BELOW else ""


def _joined(items: Sequence[object] | None) -> str | None:
    return None if items is None else ", ".join(f.plain(item) for item in items) or "none"


def _if_cut(items: Sequence[object] | None) -> str:
    """All items, where the table has space for only some of them."""
    return ", ".join(f.plain(item) for item in items) if items and len(items) > _LONGEST_CELL else ""


def _optional(value: object) -> str | None:
    return None if value is None else f.plain(value)


def _yes(value: bool | None) -> str | None:
    return None if value is None else "yes" if value else "no"


def _verdicts(host: f.Host) -> str:
    """Of each named update; empty where the run named none."""
    return ", ".join(f"{f.plain(kb)}: {f.plain(verdict)}" for kb, verdict in (host.get("verdicts") or {}).items())


_SINGLE = ("uptime", "build")
"""Kinds of evidence with one item, which is shown itself."""
_PASSED = {True: "passes", False: "fails", None: "not known"}


def describe_checks(host: f.Host) -> str:
    """Each check before and after; empty where there is none."""
    states = (host.get("checks") or {}).items()
    return "; ".join(f"{f.plain(name)}: {_PASSED[it['before']]} \u2192 {_PASSED[it['after']]}" for name, it in states)


def describe_evidence(host: f.Host) -> str:
    """How many items of each kind there were before and after, and which of them are gone."""
    return "; ".join(_change(kind, it) for kind, it in (host.get("evidence") or {}).items())


def _change(kind: str, state: Mapping[str, Sequence[str] | None]) -> str:
    before, after = state["before"], state["after"]
    gone = [] if before is None or after is None else [f.plain(item) for item in before if item not in after]
    change = " \u2192 ".join(_amount(kind, items) for items in (before, after))
    return f"{kind}: {change}" + (f" (gone: {', '.join(gone)})" if gone and kind not in _SINGLE else "")


def _amount(kind: str, items: Sequence[str] | None) -> str:
    if items is None:
        return "not known"
    return f.plain(items[0]) if items and kind in _SINGLE else str(len(items))


# A fact that is null is not known; one that is empty is not worth a line.
_FACTS: tuple[tuple[str, Callable[[f.Host], str | None]], ...] = (
    ("Instance", lambda host: _optional(host.get("instance_id"))),
    ("Kind", lambda host: _optional(host.get("kind"))),
    ("Type", lambda host: _optional(host.get("type"))),
    ("Account", lambda host: _optional(host.get("account"))),
    ("Region", lambda host: _optional(host.get("region"))),
    ("Zone", lambda host: _optional(host.get("az"))),
    ("Wave", lambda host: _optional(host.get("wave"))),
    ("Started by this run", lambda host: _yes(host.get("started_by_run"))),
    ("Proving scan", lambda host: f.utc(host["verified_at"]) if host.get("verified_at") else None),
    ("Commands that scanned or installed", lambda host: ", ".join(map(f.plain, host.get("command_ids") or ()))),
    ("Reason code", lambda host: _optional(host.get("reason_code"))),
    ("Repairs", lambda host: _joined(host.get("repaired"))),
    ("People logged on", lambda host: _optional(host.get("sessions"))),
    ("Verdicts", _verdicts),
    ("Checks", describe_checks),
    ("Evidence", describe_evidence),
    ("Remarks", lambda host: " ".join(f.plain(remark) for remark in host.get("remarks") or ())),
    ("Tasks before it", lambda host: _optional(host.get("pre_tasks"))),
    ("Tasks after it", lambda host: _optional(host.get("post_tasks"))),
    ("Room wanted", lambda host: f"{f.gib(host['wanted_gib'])} GiB" if host.get("wanted_gib") is not None else None),
    ("Room made", lambda host: _joined(f.cleanup_actions(host)) if host.get("rungs") else None),
    ("Snapshot before growing", lambda host: _optional(host.get("snapshot_id"))),
    ("Cost of the on time, USD", lambda host: f.plain(host.get("on_usd"))),
    ("Restore point", lambda host: f.restore_point(host.get("restore_point"))),
    ("All installed", lambda host: _if_cut(host.get("installed"))),
    ("All missing", lambda host: _if_cut(host.get("missing"))),
    ("All failed updates", lambda host: _if_cut(f.failed_updates(host))),
)
