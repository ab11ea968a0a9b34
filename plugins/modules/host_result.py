#!/usr/bin/python
# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: host_result
short_description: Record the outcome of a host
version_added: 1.0.0
author: Patch Fleet contributors (@patchfleet)
description:
  - A module of this collection that fails records the outcome of its host itself. This module records it for all
    other tasks, and at the end for a host without a failure.
options:
  state:
    description:
      - V(failed) takes the result of a task that failed. It changes nothing if the module that failed has recorded
        the outcome itself.
      - V(finished) gives a host that has been restored the outcome that its patch phase proposed, unless it has one.
    type: str
    required: true
    choices: [failed, finished]
  failure:
    description:
      - The result of the task that failed, C(ansible_failed_result) in a C(rescue).
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
- name: Patch the host
  block:
    - name: Prepare it
      ansible.builtin.import_tasks: prepare.yml
  rescue:
    - name: Write down why it failed
      patchfleet.windows.host_result:
        state: failed
        failure: "{{ ansible_failed_result }}"
"""

RETURN = r"""
outcome:
  description: The outcome that the host has now.
  returned: when not in check mode
  type: str
reason:
  description: Why, as a sentence; null where there is nothing to say.
  returned: when not in check mode
  type: str
"""

from ansible_collections.patchfleet.windows.plugins.module_utils._modules.host_result import OPERATION
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.module_main import run_as_module


def main() -> None:
    run_as_module(OPERATION)


if __name__ == "__main__":
    main()
