#!/usr/bin/python
# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: instance_power
short_description: Start an instance that is recorded, or put it back as it was
version_added: 0.1.0
author: Patch Fleet contributors (@patchfleet)
description:
  - V(started) refuses to start an instance whose original state is not in the ledger.
  - V(restored) stops an instance only if it was recorded as stopped, a run started it, its LaunchTime is
    still the one of that start, nobody has claimed it by a tag since, and neither a run nor others are patching it.
options:
  ledger:
    description:
      - 'The ledger: the path of an SQLite file, or C(dynamodb://TABLE).'
      - Without it, C(patchfleet/ledger.sqlite) in the user's state folder (C(XDG_STATE_HOME)).
    type: str
  run_id:
    description:
      - The run, as M(patchfleet.windows.patch_run) returned it.
    type: str
    required: true
  host:
    description:
      - 'The host''s key in the run: its instance or node id, or its inventory name where it has none.'
    type: str
    required: true
  fence:
    description:
      - The fencing number under which the run holds the host, from M(patchfleet.windows.patch_run). Once another run has taken
        the host over it is a larger one, and the step ends before it changes anything.
      - Without it, the number that holds when the step begins. The action plugin takes it from the planned host.
    type: int
  instance_id:
    description:
      - The EC2 instance.
    type: str
    required: true
  state:
    description:
      - What to do.
    type: str
    required: true
    choices: [started, restored]
  mark_tag:
    description:
      - With O(state=started), set a tag with this key on the instance first; its value is the run. It is taken away when the
        instance is put back or left to somebody else. A tag with this key that somebody else has set stays as it is.
    type: str
  start_timeout_seconds:
    description:
      - From the first try to start until the instance runs, waiting for capacity and quota included.
    type: int
    default: 900
  install_timeout_seconds:
    description:
      - How long an installation that is still under way is waited for before a stop.
    type: int
    default: 7200
  dead_man_switch:
    description:
      - With O(state=started), make a one-time schedule of Amazon EventBridge first that has a runbook stop the instance if
        nobody has put it back some time after the end of the host's whole time. It is deleted when the instance is put back.
    type: bool
    default: false
  dead_man_switch_margin_seconds:
    description:
      - So long after the end of the host's whole time.
    type: int
    default: 3600
  setup_prefix:
    description:
      - The parameter C(Prefix) of the account's stack, after which the schedule group, the runbook and its roles are named.
    type: str
    default: PatchFleet
  scripts:
    description:
      - 'With O(state=restored) the script C(servicing_state), which asks the host whether it installs
        updates: a file (the action plugin reads it) or its text. Without it, a host whose installation SSM
        gave up on is held.'
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
    version_added: 0.1.0
extends_documentation_fragment:
  - patchfleet.windows._attributes
  - patchfleet.windows._attributes.action_group
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
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
  description: Why it was left alone, or null.
  returned: state=restored
  type: str
"""

from ansible_collections.patchfleet.windows.plugins.module_utils._modules.instance_power import OPERATION
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.context import run_as_module


def main() -> None:
    run_as_module(OPERATION)


if __name__ == "__main__":
    main()
