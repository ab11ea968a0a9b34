# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run has left in DIR, as the judge reads it: the trace, the truth, the report, exit codes, logs, the ledger."""

from __future__ import annotations

import functools
import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from lab.names import parse_time
from lab.scenario import Scenario

OTHER = "other"  # the caller of what `events` do
WINRM = "winrm"  # the service of what runs on a host that is reached over WinRM, by these names
OVER_WINRM = ("win_updates", "Script", "Reboot")
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


class BrokenRunError(Exception):
    """A file of the run is missing or is not what it should be."""


@dataclass(frozen=True)
class Call:
    """One line of ``trace.jsonl``; ``t`` in lab seconds since the start, ``index`` its place in the trace."""

    index: int
    t: float
    service: str
    operation: str
    params: dict[str, Any]
    caller: str
    error: str | None
    hosts: tuple[str, ...]

    @property
    def counts(self) -> bool:
        """Whether it is a call of ours that does something: neither others' nor a DryRun."""
        return self.caller != OTHER and str(self.params.get("DryRun", False)).lower() != "true"


@dataclass(frozen=True)
class Record:
    """A row of the ledger's ``power_record``."""

    instance_id: str
    original_state: str
    closed: bool


class Run:
    """The files of one run of ``scenario`` in ``out``."""

    def __init__(self, scenario: Scenario, out: Path) -> None:
        self.scenario = scenario
        self.out = out
        self.trace = list(_calls(out / "trace.jsonl"))
        state = _json(out / "state.json")
        self.state: dict[str, Any] = state
        self.truth: dict[str, dict[str, Any]] = state["hosts"]
        self.report: dict[str, Any] | None = _json(out / "report.json") if (out / "report.json").exists() else None

    @functools.cached_property
    def report_hosts(self) -> list[dict[str, Any]]:
        """The hosts of the report; empty without one."""
        return list(self.report["hosts"]) if self.report else []

    @functools.cached_property
    def reported(self) -> dict[str, dict[str, Any]]:
        """The report's hosts by the scenario's names."""
        found = {}
        for host in self.report_hosts:
            name = self.scenario_name(host)
            if name is not None:
                found[name] = host
        return found

    def scenario_name(self, host: dict[str, Any]) -> str | None:
        """The scenario's host that one of the report is: by its ``instance_id``, else by its name."""
        by_id = {truth["instance_id"]: name for name, truth in self.truth.items() if truth.get("instance_id")}
        if host.get("instance_id") in by_id:
            return by_id[host["instance_id"]]
        return host.get("host") if host.get("host") in self.truth else None

    def result(self, number: int) -> int | str | None:
        """The exit code of step ``number`` (from 1), ``killed``, ``timeout``, or None when it did not run."""
        file = self.out / f"step-{number}.rc"
        if not file.exists():
            return None
        text = file.read_text(encoding="utf-8").strip()
        return text if text in ("killed", "timeout") else int(text)

    def log(self, number: int) -> str:
        """What step ``number`` printed, without colours."""
        file = self.out / f"step-{number}.log"
        return _ANSI.sub("", file.read_text(encoding="utf-8", errors="replace")) if file.exists() else ""

    def seconds(self, moment: str) -> float:
        """A time of the report in lab seconds since the start."""
        return (parse_time(moment) - self.scenario.start).total_seconds()

    def time(self, t: float) -> datetime:
        """Lab seconds since the start as a time."""
        return datetime.fromtimestamp(self.scenario.start.timestamp() + t, tz=self.scenario.start.tzinfo)

    @functools.cached_property
    def ledger(self) -> list[Record]:
        """The power records of the run's ledger in SQLite or DynamoDB, oldest first; empty where it lies elsewhere."""
        tables = self.out / "ledger.json"
        if tables.exists():
            return [Record(**record) for record in json.loads(tables.read_text(encoding="utf-8"))]
        file = self.out / "ledger.sqlite"
        if not file.exists():
            return []
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
            try:
                rows = database.execute(
                    "SELECT instance_id, original_state, closed_at IS NOT NULL FROM power_record ORDER BY rowid"
                ).fetchall()
            except sqlite3.OperationalError:  # no run was opened
                return []
        return [Record(instance_id, original_state, bool(closed)) for instance_id, original_state, closed in rows]


def _calls(file: Path) -> Iterator[Call]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise BrokenRunError(f"{file.name}: expected the trace of the run, got {error.strerror}") from error
    for index, line in enumerate(lines):
        try:
            entry = json.loads(line)
            yield Call(index=index, **{**entry, "hosts": tuple(entry["hosts"])})
        except (ValueError, KeyError, TypeError) as error:
            raise BrokenRunError(f"{file.name}:{index + 1}: expected a call, got {line[:80]!r}") from error


def _json(file: Path) -> dict[str, Any]:
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise BrokenRunError(f"{file.name}: expected a file, got {error.strerror}") from error
    except ValueError as error:
        raise BrokenRunError(f"{file.name}: expected JSON, got {error}") from error
    if not isinstance(document, dict) or "hosts" not in document:
        raise BrokenRunError(f"{file.name}: expected a mapping with hosts")
    return document
