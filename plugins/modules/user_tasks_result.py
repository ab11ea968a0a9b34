#!/usr/bin/python
# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: user_tasks_result
short_description: Record the results of the user's own tasks for a host
version_added: 1.0.0
author: Patch Fleet contributors (@patchfleet)
description:
  - 'The tasks of C(patch_pre_tasks), C(patch_post_tasks) and the like belong to the run of their host: their time
    counts for a phase of it, and if they fail, the host fails.'
options:
  state:
    description:
      - V(started) and V(succeeded) record that.
      - V(failed) records that and fails, so that the next thing that happens to the host is its restore.
    type: str
    required: true
    choices: [started, succeeded, failed]
  tasks:
    description:
      - 'Which tasks: those before the host or after it, those that start or stop it, or that enlarge its disk.'
    type: str
    required: true
    choices: [pre, post, start, stop, room, restore_point, roll_back]
  reason:
    description:
      - Which task failed, and its message.
    type: str
  failure:
    description:
      - The result of that task, C(ansible_failed_result) in a C(rescue).
    type: dict
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
  action_group:
    version_added: 1.0.0
extends_documentation_fragment:
  - patchfleet.windows._attributes
  - patchfleet.windows._attributes.action_group
  - patchfleet.windows._tracking.required
  - patchfleet.windows._aws
"""

EXAMPLES = r"""
- name: Write down that they start
  patchfleet.windows.user_tasks_result:
    state: started
    tasks: pre
"""

RETURN = r"""
{}
"""

from ansible_collections.patchfleet.windows.plugins.module_utils._modules.user_tasks_result import OPERATION
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.module_main import run_as_module


def main() -> None:
    run_as_module(OPERATION)


if __name__ == "__main__":
    main()
