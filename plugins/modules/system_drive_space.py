#!/usr/bin/python
# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: system_drive_space
short_description: Make room on a Windows host's system drive
version_added: 0.1.0
author: Patch Fleet contributors (@patchfleet)
description:
  - Measures; cleans the component store, the update cache and old temporary files; uses what the disk has
    behind C:; and grows the EBS root volume last, within a limit and only if that is enough.
  - 'A recovery partition behind C: is reported, nothing is deleted.'
options:
  instance_id:
    description:
      - 'The managed node: an EC2 instance (C(i-…)) or a hybrid node (C(mi-…)).'
    type: str
    required: true
  wanted_gib:
    description:
      - How much shall be free on C:, GiB.
    type: float
    default: 20
  grow_gib:
    description:
      - By how much the volume may grow, GiB.
    type: int
    default: 20
  max_gib:
    description:
      - The largest size of the volume, GiB.
    type: int
    default: 200
  reset_base:
    description:
      - 'Clean the component store with C(/ResetBase): installed updates can then not be removed any more.'
    type: bool
    default: false
  modify_timeout_seconds:
    description:
      - How long the volume's modification is waited for.
    type: int
    default: 1800
  scripts:
    description:
      - 'The scripts C(measure_disk), C(clean_disk) and C(extend_partition): files (the action plugin reads
        them) or texts.'
    type: dict
    required: true
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
  action_group:
    version_added: 0.1.0
extends_documentation_fragment:
  - patchfleet.windows._attributes
  - patchfleet.windows._attributes.action_group
  - patchfleet.windows._tracking
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Thirty GiB
  patchfleet.windows.system_drive_space:
    instance_id: i-0123456789abcdef0
    wanted_gib: 30
    scripts:
      measure_disk: measure_disk.ps1
      clean_disk: clean_disk.ps1
      extend_partition: extend_partition.ps1
"""

RETURN = r"""
free_gib_before:
  description: Free before, GiB.
  returned: success
  type: float
free_gib:
  description: Free now, GiB.
  returned: success
  type: float
rungs:
  description: What each means of cleaning won.
  returned: success
  type: list
  elements: dict
grown_gib:
  description: By how much the volume grew.
  returned: success
  type: int
"""

from ansible_collections.patchfleet.windows.plugins.module_utils._guest.space import STEP
from ansible_collections.patchfleet.windows.plugins.module_utils._step import run_as_module


def main() -> None:
    run_as_module(STEP)


if __name__ == "__main__":
    main()
