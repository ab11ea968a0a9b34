#!/usr/bin/python
# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: host_threads
short_description: Patch hosts of a run as threads of one worker
version_added: 1.0.0
author: Patch Fleet contributors (@patchfleet)
description:
  - Takes hosts of an open run through the steps of the playbook C(patch), each from its admission to its restore, as
    threads of one worker process that share the clients of AWS and the ledger. It reads the steps from the playbook and
    its roles.
  - The playbook C(patch) uses it with C(patch_runner=threads). It needs the variables that the plan gives each host, and works
    inside the controller only.
options:
  state:
    description:
      - V(patched) takes the hosts O(names) through their steps.
      - V(shown) shows O(result) as the result of the task's own host. It fails if the host failed.
    type: str
    required: true
    choices: [patched, shown]
  names:
    description:
      - The names of the hosts in the inventory, in the order in which they start.
    type: list
    elements: str
  at_once:
    description:
      - How many of them are at work at the same time.
    type: int
    default: 1
  result:
    description:
      - What V(patched) has returned of the host.
    type: dict
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
extends_documentation_fragment:
  - patchfleet.windows._attributes
"""

EXAMPLES = r"""
- name: Patch the hosts of the batch that are threads
  patchfleet.windows.host_threads:
    state: patched
    names: [dev-01, dev-02]
    at_once: 2
  register: threads

- name: Show how the host ended
  patchfleet.windows.host_threads:
    state: shown
    result: "{{ threads.hosts[inventory_hostname] }}"
"""

RETURN = r"""
hosts:
  description:
    - The result of each host by its name in the inventory, as that of one task. C(changed) is whether a step changed something,
      C(failed), C(msg), C(reason_code), C(step) and C(outcome) say why it failed.
  returned: when O(state=patched), and not in check mode
  type: dict
"""

from ansible_collections.patchfleet.windows.plugins.module_utils._modules.host_threads import OPERATION
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.module_main import run_as_module


def main() -> None:
    run_as_module(OPERATION)


if __name__ == "__main__":
    main()
