#!/usr/bin/python
# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: windows_update_health
short_description: Check Windows Update in a host, and repair it
version_added: 1.0.0
author: Patch Fleet contributors (@patchfleet)
description:
  - Checks the services, the Update agent, the update source, pending reboots, users who are logged on and active
    installations.
  - With O(state=repaired) the module enables services that are disabled, and makes one repair if the cause has a known
    one. It never repairs errors of the
    network or the update source in the host. A transient error counts only if searches after 1, 3 and 10 minutes fail
    as well.
  - With O(state=restored) services that a repair has enabled get their start types back.
options:
  instance_id:
    description:
      - 'The managed node: an EC2 instance (C(i-…)) or a hybrid node (C(mi-…)); of a host without one, its name.'
    type: str
    required: true
  state:
    description:
      - Only inspect, repair, or give services their start types back.
    type: str
    choices: [inspected, repaired, restored]
    default: repaired
  warn_of_sessions:
    description:
      - Whether to print a warning when users are logged on.
    type: bool
    default: true
  scripts:
    description:
      - 'The scripts C(inspect_windows_update) and those of the repairs, with O(state=restored) C(restore_services)
        and C(servicing_state): files (the action plugin reads them) or texts.'
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
  - patchfleet.windows._options.install_timeout_seconds
  - patchfleet.windows._options.repair
  - patchfleet.windows._tracking
  - patchfleet.windows._aws
"""

EXAMPLES = r"""
- name: Can it update?
  patchfleet.windows.windows_update_health:
    instance_id: i-0123456789abcdef0
    scripts:
      inspect_windows_update: inspect_windows_update.ps1
      repair_services: repair_services.ps1
"""

RETURN = r"""
restored:
  description: Names of the services whose start types were set back.
  returned: with O(state=restored)
  type: list
  elements: str
repaired:
  description: What was repaired.
  returned: success
  type: list
  elements: str
sessions:
  description: The number of users who are logged on.
  returned: success
  type: int
pending_reboot:
  description: The components of Windows that wait for a reboot.
  returned: success
  type: list
  elements: str
update_source:
  description: Kind, address, proxy, and the policies about it.
  returned: success
  type: dict
"""

from ansible_collections.patchfleet.windows.plugins.module_utils._modules.windows_update_health import OPERATION
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.module_main import run_as_module


def main() -> None:
    run_as_module(OPERATION)


if __name__ == "__main__":
    main()
