# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a run stands, as lines for a terminal or a log: one line a minute, and the display of the playbook status."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .._base.clock import iso
from .._base.text import join_sentences
from .._model.outcomes import Outcome
from .._model.phases import Phase
from .._model.text_enum import TextEnum
from .._run.progress import HostAtWork, Progress
from ._format import duration, plain
from .table import NARROWEST, columns_of, wrap

FULL, EMPTY = "█", "░"
INDENT = "  "
MOST_ROWS = 20
MOST_PROBLEMS = 10
_WIDEST_NAME = 28
_OTHER_COLUMNS = 40
_BOARDS_OTHER_LINES = 8
"""Of a board: empty lines, title, bar, sums, end, heading, and the hosts that are only counted."""
_FEWEST_BOARD_ROWS = 3


class Style(TextEnum):
    """What a line is, for a terminal that has colours."""

    PLAIN = "plain"
    TITLE = "title"
    BAR = "bar"
    BAD = "bad"
    NOTE = "note"
    COMMAND = "command"


@dataclass(frozen=True)
class Line:
    """A line of the display; without its style it says the same."""

    text: str
    style: Style = Style.PLAIN


def minute_line(progress: Progress) -> str:
    """E.g. ``4 of 12 done, 1 failed, 5 at work, 3 waiting; ends ~23:40 UTC``: at most 68 columns up to 9,999 hosts."""
    counts = [f"{progress.done} of {progress.total} done"]
    counts += [f"{progress.failed} failed"] if progress.failed else []
    counts += [f"{len(progress.at_work)} at work"]
    counts += [f"{len(progress.waiting)} waiting"] if progress.waiting else []
    end = [] if progress.ends_at is None else [f"ends ~{_clock(progress.ends_at)} UTC"]
    return "; ".join([", ".join(counts), *end])


def status_lines(
    progress: Progress,
    width: int = 80,
    rows: int = MOST_ROWS,
    restore_command: str | None = None,
    stop_command: str | None = None,
) -> list[Line]:
    """The display, in lines of at most ``width`` columns.

    Args:
        progress: where the run stands.
        width: columns of the terminal.
        rows: how many hosts at work have a line of their own; the others are counted.
        restore_command: that puts back the hosts of a dead run.
        stop_command: that lets no other host of a run at work start; None shows none.
    """
    width = max(width, NARROWEST)
    lines = [
        *_head(progress, width, restore_command),
        *_at_work(progress, width, rows),
        *_problems(progress, width),
        *_how_to_stop(progress, stop_command),
    ]
    return [piece for line in lines for piece in _wrapped(line, width)]


def board_lines(progress: Progress, width: int = 80, height: int = 24) -> list[Line]:
    """The part of the display that stands still below the lines of a run: no problems, since each has its own line there.

    Args:
        progress: where the run stands.
        width: columns of the terminal.
        height: lines of the terminal; the board takes about half of them.
    """
    width, rows = max(width, NARROWEST), max(height // 2 - _BOARDS_OTHER_LINES, _FEWEST_BOARD_ROWS)
    lines = [Line(""), *_head(progress, width), *_at_work(progress, width, rows)]
    return [piece for line in lines for piece in _wrapped(line, width)]


def _wrapped(line: Line, width: int) -> Iterator[Line]:
    """A line as several of at most ``width`` columns, all with its indentation. One of a command stays whole, to be copied."""
    if line.style == Style.COMMAND:
        yield line
        return
    text = line.text.lstrip()
    indent = " " * (len(line.text) - len(text))
    for piece in wrap(text, width - len(indent)):
        yield Line(indent + piece, line.style)


def _head(progress: Progress, width: int, restore_command: str | None = None) -> Iterator[Line]:
    run = progress.run
    title = f"Run {run.run_id}: {run.operation} by {plain(run.controller.get('user'))} on {plain(run.controller.get('host'))}"
    yield Line(_cut(title, width), Style.TITLE)
    yield Line(_bar(progress.done, progress.total, width), Style.BAR)
    counts = [f"{progress.outcomes[outcome]} {outcome}" for outcome in Outcome if progress.outcomes.get(outcome)]
    counts += [f"{len(progress.at_work)} at work", f"{len(progress.waiting)} waiting"]
    yield Line(" · ".join(counts))
    yield _end(progress)
    if not progress.is_active and run.closed_at is None and restore_command:
        yield from (Line(part, Style.COMMAND) for part in _on_lines(restore_command))
    if run.breaker:
        yield Line(f"No other host starts: {plain(run.breaker)}", Style.BAD)


def _how_to_stop(progress: Progress, stop_command: str | None) -> Iterator[Line]:
    """How to end a run that has hosts to start, without cutting off hosts at work."""
    if stop_command and progress.is_active and progress.waiting and not progress.run.breaker:
        yield Line("To finish the hosts at work and start no other:")
        yield from (Line(part, Style.COMMAND) for part in _on_lines(stop_command))


def _on_lines(command: str) -> list[str]:
    """A command with an option on each line: copied into a shell, it is the same one."""
    return (INDENT + command.replace(" -e ", f" \\\n{INDENT}-e ")).splitlines()


def _end(progress: Progress) -> Line:
    run, now = progress.run, progress.now
    if run.closed_at is not None:
        return Line(f"It ended at {_clock(run.closed_at)} UTC, after {duration(run.closed_at - run.opened_at)}.")
    if not progress.is_active:
        return Line(
            f"Its controller was last active at {iso(run.heartbeat_at)}. If it is dead, put its hosts back:",
            Style.BAD,
        )
    if progress.ends_at is None:
        return Line(f"{_clock(now)} UTC. When it ends is not known.")
    left = duration(max(60 * round((progress.ends_at - now) / 60), 60))
    on = [f"{progress.on} on because of it."] if progress.on else []
    return Line(join_sentences(f"{_clock(now)} UTC. It ends about {_clock(progress.ends_at)} UTC, in {left}.", *on))


def _bar(done: int, total: int, width: int) -> str:
    share = done / total if total else 1.0
    label = f"{done} of {total} done, {int(100 * share)} %"
    cells = width - len(label) - 1
    full = int(cells * share)
    return FULL * full + EMPTY * (cells - full) + f" {label}"


def _at_work(progress: Progress, width: int, rows: int) -> Iterator[Line]:
    if not progress.at_work:
        return
    by_phase = Counter(work.phase for work in progress.at_work)
    phases = ", ".join(f"{by_phase[phase]} {phase}" for phase in Phase if by_phase[phase])
    yield Line("")
    yield Line(f"At work: {phases}", Style.TITLE)
    shown = progress.at_work[:rows]
    name_width = min(
        max(columns_of(plain(work.host.name)) for work in shown) if shown else 0, _WIDEST_NAME, width - _OTHER_COLUMNS
    )
    for work in shown:
        yield Line(_row(work, progress.now, max(name_width, 8)))
    if len(progress.at_work) > rows:
        yield Line(f"  … {len(progress.at_work) - rows} more, which started later", Style.NOTE)


def _row(work: HostAtWork, now: float, name_width: int) -> str:
    """Name, phase, since when, for how long, and how long the host is at work in all."""
    name = _cut(plain(work.host.name), name_width)
    padding = " " * (name_width - columns_of(name))
    lasts, total = (duration(_in_minutes(now - moment)) for moment in (work.since, work.admitted_at))
    return f"{INDENT}{name}{padding}  {work.phase:<7}  since {_clock(work.since)}  {lasts:>8}, of {total}"


def _problems(progress: Progress, width: int) -> Iterator[Line]:
    if not progress.problems:
        return
    yield Line("")
    yield Line("Problems", Style.TITLE)
    for host in progress.problems[-MOST_PROBLEMS:]:
        phase = f" ({host.phase})" if host.phase else ""
        text = f"{INDENT}{plain(host.name)} {host.outcome}{phase}: {plain(host.reason)}"
        yield Line(_cut(text, 2 * width - 10), Style.BAD)
    if len(progress.problems) > MOST_PROBLEMS:
        yield Line(f"  … {len(progress.problems) - MOST_PROBLEMS} before them", Style.NOTE)


def _in_minutes(seconds: float) -> float:
    """Seconds only where there is no minute."""
    return seconds if seconds < 60 else 60 * (seconds // 60)


def _cut(text: str, width: int) -> str:
    """A text of at most ``width`` columns."""
    if columns_of(text) <= width:
        return text
    kept = ""
    for character in text:
        if columns_of(kept + character) > width - 1:
            break
        kept += character
    return f"{kept}…"


def _clock(moment: float) -> str:
    """``22:31``."""
    return str(iso(moment))[11:16]


def as_text(lines: Sequence[Line]) -> list[str]:
    """The lines without their styles."""
    return [line.text for line in lines]
