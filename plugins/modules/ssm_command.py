#!/usr/bin/python
# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ssm_command
short_description: Run a Systems Manager document on one managed node and wait for it
version_added: 1.0.0
author: Patch Fleet contributors (@patchfleet)
description:
  - Sends the command, waits until it has ended on the node, and returns its output. The status of the invocation on
    that node decides, not that of the command.
options:
  instance_id:
    description:
      - 'The managed node: an EC2 instance (C(i-…)) or a hybrid node (C(mi-…)).'
    type: str
    required: true
  document:
    description:
      - The command document.
    type: str
    default: AWS-RunPowerShellScript
  parameters:
    description:
      - The document's parameters, name to value or list of values. Values must not hold C({{), which SSM
        would resolve with the node's rights.
    type: dict
    default: {}
  timeout_seconds:
    description:
      - How long the module waits for the command after its delivery, in seconds.
    type: int
    default: 3600
  delivery_timeout_seconds:
    description:
      - How long the node may take to fetch the command, in seconds (SSM's TimeoutSeconds, at least 30).
    type: int
    default: 600
  comment:
    description:
      - A comment of at most 100 characters.
    type: str
    default: ""
  cloudwatch_log_group:
    description:
      - A CloudWatch log group that gets the whole output; Run Command itself keeps its beginning only.
    type: str
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
- name: Which Windows is it
  patchfleet.windows.ssm_command:
    instance_id: i-0123456789abcdef0
    parameters:
      commands: ["(Get-CimInstance Win32_OperatingSystem).Caption"]
"""

RETURN = r"""
command_id:
  description: The command.
  returned: success
  type: str
status:
  description: How it ended on the node.
  returned: success
  type: str
status_details:
  description: In more detail, without blanks.
  returned: success
  type: str
response_code:
  description: Exit code.
  returned: success
  type: int
stdout:
  description: At most 24,000 characters.
  returned: success
  type: str
stderr:
  description: At most 8,000 characters.
  returned: success
  type: str
"""

from ansible_collections.patchfleet.windows.plugins.module_utils._modules.ssm_command import OPERATION
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.module_main import run_as_module


def main() -> None:
    run_as_module(OPERATION)


if __name__ == "__main__":
    main()
