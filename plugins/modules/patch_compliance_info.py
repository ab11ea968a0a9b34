#!/usr/bin/python
# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: patch_compliance_info
short_description: Scan a managed node for missing updates
version_added: 1.0.0
author: Patch Fleet contributors (@patchfleet)
description:
  - 'Runs AWS-RunPatchBaseline with Scan and reads the state that it left: younger than the command and of the
    same snapshot.'
options:
  state:
    description:
      - V(scanned) scans. V(searched) does the same before a host is prepared for the installation of O(kbs); a search that
        fails decides nothing then.
    type: str
    choices: [scanned, searched]
    default: scanned
  instance_id:
    description:
      - 'The managed node: an EC2 instance (C(i-…)) or a hybrid node (C(mi-…)); of a host without one, its name.'
    type: str
    required: true
  snapshot_id:
    description:
      - 'A GUID, the same for all nodes of a run, so that all get the same patches.'
    type: str
    required: true
  scripts:
    description:
      - 'The script C(servicing_state), which asks the host for reboots that Patch Manager does not know of: a file (the
        action plugin reads it) or a text. With O(kbs) also V(search_updates).'
    type: dict
    default: {}
  cloudwatch_log_group:
    description:
      - A CloudWatch log group that gets the whole output; Run Command itself keeps its beginning only.
    type: str
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
  - patchfleet.windows._options.kbs
  - patchfleet.windows._tracking
  - patchfleet.windows._aws
"""

EXAMPLES = r"""
- name: Scan
  patchfleet.windows.patch_compliance_info:
    instance_id: i-0123456789abcdef0
    snapshot_id: 3b4e6f0a-8a7c-4f0e-9b57-0d0f3b3c9a11
"""

RETURN = r"""
compliant:
  description: Whether nothing is missing, failed or waiting for a reboot.
  returned: success
  type: bool
outcome:
  description: V(compliant) or V(noncompliant).
  returned: success
  type: str
missing:
  description: KBs that are missing.
  returned: success
  type: list
  elements: str
pending_reboot:
  description: Whether a reboot is pending.
  returned: success
  type: bool
verified_at:
  description: Time of the scan.
  returned: success
  type: str
done:
  description: Whether the host lacks none of O(kbs) and waits for no reboot, so that it needs no installation.
  returned: with O(state=searched)
  type: bool
"""

from ansible_collections.patchfleet.windows.plugins.module_utils._modules.patch_compliance_info import OPERATION
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.module_main import run_as_module


def main() -> None:
    run_as_module(OPERATION)


if __name__ == "__main__":
    main()
