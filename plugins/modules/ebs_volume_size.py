#!/usr/bin/python
# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ebs_volume_size
short_description: Grow the root volume of an instance
version_added: 1.0.0
author: Patch Fleet contributors (@patchfleet)
description:
  - Finds the root volume by the instance's RootDeviceName and compares it with the disk's serial number, if you give
    one. Sends only the new size, and waits until the guest can use it (from C(optimizing) on).
options:
  instance_id:
    description:
      - The EC2 instance.
    type: str
    required: true
  grow_gib:
    description:
      - By how much the volume grows, in GiB.
    type: int
    default: 20
  max_gib:
    description:
      - The largest size of the volume, in GiB.
    type: int
    default: 200
  minimum_gib:
    description:
      - The smallest growth that is worth a modification, in GiB. If the limits allow less, the volume stays as it is.
    type: int
    default: 1
  serial:
    description:
      - 'The serial number of the disk on which C: lies, as Windows shows it.'
    type: str
  partition_style:
    description:
      - An MBR disk cannot use more than 2,047 GiB.
    type: str
    choices: [gpt, mbr]
    default: gpt
  snapshot_before_grow:
    description:
      - Take a snapshot of the volume before, with the volume's tags. The module does not wait until it is complete,
        since later writes are not part of it, and does not delete it.
    type: bool
    default: false
  modify_timeout_seconds:
    description:
      - How long the module waits for the modification, in seconds.
    type: int
    default: 1800
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: none
  action_group:
    version_added: 1.0.0
extends_documentation_fragment:
  - patchfleet.windows._attributes
  - patchfleet.windows._attributes.action_group
  - patchfleet.windows._tracking
  - patchfleet.windows._aws
"""

EXAMPLES = r"""
- name: Ten GiB more
  patchfleet.windows.ebs_volume_size:
    instance_id: i-0123456789abcdef0
    grow_gib: 10
"""

RETURN = r"""
volume_id:
  description: The root volume.
  returned: success
  type: str
size_gib_before:
  description: Its size before.
  returned: success
  type: int
size_gib:
  description: Its size now.
  returned: success
  type: int
grown_gib:
  description: The difference.
  returned: success
  type: int
snapshot_id:
  description: The snapshot that was taken before.
  returned: success
  type: str
"""

from ansible_collections.patchfleet.windows.plugins.module_utils._modules.ebs_volume_size import OPERATION
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.module_main import run_as_module


def main() -> None:
    run_as_module(OPERATION)


if __name__ == "__main__":
    main()
