# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the user started this run: with a command, or with a job template of AWX."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from ansible import context
from ansible.errors import AnsibleFilterError

JOB_FOLDER = "AWX_PRIVATE_DATA_DIR"
"""AWX and the automation controller set it in the environment of every job (awx/main/tasks/jobs.py, build_env)."""

PRINTING_OPTIONS = ("syntax", "listhosts", "listtasks", "listtags")
"""Options with which ansible-playbook runs no play, so that no earlier one has added hosts."""
NO_TAGS = "The tasks of this collection have no tags."
RUNS_OURS = frozenset({"all", "untagged"})
"""Tags with which tasks without a tag run, as all of this collection are."""


def in_job() -> bool:
    """Whether this is a job of AWX, whose user knows the fields of a template and no options of a command."""
    return bool(os.environ.get(JOB_FOLDER))


def name_of_limit(limit: str) -> str:
    """The limit as its user gave it: ``--limit web``, or the field of the job."""
    return f"The limit {limit} of this job" if in_job() else f"--limit {limit}"


def prints_only() -> bool:
    """Whether ansible-playbook only prints something about the playbook."""
    return any(context.CLIARGS.get(option) for option in PRINTING_OPTIONS)


def refuse_partial_playbook() -> None:
    """Tags and a first task choose tasks, and a playbook without its tasks ends green with nothing done.

    Tasks of users may have tags: ``--skip-tags`` leaves these out.

    Raises:
        AnsibleFilterError: an option would leave out tasks of this collection.
    """
    if prints_only():
        return
    for option, reason in _leaving_out():
        raise AnsibleFilterError(
            f"{option} would leave out tasks that this playbook needs. {reason} Run it without; variables choose what it does. "
            "Nothing was touched."
        )


def _leaving_out() -> Iterator[tuple[str, str]]:
    tags, skipped = set(_words("tags")), set(_words("skip_tags"))
    if tags and not tags & RUNS_OURS:
        yield _named("--tags", "The job tags", tags), NO_TAGS
    if skipped & RUNS_OURS:
        yield _named("--skip-tags", "The skip tags", skipped), NO_TAGS
    if context.CLIARGS.get("start_at_task"):
        yield f"--start-at-task '{context.CLIARGS['start_at_task']}'", "Each task builds on those before it."


def _named(option: str, field: str, words: set[str]) -> str:
    text = ",".join(sorted(words))
    return f"{field} {text} of this job" if in_job() else f"{option} {text}"


def _words(option: str) -> list[str]:
    given: Any = context.CLIARGS.get(option) or ()
    texts = [given] if isinstance(given, str) else list(given)
    return [word.strip() for text in texts for word in str(text).split(",") if word.strip()]
