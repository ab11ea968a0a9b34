# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report as Markdown, for a ticket, a chat or a merge request: short, with the hosts that need a person first."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from ansible_collections.patchfleet.windows.plugins.module_utils._report import _format as f

from .._base.text import counted
from .._model.outcomes import FAILURES, UNTOUCHED
from .._model.phases import Phase
from ._locations import account_of, by_location, has_several_accounts
from .not_offered import not_offered_lines

# Longer lists of hosts that need no person are cut here: tickets and comments have limits.
LONGEST_LIST = 100

_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_Column = tuple[str, Callable[[f.Host], str]]

_HOST: _Column = ("Host", lambda host: escape(f.name_and_id(host)))
_ACCOUNT: _Column = ("Account", lambda host: escape(account_of(host)))
_OUTCOME: _Column = ("Outcome", lambda host: escape(f.outcome_and_phase(host)))
_REASON: _Column = ("Reason", lambda host: escape(f.sentence(host)))
_REMARK: _Column = ("Remark", lambda host: escape(f.remark(host)))
_UPDATES: _Column = ("Updates", f.updates)
_FAILED_UPDATES: _Column = ("Failed updates", lambda host: _items(f.failed_updates(host)))
WIDTH: _Column = ("Room made", lambda host: _items(f.cleanup_actions(host)))
_STATE: _Column = ("State", lambda host: escape(f.states(host)))


def to_markdown(report: f.Report) -> str:
    """The report in GitHub-flavoured Markdown, with a line end at its end."""
    hosts = f.hosts_of(report)
    parts = [
        f"## Patch run {escape(report.get('run_id'))}",
        _facts(report),
        f"**{escape(f.totals_line(hosts))}**",
        escape(f.headline(report)),
        *(escape(line) for line in not_offered_lines(hosts)),
    ]
    troubled = [host for host in hosts if host.get("outcome") in FAILURES]
    not_started = [host for host in hosts if host.get("outcome") in UNTOUCHED]
    short = [host for host in troubled if host.get("step") == Phase.DISK and host.get("rungs")]
    rest = [host for host in hosts if host.get("outcome") not in FAILURES | UNTOUCHED]
    host = (_HOST, _ACCOUNT) if has_several_accounts(hosts) else (_HOST,)
    parts += _sums(hosts) if has_several_accounts(hosts) else []
    parts += _section("Need a person", troubled, (*host, _OUTCOME, _REASON, _FAILED_UPDATES, _STATE), len(troubled))
    parts += _section("Short of disk space", short, (*host, WIDTH), len(short))
    parts += _section("Not started", not_started, (*host, _OUTCOME, _REASON), LONGEST_LIST)
    parts += _section("The others", rest, (*host, _OUTCOME, _UPDATES, _REMARK), LONGEST_LIST)
    return "\n\n".join(parts) + "\n"


def escape(value: object) -> str:
    """A value as plain text for a paragraph or a table cell: nothing in it is markup, and it is one line.

    Issue trackers make a mention of ``@name``, a reference of ``#12`` and a link of an address. A comment in between prevents that.
    """
    text = re.sub(r"[&<>]", lambda match: _ENTITIES[match.group()], f.plain(value))
    text = re.sub(r"([\\`*_\[\]|~$])", r"\\\1", text)
    text = re.sub(r"(?<!&)[@#](?=\w)", r"\g<0><!-- -->", text)
    return re.sub(r"(?i)\b(?:https?|ftp)(?=://)|\bwww(?=\.)", r"\g<0><!-- -->", text)


def _facts(report: f.Report) -> str:
    finished = report.get("finished_at")
    lines = [
        f"Operation: {escape(report.get('operation'))}",
        f"Targets: {escape(f.describe_targets(report.get('targets')))}",
        f"Started: {f.utc(report.get('started_at'))}",
        f"Started by: {escape(f.describe_operator(report.get('by')))}",
        f"Finished: {f.utc(finished)}, after {f.duration(f.run_seconds(report))}" if finished else "Finished: not",
    ]
    return "\n".join(f"- {line}" for line in lines)


def _sums(hosts: Sequence[f.Host]) -> list[str]:
    """The outcomes by account and region."""
    rows = [
        f"| {escape(account)} | {escape(region)} | {len(theirs)} | {escape(f.totals_line(theirs))} |"
        for (account, region), theirs in by_location(hosts).items()
    ]
    return ["\n".join(["| Account | Region | Hosts | Outcomes |", "| --- | --- | --- | --- |", *rows])]


def _section(title: str, hosts: Sequence[f.Host], columns: Sequence[_Column], longest: int) -> list[str]:
    """Heading and table, or nothing when there are no such hosts."""
    if not hosts:
        return []
    rows = [[cell(host) for _title, cell in columns] for host in hosts[:longest]]
    head = [[name for name, _cell in columns], ["---"] * len(columns)]
    parts = [f"### {title} ({len(hosts)})", "\n".join(f"| {' | '.join(row)} |" for row in head + rows)]
    if len(hosts) > longest:
        parts.append(f"… and {counted(len(hosts) - longest, 'more host')}: see the page or the JSON of this report.")
    return parts


def _items(items: list[str] | None) -> str:
    if items is None:
        return f.NOTHING
    return escape(", ".join(items)) or "none"
