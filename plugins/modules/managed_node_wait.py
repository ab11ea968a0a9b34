#!/usr/bin/python
# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: managed_node_wait
short_description: Wait until a managed node is really ready
version_added: 1.0.0
author: Patch Fleet contributors (@patchfleet)
description:
  - 'Ready means: the instance runs, its agent has pinged since the instance''s launch, and a command that
    does nothing has come back. C(Online) alone may be older than the start.'
options:
  instance_id:
    description:
      - 'The managed node: an EC2 instance (C(i-…)) or a hybrid node (C(mi-…)); of a host without one, its name.'
    type: str
    required: true
  timeout_seconds:
    description:
      - How long to wait, in seconds.
    type: int
    default: 600
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
  - patchfleet.windows._tracking
  - patchfleet.windows._aws
"""

EXAMPLES = r"""
- name: Wait for the agent
  patchfleet.windows.managed_node_wait:
    instance_id: i-0123456789abcdef0
"""

RETURN = r"""
agent_version:
  description: Of the SSM agent.
  returned: success
  type: str
computer_name:
  description: Of the host.
  returned: success
  type: str
platform_name:
  description: Of its Windows.
  returned: success
  type: str
last_ping_at:
  description: The proving ping, seconds since 1970.
  returned: success
  type: float
waited_seconds:
  description: How long it took.
  returned: success
  type: float
"""

from ansible_collections.patchfleet.windows.plugins.module_utils._modules.managed_node_wait import OPERATION
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.module_main import run_as_module


def main() -> None:
    run_as_module(OPERATION)


if __name__ == "__main__":
    main()
