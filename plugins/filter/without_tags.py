# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: without_tags
short_description: Refuse tags where they would make a playbook do nothing
version_added: 1.0.0
author: Patch Fleet contributors
description:
  - Gives back its input, the pattern of a play, unless C(--tags), C(--skip-tags) or C(--start-at-task) leave out tasks of the
    playbook, which would then end green with nothing done.
options:
  _input:
    description: The pattern of the play.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Find the hosts by tag
  hosts: "{{ 'localhost' | patchfleet.windows.without_tags }}"
"""

RETURN = r"""
_value:
  description: The pattern.
  type: str
"""

from collections.abc import Callable

from ansible_collections.patchfleet.windows.plugins.plugin_utils._invocation import refuse_partial_playbook


def without_tags(pattern: str) -> str:
    """The pattern.

    Raises:
        AnsibleFilterError: tags or a first task leave out tasks.
    """
    refuse_partial_playbook()
    return pattern


class FilterModule:
    """The collection's filters for plays."""

    def filters(self) -> dict[str, Callable[..., str]]:
        return {"without_tags": without_tags}
