# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: without_limit
short_description: Refuse a limit where it would make a playbook do nothing
version_added: 1.0.0
author: Patch Fleet contributors
description:
  - Gives back its input, the pattern of a play, unless there is a limit.
  - ansible-core skips plays on localhost when C(--limit) is given and ends green; a playbook that was asked to do something
    must not. The same holds for C(--tags), C(--skip-tags) and C(--start-at-task) where they leave out its tasks.
options:
  _input:
    description: The pattern of the play.
    type: str
    required: true
  limit:
    description: Ansible's C(ansible_limit), if there is one.
    type: str
"""

EXAMPLES = r"""
- name: Read the ledger
  hosts: "{{ 'localhost' | patchfleet.windows.without_limit(ansible_limit | default('')) }}"
"""

RETURN = r"""
_value:
  description: The pattern.
  type: str
"""

from collections.abc import Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.patchfleet.windows.plugins.plugin_utils._invocation import (
    in_job,
    name_of_limit,
    refuse_partial_playbook,
)

WITHOUT = "Leave it out."
WITHOUT_IN_A_JOB = (
    "Empty the field Limit of the job template, and turn off its Prompt on launch; a workflow hands its limit on by it."
)


def without_limit(pattern: str, limit: str = "") -> str:
    """The pattern.

    Raises:
        AnsibleFilterError: there is a limit, or tags leave out tasks.
    """
    refuse_partial_playbook()
    if limit:
        raise AnsibleFilterError(
            f"{name_of_limit(limit)} would skip everything that this playbook does: it works on the controller, not from the "
            f"inventory. {WITHOUT_IN_A_JOB if in_job() else WITHOUT} Restore and report choose a run with patch_run_id. "
            "Nothing was touched."
        )
    return pattern


class FilterModule:
    """The collection's filters for plays."""

    def filters(self) -> dict[str, Callable[..., str]]:
        return {"without_limit": without_limit}
