# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which hosts a run must speak of, as the judge works it out from a scenario."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fabricated import Run
from lab.records import Run as Records
from lab.scenario import load
from lab.targets import expected_targets, last_patch_step

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


@pytest.mark.parametrize(
    ("variables", "targets"),
    [
        ({}, TAGGED),
        ({"patch_regions": ["eu-central-1", "us-east-1"]}, TAGGED | {"far"}),
        ({"patch_tag_key": "Name", "patch_tag_value": "far"}, set()),
        ({"patch_hosts": "dev"}, {"tagged-and-grouped", "grouped"}),
        ({"patch_hosts": "all"}, {"tagged-and-grouped", "grouped", "node", "hall"}),
        ({"patch_hosts": "grouped"}, {"grouped"}),
        ({"patch_hosts": "dev", "patch_tag_value": "Windows"}, TAGGED | {"grouped"}),
        ({"patch_filters": {"vpc-id": "vpc-1"}}, set()),
    ],
)
def test_targets_of_variables(variables: dict[str, Any], targets: set[str], tmp_path: Path) -> None:
    assert expected_targets(records(tmp_path, vars=variables)) == targets


def test_a_limit_is_not_worked_out(tmp_path: Path) -> None:
    assert expected_targets(records(tmp_path, steps=[{"playbook": "patch", "limit": "dev"}])) == set()


def test_what_moves_may_or_may_not_have_been_a_target(tmp_path: Path) -> None:
    events = [
        {"at_seconds": 1, "host": "tagged", "do": "untag"},
        {"at_seconds": 1, "host": "node", "do": {"retag": {"PatchGroup": "Other"}}},
        {"at_seconds": 1, "host": "linux", "do": "log_on"},
    ]
    assert expected_targets(records(tmp_path, events=events)) == TAGGED - {"tagged", "node"}


def test_the_step_that_the_report_is_of(tmp_path: Path) -> None:
    steps = [
        {"playbook": "patch", "vars": {"patch_batch_size": 1}},
        {"playbook": "patch", "check": True},
        {"playbook": "patch", "background": True},
        {"playbook": "restore"},
    ]
    found = last_patch_step(records(tmp_path, steps=steps))
    assert found is not None
    assert (found[0], found[1].vars) == (1, {"patch_batch_size": 1})
    (tmp_path / "none").mkdir()
    assert last_patch_step(records(tmp_path / "none", steps=[{"playbook": "plan"}])) is None
