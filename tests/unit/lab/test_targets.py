# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which hosts a run must speak of, as the judge works it out from a scenario."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fabricated import Run
from lab.records import Run as Records
from lab.scenario import load
from lab.targets import Targets, targets_of

HOSTS = [
    {"name": "tagged"},
    {"name": "tagged-and-grouped", "groups": ["dev"]},
    {"name": "untagged", "tags": {}},
    {"name": "grouped", "tags": {}, "groups": ["dev"]},
    {"name": "far", "region": "us-east-1"},
    {"name": "linux", "platform": "linux"},
    {"name": "node", "kind": "hybrid"},
    {"name": "hall", "kind": "winrm"},
]
TAGGED = {"tagged", "tagged-and-grouped", "linux", "node"}


def records(folder: Path, **keys: Any) -> Records:
    Run(**{"hosts": HOSTS, **keys}).write(folder)
    return Records(load(folder / "scenario.yml"), folder / "out")


def targets(folder: Path, **keys: Any) -> Targets | None:
    """Those of the first step."""
    run = records(folder, **keys)
    return targets_of(run, run.step_runs[0])


@pytest.mark.parametrize(
    ("variables", "right"),
    [
        ({}, TAGGED),
        ({"patch_regions": ["eu-central-1", "us-east-1"]}, TAGGED | {"far"}),
        ({"patch_tag_key": "Name", "patch_tag_value": "far"}, set()),
        ({"patch_hosts": "dev"}, {"tagged-and-grouped", "grouped"}),
        ({"patch_hosts": ["dev", "hall"]}, {"tagged-and-grouped", "grouped", "hall"}),
        ({"patch_hosts": "dev:!grouped"}, {"tagged-and-grouped"}),
        ({"patch_hosts": "all"}, {"tagged-and-grouped", "grouped", "node", "hall"}),
        ({"patch_hosts": "grouped"}, {"grouped"}),
        ({"patch_hosts": "dev", "patch_tag_value": "Windows"}, TAGGED | {"grouped"}),
    ],
)
def test_targets_of_variables(variables: dict[str, Any], right: set[str], tmp_path: Path) -> None:
    found = targets(tmp_path, vars=variables)
    assert found is not None
    assert found.sure == found.possible == right


@pytest.mark.parametrize("limit", ["grouped", "gr*", "all:!tagged-and-grouped", "dev:&grouped"])
def test_a_limit_is_taken_as_ansible_takes_it(limit: str, tmp_path: Path) -> None:
    found = targets(tmp_path, vars={"patch_hosts": "dev"}, steps=[{"playbook": "patch", "limit": limit}])
    assert found is not None
    assert found.possible == {"grouped"}


@pytest.mark.parametrize(
    "keys",
    [
        {"vars": {"patch_filters": {"vpc-id": "vpc-1"}}},
        {"steps": [{"playbook": "patch", "limit": "tagged"}]},
        {
            "steps": [
                {"playbook": "patch", "limit": "dev", "vars": {"patch_hosts": "dev", "patch_tag_value": "Windows"}}
            ]
        },
    ],
)
def test_what_only_the_run_can_know_is_not_worked_out(keys: dict[str, Any], tmp_path: Path) -> None:
    assert targets(tmp_path, **keys) is None


def test_an_inventory_that_a_step_does_not_get_has_no_targets(tmp_path: Path) -> None:
    found = targets(tmp_path, vars={"patch_hosts": "dev"}, steps=[{"playbook": "patch", "inventory": False}])
    assert found is not None
    assert found.possible == set()


def test_what_moves_may_or_may_not_have_been_a_target(tmp_path: Path) -> None:
    events = [
        {"at_seconds": 1, "host": "tagged", "do": "untag"},
        {"at_seconds": 1, "host": "node", "do": {"retag": {"PatchGroup": "Other"}}},
        {"at_seconds": 1, "host": "grouped", "do": {"retag": {"PatchGroup": "Windows"}}},
        {"at_seconds": 1, "host": "linux", "do": "log_on"},
    ]
    found = targets(tmp_path, events=events)
    assert found is not None
    assert (found.sure, found.possible) == (TAGGED - {"tagged", "node"}, TAGGED | {"grouped"})


def test_the_step_that_the_report_is_of(tmp_path: Path) -> None:
    steps = [
        {"playbook": "patch", "vars": {"patch_batch_size": 1}},
        {"playbook": "patch", "check": True},
        {"playbook": "patch", "background": True},
        {"playbook": "restore"},
    ]
    assert records(tmp_path, steps=steps).last_patch_number == 1
    (tmp_path / "none").mkdir()
    assert records(tmp_path / "none", steps=[{"playbook": "plan"}]).last_patch_number is None


@pytest.mark.parametrize(
    ("spoil", "line"),
    [
        (
            lambda run: run.reported.append({**run.reported[0], "host": "idle", "instance_id": None}),
            "always.targets.idle: expected no host that is no target in the report, got one",
        ),
        (
            lambda run: run.call(300, "CreateTags", ["idle"]),
            "always.foreign.idle: expected nothing done to a host that is no target, got CreateTags",
        ),
        (
            lambda run: run.call(300, "StartInstances", ["idle"], error="UnauthorizedOperation"),
            "always.foreign.idle: expected nothing done to a host that is no target, got StartInstances",
        ),
        (
            lambda run: run.call(300, "SendCommand", ["idle"], params={"DocumentName": "AWS-RunPowerShellScript"}),
            "always.foreign.idle: expected nothing done to a host that is no target, got SendCommand",
        ),
    ],
)
def test_a_host_that_is_no_target_is_left_alone(spoil: Callable[[Run], object], line: str, tmp_path: Path) -> None:
    run = Run()
    run.document["hosts"].append({"name": "idle", "tags": {"PatchGroup": "Other"}})
    run.before["idle"] = {**run.before["dev-02"], "instance_id": "i-00000000000000003"}
    run.hosts["idle"] = {**run.before["idle"], "history": [{"t": 0, "state": "running"}]}
    spoil(run)
    run.count()
    assert run.judge(tmp_path, "always.targets", "always.foreign") == [line]
