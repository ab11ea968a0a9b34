#!/usr/bin/python
# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: patch_baseline
short_description: Install the updates that the patch baseline approves, and verify them
version_added: 1.0.0
author: Patch Fleet contributors (@patchfleet)
description:
  - Runs AWS-RunPatchBaseline with Install and RebootIfNeeded in passes. After each pass a fresh scan shows what is
    missing. The scan decides, not the command's exit code.
  - Waits two minutes between two runs on one node, since AWS lets closer ones fail silently.
  - Updates that O(kbs) names, or that O(exclude_kbs) leaves over, are installed by a script instead, after a search.
options:
  state:
    description:
      - V(installed) installs updates. V(rebooted) installs nothing; it reboots a host that waits for it, and verifies it.
    type: str
    choices: [installed, rebooted]
    default: installed
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
  history_script:
    description:
      - 'The script C(update_history): a file (the action plugin reads it) or its text. It shows
        what was installed, and why an update failed.'
    type: str
    required: true
  boot_script:
    description:
      - 'The script C(inspect_boot): a file (the action plugin reads it) or its text. With it the reboots are counted from
        the host''s own event log, and after a reboot the services that ran by themselves before must run again.'
    type: str
  scripts:
    description:
      - The scripts V(repair_services), V(reset_update_cache), V(remove_old_update_cache) and V(repair_components)
        repair the cause that the HRESULT of a failed update names. The host gets one
        repair besides services that are enabled, and then another pass.
      - V(servicing_state) distinguishes a hung installation from a slow one.
      - V(check_host) runs the O(checks) and takes the O(evidence).
      - V(search_updates) and V(install_updates) search and install single updates.
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
  - patchfleet.windows._options.patch_baseline
  - patchfleet.windows._options.install_timeout_seconds
  - patchfleet.windows._options.kbs
  - patchfleet.windows._options.repair
  - patchfleet.windows._tracking
  - patchfleet.windows._aws
"""

EXAMPLES = r"""
- name: Patch
  patchfleet.windows.patch_baseline:
    instance_id: i-0123456789abcdef0
    snapshot_id: 3b4e6f0a-8a7c-4f0e-9b57-0d0f3b3c9a11
    history_script: update_history.ps1
    boot_script: inspect_boot.ps1
"""

RETURN = r"""
outcome:
  description:
    - V(patched) or V(compliant); V(noncompliant) where a reboot is still to come, or updates were left out or are missing
      after a reboot.
  returned: success
  type: str
installed:
  description: KBs that were installed.
  returned: success
  type: list
  elements: str
missing:
  description: KBs that are missing.
  returned: success
  type: list
  elements: str
failed_updates:
  description: KB and HRESULT of updates that failed.
  returned: success
  type: list
  elements: dict
passes:
  description: Passes that were needed.
  returned: success
  type: int
verified_at:
  description: Time of the proving scan.
  returned: success
  type: str
"""

from ansible_collections.patchfleet.windows.plugins.module_utils._modules.patch_baseline import OPERATION
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.module_main import run_as_module


def main() -> None:
    run_as_module(OPERATION)


if __name__ == "__main__":
    main()
