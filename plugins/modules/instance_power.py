#!/usr/bin/python
# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: instance_power
short_description: Start a recorded instance, or restore its power state
version_added: 1.0.0
author: Patch Fleet contributors (@patchfleet)
description:
  - V(started) refuses to start an instance whose original state is not in the ledger.
  - V(restored) stops an instance only if it was recorded as stopped, a run started it, its LaunchTime is
    still the one of that start, no tag has claimed it since, and neither a run nor a foreign patch run is active on it.
options:
  instance_id:
    description:
      - The EC2 instance.
    type: str
    required: true
  state:
    description:
      - What to do.
      - V(let_go) closes its record and leaves it as it is. No run stops it any more.
    type: str
    required: true
    choices: [started, restored, let_go]
  by:
    description:
      - With O(state=let_go), who asks for it. Without it, the user of the controller's process.
    type: str
  scripts:
    description:
      - 'With O(state=restored) the script C(servicing_state), which asks the host whether it installs
        updates: a file (the action plugin reads it) or its text. Without it, a host is held if SSM gave up on its
        installation.'
    type: dict
    default: {}
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
  - patchfleet.windows._options.instance_power
  - patchfleet.windows._options.install_timeout_seconds
  - patchfleet.windows._tracking.required
  - patchfleet.windows._aws
"""

EXAMPLES = r"""
- name: Put it back as it was
  patchfleet.windows.instance_power:
    run_id: "{{ run.run_id }}"
    host: i-0123456789abcdef0
    instance_id: i-0123456789abcdef0
    state: restored
"""

RETURN = r"""
state:
  description: The power state at the end.
  returned: success
  type: str
started:
  description: Whether this task started it.
  returned: state=started
  type: bool
launch_time:
  description: Of the start, in seconds since 1970.
  returned: state=started
  type: float
note:
  description: Why the instance was left alone, or null.
  returned: state=restored
  type: str
"""

from ansible_collections.patchfleet.windows.plugins.module_utils._modules.instance_power import OPERATION
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.module_main import run_as_module


def main() -> None:
    run_as_module(OPERATION)


if __name__ == "__main__":
    main()
