# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run has left in DIR, as the judge reads it: the trace, the truth, the report, exit codes, logs, the ledger.

Times are lab seconds since the start, by AWS's clock. What the controller's clock says is converted here, once.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.ledgers import records_in_file
from lab.names import parse_time
from lab.scenario import Scenario, Step

OTHER = "other"  # the caller of what `events` do
WINRM = "winrm"  # the service of what runs on a host that is reached over WinRM, by these names
WORK = ("StartInstances", "SendCommand")
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
    account: str | None = None  # its id, where the scenario has several

    @property
    def counts(self) -> bool:
        """Whether it is a call of ours that does something: neither others' nor a DryRun."""
        return self.caller != OTHER and str(self.params.get("DryRun", False)).lower() != "true"


@dataclass(frozen=True)
class StepRun:
    """One step as it was played.

    Attributes:
        number: from 1.
        caller: the access key of its controller.
        began, ended: between these lab seconds it ran; it had ended with the lab where its end was not observed.
        result: its exit code, ``killed``, ``timeout``, or None.
        report: what it wrote itself; None of a step that wrote none.
        before, after: the truth of the hosts, by name.
    """

    number: int
    step: Step
    caller: str
    began: float
    ended: float
    result: int | str | None
    report: dict[str, Any] | None
    before: dict[str, dict[str, Any]]
    after: dict[str, dict[str, Any]]

    @property
    def patches(self) -> bool:
        """Whether it is a roll-out that may change hosts."""
        return self.step.playbook == "patch" and not self.step.check

    @property
    def ended_itself(self) -> bool:
        """Whether no event and no limit of time ended its controller."""
        return isinstance(self.result, int)


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
        self._reports: dict[int, dict[str, dict[str, Any]]] = {}
        self._calls: dict[tuple[int, str | None], list[Call]] = {}
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

    @functools.cached_property
    def _names_by_id(self) -> dict[str, str]:
        return {truth["instance_id"]: name for name, truth in self.truth.items() if truth.get("instance_id")}

    def scenario_name(self, host: dict[str, Any]) -> str | None:
        """The scenario's host that one of the report is: by its ``instance_id``, else by its name."""
        by_id = self._names_by_id.get(host.get("instance_id") or "")
        if by_id is not None:
            return by_id
        return host.get("host") if host.get("host") in self.truth else None

    @functools.cached_property
    def step_runs(self) -> list[StepRun]:
        """Every step that was started, in the order of the scenario."""
        notes = self.state.get("steps")
        if not isinstance(notes, list) or len(notes) > len(self.scenario.steps):
            raise BrokenRunError("state.json: expected what was noted of each step")
        return [
            self._step_run(number, step, note)
            for number, (step, note) in enumerate(zip(self.scenario.steps, notes, strict=False), 1)
        ]

    def _step_run(self, number: int, step: Step, note: dict[str, Any]) -> StepRun:
        folder = self.out / f"step-{number}"
        report, after = folder / "report.json", folder / "state-after.json"
        before = _mapping(folder / "state-before.json")
        return StepRun(
            number=number,
            step=step,
            caller=note["caller"],
            began=note["began"],
            ended=note["ended"] if note["ended"] is not None else self.state["lab_seconds"],
            result=self.result(number),
            report=_json(report) if report.exists() else None,
            before=before,
            after=_mapping(after) if after.exists() else before,
        )

    @property
    def last_patch_number(self) -> int | None:
        """The step that `report.json` is of: the last roll-out that is not in the background."""
        numbers = [step.number for step in self.step_runs if step.patches and not step.step.background]
        return numbers[-1] if numbers else None

    def report_of(self, step: StepRun) -> dict[str, dict[str, Any]]:
        """The hosts of the step's own report by the scenario's names; empty where it wrote none.

        The report of a slice (patch_slice) has the hosts of all slices. Here it has those that no other slice has worked on alone.
        """
        if step.number not in self._reports:
            named = self.whole_report_of(step)
            if "patch_slice" in self.vars_of(step):
                own = self._worked_on(step)
                foreign = set().union(*(self._worked_on(one) for one in self.step_runs if one is not step))
                named = {name: host for name, host in named.items() if name in own or name not in foreign}
            self._reports[step.number] = named
        return self._reports[step.number]

    def whole_report_of(self, step: StepRun) -> dict[str, dict[str, Any]]:
        """All hosts of the step's own report."""
        hosts = step.report["hosts"] if step.report else []
        return {name: host for host in hosts if (name := self.scenario_name(host)) is not None}

    def _worked_on(self, step: StepRun) -> set[str]:
        calls = [call for call in self.calls_of(step) if call.error is None and call.operation in WORK]
        return {name for call in calls for name in call.hosts}

    def vars_of(self, step: StepRun) -> dict[str, Any]:
        """The extra vars of a patch step."""
        return {**self.scenario.vars, **step.step.vars}

    def missing_of(self, step: StepRun, truth: dict[str, Any]) -> list[str]:
        """The KBs that a host of this truth misses, as far as the step is about them: with patch_kbs of these alone."""
        wanted = self.vars_of(step).get("patch_kbs")
        missing: list[str] = truth.get("missing", [])
        if not wanted:
            return sorted(missing)
        named = {str(kb).upper() for kb in (wanted if isinstance(wanted, list) else str(wanted).split(","))}
        return sorted(kb for kb in missing if kb in named)

    def calls_of(self, step: StepRun, name: str | None = None) -> list[Call]:
        """Calls of ours in this step, those that failed too: by their access key, else by the time. With ``name`` those alone
        that name this host.
        """
        if (step.number, name) not in self._calls:
            if name is None:
                self._calls[step.number, None] = list(self._made_in(step))
            else:
                self._calls[step.number, name] = [call for call in self.calls_of(step) if name in call.hosts]
        return self._calls[step.number, name]

    def _made_in(self, step: StepRun) -> Iterator[Call]:
        callers = {each.caller for each in self.step_runs}
        for call in (call for call in self.trace if call.counts):
            if call.caller == step.caller or (call.caller not in callers and self._falls_into(call, step)):
                yield call

    def _falls_into(self, call: Call, step: StepRun) -> bool:
        """Whether a call without an access key of a step was made by this one: not where it left the host to another run."""
        if not step.began <= call.t <= step.ended:
            return False
        codes = {self.report_of(step).get(name, {}).get("reason_code") for name in call.hosts}
        return "leased" not in codes

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

    @property
    def controller_clock_seconds(self) -> float:
        """The controller's clock minus AWS's."""
        return float(getattr(self.scenario.account, "controller_clock_seconds", 0))

    def seconds(self, moment: str) -> float:
        """A time by the controller's clock, as in reports and patch_deadline, in lab seconds since the start."""
        return (parse_time(moment) - self.scenario.start).total_seconds() - self.controller_clock_seconds

    @functools.cached_property
    def ledger(self) -> list[Record]:
        """The power records of the run's ledgers, oldest first: of ``ledger.json`` where it used others than the file in DIR."""
        elsewhere = self.out / "ledger.json"
        if elsewhere.exists():
            return [Record(**record) for record in json.loads(elsewhere.read_text(encoding="utf-8"))]
        return [Record(**record) for record in records_in_file(self.out / "ledger.sqlite")]


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
    document = _load(file)
    if not isinstance(document, dict) or "hosts" not in document:
        raise BrokenRunError(f"{file.name}: expected a mapping with hosts")
    return document


def _mapping(file: Path) -> dict[str, Any]:
    document = _load(file)
    if not isinstance(document, dict):
        raise BrokenRunError(f"{file.name}: expected a mapping")
    return document


def _load(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise BrokenRunError(f"{file.name}: expected a file, got {error.strerror}") from error
    except ValueError as error:
        raise BrokenRunError(f"{file.name}: expected JSON, got {error}") from error
