# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ansible.context
import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.patchfleet.windows.plugins.filter.target_pattern import target_pattern
from ansible_collections.patchfleet.windows.plugins.filter.without_limit import without_limit
from ansible_collections.patchfleet.windows.plugins.filter.without_tags import without_tags
from ansible_collections.patchfleet.windows.plugins.plugin_utils._invocation import JOB_FOLDER


def test_without_a_limit_the_pattern_stays() -> None:
    assert without_limit("localhost") == "localhost"


def test_a_limit_is_refused_and_says_what_to_do_instead() -> None:
    with pytest.raises(AnsibleFilterError, match=r"--limit dev-1 .*patch_run_id"):
        without_limit("localhost", "dev-1")


def test_in_a_job_of_awx_the_fields_of_its_template_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(JOB_FOLDER, "/runner")
    with pytest.raises(
        AnsibleFilterError, match=r"^The limit dev-1 of this job .*field Limit .*Prompt on launch"
    ) as message:
        without_limit("localhost", "dev-1")
    assert "--" not in str(message.value)


# Options that choose tasks


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"tags": ["all"]},
        {"tags": ["all", "drain"]},
        {"tags": ["untagged"]},
        {"tags": ["all"], "skip_tags": ["drain"]},
        {"tags": ["all"], "skip_tags": ["tagged"]},
        {"tags": ["drain"], "listtasks": True},
        {"start_at_task": None},
    ],
    ids=str,
)
def test_tags_that_leave_out_nothing_of_ours_are_fine(monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]) -> None:
    """Task files of users may have tags."""
    monkeypatch.setattr(ansible.context, "CLIARGS", options)
    assert without_tags("localhost") == without_limit("localhost") == "localhost"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tags": ["drain"]}, "--tags drain would"),
        ({"tags": ["a,b"]}, "--tags a,b would"),
        ({"tags": ["tagged"]}, "--tags tagged would"),
        ({"tags": ["all"], "skip_tags": ["all"]}, "--skip-tags all would"),
        ({"tags": ["all"], "skip_tags": ["untagged"]}, "--skip-tags untagged would"),
        ({"start_at_task": "Plan"}, "--start-at-task 'Plan' would"),
    ],
    ids=str,
)
def test_a_part_of_a_playbook_is_refused(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], message: str
) -> None:
    monkeypatch.setattr(ansible.context, "CLIARGS", options)
    checks: list[Callable[[], str]] = [
        lambda: without_tags("localhost"),
        lambda: without_limit("localhost"),
        lambda: target_pattern("dev", {}, "added"),
    ]
    for check in checks:
        with pytest.raises(AnsibleFilterError, match=message):
            check()
