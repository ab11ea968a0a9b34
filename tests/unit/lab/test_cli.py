# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line of the lab, with a runner that only notes what it is asked for."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import lab.cli
from lab.cli import main
from lab.scenario import Scenario, Step

SCENARIO = "name: n\nwhy: w\nhosts: [{name: a}]\nvars: {patch_batch_size: 2}\nexpect: {rc: 0}\n"


class NotingRunner:
    """Stands in for the runner."""

    code = 0
    asked: list[Any]
    problems: list[str]

    def __init__(self, scenario: Scenario, out: Path, **options: Any) -> None:
        self.asked += [scenario, out, options]

    def run(self) -> list[str]:
        return ["secret"]

    def run_command(self, command: list[str], environment: Mapping[str, str] | None = None) -> int:
        self.asked += [environment, command]
        return self.code

    @contextmanager
    def running_lab(self) -> Iterator[Any]:
        yield SimpleNamespace(settings=lambda: {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "ODD": "a 'b'"})


@pytest.fixture(autouse=True)
def runner(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> type[NotingRunner]:
    class Fresh(NotingRunner):
        pass

    Fresh.asked, Fresh.problems = [], []
    monkeypatch.setattr(lab.cli, "Runner", Fresh)
    monkeypatch.setattr(lab.cli, "check", lambda *_arguments: Fresh.problems)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return Fresh


@pytest.fixture
def scenario(tmp_path: Path) -> str:
    path = tmp_path / "s.yml"
    path.write_text(SCENARIO, encoding="utf-8")
    return str(path)


def folders(tmp_path: Path) -> list[Path]:
    return list(tmp_path.glob("patchfleet-lab-*"))


def test_a_run_that_holds_says_nothing_and_leaves_nothing(
    scenario: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", scenario]) == 0
    assert capsys.readouterr().out == ""
    assert folders(tmp_path) == []


def test_a_run_that_fails_names_what_and_where(
    scenario: str, tmp_path: Path, runner: type[NotingRunner], capsys: pytest.CaptureFixture[str]
) -> None:
    runner.problems = ["expect.rc: expected 0, got 2", "always.totals: expected {}, got {}"]
    assert main(["run", scenario]) == 1
    (folder,) = folders(tmp_path)
    assert capsys.readouterr().out.splitlines() == [*runner.problems, f"what the run left is in {folder}"]


def test_a_run_that_fails_shows_the_host_that_fails(
    scenario: str,
    runner: type[NotingRunner],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(lab.cli, "explain", lambda _out, name: [f"the timeline of {name}"])
    runner.problems = ["expect.outcomes.a: expected patched, got failed"]
    assert main(["run", scenario]) == 1
    assert capsys.readouterr().out.splitlines()[:3] == [*runner.problems, "", "the timeline of a"]


def test_out_is_used_and_kept(scenario: str, tmp_path: Path, runner: type[NotingRunner]) -> None:
    out = tmp_path / "out"
    out.mkdir()
    assert main(["run", scenario, "--out", str(out)]) == 0
    assert runner.asked[1] == out
    assert out.exists()


def test_extra_vars_are_stronger_than_the_scenarios(scenario: str, runner: type[NotingRunner]) -> None:
    assert main(["run", scenario, "-e", "patch_batch_size=3", "-e", "patch_note=a=b"]) == 0
    assert runner.asked[0].steps == (Step(playbook="patch", vars={"patch_batch_size": "3", "patch_note": "a=b"}),)


def test_a_playbook_instead_of_the_steps(scenario: str, runner: type[NotingRunner]) -> None:
    assert main(["run", scenario, "--playbook", "plan"]) == 0
    assert runner.asked[0].steps == (Step(playbook="plan"),)


@pytest.mark.parametrize("code", [0, 3])
def test_a_commands_exit_code_is_the_runs(code: int, scenario: str, runner: type[NotingRunner]) -> None:
    runner.code = code
    assert main(["run", scenario, "--", "ls", "--", "-l"]) == code
    assert runner.asked[-1] == ["ls", "--", "-l"]


def test_a_scenario_that_does_not_fit_is_refused(
    tmp_path: Path, runner: type[NotingRunner], capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.yml"
    path.write_text(SCENARIO.replace("rc: 0", "ordr: [a]"), encoding="utf-8")
    assert main(["run", str(path)]) == 2
    assert capsys.readouterr().err.startswith(f"{path}: expect.ordr: unknown key (did you mean order?)")
    assert runner.asked == []


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["-e", "novalue"], "expected key=value, got 'novalue'"),
        (["-e", "a b=1"], "expected key=value, got 'a b=1'"),
        (["--"], "after -- comes a command"),
        (["--playbook", "plan", "--", "ls"], "--playbook and -e are for the scenario's steps"),
        (["--limit", "3"], "unrecognized arguments: --limit 3"),
    ],
)
def test_misuse_is_refused(
    arguments: list[str], line: str, scenario: str, runner: type[NotingRunner], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["run", scenario, *arguments])
    assert ended.value.code == 2
    assert line in capsys.readouterr().err
    assert runner.asked == []


@pytest.mark.parametrize(("shell", "command"), [("/bin/zsh", "/bin/zsh"), ("", "sh")])
def test_a_shell_is_the_callers_and_keeps_the_state_in_the_folder(
    shell: str,
    command: str,
    scenario: str,
    tmp_path: Path,
    runner: type[NotingRunner],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("SHELL", shell)
    runner.code = 3
    assert main(["shell", scenario, "--out", str(tmp_path)]) == 3
    assert runner.asked[-2:] == [{"XDG_STATE_HOME": str(tmp_path)}, [command]]
    assert f"The ledger and the reports are in {tmp_path}." in capsys.readouterr().err


def test_serve_prints_what_a_shell_needs(
    scenario: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted() -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(lab.cli.threading, "Event", interrupted)
    monkeypatch.setenv("AWS_PROFILE", "mine")
    assert main(["serve", scenario]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "unset AWS_PROFILE" in lines
    assert "export AWS_ENDPOINT_URL=http://127.0.0.1:1" in lines
    assert """export ODD='a '"'"'b'"'"''""" in lines
