#!/usr/bin/python
# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: system_drive_space
short_description: Free disk space on a Windows host's system drive
version_added: 1.0.0
author: Patch Fleet contributors (@patchfleet)
description:
  - 'Measures the free space. Then cleans the component store, the update cache, old temporary files and, on request,
    what an upgrade of Windows left behind. Then extends C: into free space behind it. Last, grows the EBS root
    volume, within a limit and only if that is enough. The result shows how much each action freed.'
  - 'With the script C(missing_update_sizes) the wanted space follows from the updates that the Update agent offers:
    all downloads, plus the larger of its recommendation and twice its download for the largest update, plus 2 GiB. A
    download counts 4 GiB at most, since express updates count every delta. The wanted space is never less than
    O(free_gib). If more is not possible, O(free_gib) is enough. A host with three times O(free_gib) free is not asked.'
  - 'Reports a recovery partition behind C:, and deletes nothing.'
options:
  instance_id:
    description:
      - 'The managed node: an EC2 instance (C(i-…)) or a hybrid node (C(mi-…)); of a host without one, its name.'
    type: str
    required: true
  allow_shortfall:
    description:
      - Whether the module returns the space that is still missing at the end as RV(shortfall_gib), instead of a
        failure.
    type: bool
    default: false
  modify_timeout_seconds:
    description:
      - How long the module waits for the volume's modification, in seconds.
    type: int
    default: 1800
  scripts:
    description:
      - 'The scripts C(measure_disk), C(clean_disk), C(extend_partition) and, for sizes, C(missing_update_sizes): files
        (the action plugin reads them) or texts.'
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
    version_added: 1.0.0
extends_documentation_fragment:
  - patchfleet.windows._attributes
  - patchfleet.windows._attributes.action_group
  - patchfleet.windows._options.system_drive_space
  - patchfleet.windows._tracking
  - patchfleet.windows._aws
"""

EXAMPLES = r"""
- name: Thirty GiB
  patchfleet.windows.system_drive_space:
    instance_id: i-0123456789abcdef0
    free_gib: 30
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
wanted_gib:
  description: The wanted free space, which follows from the missing updates, GiB.
  returned: success
  type: float
rungs:
  description: What each cleanup action freed (C(won_gib)), or why it was left out (C(skipped)).
  returned: success
  type: list
  elements: dict
shortfall_gib:
  description: The space that is still missing with O(allow_shortfall=true), else null, GiB.
  returned: success
  type: float
grown_gib:
  description: By how much the volume grew, GiB.
  returned: success
  type: int
"""

from ansible_collections.patchfleet.windows.plugins.module_utils._modules.system_drive_space import OPERATION
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.module_main import run_as_module


def main() -> None:
    run_as_module(OPERATION)


if __name__ == "__main__":
    main()
