#!/usr/bin/python
# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: patch_run
short_description: Plan, open, record and close runs in the ledger
version_added: 0.1.0
author: Patch Fleet contributors (@patchfleet)
description:
  - 'The ledger is the memory of a run outside its process: who was found in which power state, who began, how
    each host ended.'
options:
  ledger:
    description:
      - 'The ledger: the path of an SQLite file, or C(dynamodb://TABLE).'
      - Without it, C(patchfleet/ledger.sqlite) in the user's state folder (C(XDG_STATE_HOME)).
    type: str
  state:
    description:
      - V(planned) shows what a run would do and writes nothing.
      - V(opened) plans, writes the run down and leases its hosts.
      - V(host_failed) writes down why a host failed, unless that is written already.
      - V(host_done) gives a host the outcome that its patch step proposed.
      - V(tasks_begun), V(tasks_done) and V(tasks_failed) write down what became of the user's own tasks before or after a
        host; where they failed, the host has failed.
      - V(lost_hosts) concludes the hosts that left their play in the middle of their way, and lists those to be put back.
      - V(closed) ends the run; hosts without an outcome are concluded as interrupted.
      - V(open_hosts) lists the hosts that earlier runs left open.
      - V(settled) closes dead runs of which nothing is open, and fails when a host is still on because of us.
      - V(listed) lists all runs, V(shown) shows one with its hosts, and V(exported) gives all that is known of one as JSON.
    type: str
    required: true
    choices:
      - planned
      - opened
      - host_failed
      - host_done
      - tasks_begun
      - tasks_done
      - tasks_failed
      - lost_hosts
      - closed
      - open_hosts
      - settled
      - listed
      - shown
      - exported
  run_id:
    description:
      - The run. With O(state=open_hosts) and O(state=settled) only that one is read.
    type: str
  host:
    description:
      - The host's key in the run.
    type: str
  settings:
    description:
      - The variables, as M(patchfleet.windows.patch_settings) returned them.
    type: dict
  fleet:
    description:
      - The hosts, as M(patchfleet.windows.fleet_info) returned them.
    type: list
    elements: dict
  inventory:
    description:
      - Names of the hosts in the inventory, which C(patch_exclude) may name although they are no targets. The action plugin fills
        it in.
    type: list
    elements: str
    default: []
  forks:
    description:
      - Ansible's forks, which must be enough for a batch. The action plugin fills it in.
    type: int
    default: 5
  take_over:
    description:
      - Also take hosts that a run holds which had a heartbeat in the last 15 minutes; its controller is
        known to be dead.
    type: bool
    default: false
  tasks:
    description:
      - 'Which of the user''s own tasks: those before the host or after it, those that start or stop it, or that make room.'
    type: str
    choices: [pre, post, start, stop, room]
  failed_step:
    description:
      - The step at which a host failed.
    type: str
  reason:
    description:
      - Why it failed, as a sentence.
    type: str
  reason_code:
    description:
      - The same as a stable code.
    type: str
  dest:
    description:
      - The file into which O(state=exported) writes. Without it, the result has RV(export).
    type: str
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: partial
    details: O(state=opened) opens a new run each time.
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
- name: What is still on because of an earlier run
  patchfleet.windows.patch_run:
    state: open_hosts
  register: left_open

# From a terminal: ansible localhost -m patchfleet.windows.patch_run -a state=listed
- name: All runs
  patchfleet.windows.patch_run:
    state: listed

- name: Keep all that is known of one
  patchfleet.windows.patch_run:
    state: exported
    run_id: 20261114T220000Z-ab12
    dest: run.json
"""

RETURN = r"""
runs:
  description: The runs, the newest first, with the number of hosts of each outcome.
  returned: state=listed
  type: list
  elements: dict
run:
  description: The run, as in RV(runs).
  returned: state=shown
  type: dict
export:
  description: The run, its hosts, steps and open power records as the ledger has them; times are seconds since 1970.
  returned: state=exported without O(dest)
  type: dict
run_id:
  description: The run that was opened.
  returned: state=opened
  type: str
hosts:
  description: The hosts in planned order, those that are open, or those that were lost.
  returned: state=planned, opened, open_hosts or lost_hosts
  type: list
  elements: dict
prerequisites:
  description: What included hosts lack for Systems Manager to manage them, as far as the credentials can see.
  returned: state=planned
  type: list
  elements: dict
  contains:
    code:
      description: A stable code.
      type: str
    reason:
      description: What is missing and what to do, as sentences.
      type: str
    hosts:
      description: The names of the hosts that lack it.
      type: list
      elements: str
lines:
  description: The plan, or what is open, as text.
  returned: state=planned, opened or open_hosts
  type: list
  elements: str
"""

from ansible_collections.patchfleet.windows.plugins.module_utils._modules.patch_run import OPERATION
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.context import run_as_module


def main() -> None:
    run_as_module(OPERATION)


if __name__ == "__main__":
    main()
