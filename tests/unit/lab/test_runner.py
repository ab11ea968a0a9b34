# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runner, with a lab that is only an address and an Ansible that runs what a step's variable ``sh`` says."""

from __future__ import annotations

import json
import os
import stat
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

import lab.runner
from lab.process import marked
from lab.runner import Runner, forks, ledger_file, playbook_name
from lab.scenario import load

ANSIBLE = f"""#!{sys.executable}
import json, os, subprocess, sys
arguments = sys.argv[1:]
variables = json.load(open(arguments[arguments.index("--extra-vars") + 1][1:]))
inventory = open(arguments[arguments.index("--inventory") + 1]).read()
with open(os.environ["LAB_TEST_CALLS"], "a") as calls:
    print(json.dumps([arguments, variables, inventory, dict(os.environ)]), file=calls)
os.execvp("sh", ["sh", "-c", variables.get("sh", "echo done")])
"""


class FakeLab:
    """What the runner needs of a lab."""

    def __init__(
        self, scenario: Any, out: Path, *, guests: str, bare: bool, on_controller: Callable[[str], None]
    ) -> None:
        self.scenario, self.out, self.guests, self.bare, self.on_controller = scenario, out, guests, bare, on_controller
        self.url = "http://127.0.0.1:1"
        self.ledger: Path | None = None
        self.ledgers: list[Path | None] = []
        self.moves: list[float] = []
        self.passed = 0.0
        self.clock = SimpleNamespace(scale=600.0, seconds=lambda: self.passed, env_value=lambda _ahead: "60,0,0")
        self.running = False
        self.steps = 0
        self.secrets = ["password"]

    def start(self) -> None:
        self.running = True

    def stop(self) -> None:
        self.running = False

    def variables(self, name: str) -> dict[str, Any]:
        return {"instance_id": f"i-{name}"}

    def new_credentials(self) -> Any:
        self.steps += 1
        self.ledgers.append(self.ledger)
        self.passed += 100
        number = self.steps
        return SimpleNamespace(access_key=f"AKIA{number}", secret_key=f"secret{number}", session_token=f"token{number}")

    def records_in_tables(self) -> None:
        """Nothing lies in DynamoDB."""

    def truth(self) -> dict[str, Any]:
        return {"hosts": {host.name: {} for host in self.scenario.hosts}}

    def move_on(self, lab_seconds: float) -> None:
        self.moves.append(lab_seconds)
        self.passed += lab_seconds


class Play:
    """A runner of a scenario with ``keys``, and what its steps were called with."""

    def __init__(self, folder: Path, limit_seconds: float | None = None, **keys: Any) -> None:
        document = {"name": "n", "why": "w", "hosts": [{"name": "a"}], "expect": {}, **keys}
        (folder / "s.yml").write_text(yaml.safe_dump(document), encoding="utf-8")
        self.folder, self.out = folder, folder / "out"
        self.runner = Runner(load(folder / "s.yml"), self.out, limit_seconds=limit_seconds)
        self.lab: Any = self.runner.lab

    @property
    def calls(self) -> list[Any]:
        lines = (self.folder / "calls").read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines]

    def result(self, number: int) -> str:
        return (self.out / f"step-{number}.rc").read_text(encoding="utf-8").strip()


@pytest.fixture(autouse=True)
def stand_ins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script = tmp_path / "ansible-playbook"
    script.write_text(ANSIBLE, encoding="utf-8")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(lab.runner, "Lab", FakeLab)
    monkeypatch.setattr(lab.runner, "ansible_playbook", lambda: str(script))
    monkeypatch.setenv("LAB_TEST_CALLS", str(tmp_path / "calls"))
    for name in ("READY", "DONE"):
        os.mkfifo(tmp_path / name)
        monkeypatch.setenv(name, str(tmp_path / name))


def test_steps_leave_logs_exit_codes_and_the_truth(tmp_path: Path) -> None:
    play = Play(tmp_path, steps=[{"playbook": "patch", "vars": {"sh": "echo one; exit 3"}}, {"playbook": "restore"}])
    play.runner.run()
    assert (play.result(1), play.result(2)) == ("3", "0")
    assert (play.out / "step-1.log").read_text(encoding="utf-8") == "one\n"
    state = json.loads((play.out / "state.json").read_text(encoding="utf-8"))
    assert state["hosts"] == {"a": {}}
    assert state["steps"] == [
        {"playbook": "patch", "caller": "AKIA1", "began": 100, "ended": 100},
        {"playbook": "restore", "caller": "AKIA2", "began": 200, "ended": 200},
    ]
    assert not play.lab.running


def test_each_step_leaves_what_it_found_and_its_own_report(tmp_path: Path) -> None:
    """The second overwrites the first one's report, the third leaves it alone, the fourth runs in the background."""
    writing = {"sh": f"echo '{{\"hosts\": []}}' > {tmp_path}/out/report.json"}
    steps = [
        {"playbook": "patch", "vars": writing},
        {"playbook": "patch", "vars": {"sh": f"echo '{{}}' > {tmp_path}/out/report.json"}},
        {"playbook": "restore"},
        {"playbook": "patch", "background": True, "vars": {"sh": f"echo '{{}}' > {tmp_path}/out/step-4/report.json"}},
    ]
    play = Play(tmp_path, steps=steps)
    play.runner.run()
    folders = [play.out / f"step-{number}" for number in (1, 2, 3, 4)]
    assert [(folder / "report.json").exists() for folder in folders] == [True, True, False, True]
    assert json.loads((folders[0] / "report.json").read_text(encoding="utf-8")) == {"hosts": []}
    for folder in folders:
        for name in ("state-before.json", "state-after.json"):
            assert json.loads((folder / name).read_text(encoding="utf-8")) == {"a": {}}


def test_arguments_of_a_step(tmp_path: Path) -> None:
    steps = [{"playbook": "patch", "limit": "a,b", "check": True}, {"playbook": "plan", "inventory": False}]
    play = Play(tmp_path, steps=steps, hosts=[{"name": "a", "groups": ["dev"]}, {"name": "b"}])
    play.runner.run()
    (first, _vars, inventory, _environment), (second, _vars, none, _environment) = play.calls
    assert first[0] == "patchfleet.windows.patch"
    assert first[first.index("--forks") + 1] == "20"
    assert first[first.index("--limit") + 1] == "a,b"
    assert "--check" in first
    assert yaml.safe_load(inventory) == {
        "all": {"hosts": {"a": {"instance_id": "i-a"}}, "children": {"dev": {"hosts": {"a": {}}}}}
    }
    assert second[0] == "patchfleet.windows.plan"
    assert {"--limit", "--check"}.isdisjoint(second)
    assert yaml.safe_load(none) is None


def test_variables_of_each_playbook(tmp_path: Path) -> None:
    steps = [{"playbook": name} for name in ("plan", "patch", "restore", "report")]
    steps[2]["vars"] = {"patch_take_over": True}
    play = Play(tmp_path, vars={"patch_batch_size": 2}, steps=steps)
    play.runner.run()
    common = {"patch_ledger": str(play.out / "ledger.sqlite"), "patch_report_dir": str(play.out)}
    assert [variables for _arguments, variables, _inventory, _environment in play.calls] == [
        {**common, "patch_batch_size": 2},
        {**common, "patch_batch_size": 2},
        {**common, "patch_take_over": True},
        common,
    ]


def test_a_ledger_that_the_scenario_names_is_every_steps(tmp_path: Path) -> None:
    ledger = str(tmp_path / "my.sqlite")
    steps = [{"playbook": "patch"}, {"playbook": "restore"}]
    play = Play(tmp_path, vars={"patch_ledger": ledger, "patch_batch_size": 2}, steps=steps)
    play.runner.run()
    assert [call[1]["patch_ledger"] for call in play.calls] == [ledger, ledger]
    assert play.lab.ledgers == [Path(ledger), Path(ledger)]


def test_the_environment_leads_to_the_lab_and_holds_nothing_of_the_callers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in ("AWS_PROFILE", "ANSIBLE_FORKS", "PATCHFLEET_CLOCK", "PYTHONPATH", "XDG_STATE_HOME"):
        monkeypatch.setenv(key, "the caller's")
    play = Play(tmp_path, account={"region": "us-east-1"}, steps=[{"playbook": "patch"}, {"playbook": "patch"}])
    secrets = play.runner.run()
    first, second = (environment for _arguments, _vars, _inventory, environment in play.calls)
    # The product takes another clock only together with another endpoint.
    assert (first["AWS_ENDPOINT_URL"], first["PATCHFLEET_CLOCK"]) == ("http://127.0.0.1:1", "60,0,0")
    assert (first["AWS_REGION"], first["AWS_DEFAULT_REGION"]) == ("us-east-1", "us-east-1")
    assert first["AWS_CONFIG_FILE"] == first["AWS_SHARED_CREDENTIALS_FILE"] == os.devnull
    assert "the caller's" not in first.values()
    assert first["HOME"] != os.environ["HOME"]
    assert (first["AWS_ACCESS_KEY_ID"], second["AWS_ACCESS_KEY_ID"]) == ("AKIA1", "AKIA2")
    assert secrets == ["password", "secret1", "token1", "secret2", "token2"]
    assert not Path(first["HOME"]).exists()


def test_after_seconds_counts_from_the_end_and_in_the_background_from_the_start(tmp_path: Path) -> None:
    steps = [
        {"playbook": "patch", "after_seconds": 10, "background": True, "vars": {"sh": "read line < $READY; exit 5"}},
        {"playbook": "restore", "after_seconds": 30, "vars": {"sh": "echo go > $READY"}},
        {"playbook": "restore", "after_seconds": 40},
    ]
    play = Play(tmp_path, steps=steps)
    play.runner.run()
    # each start of a step takes 100 s of this lab
    assert play.lab.moves == [10, 40]  # before the second step something ran in the background
    assert [play.result(number) for number in (1, 2, 3)] == ["5", "0", "0"]
    folders = {call[1]["patch_report_dir"] for call in play.calls if call[0][0].endswith(".patch")}
    assert folders == {str(play.out / "step-1")}


def act_when_ready(play: Play, act: str) -> threading.Thread:
    """Let an event happen once the step under way has written into the pipe."""

    def wait() -> None:
        (play.folder / "READY").read_text(encoding="utf-8")
        play.lab.on_controller(act)

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def test_a_killed_step_is_followed_by_the_next_and_by_a_report(tmp_path: Path) -> None:
    steps = [
        {"playbook": "patch", "vars": {"sh": "setsid sleep 600 & echo up > $READY; wait"}},
        {"playbook": "restore", "rc": 0},
    ]
    play = Play(tmp_path, steps=steps)
    thread = act_when_ready(play, "kill")
    play.runner.run()
    thread.join()
    assert (play.result(1), play.result(2)) == ("killed", "0")
    assert [call[0][0].rsplit(".")[-1] for call in play.calls] == ["patch", "restore", "report"]
    assert all(marked(process.mark) == set() for process, _background in play.runner.processes)


def test_a_killed_step_that_left_a_report_needs_no_other(tmp_path: Path) -> None:
    steps = [{"playbook": "patch", "vars": {"sh": f"echo x > {tmp_path}/out/report.json; echo up > $READY; sleep 600"}}]
    play = Play(tmp_path, steps=steps)
    thread = act_when_ready(play, "kill")
    play.runner.run()
    thread.join()
    assert [call[0][0].rsplit(".")[-1] for call in play.calls] == ["patch"]


def test_the_report_of_an_earlier_step_is_not_that_of_a_killed_one(tmp_path: Path) -> None:
    steps = [
        {"playbook": "patch", "vars": {"sh": f"echo old > {tmp_path}/out/report.json"}},
        {
            "playbook": "patch",
            "vars": {"sh": f"touch -d 2020-01-01 {tmp_path}/out/report.json; echo up > $READY; sleep 600"},
        },
    ]
    play = Play(tmp_path, steps=steps)
    thread = act_when_ready(play, "kill")
    play.runner.run()
    thread.join()
    assert [call[0][0].rsplit(".")[-1] for call in play.calls] == ["patch", "patch", "report"]
    assert not (play.out / "report.json").exists()  # this Ansible has written none


def test_a_step_that_is_asked_to_stop_has_an_exit_code(tmp_path: Path) -> None:
    play = Play(
        tmp_path,
        steps=[{"playbook": "patch", "vars": {"sh": "trap 'exit 7' TERM; echo up > $READY; sleep 600 & wait"}}],
    )
    thread = act_when_ready(play, "term")
    play.runner.run()
    thread.join()
    assert play.result(1) == "7"


def test_an_event_means_the_step_in_the_foreground(tmp_path: Path) -> None:
    steps = [
        {"playbook": "patch", "background": True, "vars": {"sh": "read line < $DONE"}},
        {"playbook": "patch", "vars": {"sh": "echo up > $READY; sleep 600"}},
        {"playbook": "restore", "vars": {"sh": "echo go > $DONE"}},
    ]
    play = Play(tmp_path, steps=steps)
    thread = act_when_ready(play, "kill")
    play.runner.run()
    thread.join()
    assert [play.result(number) for number in (1, 2, 3)] == ["0", "killed", "0"]


def test_an_event_between_steps_meets_no_one(tmp_path: Path) -> None:
    play = Play(tmp_path)
    play.lab.on_controller("kill")
    play.runner.run()
    assert play.result(1) == "0"


def test_a_step_that_hangs_ends_the_run(tmp_path: Path) -> None:
    steps = [{"playbook": "patch", "vars": {"sh": "sleep 600"}}, {"playbook": "restore"}]
    play = Play(tmp_path, limit_seconds=0, steps=steps)
    play.runner.run()
    assert play.result(1) == "timeout"
    assert not (play.out / "step-2.rc").exists()


def test_what_an_earlier_run_left_is_removed(tmp_path: Path) -> None:
    left = [
        "ledger.sqlite",
        "ledger.sqlite-wal",
        "report.json",
        "report.html",
        "step-7.log",
        "trace.jsonl",
        "state.json",
    ]
    (tmp_path / "out" / "step-3").mkdir(parents=True)
    for name in [*left, "mine.txt"]:
        (tmp_path / "out" / name).write_text("old", encoding="utf-8")
    Play(tmp_path)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    ("text", "code"), [("exit 3", 3), ("kill -KILL $$", 137), ("test $ANSIBLE_INVENTORY -ef inventory.yml", 1)]
)
def test_a_command_instead_of_the_steps(text: str, code: int, tmp_path: Path) -> None:
    play = Play(tmp_path)
    assert play.runner.run_command(["sh", "-c", text]) == code
    assert (play.out / "state.json").exists()
    assert not (tmp_path / "calls").exists()


def test_a_command_sees_the_inventory(tmp_path: Path) -> None:
    play = Play(tmp_path, hosts=[{"name": "it's {{ 1 }}", "groups": ["dev"]}])
    assert play.runner.run_command(["sh", "-c", f"cp $ANSIBLE_INVENTORY {tmp_path}/seen.yml"]) == 0
    inventory = yaml.safe_load((tmp_path / "seen.yml").read_text(encoding="utf-8"))
    assert list(inventory["all"]["hosts"]) == ["it's {{ 1 }}"]


@pytest.mark.parametrize(
    ("variables", "count"),
    [
        ({}, 20),
        ({"patch_batch_size": 3}, 20),
        ({"patch_rollout": "rolling"}, 5),
        ({"patch_rollout": "rolling", "patch_batch_size": 3}, 3),
        ({"patch_rollout": "rolling", "patch_batch_size": "30%"}, 3),
        ({"patch_rollout": "rolling", "patch_batch_size": "1%"}, 1),
        ({"patch_rollout": "rolling", "patch_batch_size": "abc"}, 20),
    ],
)
def test_forks(variables: dict[str, Any], count: int) -> None:
    assert forks(variables, hosts=12) == count


def test_names_of_playbooks_and_ledgers(tmp_path: Path) -> None:
    assert playbook_name("patch") == "patchfleet.windows.patch"
    assert playbook_name("my.own.book") == "my.own.book"
    assert playbook_name("./book.yml") == "./book.yml"
    assert ledger_file("my.sqlite", tmp_path) == tmp_path / "my.sqlite"
    assert ledger_file("dynamodb://table", tmp_path) is None
