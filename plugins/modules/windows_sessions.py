#!/usr/bin/python
# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: windows_sessions
short_description: Apply the policies for logged-on users and for failover clusters to a Windows host
version_added: 1.0.0
author: Patch Fleet contributors (@patchfleet)
description:
  - Counts the sessions with a desktop. Then warns, waits until there is no session, or fails.
  - Can show a message in all sessions.
  - Can leave a host alone on which certain programs run.
  - Can drain a node of a failover cluster, so that a reboot interrupts none of its roles.
options:
  instance_id:
    description:
      - 'The managed node: an EC2 instance (C(i-…)) or a hybrid node (C(mi-…)); of a host without one, its name.'
    type: str
    required: true
  state:
    description:
      - V(checked) applies O(policy), V(notified) shows O(text) in their sessions.
    type: str
    choices: [checked, notified]
    default: checked
  policy:
    description:
      - 'What to do when users are logged on: V(warn), V(ignore), V(defer) (fails), or V(wait) (waits until no user is
        logged on, and fails after O(timeout_seconds)).'
    type: str
    choices: [warn, ignore, defer, wait]
    default: warn
  timeout_seconds:
    description:
      - How long O(policy=wait) waits, in seconds.
    type: int
    default: 3600
  text:
    description:
      - One line for these users. It is no failure if a host cannot show it.
    type: str
  scripts:
    description:
      - 'The scripts C(inspect_sessions), C(send_session_message), C(inspect_use), C(inspect_cluster) and
        C(drain_cluster_node): files (the action plugin reads them) or texts.'
    type: dict
    required: true
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: partial
    details: O(state=notified) shows the message each time.
  action_group:
    version_added: 1.0.0
extends_documentation_fragment:
  - patchfleet.windows._attributes
  - patchfleet.windows._attributes.action_group
  - patchfleet.windows._options.windows_sessions
  - patchfleet.windows._tracking
  - patchfleet.windows._aws
"""

EXAMPLES = r"""
- name: Wait until no user is logged on
  patchfleet.windows.windows_sessions:
    instance_id: i-0123456789abcdef0
    policy: wait
    timeout_seconds: 7200
    scripts:
      inspect_sessions: inspect_sessions.ps1
"""

RETURN = r"""
sessions:
  description: The number of users who are logged on; null where they were not counted.
  returned: success
  type: int
"""

from ansible_collections.patchfleet.windows.plugins.module_utils._modules.windows_sessions import OPERATION
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.module_main import run_as_module


def main() -> None:
    run_as_module(OPERATION)


if __name__ == "__main__":
    main()
