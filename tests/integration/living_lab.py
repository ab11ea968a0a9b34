# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab that runs, for tests that do in it what a user does at a terminal."""

from __future__ import annotations

import itertools
import json
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import boto3
import yaml
from terminal import in_terminal

from lab.process import Process
from lab.runner import FORKS, ansible_playbook, playbook_name
from lab.scenario import load
from lab.server import Credentials, Lab
from lab.touched import READING_CALLS as READING
from lab.winrm.options import Options
from lab.workplace import Workplace

LIMIT_SECONDS = 120.0  # real ones, after which a command that hangs is cut off
CALLBACKS = Path(__file__).parent / "callbacks"

UPDATE = {"kb": "KB5031361", "severity": "critical", "class": "security", "seconds": 60}
TWO_MINUTES_WITH_A_REBOOT = {**UPDATE, "seconds": 120, "reboot": True}


class Unsafe(str):
    """A text of a playbook that Ansible must not read as a template."""

    __slots__ = ()


class _Dumper(yaml.SafeDumper):
    """YAML as Ansible reads it."""


_Dumper.add_representer(Unsafe, lambda dumper, text: dumper.represent_scalar("!unsafe", str(text)))


@dataclass(frozen=True)
class TaskResult:
    """What a task returned for a host; ``status`` is ok, failed, skipped or unreachable."""

    host: str
    task: str
    status: str
    result: dict[str, Any]


@dataclass(frozen=True)
class Ended:
    """A command that has ended.

    Attributes:
        code: its exit code as a shell shows it, or "timeout".
        said: what it printed, stdout and stderr as at a terminal.
        calls: its own API calls until then, as trace.jsonl has them.
        results: of its tasks, in the order in which they ended.
        folder: for its report.
        access_key: by which its calls are known.
    """

    code: int | str
    output: str
    calls: list[dict[str, Any]]
    results: list[TaskResult]
    folder: Path
    access_key: str

    @property
    def touched(self) -> list[str]:
        """The calls that changed something, or tried to."""
        return [
            call["operation"]
            for call in self.calls
            if not call["operation"].startswith(READING) and not call["params"].get("DryRun")
        ]

    @property
    def words(self) -> str:
        """What it printed, however the lines were broken."""
        return " ".join(self.output.split())

    @property
    def report(self) -> dict[str, Any]:
        """Its report.json."""
        report: dict[str, Any] = json.loads((self.folder / "report.json").read_text(encoding="utf-8"))
        return report

    @property
    def outcomes(self) -> dict[str, str]:
        """Of its report, by the hosts' names."""
        return {host["host"]: host["outcome"] for host in self.report["hosts"]}

    def host(self, name: str) -> dict[str, Any]:
        """A host of its report."""
        (found,) = (host for host in self.report["hosts"] if host["host"] == name)
        return dict(found)

    @property
    def last_words(self) -> str:
        """What a run says of the hosts that are still on because of it, in its last lines."""
        assert "\nRun " in self.output, self.output
        return self.output[self.output.rindex("\nRun ") :].strip()

    @property
    def command_to_go_back(self) -> list[str]:
        """The command that the last words tell, as a shell reads it."""
        return shlex.split(self.last_words.splitlines()[-1].partition(":  ")[2])

    @property
    def skipped(self) -> list[str]:
        """The tasks that were skipped, once for each host."""
        return [result.task for result in self.results if result.status == "skipped"]

    def of(self, task: str) -> list[dict[str, Any]]:
        """The results of the tasks of that name."""
        return [result.result for result in self.results if result.task.endswith(task)]


@dataclass(frozen=True)
class Running:
    """A command that was started; ``end`` waits for it."""

    lab: LivingLab
    process: Process
    folder: Path
    access_key: str

    def end(self) -> Ended:
        """Wait for it, and cut it off when it hangs."""
        self.process.wait(LIMIT_SECONDS)
        return Ended(
            code=self.process.result(),
            output=(self.folder / "log").read_text(encoding="utf-8", errors="replace"),
            calls=self.lab.calls_of(self.access_key),
            results=[TaskResult(**line) for line in _lines(self.folder / "results")],
            folder=self.folder,
            access_key=self.access_key,
        )


class LivingLab:
    """``hosts`` and ``keys`` are those of a scenario file; in a ``bare`` one nothing is set up yet.

    The environment of each command has credentials of its own, so that its calls are known, and all share one ledger.
    ``first_credentials`` are the environment variables of those that were given out before it started, and
    ``on_controller`` is what the events of that name do to the last command: SIGTERM to its process group.
    """

    def __init__(
        self,
        folder: Path,
        hosts: Sequence[Mapping[str, Any]],
        *,
        bare: bool = False,
        winrm: Mapping[str, Options] | None = None,
        **keys: Any,
    ) -> None:
        document = {"name": "A test", "why": "A test.", "scale": 120, "expect": {}, "hosts": list(hosts), **keys}
        file = folder / "scenario.yml"
        file.write_text(yaml.safe_dump(document), encoding="utf-8")
        self.folder = folder
        self.ledger = folder / "ledger.sqlite"
        self.on_controller: Callable[[Process], None] = Process.terminate
        self.scenario = load(file)
        self.lab = Lab(self.scenario, folder, bare=bare, on_controller=self._on_controller, winrm=winrm)
        self.lab.ledger = self.ledger
        self._processes: list[Process] = []
        self._numbers = itertools.count(1)

    def __enter__(self) -> Self:
        self.first_credentials = _variables(self.lab.new_credentials())
        self.lab.start()
        self.workplace = Workplace(self.scenario, self.lab)
        return self

    def __exit__(self, *_error: object) -> None:
        for process in self._processes:
            process.sweep()
        self.workplace.close()
        self.lab.stop()

    def id(self, name: str) -> str:
        """The id of an instance or managed node."""
        identifier = self.lab.instance_id(name)
        assert identifier
        return identifier

    def client(self, service: str) -> Any:
        """A boto3 client of another user who may do everything."""
        variables = _variables(self.lab.new_credentials(administrator=True))
        credentials = {key.lower(): value for key, value in variables.items()}
        region = self.scenario.account.region
        return boto3.client(service, region, endpoint_url=self.lab.url, **credentials)  # type: ignore[call-overload]

    def truth(self, name: str) -> dict[str, Any]:
        """How a host really is."""
        truth: dict[str, Any] = self.lab.truth()["hosts"][name]
        return truth

    def file(self, name: str, content: Any) -> Path:
        """A file of the user's: text as it is, everything else as YAML."""
        path = self.workplace.path / name
        text = content if isinstance(content, str) else yaml.dump(content, Dumper=_Dumper, sort_keys=False)
        path.write_text(text, encoding="utf-8")
        return path

    def playbook(self, name: str | Path, *options: str, **how: Any) -> Ended:
        """Run a playbook, and wait for it; ``how`` is what begin takes."""
        return self.begin(name, *options, **how).end()

    def begin(
        self,
        name: str | Path,
        *options: str,
        variables: Mapping[str, Any] | None = None,
        forks: int = FORKS,
        inventories: Iterable[Path] | None = None,
        environment: Mapping[str, str | None] | None = None,
    ) -> Running:
        """Begin to run a playbook of the collection or a file.

        Args:
            options: more of ansible-playbook.
            variables: extra vars; those that say where ledger and report lie have defaults.
            inventories: instead of the scenario's.
            environment: other values than the lab's, None takes a variable away.
        """
        folder = self.folder / f"run-{next(self._numbers)}"
        given = {"patch_ledger": str(self.ledger), "patch_report_dir": str(folder), **(variables or {})}
        file = self.file(f"{folder.name}-vars.yml", given)
        where = [self.workplace.inventory] if inventories is None else list(inventories)
        command = [ansible_playbook(), playbook_name(str(name)), "--forks", str(forks), "--extra-vars", f"@{file}"]
        command += [word for path in where for word in ("--inventory", str(path))]
        command += options
        return self._start(command, folder, environment or {})

    def tasks(self, *tasks: dict[str, Any], play: Mapping[str, Any] | None = None, **how: Any) -> list[dict[str, Any]]:
        """The results of tasks, one after the other, each on one host; one that fails does not end them, and is marked.

        ``play`` has further keywords of theirs, ``how`` is what playbook takes.
        """
        keywords = {"hosts": "localhost", "gather_facts": False, "ignore_errors": True, **(play or {})}
        play = {**keywords, "tasks": list(tasks)}
        ended = self.playbook(self.file(f"play-{next(self._numbers)}.yml", [play]), **how)
        assert len(ended.results) == len(tasks), ended.output
        return [{**result.result, "failed": result.status == "failed"} for result in ended.results]

    def run(self, command: list[str], environment: Mapping[str, str | None] | None = None) -> Ended:
        """Run a command in the lab's environment, and wait for it."""
        return self.start(command, environment or {}).end()

    def start(self, command: list[str], environment: Mapping[str, str | None]) -> Running:
        """Start a command in the lab's environment; None takes a variable away."""
        return self._start(command, self.folder / f"run-{next(self._numbers)}", environment)

    def _start(self, command: list[str], folder: Path, changes: Mapping[str, str | None]) -> Running:
        folder.mkdir()
        settings = self._environment(folder, changes)
        process = Process(command, settings, log=folder / "log", cwd=self.workplace.path)
        self._processes.append(process)
        return Running(self, process, folder, settings.get("AWS_ACCESS_KEY_ID", "no key"))

    def in_terminal(
        self, command: list[str], on_screen: Callable[[list[str]], None], changes: Mapping[str, str | None]
    ) -> list[str]:
        """Run a command in a terminal of its own, in the lab's environment; see terminal.in_terminal."""
        folder = self.folder / f"run-{next(self._numbers)}"
        folder.mkdir()
        settings = {**self._environment(folder, changes), "TERM": "xterm-256color"}
        return in_terminal(command, settings, on_screen, self.workplace.path)

    def calls_of(self, access_key: str) -> list[dict[str, Any]]:
        """The API calls until now with these credentials."""
        return [call for call in self.trace() if call["caller"] == access_key]

    def trace(self) -> list[dict[str, Any]]:
        """All API calls until now."""
        return _lines(self.folder / "trace.jsonl")

    def _environment(self, folder: Path, changes: Mapping[str, str | None]) -> dict[str, str]:
        settings = {
            **self.workplace.environment(),
            "ANSIBLE_CALLBACK_PLUGINS": str(CALLBACKS),
            "ANSIBLE_CALLBACKS_ENABLED": "task_results",
            "TASK_RESULTS": str(folder / "results"),
            **{key: value for key, value in changes.items() if value is not None},
        }
        return {key: value for key, value in settings.items() if changes.get(key, "") is not None}

    def _on_controller(self, _act: str) -> None:
        self.on_controller(self._processes[-1])


def _variables(credentials: Credentials) -> dict[str, str]:
    return {
        "AWS_ACCESS_KEY_ID": credentials.access_key,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_key,
        "AWS_SESSION_TOKEN": credentials.session_token,
    }


def _lines(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
