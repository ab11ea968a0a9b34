#!/usr/bin/python
# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: run_recovery
short_description: Find the hosts that runs lost or left open
version_added: 1.0.0
author: Patch Fleet contributors (@patchfleet)
description:
  - The playbook C(restore) restores the hosts of runs that were killed, the playbook C(patch) those that left their play.
options:
  state:
    description:
      - V(lost_hosts) records the outcome of hosts that left their play before its end, and lists those to restore.
      - V(open_hosts) lists the hosts that earlier runs left open, and leases them.
      - V(closed) closes dead runs that left nothing open, and fails when a host is still on because of a run.
      - V(used) names what still needs the set-up of the account, for C(teardown_aws). That are active runs, hosts that are on
        because of a run, and pending watchdog schedules in the region of the credentials.
    type: str
    required: true
    choices: [lost_hosts, open_hosts, closed, used]
  run_id:
    description:
      - The run. With O(state=open_hosts) and O(state=closed) only that one is read.
    type: str
  hosts:
    description:
      - With O(state=closed), the hosts that O(state=open_hosts) returned, for the sums.
    type: list
    elements: dict
    default: []
  take_over:
    description:
      - Also take over hosts of a run whose last heartbeat is less than 15 minutes old. Set it only when the
        controller of that run is known to be dead.
    type: bool
    default: false
  let_go:
    description:
      - With O(state=open_hosts), the only host to list, by its name or id. It has C(let_go), so that its record is closed and
        the host is left on.
    type: str
  from_account:
    description:
      - With O(state=open_hosts) and O(state=closed), whether to find also instances that are on because of runs which the
        ledger does not know.
      - V(check) fails with their names. V(rebuild) writes their records again where their owner tag (O(mark_tag)) shows their
        present LaunchTime, and fails in the end with the names of the others.
    type: str
    choices: [check, rebuild]
  mark_tag:
    description:
      - Key of the owner tag. Required with O(from_account).
    type: str
  keep_tag:
    description:
      - With O(from_account=rebuild), key of the tag with which an instance is left on.
    type: str
    default: patchfleet:keep
  accounts:
    description:
      - With O(from_account), further accounts to search, each with C(name), C(id), C(role_arn), C(external_id) and C(regions). The
        account of the credentials is always searched.
      - An account that cannot be searched keeps no other from being searched; O(state=closed) fails with its name.
    type: list
    elements: dict
    default: []
  organization:
    description:
      - With O(from_account), search the accounts of AWS Organizations too, as C(settings.organization) of
        M(patchfleet.windows.patch_settings) has it, a mapping with C(role_name), C(units), C(regions) and C(exclude).
    type: dict
  regions:
    description:
      - With O(from_account), where to look. Without it, the region of the credentials.
    type: list
    elements: str
    default: []
  setup_prefix:
    description:
      - With O(state=used), the parameter C(Prefix) of the set-up, which is the name of its group of schedules.
    type: str
    default: PatchFleet
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
  - patchfleet.windows._tracking.ledger
  - patchfleet.windows._attributes
  - patchfleet.windows._attributes.action_group
  - patchfleet.windows._aws
"""

EXAMPLES = r"""
- name: What is still on because of an earlier run
  patchfleet.windows.run_recovery:
    state: open_hosts
  register: left_open
"""

RETURN = r"""
hosts:
  description: The hosts that are open, or that were lost.
  returned: state=open_hosts or lost_hosts
  type: list
  elements: dict
busy:
  description: Sentences about hosts that a run still works on.
  returned: state=open_hosts
  type: list
  elements: str
uses:
  description: Sentences about what still needs the set-up; none when it may be removed.
  returned: state=used
  type: list
  elements: str
lines:
  description: What is open or needed, or what has become of O(hosts), as text.
  returned: state=open_hosts, closed or used
  type: list
  elements: str
"""

from ansible_collections.patchfleet.windows.plugins.module_utils._modules.run_recovery import OPERATION
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.module_main import run_as_module


def main() -> None:
    run_as_module(OPERATION)


if __name__ == "__main__":
    main()
