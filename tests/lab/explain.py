# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The timeline of one host, put together from all that a run has left in DIR."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from lab.names import parse_time

READS = ("Describe", "List", "Get")
DAY_SECONDS = 86400
# A report's or ledger's value is shown up to here.
LONGEST_VALUE = 160
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_PROGRESS = re.compile(r"\s*(\d\d):(\d\d):(\d\d)\s+(.+)")
_FAILED = re.compile(r"(?:fatal|failed): \[(?P<host>[^\]]*?)(?: -> [^\]]*)?\]")
_MESSAGE = re.compile(r'"msg": ("(?:[^"\\]|\\.)*")')


class ExplainError(Exception):
    """DIR or HOST is not what can be explained; ``str()`` says what would be right."""


@dataclass(frozen=True)
class Moment:
    """One line of the timeline: at ``t`` lab seconds since the start, ``source`` says this."""

    t: float
    source: str
    text: str


@dataclass(frozen=True)
class _Folder:
    """What every source needs: DIR, the host by all its names, and the lab's clock at second 0."""

    path: Path
    names: frozenset[str]
    start: datetime
    steps: tuple[dict[str, Any], ...]

    def seconds_of(self, epoch: float) -> float:
        return epoch - self.start.timestamp()


def explain(out: Path, name: str) -> list[str]:
    """The lines about the scenario's host ``name`` of the run in ``out``.

    Raises:
        ExplainError: there is no run in ``out``, or no such host in it.
    """
    state = _read_json(out / "state.json")
    if state is None or "start" not in state:
        raise ExplainError(f"{out}: expected the folder of a run that has ended, with a state.json")
    if name not in state["hosts"]:
        raise ExplainError(f"{name}: no such host; there are {', '.join(sorted(state['hosts']))}")
    truth = state["hosts"][name]
    reported = _reported(out, name, truth.get("instance_id"))
    names = frozenset({name, truth.get("instance_id") or name, str((reported or {}).get("host") or name)})
    folder = _Folder(out, names, parse_time(state["start"]), tuple(state.get("steps", ())))
    moments = [
        *_step_moments(folder),
        *_calls(folder, name),
        *_truth_moments(truth),
        *_ledger_moments(folder),
        *_log_moments(folder),
    ]
    width = max((len(moment.source) for moment in moments), default=0)
    return [
        f"{name}  {truth.get('instance_id') or 'no instance'}: {_summary(truth, reported)}",
        *(_line(folder, moment, width) for moment in sorted(moments, key=lambda moment: moment.t)),
        *_facts(folder),
    ]


def _line(folder: _Folder, moment: Moment, width: int) -> str:
    clock = (folder.start + timedelta(seconds=moment.t)).strftime("%H:%M:%S")
    return f"{moment.t:9.1f} s  {clock}  {moment.source:{width}}  {moment.text}"


def _summary(truth: dict[str, Any], reported: dict[str, Any] | None) -> str:
    is_now = f"it is {truth.get('state')}"
    if reported is None:
        return f"not in the report; {is_now}"
    why = [str(reported[key]) for key in ("step", "reason_code", "reason") if reported.get(key)]
    return f"{reported.get('outcome')}{' (' + ', '.join(why) + ')' if why else ''}; {is_now}"


def _reported(out: Path, name: str, instance_id: str | None) -> dict[str, Any] | None:
    report = _read_json(out / "report.json") or {}
    hosts: list[dict[str, Any]] = report.get("hosts", [])
    by_id = [host for host in hosts if instance_id and host.get("instance_id") == instance_id]
    return next(iter([*by_id, *(host for host in hosts if host.get("host") == name)]), None)


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return document if isinstance(document, dict) else None


# ---- sources


def _step_moments(folder: _Folder) -> Iterator[Moment]:
    for number, step in enumerate(folder.steps, 1):
        yield Moment(step["began"], f"step {number}", f"{step['playbook']} begins")
        if step.get("ended") is not None:
            code = folder.path / f"step-{number}.rc"
            ended = code.read_text(encoding="utf-8").strip() if code.exists() else "?"
            yield Moment(step["ended"], f"step {number}", f"{step['playbook']} ends: {ended}")


def _calls(folder: _Folder, name: str) -> Iterator[Moment]:
    """Calls that name the host; the same read again and again is one line."""
    trace = folder.path / "trace.jsonl"
    lines = trace.read_text(encoding="utf-8").splitlines() if trace.exists() else []
    calls = [call for call in map(json.loads, lines) if name in call["hosts"]]
    callers = {step["caller"]: f"step {number}" for number, step in enumerate(folder.steps, 1)}
    repeated: list[dict[str, Any]] = []
    for call in calls:
        if repeated and (not _is_read(call) or _what(call) != _what(repeated[0])):
            yield _call(repeated, callers)
            repeated = []
        repeated.append(call)
    if repeated:
        yield _call(repeated, callers)


def _is_read(call: dict[str, Any]) -> bool:
    return str(call["operation"]).startswith(READS)


def _what(call: dict[str, Any]) -> tuple[str, ...]:
    return (call["service"], call["operation"], str(call["error"]), call["caller"])


def _call(calls: list[dict[str, Any]], callers: dict[str, str]) -> Moment:
    first, last = calls[0], calls[-1]
    caller = callers.get(first["caller"], first["caller"])
    what = f"{first['service']}.{first['operation']}"
    times = f", {len(calls)} times until {last['t']:.1f} s" if len(calls) > 1 else ""
    return Moment(first["t"], caller, f"{what}{times}{_detail(first)}: {first['error'] or 'ok'}")


def _detail(call: dict[str, Any]) -> str:
    """What distinguishes two calls of one operation."""
    params = call["params"] or {}
    operation = (params.get("Parameters") or {}).get("Operation")
    parts = [params.get("DocumentName"), *(operation if isinstance(operation, list) else [operation])]
    parts += [f"{key}={params[key]}" for key in ("Size", "Comment", "script", "state", "DryRun") if params.get(key)]
    found = [str(part) for part in parts if part]
    return f" ({', '.join(found)})" if found else ""


def _truth_moments(truth: dict[str, Any]) -> Iterator[Moment]:
    for entry in truth.get("history", ()):
        yield Moment(entry["t"], "host", f"is {entry['state']}" if "state" in entry else entry["event"])


def _ledger_moments(folder: _Folder) -> Iterator[Moment]:
    """Every time that a row about the host has, whatever the table is called."""
    for table, row in _ledger_rows(folder):
        fields = {key: value for key, value in row.items() if not _is_time(key, value) and key != "facts"}
        words = [str(fields[key]) for key in ("step", "phase", "original_state", "outcome") if fields.get(key)]
        if fields.get("ok") is not None:
            words.append("ok" if fields["ok"] else "failed")
        for key, value in row.items():
            if _is_time(key, value):
                yield Moment(folder.seconds_of(value), "ledger", f"{table}.{key} ({', '.join(words)})")


def _is_time(key: str, value: object) -> bool:
    return key.endswith("_at") and isinstance(value, int | float)


def _ledger_rows(folder: _Folder) -> Iterator[tuple[str, dict[str, Any]]]:
    file = folder.path / "ledger.sqlite"
    if not file.exists():
        return
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
        database.row_factory = sqlite3.Row
        tables = [
            row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY rowid")
        ]
        for table in tables:
            for row in database.execute(f'SELECT * FROM "{table}"'):  # noqa: S608 - its own tables' names
                values = dict(row)
                if folder.names & {value for value in values.values() if isinstance(value, str)}:
                    yield table, values


def _log_moments(folder: _Folder) -> Iterator[Moment]:
    """Progress lines of the host, and its failed tasks at the time of the last progress line before them."""
    for number, step in enumerate(folder.steps, 1):
        log = folder.path / f"step-{number}.log"
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
        at, task = float(step["began"]), ""
        for line in (_ANSI.sub("", line) for line in lines):
            progress, failed = _PROGRESS.match(line), _FAILED.match(line)
            if progress:
                at = _time_of_day(folder, at, [int(part) for part in progress.group(1, 2, 3)])
                text = next((progress[4][len(name) :] for name in folder.names if _begins(progress[4], name)), None)
                if text is not None:
                    yield Moment(at, f"log {number}", " ".join(text.split()))
            elif line.startswith("TASK ["):
                task = line[6 : line.rindex("]")] if "]" in line else line[6:]
            elif failed and failed["host"] in folder.names:
                message = _MESSAGE.search(line)
                yield Moment(at, f"log {number}", f"FAILED {task}: {json.loads(message[1]) if message else line}")


def _begins(text: str, name: str) -> bool:
    return text.startswith(name) and text[len(name) : len(name) + 1] in ("", " ")


def _time_of_day(folder: _Folder, not_before: float, parts: Iterable[int]) -> float:
    """Lab seconds of a time of day: the first one that is not hours before the line above it."""
    hours, minutes, seconds = parts
    at = folder.start.replace(hour=hours, minute=minutes, second=seconds, microsecond=0)
    t = (at - folder.start).total_seconds()
    while t < not_before - DAY_SECONDS / 2:
        t += DAY_SECONDS
    return t


def _facts(folder: _Folder) -> Iterator[str]:
    """What the ledger knows of the host at the end."""
    for _table, row in _ledger_rows(folder):
        if isinstance(row.get("facts"), str):
            yield f"facts in run {row.get('run_id')}:"
            for key, value in json.loads(row["facts"]).items():
                text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
                yield f"  {key}: {text if len(text) <= LONGEST_VALUE else text[:LONGEST_VALUE] + '…'}"
