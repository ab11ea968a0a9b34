#!/usr/bin/python
# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: windows_script
short_description: Run a script with JSON parameters in a Windows host
version_added: 1.0.0
author: Patch Fleet contributors (@patchfleet)
description:
  - Parameters go in as one base64 JSON document and one JSON document comes out, so no value becomes
    PowerShell text.
  - A script calls C(Invoke-PatchFleetScript) of the common prelude.
options:
  instance_id:
    description:
      - 'The managed node: an EC2 instance (C(i-…)) or a hybrid node (C(mi-…)); of a host without one, its name.'
    type: str
    required: true
  name:
    description:
      - The script's name, as the script itself passes it to C(Invoke-PatchFleetScript).
    type: str
    required: true
  script:
    description:
      - 'The script: a C(.ps1) file of the role or play (the action plugin reads it), or its text.'
    type: str
    required: true
  input:
    description:
      - The script's parameters.
    type: dict
    default: {}
  timeout_seconds:
    description:
      - How long it may run, in seconds.
    type: int
    default: 600
  step:
    description:
      - The phase of the run to which the time counts. The report calls it C(step).
    type: str
    choices: [plan, admit, start, ready, disk, repair, patch, verify, restore]
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: partial
    details: It is as idempotent as the script.
  action_group:
    version_added: 1.0.0
extends_documentation_fragment:
  - patchfleet.windows._attributes
  - patchfleet.windows._attributes.action_group
  - patchfleet.windows._tracking
  - patchfleet.windows._aws
"""

EXAMPLES = r"""
- name: Measure the system drive
  patchfleet.windows.windows_script:
    instance_id: i-0123456789abcdef0
    name: measure_disk
    script: measure_disk.ps1
  register: space
"""

RETURN = r"""
data:
  description: The data of the script's answer.
  returned: success
  type: dict
"""

from ansible_collections.patchfleet.windows.plugins.module_utils._modules.windows_script import OPERATION
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.module_main import run_as_module


def main() -> None:
    run_as_module(OPERATION)


if __name__ == "__main__":
    main()
