# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What inventories and the user's Ansible configuration bring along ends in a clear sentence, or works."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from living_lab import UPDATE, Ended, LivingLab

HOSTS: list[dict[str, Any]] = [
    {"name": "lab-1", "groups": ["labs"], "scan_seconds": 10},
    {"name": "prod-{1..2}", "state": "stopped", "groups": ["prod"], "updates": [UPDATE], "scan_seconds": 10},
    {"name": "hall-1", "kind": "winrm", "groups": ["hall"]},
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


def with_hosts(lab: LivingLab, **hosts: dict[str, Any]) -> list[Any]:
    """The lab's inventory, with more variables of these hosts, or more hosts, in the group more."""
    more = {"all": {"children": {"more": {"hosts": hosts}}}}
    return [lab.workplace.inventory, lab.file("more-hosts.yml", more)]


def inventory_of(lab: LivingLab, name: str) -> dict[str, Any]:
    """A host's variables in the lab's inventory."""
    found: dict[str, Any] = yaml.safe_load(lab.workplace.inventory.read_text())["all"]["hosts"][name]
    return found


def refused(ended: Ended, *texts: str) -> None:
    """It failed, said this, and touched nothing."""
    assert ended.code not in (0, "timeout"), ended.output
    assert ended.touched == [], ended.touched
    for text in texts:
        assert text in ended.words, ended.output
    assert "Traceback" not in ended.output, ended.output


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
    assert ended.code == 0, ended.output
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
    assert ended.code == 0, ended.output


def test_a_group_that_is_searched_by_another_tag_is_refused(lab: LivingLab) -> None:
    """The search by tag comes before the variables of the found hosts are known."""
    inventories = with_variables(lab, patchfleet_discovered={"patch_tag_value": "Prod"})
    ended = lab.playbook("patch", inventories=inventories)
    refused(ended, "patch_tag_value: 'Prod' is not valid", "searched with 'Windows'")


def test_patch_hosts_of_the_inventory_is_refused(lab: LivingLab) -> None:
    ended = lab.playbook("patch", inventories=with_variables(lab, all={"patch_hosts": "prod"}))
    refused(ended, "patch_hosts: 'prod' is not valid", "-e patch_hosts=")


# ---- names and connections


def test_two_names_for_one_machine_end_the_run(lab: LivingLab) -> None:
    """Each would be patched, and one's reboot would come in the middle of the other's installation."""
    inventories = with_hosts(lab, **{"hall-1-alias": inventory_of(lab, "hall-1")})
    ended = lab.playbook("patch", variables={"patch_hosts": "hall,more"}, inventories=inventories)
    refused(ended, "leads to the same machine as", "hall-1", "hall-1-alias")


@pytest.mark.parametrize(
    "variables",
    [
        {"placement": "rack 12"},
        {"region": "emea"},
        {"placement": ["rack", 12], "region": {"name": "emea"}},
    ],
    ids=str,
)
def test_variables_that_mean_something_else_in_this_inventory_do_no_harm(
    lab: LivingLab, variables: dict[str, Any]
) -> None:
    inventories = with_hosts(lab, **{"lab-1": variables})
    ended = lab.playbook("plan", variables={"patch_hosts": "labs"}, inventories=inventories)
    assert ended.code == 0, ended.output
    assert "1 host will be patched" in ended.words


def test_a_host_that_cannot_be_described_is_set_aside_by_name(lab: LivingLab) -> None:
    inventories = with_hosts(
        lab,
        **{
            "lab-1": {"instance_id": "{{ nowhere }}"},
            "no-target": {"instance_id": "{{ nowhere }}", "ansible_host": "{{ nowhere }}"},
        },
    )
    ended = lab.playbook("plan", variables=BOTH, inventories=inventories)
    assert ended.code == 0, ended.output
    assert "left out lab-1: Its variable instance_id cannot be rendered" in ended.words
    assert "2 hosts will be patched" in ended.words


def test_a_run_whose_hosts_are_all_left_out_is_not_green(lab: LivingLab) -> None:
    """The inventory's plugin may call the id otherwise; then no host has a way in."""
    inventories = [lab.file("ids.yml", {"web": {"hosts": {"web-1": {"aws_instance_id": lab.id("lab-1")}}}})]
    ended = lab.playbook("patch", variables={"patch_hosts": "web"}, inventories=inventories)
    refused(ended, "excluded: The inventory gives neither an instance_id", "This run started none of its hosts")
    assert ended.report["totals"] == {"excluded": 1}


# ---- words that name hosts


@pytest.mark.parametrize("playbook", ["plan", "patch"])
def test_a_word_that_matches_no_host_is_refused_with_the_nearest(lab: LivingLab, playbook: str) -> None:
    ended = lab.playbook(playbook, variables={**BOTH, "patch_exclude": "prod-3"})
    refused(ended, "patch_exclude: 'prod-3' is not valid", "Did you mean prod-")
    ended = lab.playbook(playbook, variables={"patch_hosts": "labs,prdo"})
    refused(ended, "patch_hosts names prdo", "Did you mean prod?")
    ended = lab.playbook(playbook, variables={**BOTH, "patch_canary_hosts": "lab1"})
    refused(ended, "patch_canary_hosts: 'lab1' is not valid", "Did you mean lab-1?")


def test_hosts_are_named_by_their_tag_name_where_the_inventory_calls_them_otherwise(lab: LivingLab) -> None:
    plugin = {"plugin": "amazon.aws.aws_ec2", "regions": ["eu-central-1"], "hostnames": ["instance-id"]}
    inventories = [lab.file("fleet.aws_ec2.yml", plugin)]
    variables = {"patch_hosts": "lab-1,prod-1,prod-2", "patch_exclude": "prod-1", "patch_canary_hosts": "prod-2"}
    ended = lab.playbook("plan", variables=variables, inventories=inventories)
    assert ended.code == 0, ended.output
    assert "2 hosts will be patched" in ended.words
    assert "Left out: 1" in ended.words


# ---- the user's configuration, and options of ansible-playbook


@pytest.mark.parametrize("playbook", ["plan", "patch", "restore", "report"])
@pytest.mark.parametrize(
    "options", [("--tags", "db"), ("--skip-tags", "all"), ("--start-at-task", "Plan")], ids=" ".join
)
def test_a_part_of_a_playbook_is_refused(lab: LivingLab, playbook: str, options: tuple[str, ...]) -> None:
    ended = lab.playbook(playbook, *options)
    refused(ended, f"{options[0]} ", "would leave out tasks that this playbook needs")
    assert ended.calls == []


SETTINGS = {
    "ANSIBLE_STRATEGY": "free",
    "ANSIBLE_ANY_ERRORS_FATAL": "true",
    "ANSIBLE_TASK_TIMEOUT": "2",
    "ANSIBLE_HOST_PATTERN_MISMATCH": "error",
}


def test_settings_for_all_plays_change_nothing(lab: LivingLab) -> None:
    planned = lab.playbook("plan", variables=BOTH, environment=SETTINGS)
    assert planned.code == 0, planned.output
    patched = lab.playbook("patch", variables={"patch_hosts": "prod", "patch_batch_size": 1}, environment=SETTINGS)
    assert patched.code == 0, patched.output
    assert patched.outcomes == {"prod-1": "patched", "prod-2": "patched"}
    for playbook in ("restore", "report"):
        ended = lab.playbook(playbook, environment={**SETTINGS, "ANSIBLE_STRATEGY": "ansible.builtin.host_pinned"})
        assert ended.code == 0, ended.output


@pytest.mark.parametrize("how", [("-c", "winrm"), "ANSIBLE_TRANSPORT"], ids=str)
def test_the_connection_may_come_from_the_users_configuration(lab: LivingLab, how: Any) -> None:
    variables = {key: value for key, value in inventory_of(lab, "hall-1").items() if key != "ansible_connection"}
    inventories = [lab.file("hall.yml", {"hall": {"hosts": {"hall-1": variables}}})]
    options = how if isinstance(how, tuple) else ()
    environment = {how: "winrm"} if isinstance(how, str) else {}
    ended = lab.playbook(
        "patch",
        *options,
        variables={"patch_hosts": "hall", "patch_operation": "scan"},
        inventories=inventories,
        environment=environment,
    )
    assert ended.code == 0, ended.output
    assert ended.outcomes == {"hall-1": "compliant"}
