# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts as threads of one worker (patch_runner): what the judge finds, and what users see, is what it is with tasks of Ansible."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from living_lab import LIMIT_SECONDS as LIMIT_OF_COMMAND
from living_lab import READING, Ended, LivingLab

from ansible_collections.patchfleet.windows.plugins.module_utils._ledger import open_ledger
from lab.checker import check
from lab.runner import Runner
from lab.scenario import Step, load
from lab.workplace import Workplace

TESTS = Path(__file__).parents[1]
WITHOUT_ANSIBLE = (
    "01-seed-fleet",
    "02-priority-order",
    "03-in-between-states",
    "05-hosts-that-do-not-come-up",
    "46-killed-then-restored",
)
BY_PLAYBOOK = (
    *WITHOUT_ANSIBLE,
    "06-no-capacity",
    "14-scan-only",
    "30-mixed-fleet",
    "47-killed-then-run-again",
    "48-told-to-stop",
    "51-rolling",
)
LIMIT_SECONDS = 300
UPDATE: dict[str, Any] = {
    "kb": "KB5031361",
    "severity": "critical",
    "class": "security",
    "seconds": 300,
    "reboot": True,
}


class WithoutAnsible(Runner):
    """Plays a scenario with bench.workflow in place of the playbook patch."""

    def _command(self, workplace: Workplace, name: str, step: Step, variables: dict[str, Any]) -> list[str]:
        if step.playbook != "patch":
            return super()._command(workplace, name, step, variables)
        assert (step.limit, step.check) == (None, False)
        paths = os.pathsep.join([str(TESTS), *sys.path])
        run = [sys.executable, "-m", "bench.workflow", json.dumps({"patch_batch_size": 10, **variables})]
        return ["env", f"PYTHONPATH={paths}", *run]


class ByPlaybook(Runner):
    """Plays a scenario with patch_runner=threads."""

    def _variables(self, number: int, step: Step) -> dict[str, Any]:
        runner = {"patch_runner": "threads"} if step.playbook == "patch" else {}
        return {**super()._variables(number, step), **runner}


@pytest.mark.parametrize("name", WITHOUT_ANSIBLE)
def test_a_scenario_holds_without_ansible(name: str, tmp_path: Path) -> None:
    play(WithoutAnsible, name, tmp_path)


@pytest.mark.parametrize("name", BY_PLAYBOOK)
def test_a_scenario_holds_with_hosts_as_threads(name: str, tmp_path: Path) -> None:
    play(ByPlaybook, name, tmp_path)
    log = (tmp_path / "step-1.log").read_text(encoding="utf-8")
    assert "PLAY [Patch with hosts as threads]" in log or name in KILLED, log


KILLED = ("46-killed-then-restored", "47-killed-then-run-again", "48-told-to-stop")
"""A run that is killed in its first batch: Ansible names a task when it has ended."""


def play(kind: type[Runner], name: str, folder: Path) -> None:
    scenario = load(TESTS / "scenarios" / f"{name}.yml")
    secrets = kind(scenario, folder, limit_seconds=LIMIT_SECONDS).run()
    assert check(scenario, folder, secrets) == [], (folder / "step-1.log").read_text(encoding="utf-8")


# What users see


NO_CAPACITY = {"operation": "StartInstances", "error": "InsufficientInstanceCapacity", "with_host": True}
FLEET: list[dict[str, Any]] = [
    {"name": "off", "state": "stopped"},
    {"name": "on", "updates": []},
    {"name": "scarce", "state": "stopped", "api_faults": [{**NO_CAPACITY, "times": "always"}]},
    {"name": "cramped", "disk": {"size_gib": 60, "free_gib": 4, "recovery_partition": True}},
    {"name": "silent", "agent": "never"},
    {"name": "own", "groups": ["mine"]},
    {"name": "kept", "state": "stopped", "tags": {"PatchGroup": "Windows", "patch-keep": "yes"}},
]
PROGRESS = re.compile(r"^  \d\d:\d\d:\d\d  (\w+)(?: \(.*?\))? +(.*)$", re.MULTILINE)
RECAP = re.compile(
    r"^(\S+) +: ok=\d+ +changed=(\d+) +unreachable=(\d+) +failed=(\d+) +skipped=\d+ +rescued=(\d+) +ignored=(\d+)",
    re.MULTILINE,
)


def patched(runner: str, folder: Path) -> Ended:
    """A run in which hosts end in all manners, and one has tasks of its own."""
    folder.mkdir()
    with LivingLab(folder, FLEET, defaults={"updates": [UPDATE], "scan_seconds": 10}) as lab:
        message = {"name": "Drain", "ansible.builtin.debug": {"msg": "{{ inventory_hostname }} is drained"}}
        own_tasks = lab.file("drain.yml", [message])
        own = lab.file("own.yml", {"mine": {"vars": {"patch_pre_tasks": [str(own_tasks)]}}})
        variables = {
            "patch_runner": runner,
            "patch_batch_size": 7,
            "patch_failure_budget": "100%",
            "patch_agent_timeout_seconds": 300,
            "patch_start_timeout_seconds": 300,
            "patch_grow_gib": 0,
        }
        return lab.playbook("patch", variables=variables, inventories=[lab.workplace.inventory, own])


def progress(ended: Ended) -> dict[str, list[str]]:
    """The lines about each host in their order. Numbers, and how often a line comes, differ from run to run."""
    found = dict[str, list[str]]()
    for host, text in PROGRESS.findall(ended.output):
        found.setdefault(host, []).append(re.sub(r"\d+(\.\d+)?", "…", text))
    return {host: list(dict.fromkeys(lines)) for host, lines in found.items() if host in {one["name"] for one in FLEET}}


def recap(ended: Ended) -> dict[str, list[bool]]:
    """Of each host whether something was changed, unreachable, failed, rescued and ignored."""
    return {host: [number != "0" for number in numbers] for host, *numbers in RECAP.findall(ended.output)}


def test_users_see_what_they_see_with_tasks(tmp_path: Path) -> None:
    tasks, threads = (patched(runner, tmp_path / runner) for runner in ("tasks", "threads"))
    assert threads.code == tasks.code == 2, threads.output
    assert threads.outcomes == tasks.outcomes
    assert set(tasks.outcomes.values()) >= {"patched", "compliant", "failed", "deferred"}, tasks.output
    assert recap(threads) == recap(tasks), threads.output
    assert progress(threads) == progress(tasks), threads.output
    for ended in (tasks, threads):
        assert [result.host for result in ended.results if result.task.endswith("Drain")] == ["own"]


INSTALLING: list[dict[str, Any]] = [{"when": "off-1 installing", "do": "term_controller"}]


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT], ids=lambda signum: signum.name)
def test_a_signal_ends_all_threads_at_once(signum: signal.Signals, tmp_path: Path) -> None:
    hosts = [{"name": "off-{1..3}", "state": "stopped"}, {"name": "on"}]
    defaults = {"updates": [{**UPDATE, "seconds": 600}], "scan_seconds": 10}
    with LivingLab(tmp_path, hosts, defaults=defaults, events=INSTALLING, scale=200) as lab:
        lab.on_controller = lambda process: process.terminate(signum)
        run = lab.begin("patch", variables={"patch_runner": "threads"})
        ended = run.end()
        assert ended.code not in (0, "timeout"), ended.output
        run.process.wait_for_all(LIMIT_OF_COMMAND)
        names = {f"off-{number} ({lab.id(f'off-{number}')})" for number in (1, 2, 3)}
        assert names == set(ended.last_words.splitlines()[0].rstrip(".").partition(": ")[2].split(", ")), ended.output
        back = lab.run(ended.command_to_go_back)
        assert back.code == 0, back.output
        later = lab.calls_of(ended.access_key)[len(ended.calls) :]
        assert all(call["operation"].startswith(READING) for call in later), "something that was ended went on"
        assert open_ledger(str(lab.ledger)).open_power() == []
        truth = lab.lab.truth()["hosts"]
    assert {name: (host["state"], host["cut_off"]) for name, host in truth.items()} == {
        **{f"off-{number}": ("stopped", 0) for number in (1, 2, 3)},
        "on": ("running", 0),
    }


def test_a_runner_that_is_none_is_refused_before_anything_is_touched(tmp_path: Path) -> None:
    with LivingLab(tmp_path, [{"name": "off", "state": "stopped"}]) as lab:
        ended = lab.playbook("patch", variables={"patch_runner": "forks"})
    assert ended.code == 2
    assert "patch_runner: 'forks' is not valid. It must be one of auto, tasks, threads." in ended.words
    assert ended.touched == []
