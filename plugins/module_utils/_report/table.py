# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report as a table for a terminal: no line is wider than asked for, whatever the names are made of."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ansible_collections.patchfleet.windows.plugins.module_utils._report import _format as f

from .._model.outcomes import UNFINISHED
from ._locations import account_of, has_several_accounts

NARROWEST = 40
_GAP = 2


@dataclass(frozen=True)
class _Column:
    """One column: where the terminal is too narrow, those with the highest ``spare`` go first; 0 always stays."""

    title: str
    cell: Callable[[f.Host], str]
    widest: int
    spare: int = 0
    to_the_right: bool = False


def _host(host: f.Host) -> str:
    """With the id, under the name, where a person has to check the host."""
    return f.name_and_id(host) if host.get("outcome") in UNFINISHED else f.name_of(host)


_COLUMNS = (
    _Column("HOST", _host, 24),
    _Column("OUTCOME", f.outcome_and_phase, 16),
    _Column("ACCOUNT", account_of, 12, spare=1),
    _Column("UPDATES", f.updates, 9, spare=2, to_the_right=True),
    _Column("STATE", f.states, 20, spare=4),
    _Column("ON", lambda host: f.duration(host.get("on_seconds")), 12, spare=3, to_the_right=True),
)
_MINIMUM_REASON_WIDTH = 30


def to_table(report: f.Report, width: int = 100) -> str:
    """The report as text without colours, in lines of at most ``width`` columns of a terminal (``NARROWEST`` at least).

    Failed and held hosts come first; the last line is the totals, e.g. ``5 patched · 2 compliant · 1 failed (disk)``.
    """
    width = max(width, NARROWEST)
    hosts = f.hosts_of(report)
    columns, widths = _fit(hosts, width)
    reason = width - sum(widths) - _GAP * len(widths)
    lines = _row([*(column.title for column in columns), "REASON"], columns, [*widths, reason])
    for host in hosts:
        lines += _row([*(column.cell(host) for column in columns), f.remark(host)], columns, [*widths, reason])
    return "\n".join([*(lines if hosts else []), *_totals(hosts, width)])


def columns_of(text: str) -> int:
    """How many columns of a terminal a text takes: East Asian wide characters two, combining marks none."""
    if text.isascii():
        return len(text)
    return sum(_columns(character) for character in text)


def wrap(text: str, width: int) -> list[str]:
    """A text in lines of at most ``width`` columns (2 at least), broken at spaces where there are any."""
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        joined = f"{line} {word}" if line else word
        if columns_of(joined) <= width:
            line = joined
            continue
        if line:
            lines.append(line)
        *full, line = _pieces(word, width)
        lines += full
    return [*lines, line]


def _columns(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _pieces(word: str, width: int) -> list[str]:
    """A word cut hard into pieces of at most ``width`` columns."""
    pieces, taken = [""], 0
    for character in word:
        wide = _columns(character)
        if taken + wide > width:
            pieces.append("")
            taken = 0
        pieces[-1] += character
        taken += wide
    return pieces


def _fit(hosts: Sequence[f.Host], width: int) -> tuple[list[_Column], list[int]]:
    """The columns that leave room for the reason, and their widths."""
    columns = [column for column in _COLUMNS if column.title != "ACCOUNT" or has_several_accounts(hosts)]
    natural = {
        column.title: min(column.widest, max(columns_of(text) for text in (column.title, *map(column.cell, hosts))))
        for column in columns
    }
    while True:
        widths = [natural[column.title] for column in columns]
        spare = max(columns, key=lambda column: column.spare)
        if width - sum(widths) - _GAP * len(widths) >= _MINIMUM_REASON_WIDTH or not spare.spare:
            break
        columns.remove(spare)
    # Two columns are left at the narrowest: each may have a third, the reason has the rest.
    if not any(column.spare for column in columns):
        widths = [min(taken, width // 3 - _GAP) for taken in widths]
    return columns, widths


def _row(cells: Sequence[str], columns: Sequence[_Column], widths: Sequence[int]) -> list[str]:
    """One row of the table: as many lines as its longest cell needs."""
    wrapped = [wrap(cell, width) for cell, width in zip(cells, widths, strict=False)]
    right = [*(column.to_the_right for column in columns), False]
    lines = []
    for number in range(max(map(len, wrapped))):
        parts = []
        for lines_of_cell, width, to_the_right in zip(wrapped, widths, right, strict=False):
            text = lines_of_cell[number] if number < len(lines_of_cell) else ""
            padding = " " * (width - columns_of(text))
            parts.append(padding + text if to_the_right else text + padding)
        lines.append((" " * _GAP).join(parts).rstrip())
    return lines


def _totals(hosts: Sequence[f.Host], width: int) -> list[str]:
    line = f.totals_line(hosts)
    return wrap(line if columns_of(line) <= width else f.totals_line(hosts, with_detail=False), width)
