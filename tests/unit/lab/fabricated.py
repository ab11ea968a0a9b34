# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that never happened: two hosts patched as they should be, for tests of the judge to spoil."""

from __future__ import annotations

import copy
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import yaml

from lab.checker import check
from lab.records import OVER_WINRM, WINRM
from lab.scenario import load

DOCUMENT: dict[str, Any] = {
    "name": "Two hosts",
    "why": "The judge is judged too.",
    "start": "2026-11-14T22:00:00Z",
    "hosts": [
        {"name": "dev-01", "state": "stopped", "updates": [{"kb": "KB5031361"}]},
        {"name": "dev-02", "updates": [{"kb": "KB5031361"}]},
    ],
    "steps": [{"playbook": "patch"}],
    "expect": {},
}
IDS = {"dev-01": "i-00000000000000001", "dev-02": "i-00000000000000002"}
BOTH = ["dev-01", "dev-02"]
ENDED = 800.0


def patch_baseline(operation: str) -> dict[str, Any]:
    """The parameters of a SendCommand that scans or installs."""
    return {"DocumentName": "AWS-RunPatchBaseline", "Parameters": {"Operation": [operation]}}


class Run:
    """The files of a run in which all is well; ``judge`` writes them and returns what the judge says."""

    def __init__(self, expect: dict[str, Any] | None = None, **keys: Any) -> None:
        self.document = {**copy.deepcopy(DOCUMENT), **keys, "expect": expect or {}}
        self.results: list[Any] = [0]
        self.steps: list[dict[str, Any]] | None = None  # notes of the steps, where they are not the usual ones
        self.logs = ["PLAY RECAP: all hosts are done"]
        self.records = [(IDS["dev-01"], "stopped", "closed"), (IDS["dev-02"], "running", "closed")]
        self.secrets = ['s3cr3t/of+a"step']
        self.files: dict[str, str] = {}
        self.trace: list[dict[str, Any]] = []
        self.call(0, "DescribeInstances", BOTH)
        self.call(5, "StartInstances", ["dev-01"])
        self.call(130, "SendCommand", BOTH, params={"DocumentName": "AWS-RunPowerShellScript"})
        self.call(150, "SendCommand", BOTH, params=patch_baseline("Install"))
        self.call(600, "SendCommand", BOTH, params=patch_baseline("Scan"))
        self.call(700, "DescribeInstances", ["dev-01"])
        self.call(701, "StopInstances", ["dev-01"])
        self.call(790, "DescribeInstances", ["dev-01"])
        self.before = {"dev-01": self._found("dev-01", "stopped"), "dev-02": self._found("dev-02", "running")}
        self.hosts = {"dev-01": self._truth("dev-01", "stopped"), "dev-02": self._truth("dev-02", "running")}
        self.running_at_once = 1
        self.windows: list[dict[str, Any]] = []
        self.reported = [self._reported("dev-01", "stopped"), self._reported("dev-02", "running")]
        self.report: dict[str, Any] | None = {
            "schema": 1,
            "run_id": "r1",
            "started_at": "2026-11-14T22:00:00Z",
            "finished_at": "2026-11-14T22:13:00Z",
            "totals": {"patched": 2},
        }

    def call(
        self,
        t: float,
        operation: str,
        hosts: list[str],
        *,
        caller: str = "AKIA1",
        error: str | None = None,
        params: dict[str, Any] | None = None,
        at: int | None = None,
    ) -> None:
        """Add a call to the trace, at its end or at index ``at``."""
        entry = {
            "t": t,
            "service": {"SendCommand": "ssm", **dict.fromkeys(OVER_WINRM, WINRM)}.get(operation, "ec2"),
            "operation": operation,
            "params": params or {},
            "caller": caller,
            "error": error,
            "hosts": hosts,
        }
        self.trace.insert(len(self.trace) if at is None else at, entry)

    def over_winrm(self, *calls: tuple[float, str, dict[str, Any]]) -> None:
        """Make dev-02 a WinRM host to which this was done."""
        self.document["hosts"][1]["kind"] = "winrm"
        self.records.pop()
        self.truly("dev-02", instance_id=None, account=None)
        self.reports(1, instance_id=None, kind="winrm", account=None, region=None)
        self.trace = [{**entry, "hosts": ["dev-01"]} for entry in self.trace]
        for t, operation, params in calls:
            self.call(t, operation, ["dev-02"], params=params, caller="Administrator")
        self.trace.sort(key=lambda entry: float(entry["t"]))

    def happened(self, name: str, *entries: tuple[float, str]) -> None:
        """Make this the history of a host: seconds with an event, or with ``is STATE``."""
        self.hosts[name]["history"] = [
            {"t": t, "state": word[3:]} if word.startswith("is ") else {"t": t, "event": word} for t, word in entries
        ]

    def truly(self, name: str, **fields: Any) -> None:
        """Change the truth of a host before and after the run."""
        self.before[name].update(fields)
        self.hosts[name].update(fields)

    def begin_nothing(self, name: str) -> None:
        """Make it a host to which nothing was done."""
        history = self.hosts[name]["history"][:1]
        self.hosts[name] = {**copy.deepcopy(self.before[name]), "history": history}
        self.trace = [
            {
                **entry,
                "hosts": [host for host in entry["hosts"] if host != name or entry["operation"].startswith("Desc")],
            }
            for entry in self.trace
        ]

    def drop(self, operation: str, nth: int = 0) -> None:
        """Remove the ``nth`` call of ``operation`` from the trace."""
        self.trace.remove([entry for entry in self.trace if entry["operation"] == operation][nth])

    def reports(self, index: int, **fields: Any) -> None:
        """Change a host of the report, and the totals with it."""
        self.reported[index].update(fields)
        self.count()

    def count(self) -> None:
        """Make the totals agree with the hosts."""
        assert self.report is not None
        outcomes = [host["outcome"] for host in self.reported]
        self.report["totals"] = {outcome: outcomes.count(outcome) for outcome in sorted(set(outcomes))}

    def judge(self, folder: Path, *about: str) -> list[str]:
        """Write the files into ``folder`` and judge them; the lines that begin with one of ``about``, or all."""
        self.write(folder)
        return self.judge_again(folder, *about)

    def judge_again(self, folder: Path, *about: str) -> list[str]:
        """Judge what lies in ``folder`` already."""
        lines = check(load(folder / "scenario.yml"), folder / "out", self.secrets)
        return [line for line in lines if line.startswith(about)] if about else lines

    def write(self, folder: Path) -> None:
        """Write the scenario into ``folder`` and what the run left into its folder ``out``."""
        out = folder / "out"
        out.mkdir()
        (folder / "scenario.yml").write_text(yaml.safe_dump(self.document), encoding="utf-8")
        (out / "trace.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in self.trace), encoding="utf-8")
        notes = self.steps if self.steps is not None else self._notes()
        state = {
            "start": self.document["start"],
            "steps": notes,
            "windows": self.windows,
            "hosts": self.hosts,
            "calls": {},
            "running_at_once": self.running_at_once,
            "lab_seconds": ENDED,
        }
        (out / "state.json").write_text(json.dumps(state), encoding="utf-8")
        if self.report is not None:
            text = json.dumps({**self.report, "hosts": self.reported})
            (out / "report.json").write_text(text, encoding="utf-8")
        for number, note in enumerate(notes, 1):
            self._write_step(out / f"step-{number}", note)
        for number, (result, log) in enumerate(zip(self.results, self.logs, strict=True), 1):
            (out / f"step-{number}.rc").write_text(f"{result}\n", encoding="utf-8")
            (out / f"step-{number}.log").write_text(log, encoding="utf-8")
        for name, text in self.files.items():
            (out / name).write_text(text, encoding="utf-8")
        with closing(sqlite3.connect(out / "ledger.sqlite")) as ledger, ledger:
            ledger.execute("CREATE TABLE power_record (instance_id TEXT, original_state TEXT, closed_at TEXT)")
            ledger.executemany("INSERT INTO power_record VALUES (?, ?, ?)", self.records)

    def _reporting(self) -> int:
        """The number of the step that the report is of."""
        steps = self.document["steps"]
        patches = [
            number
            for number, step in enumerate(steps, 1)
            if step["playbook"] == "patch" and not step.get("background") and not step.get("check")
        ]
        return patches[-1] if patches else 0

    def _notes(self) -> list[dict[str, Any]]:
        """Of all steps: what was done is the doing of the one that reports, those before and after it take no time."""
        reporting = self._reporting()
        notes = []
        for number, step in enumerate(self.document["steps"], 1):
            began, ended = (0.0, ENDED) if number == reporting else (0.0, 0.0) if number < reporting else (ENDED, ENDED)
            caller = "AKIA1" if number == reporting else f"AKIA-{number}"
            notes.append({"playbook": step["playbook"], "caller": caller, "began": began, "ended": ended})
        return notes

    def _write_step(self, folder: Path, note: dict[str, Any]) -> None:
        """Its truth before and after, and the report of the one that ended by itself."""
        folder.mkdir()
        reports = note["caller"] == "AKIA1"
        before = self.before if reports or note["ended"] < ENDED else self.hosts
        after = self.hosts if reports or note["ended"] >= ENDED else self.before
        for file, truth in (("state-before.json", before), ("state-after.json", after)):
            hosts = {
                name: {key: value for key, value in host.items() if key != "history"} for name, host in truth.items()
            }
            (folder / file).write_text(json.dumps(hosts), encoding="utf-8")
        if reports and self.report is not None and isinstance(self.results[self._reporting() - 1], int):
            text = json.dumps({**self.report, "hosts": self.reported})
            (folder / "report.json").write_text(text, encoding="utf-8")

    @classmethod
    def _found(cls, name: str, state: str) -> dict[str, Any]:
        """How it was before."""
        nothing = {"starts": 0, "stops": 0, "reboots": 0, "on_seconds": None, "idle_seconds": None}
        found = {**cls._truth(name, state), **nothing, "installed": [], "missing": ["KB5031361"]}
        return {key: value for key, value in found.items() if key != "history"}

    @staticmethod
    def _history(state: str) -> list[dict[str, Any]]:
        began = [{"t": 0, "state": state}]
        if state == "stopped":
            began += [{"t": 5, "state": "pending"}, {"t": 25, "state": "running"}, {"t": 95, "event": "booted"}]
        work = ("searching", 155), ("searched", 215), ("installing", 215), ("installed", 400), ("rebooting", 400)
        proof = ("booted", 490), ("online", 520), ("searching", 600), ("searched", 659)
        ended = [{"t": 701, "state": "stopping"}, {"t": 761, "state": "stopped"}] if state == "stopped" else []
        return [*began, *({"t": t, "event": event} for event, t in (*work, *proof)), *ended]

    @classmethod
    def _truth(cls, name: str, state: str) -> dict[str, Any]:
        started = 1 if state == "stopped" else 0
        return {
            "instance_id": IDS[name],
            "account": "123456789012",
            "state": state,
            "starts": started,
            "stops": started,
            "reboots": 1,
            "installed": ["KB5031361"],
            "missing": [],
            "volume_gib": 60,
            "free_gib": 29.5,
            "partition_gib": 60,
            "on_seconds": 756 if started else None,
            "idle_seconds": 40 if started else None,
            "cut_off": 0,
            "cut_off_by_us": 0,
            "unrecorded_starts": 0,
            "doubled_installs": 0,
            "reboot_pending": False,
            "failed_updates": [],
            "data_volumes_gib": [],
            "history": cls._history(state),
        }

    @staticmethod
    def _reported(name: str, state: str) -> dict[str, Any]:
        return {
            "host": name,
            "instance_id": IDS[name],
            "kind": "ec2",
            "account": "123456789012",
            "region": "eu-central-1",
            "outcome": "patched",
            "step": None,
            "reason": None,
            "reason_code": None,
            "original_state": state,
            "final_state": state,
            "started_by_run": state == "stopped",
            "installed": ["KB5031361"],
            "missing": [],
            "failed_updates": [],
            "reboots": 1,
            "free_gib_before": 29.5,
            "free_gib_after": 29.5,
            "grown_gib": 0,
            "repaired": [],
            "verified_at": "2026-11-14T22:11:00Z",
            "seconds": {"start": 90, "patch": 400},
            "on_seconds": 756 if state == "stopped" else None,
            "idle_seconds": 40 if state == "stopped" else None,
        }
