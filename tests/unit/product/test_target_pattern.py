# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.patchfleet.windows.plugins.filter.target_pattern import FilterModule, target_pattern
from ansible_collections.patchfleet.windows.plugins.plugin_utils._invocation import JOB_FOLDER

ADDED = "patchfleet_discovered"
GROUPS: dict[str, Any] = {"all": ["a", "i-1", "i-2", "i-3"], "web": ["a"], "prod": ["a"]}
FOUND: dict[str, Any] = {**GROUPS, ADDED: ["i-1"]}
NOTHING_FOUND: dict[str, Any] = {**GROUPS, ADDED: []}


@pytest.mark.parametrize(
    ("given", "groups", "pattern"),
    [
        ("", FOUND, ADDED),
        (None, FOUND, ADDED),
        ("web:&prod", NOTHING_FOUND, "web:&prod"),
        ("web:&prod", GROUPS, "web:&prod"),
        ("web:!a", GROUPS, "web:!a"),
        ("localhost", GROUPS, "localhost"),
        ("stage_*", GROUPS, "stage_*"),
        ("~(web|db)-[0-9]+", GROUPS, "~(web|db)-[0-9]+"),
        ("web[0:3]", GROUPS, "web[0:3]"),
        (" web ", FOUND, f"web,{ADDED}"),
    ],
)
def test_targets_are_what_the_user_names_what_the_tag_found_or_both(given: Any, groups: Any, pattern: str) -> None:
    assert target_pattern(given, groups, ADDED) == pattern


@pytest.mark.parametrize("groups", [NOTHING_FOUND, {"all": ["a"]}, {}])
def test_a_run_without_any_host_ends_with_an_error(groups: Any) -> None:
    """awx#14804, awx#15775: no host matched and the job is green."""
    with pytest.raises(AnsibleFilterError, match=r"neither the tag nor patch_hosts selects one.+Nothing was touched"):
        target_pattern("", groups, ADDED)


def test_a_limit_that_skips_the_discovery_is_reported_with_the_remedy() -> None:
    """With any --limit ansible-core skips a play on localhost and ends with 0."""
    with pytest.raises(AnsibleFilterError, match=r"--limit dev-01 skips the discovery.+patch_hosts.+patch_exclude"):
        target_pattern("", NOTHING_FOUND, ADDED, "dev-01")


def test_in_a_job_of_awx_the_limit_is_named_as_its_field(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(JOB_FOLDER, "/runner")
    with pytest.raises(AnsibleFilterError, match="The limit dev-01 of this job skips the discovery"):
        target_pattern("", NOTHING_FOUND, ADDED, "dev-01")


def test_a_limit_together_with_a_pattern_is_fine() -> None:
    assert target_pattern("web", NOTHING_FOUND, ADDED, "dev-01") == "web"


HOSTVARS: dict[str, Any] = {
    "a": {},
    "i-1": {"tags": {"Name": "sql-1"}},
    "i-2": {"tags": {"Name": "web.prod"}},
    "i-3": {"tags": {"Name": "web.prod"}},
}


@pytest.mark.parametrize(
    ("given", "pattern"),
    [
        ("sql-1", "i-1"),
        ("web,sql-1", "web,i-1"),
        ("all:!sql-1", "all,!i-1"),
        ("web.prod", r"~(?:i\-2|i\-3)$"),
        ("all,&web.prod", r"all,&~(?:i\-2|i\-3)$"),
        ("i-1", "i-1"),
    ],
)
def test_a_host_may_be_named_by_its_tag_name(given: str, pattern: str) -> None:
    assert target_pattern(given, NOTHING_FOUND, ADDED, hostvars=HOSTVARS) == pattern


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("wbe", "patch_hosts names wbe, which is no host.* Did you mean web?"),
        ("web,sql-2", "patch_hosts names sql-2, .* Did you mean sql-1?"),
        ("all:!sql1", "patch_hosts names sql1, "),
        ("web:&prdo", "patch_hosts names prdo, .* Did you mean prod?"),
        ("xyzzy", r"no tag Name in this inventory\. Write xyzzy\* where it may be missing"),
    ],
)
def test_a_word_that_names_nothing_is_refused_with_the_nearest(given: str, message: str) -> None:
    """Ansible warns of it, and continues with the other words: without those that were to be left out, too."""
    with pytest.raises(AnsibleFilterError, match=message):
        target_pattern(given, FOUND, ADDED, hostvars=HOSTVARS)


def test_plays_find_it_by_its_name() -> None:
    assert FilterModule().filters() == {"target_pattern": target_pattern}


BOTH: dict[str, Any] = {"all": ["web", "a", "b"], "web": ["a", "b"], "a": ["a"]}


@pytest.mark.parametrize("given", ["web", "!web", "a,web", "all:&web"])
def test_a_name_that_is_a_host_and_a_group_is_refused(given: str) -> None:
    """Ansible takes the host alone: "Found both group and host with same name"."""
    with pytest.raises(
        AnsibleFilterError, match=r"names web, which is a host and a group.+web\[0:\].+Nothing was touched"
    ):
        target_pattern(given, BOTH, ADDED)


@pytest.mark.parametrize("given", ["web[0:]", "web[0:],web*", "web*", "a", "all"])
def test_a_pattern_that_is_clear_is_taken(given: str) -> None:
    """A group whose only host has its name is that host."""
    assert target_pattern(given, BOTH, ADDED) == given
