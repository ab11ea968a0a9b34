# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: target_pattern
short_description: The hosts pattern of a run's plays
version_added: 0.1.0
author: Patch Fleet contributors
description:
  - Gives the pattern for the C(hosts) of a play, or ends the run with a clear error where the play would have no hosts.
  - ansible-core skips a play without hosts and ends green; a run that was asked for hosts must not.
options:
  _input:
    description: The inventory pattern that the user gave, or an empty string.
    type: str
    required: true
  groups:
    description: Ansible's C(groups).
    type: dict
    required: true
  added:
    description: The group that an earlier play of the run may have added.
    type: str
    required: true
  limit:
    description: Ansible's C(ansible_limit), if there is one.
    type: str
"""

EXAMPLES = r"""
- name: Plan
  hosts: "{{ patch_hosts | default('') | patchfleet.windows.target_pattern(groups, 'patchfleet_discovered') }}"
"""

RETURN = r"""
_value:
  description: A hosts pattern.
  type: str
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.patchfleet.windows.plugins.plugin_utils._invocation import (
    name_of_limit,
    only_looks,
    refuse_partial_playbook,
)


def target_pattern(given: str | None, groups: Mapping[str, Any], added: str, limit: str = "") -> str:
    """The user's pattern, the group that was added, or both.

    Raises:
        AnsibleFilterError: there is neither, or tags leave out tasks.
    """
    refuse_partial_playbook()
    parts = [part for part in (str(given or "").strip(), added if groups.get(added) else "") if part]
    if parts:
        return ",".join(parts)
    if only_looks():
        return added
    if limit:
        raise AnsibleFilterError(
            f"No host to work on. {name_of_limit(limit)} skips the discovery by tag. Give the targets as an inventory pattern with "
            "patch_hosts (e.g. from the amazon.aws.aws_ec2 inventory plugin), or leave hosts out with patch_exclude. "
            "Nothing was touched."
        )
    raise AnsibleFilterError(
        "No host to work on: neither the tag nor patch_hosts selects one in this inventory. Nothing was touched."
    )


class FilterModule:
    """The collection's filters for plays."""

    def filters(self) -> dict[str, Callable[..., str]]:
        return {"target_pattern": target_pattern}
