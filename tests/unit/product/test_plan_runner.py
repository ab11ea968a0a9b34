# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which hosts are threads of one worker, and which of them Ansible has in a batch."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.patchfleet.windows.plugins.module_utils._plan.runner import (
    ADD_STEPS,
    USERS_TASKS,
    USUAL,
    assign_runners,
    has_usual_steps,
)
from ansible_collections.patchfleet.windows.plugins.module_utils._plan.variables import BY_NAME, read

from .test_plan_agreement import other_value

ADMISSION = Path(__file__).parents[3] / "playbooks/tasks/admission.yml"


def settings(runner: str = "threads", **variables: Any) -> Any:
    return read({"patch_runner": runner, **{f"patch_{name}": value for name, value in variables.items()}})


def host(name: str, transport: str = "ssm") -> Any:
    return {"inventory_name": name, "transport": transport}


def fleet(kinds: str) -> list[Any]:
    """``s`` for a host that SSM reaches, ``c`` for one with a connection of its own."""
    return [host(f"{kind}{at}", "ssm" if kind == "s" else "connection") for at, kind in enumerate(kinds)]


def turns(kinds: str, batch_size: int, **variables: Any) -> tuple[list[int], list[Any]]:
    hosts = fleet(kinds)
    return assign_runners(hosts, settings(**variables), batch_size), hosts


def test_the_first_thread_of_a_batch_has_the_task_of_all() -> None:
    found, hosts = turns("ssscs", 3)
    assert found == [1, 2]
    assert [one["groups"] for one in hosts] == [
        ["patchfleet_in_turn", "patchfleet_in_threads"],
        ["patchfleet_in_threads"],
        ["patchfleet_in_threads"],
        ["patchfleet_in_turn"],
        ["patchfleet_in_turn", "patchfleet_in_threads"],
    ]
    assert [one.get("lead") for one in hosts] == ["s0", "s0", "s0", None, "s4"]
    assert [one.get("threads") for one in hosts] == [
        {"names": ["s0", "s1", "s2"], "at_once": 3},
        None,
        None,
        None,
        {"names": ["s4"], "at_once": 1},
    ]


@pytest.mark.parametrize("runner", ["auto", "tasks"])
def test_without_threads_each_host_has_its_own_tasks(runner: str) -> None:
    found, hosts = turns("sss", 2, runner=runner)
    assert found == []
    assert hosts == [{**one, "groups": ["patchfleet_planned"]} for one in fleet("sss")]


def test_a_run_in_which_no_host_can_be_a_thread_is_one_without() -> None:
    assert turns("ccc", 2) == ([], [{**one, "groups": ["patchfleet_planned"]} for one in fleet("ccc")])


@pytest.mark.parametrize(
    ("kinds", "found", "at_once"),
    [
        ("ssssssss", [1], 4),
        ("sscsscss", [3], 2),  # two of the window are of the others
        ("sscsscsc", [], None),  # more than half of it would be
        ("cs", [2], 1),
    ],
)
def test_threads_and_the_other_hosts_share_the_window(kinds: str, found: list[int], at_once: int | None) -> None:
    number, hosts = turns(kinds, 4, rollout="rolling")
    assert number == found
    assert next((one["threads"]["at_once"] for one in hosts if "threads" in one), None) == at_once


@pytest.mark.parametrize("kinds", ["s" * at + "c" * (5 - at) for at in range(6)])
@pytest.mark.parametrize("rollout", ["waves", "rolling"])
@pytest.mark.parametrize("batch_size", [1, 2, 3, 5])
def test_no_more_hosts_are_at_work_than_asked_for(kinds: str, rollout: str, batch_size: int) -> None:
    """Ansible has as many forks: the task of all threads takes one."""
    found, hosts = turns(kinds, batch_size, rollout=rollout)
    step = len(kinds) if rollout == "rolling" else batch_size
    for first, _tasks in zip(range(0, len(kinds), step), found, strict=False):
        batch = hosts[first : first + step]
        threads = sum(one["threads"]["at_once"] for one in batch if "threads" in one)
        assert threads + sum(one["groups"] == ["patchfleet_in_turn"] for one in batch) <= batch_size


def test_a_variable_that_needs_more_steps_needs_them_for_threads_as_well() -> None:
    _ask, include = yaml.safe_load(ADMISSION.read_text(encoding="utf-8"))
    condition = include["vars"]["own_tasks"] + include["vars"]["has_more_steps"] + include["vars"]["operation"]
    named = set(re.findall(r"\bpatch_[a-z]\w*", condition))
    assert named == {f"patch_{name}" for name in (*USERS_TASKS, *ADD_STEPS, *USUAL)}
    for name, usual in USUAL.items():
        unusual = set(BY_NAME[f"patch_{name}"].choices) - set(usual)
        assert unusual
        assert all(f"'{value}'" in condition for value in unusual) or f"'{usual[0]}'" in condition


@pytest.mark.parametrize("name", [*USERS_TASKS, *ADD_STEPS, *USUAL])
def test_a_host_that_needs_more_steps_is_no_thread(name: str) -> None:
    variable = BY_NAME[f"patch_{name}"]
    unusual = [value for value in variable.choices if value not in USUAL.get(name, ())] or [other_value(variable)]
    assert has_usual_steps(host("a"), settings())
    assert [value for value in unusual if has_usual_steps(host("a"), settings(**{name: value}))] == []


def test_what_one_host_needs_counts_for_it_alone() -> None:
    of_all = {**settings(), "of_hosts": {"a": {"pre_tasks": ["before.yml"]}}}
    assert [has_usual_steps(host(name), of_all) for name in ("a", "b")] == [False, True]
