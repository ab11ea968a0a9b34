# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What inventories and the user's Ansible configuration bring along ends in a clear sentence, or works."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from living_lab import UPDATE, Ended, LivingLab

HOSTS: list[dict[str, Any]] = [
    {"name": "lab-1", "groups": ["labs"], "scan_seconds": 10},
    {"name": "prod-{1..2}", "state": "stopped", "groups": ["prod"], "updates": [UPDATE], "scan_seconds": 10},
]
BOTH = {"patch_hosts": "labs,prod"}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivingLab]:
    with LivingLab(tmp_path_factory.mktemp("inventories"), HOSTS, scale=200, bare=True) as lab:
        yield lab


def with_variables(lab: LivingLab, **groups: dict[str, Any]) -> list[Any]:
    """The lab's inventory, with more variables of these groups."""
    more = {"all": {"children": {group: {"vars": variables} for group, variables in groups.items()}}}
    return [lab.workplace.inventory, lab.file("more.yml", more)]


def refused(ended: Ended, *said: str) -> None:
    """It failed, said this, and touched nothing."""
    assert ended.code not in (0, "timeout"), ended.said
    assert ended.touched == [], ended.touched
    for text in said:
        assert text in ended.words, ended.said
    assert "Traceback" not in ended.said, ended.said


# ---- variables of groups and hosts


@pytest.mark.parametrize("group", ["labs", "prod"])
def test_groups_that_want_different_runs_are_refused_by_name(lab: LivingLab, group: str) -> None:
    """Whichever host is first in the play: its variables must not count for the others."""
    other = {"labs": "prod-1, prod-2", "prod": "lab-1"}[group]
    ended = lab.playbook(
        "patch", variables=BOTH, inventories=with_variables(lab, **{group: {"patch_operation": "scan"}})
    )
    refused(ended, "patch_operation counts for the whole run", f"'install' for {other}", "-e patch_operation=")


def test_an_extra_variable_decides_for_all_groups(lab: LivingLab) -> None:
    inventories = with_variables(lab, labs={"patch_operation": "scan"}, prod={"patch_batch_size": 5})
    ended = lab.playbook("plan", variables={**BOTH, "patch_operation": "install"}, inventories=inventories)
    assert ended.code == 0, ended.said
    assert "3 hosts will be patched" in ended.words


def test_a_value_of_one_group_that_cannot_be_right_is_refused_before_anything(lab: LivingLab) -> None:
    inventories = with_variables(lab, prod={"patch_max_passes": "many"})
    ended = lab.playbook("patch", variables=BOTH, inventories=inventories)
    refused(ended, "patch_max_passes: 'many' is not valid", "It is the value of prod-1, prod-2")


def test_hosts_may_have_their_own_values_where_these_count_for_a_host(lab: LivingLab) -> None:
    inventories = with_variables(
        lab, prod={"patch_max_passes": 1, "patch_grow_gib": 0}, labs={"patch_sessions": "ignore"}
    )
    ended = lab.playbook("plan", variables=BOTH, inventories=inventories)
    assert ended.code == 0, ended.said


def test_a_group_that_is_searched_by_another_tag_is_refused(lab: LivingLab) -> None:
    """The search by tag comes before the variables of the found hosts are known."""
    inventories = with_variables(lab, patchfleet_discovered={"patch_tag_value": "Prod"})
    ended = lab.playbook("patch", inventories=inventories)
    refused(ended, "patch_tag_value: 'Prod' is not valid", "searched with 'Windows'")


def test_patch_hosts_of_the_inventory_is_refused(lab: LivingLab) -> None:
    ended = lab.playbook("patch", inventories=with_variables(lab, all={"patch_hosts": "prod"}))
    refused(ended, "patch_hosts: 'prod' is not valid", "-e patch_hosts=")
