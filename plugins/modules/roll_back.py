#!/usr/bin/python
# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: roll_back
short_description: Put the root volume of a host back to its restore point
version_added: 1.0.0
author: Patch Fleet contributors (@patchfleet)
description:
  - The playbook C(roll_back) uses it. A running instance gets EC2's root volume replacement. Of one that is off the root volume is
    exchanged for one that is made of the snapshot. The old volume is kept, and data volumes stay as they are.
options:
  state:
    description:
      - V(opened) finds the newest restore point of O(target) in the ledger, opens a run for it, and leases the host.
      - V(swapped) puts the root volume back.
      - V(verified) fails if a scan does not miss what was installed after the restore point.
      - V(closed) closes the run, and returns what is left to know. It fails if the roll-back failed.
    type: str
    required: true
    choices: [opened, swapped, verified, closed]
  target:
    description:
      - The host, by its name in the report, its instance id, or its key in the ledger. With O(run_id) it goes back to the restore
        point of that run.
    type: str
  instance_id:
    description:
      - The instance.
    type: str
  take_over:
    description:
      - Also take the host over from a run that still leases it. Set it only when the controller of that run is known to be dead.
    type: bool
    default: false
  by:
    description:
      - With O(state=opened), who asks for it, for example the user of AWX who launched the job.
    type: str
  job_id:
    description:
      - With O(state=opened), the job of AWX in which the run is opened.
    type: str
attributes:
  check_mode:
    support: partial
    details: In check mode O(state=opened) says which restore point it found, and nothing is changed.
  diff_mode:
    support: none
  idempotent:
    support: none
    details: With each run the root volume is replaced once more.
  action_group:
    version_added: 1.0.0
extends_documentation_fragment:
  - patchfleet.windows._tracking
  - patchfleet.windows._aws
  - patchfleet.windows._attributes
  - patchfleet.windows._attributes.action_group
"""

EXAMPLES = r"""
- name: Put a host back to its newest restore point
  ansible.builtin.import_playbook: patchfleet.windows.roll_back
  vars:
    patch_host: app-01
"""

RETURN = r"""
run_id:
  description: With O(state=opened) the run that was opened.
  returned: success
  type: str
snapshot_id:
  description: With O(state=opened) the snapshot id for Patch Manager's scans in this run.
  returned: success
  type: str
host:
  description: With O(state=opened) the host, as C(patch_run) gives it.
  returned: success
  type: dict
new_volume_id:
  description: With O(state=swapped) the volume that is the root volume now.
  returned: success
  type: str
old_volume_id:
  description: With O(state=swapped) the volume that was the root volume before. It is kept.
  returned: success
  type: str
gone:
  description: With O(state=verified) the KBs that were installed after the restore point and are missing again.
  returned: success
  type: list
  elements: str
lines:
  description: With O(state=opened) and O(state=closed) what to tell a person.
  returned: success
  type: list
  elements: str
"""

from ansible_collections.patchfleet.windows.plugins.module_utils._modules.roll_back import OPERATION
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.module_main import run_as_module


def main() -> None:
    run_as_module(OPERATION)


if __name__ == "__main__":
    main()
