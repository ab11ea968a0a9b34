# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: task_files
short_description: Absolute paths of task files
version_added: 1.0.0
author: Patch Fleet contributors
description:
  - Gives the absolute paths of task files on the controller. Relative names count from the folder in which ansible-playbook
    runs, as those of an inventory do, and not from the folder of the playbook that includes them.
options:
  _input:
    description: A list of names, or a text with commas between them.
    type: raw
    required: true
"""

EXAMPLES = r"""
- name: Run the user's tasks
  ansible.builtin.include_tasks: "{{ file }}"
  loop: "{{ patch_pre_tasks | patchfleet.windows.task_files }}"
  loop_control:
    loop_var: file
"""

RETURN = r"""
_value:
  description: Absolute paths.
  type: list
  elements: str
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.patchfleet.windows.plugins.plugin_utils._task_files import task_files


class FilterModule:
    """The collection's filter for files of tasks."""

    def filters(self) -> dict[str, Callable[[Any], list[str]]]:
        return {"task_files": task_files}
