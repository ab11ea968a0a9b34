#!/usr/bin/python
# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: host_power
short_description: Follow a host without EC2 that your own tasks start and stop
version_added: 1.0.0
author: Patch Fleet contributors (@patchfleet)
description:
  - 'No service shows the power state of an on-prem host, so the module derives it. A host that does not answer may be
    off. If it has booted since its start was requested, it was off. Only such a host is stopped again.'
  - Other tasks start and stop the host, between the states of this module. In the roles C(start_hosts) and
    C(restore_state) these are C(patch_start_tasks) and C(patch_stop_tasks).
options:
  instance_id:
    description:
      - 'The hybrid node (C(mi-…)); of a host without one, its name.'
    type: str
    required: true
  state:
    description:
      - V(needed) checks whether the host must be started, and records that it was off before a task starts it.
      - V(started), once it answers, proves by its boot time that it was off.
      - V(restored) checks whether the host must be stopped, and waits for an active installation.
      - V(stopped) waits until it does not answer any more, and closes its record.
      - V(let_go) closes its record and leaves it as it is. No run stops it any more.
    type: str
    required: true
    choices: [needed, started, restored, stopped, let_go]
  by:
    description:
      - With O(state=let_go), who asks for it. Without it, the user of the controller's process.
    type: str
  can_stop:
    description:
      - Whether there are tasks that stop the host.
    type: bool
    default: false
  scripts:
    description:
      - 'The scripts C(inspect_boot) and C(servicing_state): files (the action plugin reads them) or texts.'
    type: dict
    default: {}
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
  - patchfleet.windows._options.install_timeout_seconds
  - patchfleet.windows._tracking.required
  - patchfleet.windows._aws
"""

EXAMPLES = r"""
- name: Ask whether it is off
  patchfleet.windows.host_power:
    run_id: "{{ run_id }}"
    host: hall-01
    instance_id: hall-01
    state: needed
  register: power
- name: Start it
  community.vmware.vmware_guest_powerstate:
    name: hall-01
    state: powered-on
  delegate_to: localhost
  when: power.start
"""

RETURN = r"""
start:
  description: Whether it must be started.
  returned: O(state=needed)
  type: bool
started:
  description: Whether it was off, and was started for this run.
  returned: O(state=started)
  type: bool
stop:
  description: Whether it must be stopped.
  returned: O(state=restored)
  type: bool
"""

from ansible_collections.patchfleet.windows.plugins.module_utils._modules.host_power import OPERATION
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.module_main import run_as_module


def main() -> None:
    run_as_module(OPERATION)


if __name__ == "__main__":
    main()
