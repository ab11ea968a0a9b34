# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the steps of a scenario, or one command, on a lab, and leaves what the judge reads."""

from __future__ import annotations

import contextlib
import json
import math
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lab.ledgers import records_in_file
from lab.process import Process
from lab.scenario import Scenario, Step
from lab.server import Lab
from lab.workplace import Workplace

DEFAULT_LIMIT_SECONDS = 900.0
FORKS = 20
DEFAULT_BATCH_SIZE = 5
REPORT_FILES = ("report.json", "report.html", "report.md", "report.csv")

# The folder and the memory of a run are every playbook's business, the other variables of a scenario are a roll-out's.
COMMON_VARS = ("patch_ledger", "patch_report_dir")
PLAYBOOKS_WITH_VARS = ("plan", "patch")


class Runner:
    """One run of a scenario on a lab of its own."""

    def __init__(
        self,
        scenario: Scenario,
        out: Path,
        *,
        guests: str = "model",
        bare: bool = False,
        limit_seconds: float | None = None,
        show: bool = False,
    ) -> None:
        """``out`` is DIR; ``bare``: nothing is set up in the account; ``limit_seconds`` of real time end the run; ``show``
        prints the logs as they grow.
        """
        self.scenario = scenario
        self.out = out
        self.show = show
        self.processes: list[tuple[Process, bool]] = []  # with whether it is in the background
        self.notes: list[dict[str, Any]] = []  # of each step: who called, and between which lab seconds
        self._ledgers: set[Path] = set()  # files
        self._watchers: dict[int, threading.Thread] = {}
        self.ends = math.inf if limit_seconds is None else time.monotonic() + limit_seconds
        clear(out)
        self.lab = Lab(scenario, out, guests=guests, bare=bare, on_controller=self._on_controller)
        self.lab.ledger = out / "ledger.sqlite"

    @contextlib.contextmanager
    def running_lab(self) -> Iterator[Workplace]:
        """The started lab; whatever happens, all processes of the run and the lab end with it."""
        with contextlib.ExitStack() as ends:
            ends.callback(self.lab.stop)
            self.lab.start()
            workplace = Workplace(self.scenario, self.lab)
            ends.callback(workplace.close)
            ends.callback(self._sweep)
            yield workplace

    def run(self) -> list[str]:
        """Run all steps; DIR has all that the judge reads then. Returns the secrets that must be in no file."""
        with self.running_lab() as workplace:
            self._run_steps(workplace)
            self._late_report(workplace)
            self._write_truth()
            return workplace.secrets

    def run_command(self, command: list[str], environment: Mapping[str, str] | None = None) -> int:
        """Run ``command`` in the caller's terminal, with ``environment`` over that of the lab.

        Returns:
            Its exit code, 137 after an event's kill, 124 after the limit.
        """
        with self.running_lab() as workplace:
            process = Process(command, {**workplace.environment(), **(environment or {})}, log=None, cwd=None)
            self.processes.append((process, False))
            process.wait(self._time_left())
            self._write_truth()
            result = process.result()
            return {"killed": 137, "timeout": 124}[result] if isinstance(result, str) else result

    def _sweep(self) -> None:
        for process, _background in self.processes:
            process.sweep()

    def _write_truth(self) -> None:
        _write_json(self.out / "state.json", {**self.lab.truth(), "steps": self.notes})
        tables = self.lab.records_in_tables()
        own = self.out / "ledger.sqlite"
        if tables is not None or self._ledgers - {own}:  # what lies in DIR alone can be read there
            files = [record for file in sorted(self._ledgers) for record in records_in_file(file)]
            _write_json(self.out / "ledger.json", [*(tables or []), *files])

    # ---- steps

    def _run_steps(self, workplace: Workplace) -> None:
        since = 0.0  # lab seconds from which the next step's after_seconds count
        for number, step in enumerate(self.scenario.steps, 1):
            self._let_pass(since + step.after_seconds - self.lab.clock.seconds())
            process = self._start(workplace, number, step)
            since = self.lab.clock.seconds()
            if not step.background:
                self._finish(process, number)
                since = self.lab.clock.seconds()
            if process.timed_out:
                break
        for number, (process, background) in enumerate(self.processes, 1):
            if background:
                self._finish(process, number)

    def _let_pass(self, lab_seconds: float) -> None:
        """Wait while something of ours runs in the background; where nothing does, the clock moves on."""
        ends = self.lab.clock.seconds() + lab_seconds
        for process, _background in self.processes:
            process.join(max(0.0, ends - self.lab.clock.seconds()) / self.lab.clock.scale)
        left = ends - self.lab.clock.seconds()
        if left > 0 and not any(process.running for process, _background in self.processes):
            self.lab.move_on(left)

    def _start(self, workplace: Workplace, number: int, step: Step) -> Process:
        variables = self._variables(number, step)
        self.lab.ledger = ledger_file(variables["patch_ledger"], workplace.path)
        if self.lab.ledger is not None:
            self._ledgers.add(self.lab.ledger)
        log = self.out / f"step-{number}.log"
        command = self._command(workplace, f"step-{number}", step, variables)
        environment = workplace.environment()
        self._note_begin(number, step, environment["AWS_ACCESS_KEY_ID"])
        process = Process(command, environment, log=log, cwd=workplace.path)
        self.processes.append((process, step.background))
        if step.background:
            self._watchers[number] = threading.Thread(target=self._note_end, args=(process, number), daemon=True)
            self._watchers[number].start()
        if self.show:
            threading.Thread(target=_follow, args=(log, process), daemon=True).start()
        return process

    def _finish(self, process: Process, number: int) -> None:
        process.wait(self._time_left())
        (self.out / f"step-{number}.rc").write_text(f"{process.result()}\n", encoding="utf-8")
        if number in self._watchers:
            self._watchers[number].join()
        else:
            self._note_end(process, number)

    # ---- what each step found and left, for the judge

    def _note_begin(self, number: int, step: Step, caller: str) -> None:
        """Who calls AWS in this step, since when, and how the hosts are."""
        note = {"playbook": step.playbook, "caller": caller, "began": round(self.lab.clock.seconds(), 3), "ended": None}
        self.notes.append(note)
        _write_json(self._step_folder(number) / "state-before.json", self._hosts_now())

    def _note_end(self, process: Process, number: int) -> None:
        """When the step ended, how the hosts are, and a copy of its report, which a later step may overwrite."""
        process.join()
        folder = self._step_folder(number)
        self.notes[number - 1]["ended"] = round(self.lab.clock.seconds(), 3)
        _write_json(folder / "state-after.json", self._hosts_now())
        report = self.out / "report.json"
        if number not in self._watchers and report.exists() and report.stat().st_mtime > process.started_at:
            shutil.copyfile(report, folder / "report.json")

    def _step_folder(self, number: int) -> Path:
        folder = self.out / f"step-{number}"
        folder.mkdir(exist_ok=True)
        return folder

    def _hosts_now(self) -> dict[str, Any]:
        """The truth of the moment, without what led to it."""
        hosts = self.lab.truth()["hosts"]
        return {name: {key: value for key, value in host.items() if key != "history"} for name, host in hosts.items()}

    def _time_left(self) -> float | None:
        return None if math.isinf(self.ends) else max(0.0, self.ends - time.monotonic())

    def _variables(self, number: int, step: Step) -> dict[str, Any]:
        """The extra vars of a step. One in the background reports into a folder of its own, or it would overwrite."""
        folder = self.out / f"step-{number}" if step.background else self.out
        common = {"patch_ledger": str(self.out / "ledger.sqlite"), "patch_report_dir": str(folder)}
        wanted = tuple(self.scenario.vars) if step.playbook in PLAYBOOKS_WITH_VARS else COMMON_VARS
        of_scenario = {key: value for key, value in self.scenario.vars.items() if key in wanted}
        return {**common, **of_scenario, **step.vars}

    def _command(self, workplace: Workplace, name: str, step: Step, variables: dict[str, Any]) -> list[str]:
        file = workplace.path / f"{name}-vars.json"
        file.write_text(json.dumps(variables, ensure_ascii=False), encoding="utf-8")
        return [
            ansible_playbook(),
            playbook_name(step.playbook),
            "--inventory",
            str(workplace.inventory if step.inventory else workplace.no_inventory),
            "--forks",
            str(forks(variables, len(self.scenario.hosts))),
            "--extra-vars",
            f"@{file}",
            *(["--limit", step.limit] if step.limit is not None else []),
            *(["--check"] if step.check else []),
        ]

    def _late_report(self, workplace: Workplace) -> None:
        """A patch step that was killed leaves no report: the playbook `report` writes it from the ledger."""
        patches = [
            number
            for number, step in enumerate(self.scenario.steps)
            if step.playbook == "patch" and not step.background
        ]
        if not patches or patches[-1] >= len(self.processes):
            return
        process, _background = self.processes[patches[-1]]
        report = self.out / "report.json"
        if not process.killed or (report.exists() and report.stat().st_mtime > process.started_at):
            return
        for name in REPORT_FILES:  # of an earlier step
            (self.out / name).unlink(missing_ok=True)
        step = Step(playbook="report")
        command = self._command(workplace, "report", step, self._variables(0, step))
        late = Process(command, workplace.environment(), log=self.out / "report.log", cwd=workplace.path)
        self.processes.append((late, False))
        late.wait(self._time_left())

    # ---- events

    def _on_controller(self, act: str) -> None:
        """For the step under way: the one in the foreground, else the newest in the background."""
        active = [(background, process) for process, background in self.processes if process.running]
        if not active:
            return
        _background, process = min(reversed(active), key=lambda pair: pair[0])
        if act == "kill":
            process.kill()
        elif act == "term":
            process.terminate()
        else:
            process.signal_all(signal.SIGSTOP if act == "suspend" else signal.SIGCONT)


def _write_json(path: Path, document: object) -> None:
    path.write_text(json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")


def ansible_playbook() -> str:
    """The ansible-playbook of the virtual environment that runs the lab."""
    return str(Path(sys.prefix) / "bin" / "ansible-playbook")


def clear(out: Path) -> None:
    """Make DIR and remove what an earlier run left there: its ledger knows instances that are no more."""
    out.mkdir(parents=True, exist_ok=True)
    for pattern in ("trace.jsonl", "state.json", "report.*", "step-*", "ledger.sqlite*", "ledger.json"):
        for path in out.glob(pattern):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


def playbook_name(name: str) -> str:
    """A playbook of the collection by its short name; a file or a full name stands for itself."""
    return name if "." in name or "/" in name else f"patchfleet.windows.{name}"


def ledger_file(value: object, folder: Path) -> Path | None:
    """The SQLite file that ``patch_ledger`` names, relative to ``folder``; None for a table."""
    text = str(value)
    return None if "://" in text or text.startswith("dynamodb") else folder / text


def forks(variables: dict[str, Any], hosts: int) -> int:
    """20, in rolling mode the window ``patch_batch_size`` (a number, or a percentage of ``hosts``)."""
    if variables.get("patch_rollout") != "rolling":
        return FORKS
    size = str(variables.get("patch_batch_size", DEFAULT_BATCH_SIZE)).strip()
    try:
        count = math.floor(hosts * float(size[:-1]) / 100) if size.endswith("%") else int(size)
    except ValueError:
        return FORKS  # the product has to refuse it
    return max(1, count)


def _follow(log: Path, process: Process) -> None:
    """Show ``log`` as it grows."""
    with log.open(encoding="utf-8", errors="replace") as file:
        while True:
            alive = process.running
            text = file.read()
            sys.stdout.write(text)
            sys.stdout.flush()
            if not alive and not text:
                return
            time.sleep(0.1)
