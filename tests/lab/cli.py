# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's command line.

``run`` plays a scenario and judges it, ``shell`` opens a shell in a lab, ``serve`` keeps a lab up, and ``explain`` shows one
host of a run.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import os
import re
import shlex
import shutil
import signal
import sys
import tempfile
import threading
from pathlib import Path
from typing import NoReturn, Self

from lab.checker import check
from lab.explain import ExplainError, explain
from lab.known import split
from lab.powershell.process import WHERE_FROM, find
from lab.runner import DEFAULT_LIMIT_SECONDS, Runner
from lab.scenario import Scenario, ScenarioError, Step, load

HOLDS, FAILS, REFUSED = 0, 1, 2


def main(arguments: list[str]) -> int:
    """The exit code of one verb with its arguments."""
    command: list[str] | None = None
    if "--" in arguments:
        end = arguments.index("--")
        arguments, command = arguments[:end], arguments[end + 1 :]
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.verb == "explain":
        return _explain(options.folder, options.host)
    if command is not None and (options.verb != "run" or not command):
        parser.error("after -- comes a command, and only `run` takes one")
    if command is not None and (options.playbook or options.extra_vars):
        parser.error("--playbook and -e are for the scenario's steps, not for a COMMAND of your own")
    if options.guests == "powershell" and find() is None:
        parser.error(f"--guests powershell cannot be had: {WHERE_FROM}")
    try:
        scenario = load(options.scenario)
    except ScenarioError as error:
        print(error, file=sys.stderr)
        return REFUSED
    if options.verb == "serve":
        return _serve(scenario, options)
    if options.verb == "shell":
        return _shell(scenario, options)
    return _run_command(scenario, options, command) if command else _run(scenario, options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tests/lab", description=__doc__, allow_abbrev=False)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="run|shell|serve|explain")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("scenario", type=Path, metavar="SCENARIO")
    common.add_argument("--out", type=Path, metavar="DIR", help="what the run leaves (default: a temporary folder)")
    common.add_argument("--guests", choices=("model", "powershell"), default="model", help="what answers scripts")
    common.add_argument(
        "--bare",
        action="store_true",
        help="an account in which nothing is set up, with its administrator's credentials",
    )
    run = verbs.add_parser(
        "run",
        parents=[common],
        prog="tests/lab/run",
        usage="%(prog)s SCENARIO [--out DIR] [--guests model|powershell] [--playbook NAME] [-e key=value …]"
        " [-- COMMAND …]",
        help="play a scenario and judge it",
        allow_abbrev=False,
    )
    run.add_argument("--playbook", metavar="NAME", help="run this playbook instead of the scenario's steps")
    run.add_argument(
        "-e",
        "--extra-vars",
        dest="extra_vars",
        action="append",
        type=_pair,
        default=[],
        metavar="key=value",
        help="an extra var of every step, stronger than the scenario's",
    )
    run.add_argument(
        "--limit-seconds",
        type=float,
        metavar="N",
        help="real seconds after which the run is cut off (900; a COMMAND has none)",
    )
    run.add_argument("--show", action="store_true", help="show what the steps print, as they print it")
    verbs.add_parser(
        "shell", parents=[common], prog="tests/lab/shell", help="open a shell in a lab", allow_abbrev=False
    )
    verbs.add_parser(
        "serve", parents=[common], prog="tests/lab/serve", help="keep a lab up and print exports", allow_abbrev=False
    )
    explained = verbs.add_parser(
        "explain", prog="tests/lab/explain", help="the timeline of one host of a run", allow_abbrev=False
    )
    explained.add_argument("folder", type=Path, metavar="DIR", help="what a run has left")
    explained.add_argument("host", metavar="HOST", help="a host of the scenario, by its name")
    return parser


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key.isidentifier():
        raise argparse.ArgumentTypeError(f"expected key=value, got {text!r}")
    return key, value


def _with_options(scenario: Scenario, options: argparse.Namespace) -> Scenario:
    """The scenario as the command line changes it; the judge reads the same."""
    steps = (Step(playbook=options.playbook),) if options.playbook else scenario.steps
    extra = dict(options.extra_vars)
    return dataclasses.replace(
        scenario, steps=tuple(dataclasses.replace(step, vars={**step.vars, **extra}) for step in steps)
    )


def _run(scenario: Scenario, options: argparse.Namespace) -> int:
    scenario = _with_options(scenario, options)
    limit = options.limit_seconds or DEFAULT_LIMIT_SECONDS
    with _Folder(options.out) as folder:
        runner = Runner(
            scenario,
            folder.path,
            guests=options.guests,
            bare=options.bare,
            limit_seconds=limit,
            show=options.show,
        )
        secrets = runner.run()
        problems, known = split(check(scenario, folder.path, secrets))
        for line in (*problems, *(f"known defect, {line}" for line in known)):
            print(line)
        _explain_first(problems, scenario, folder.path)
        folder.keep = bool(problems)
    return FAILS if problems else HOLDS


def _explain_first(problems: list[str], scenario: Scenario, out: Path) -> None:
    """The timeline of the first host that a problem names."""
    name = first_host(problems, [host.name for host in scenario.hosts])
    if name is not None:
        with contextlib.suppress(ExplainError):  # the run left too little, which the problems say
            print("", *explain(out, name), sep="\n")


def first_host(problems: list[str], names: list[str]) -> str | None:
    """The first of ``names`` that a line of the judge speaks of: in its key, else anywhere."""
    for text in [*(problem.partition(":")[0] for problem in problems), *problems]:
        found = [name for name in names if re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text)]
        if found:
            return max(found, key=len)
    return None


def _explain(out: Path, host: str) -> int:
    try:
        print(*explain(out, host), sep="\n")
    except ExplainError as error:
        print(error, file=sys.stderr)
        return REFUSED
    return HOLDS


def _run_command(scenario: Scenario, options: argparse.Namespace, command: list[str]) -> int:
    with _Folder(options.out) as folder:
        runner = Runner(
            scenario, folder.path, guests=options.guests, bare=options.bare, limit_seconds=options.limit_seconds
        )
        code = runner.run_command(command)
        folder.keep = code != 0
    return code


GREETING = """\
A shell in an emulated AWS account. Nothing reaches a real account. Try:
  ansible-playbook patchfleet.windows.plan
  ansible-playbook patchfleet.windows.patch
The ledger and the reports are in {folder}. exit ends the lab."""


def _shell(scenario: Scenario, options: argparse.Namespace) -> int:
    """The caller's shell, in which `ansible-playbook`, the collection and the emulated account are ready to use.

    What the caller has set for the looks of Ansible's output holds there, too.
    """
    with _Folder(options.out) as folder:
        print(GREETING.format(folder=folder.path), file=sys.stderr, flush=True)
        runner = Runner(scenario, folder.path, guests=options.guests, bare=options.bare)
        own = {key: value for key, value in os.environ.items() if key.startswith("ANSIBLE_DISPLAY_")}
        code = runner.run_command([os.environ.get("SHELL") or "sh"], {**own, "XDG_STATE_HOME": str(folder.path)})
        folder.keep = False
    return code


def _serve(scenario: Scenario, options: argparse.Namespace) -> int:
    with (
        _Folder(options.out) as folder,
        Runner(scenario, folder.path, guests=options.guests, bare=options.bare).running_lab() as lab,
    ):
        settings = lab.settings()
        for key in sorted(key for key in os.environ if key.startswith(("AWS_", "ANSIBLE_")) and key not in settings):
            print(f"unset {key}")
        for key, value in settings.items():
            print(f"export {key}={shlex.quote(value)}")
        print(
            f"# for playbooks: -e patch_ledger={folder.path}/ledger.sqlite -e patch_report_dir={folder.path}",
            flush=True,
        )
        print("The lab is up; Ctrl-C ends it.", file=sys.stderr)
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()
        folder.keep = False
    return HOLDS


class _Folder:
    """DIR: the caller's, or a temporary one that stays, and is named, only when something fails."""

    def __init__(self, out: Path | None) -> None:
        self.temporary = out is None
        self.path = Path(tempfile.mkdtemp(prefix="patchfleet-lab-")) if out is None else out.resolve()
        self.keep = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self.temporary and self.keep:
            print(f"what the run left is in {self.path}")
        elif self.temporary:
            shutil.rmtree(self.path, ignore_errors=True)


def _stop(number: int, _frame: object) -> NoReturn:
    raise SystemExit(128 + number)


def command_line() -> NoReturn:
    """Do what the arguments of this process say, and end it."""
    signal.signal(signal.SIGTERM, _stop)
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    command_line()
