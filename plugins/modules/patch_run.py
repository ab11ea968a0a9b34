#!/usr/bin/python
# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: patch_run
short_description: Plan, open, close and show runs of the ledger
version_added: 1.0.0
author: Patch Fleet contributors (@patchfleet)
description:
  - 'The ledger is the record of runs outside their processes: the original power state of each host, its phases, and
    its outcome.'
options:
  state:
    description:
      - V(planned) shows what a run would do and writes nothing.
      - V(opened) plans, records the run and leases its hosts.
      - V(taken_over) waits for the other slices of the run's job, and opens a run for the hosts that a dead one left.
      - V(closed) ends the run; hosts without an outcome get that of an interrupted host.
      - V(stopped) lets no other host of the run start, V(resumed) undoes that. Without O(run_id) they take the one run that is at
        work, and with V(all) all of these.
      - V(watched) shows where the runs at work stand, or O(run_id); without any, the last run. Where the controller has a
        terminal and the Python library rich, the display is drawn again until they have ended.
      - V(listed) lists all runs, V(shown) shows one with its hosts, and V(exported) writes a run with all its data as
        JSON.
    type: str
    required: true
    choices: [planned, opened, taken_over, closed, stopped, resumed, listed, shown, watched, exported]
  run_id:
    description:
      - The run.
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
  missing_accounts:
    description:
      - The accounts that were left out, as M(patchfleet.windows.fleet_info) returned them.
    type: list
    elements: dict
    default: []
  left_out_accounts:
    description:
      - Sentences about accounts that were left out on purpose, as M(patchfleet.windows.fleet_info) returned them.
    type: list
    elements: str
    default: []
  inventory:
    description:
      - Names of the hosts in the inventory, which C(patch_exclude) may name although they are no targets. The action plugin fills
        it in.
    type: list
    elements: str
    default: []
  groups:
    description:
      - Names of the groups in the inventory, which C(on) of C(patch_checks) may name. The action plugin fills it in.
    type: list
    elements: str
    default: []
  forks:
    description:
      - Ansible's forks, which must be enough for a batch. The action plugin fills it in.
    type: int
    default: 5
  started_with:
    description:
      - The command that started the run, which a message repeats with what continues it. The action plugin fills it in.
    type: str
  dest:
    description:
      - The file into which O(state=exported) writes. Without it, the result has RV(export).
    type: str
  reason:
    description:
      - Why the run is stopped, or continues. O(state=stopped) needs it.
    type: str
  by:
    description:
      - Who does that, for example the user of AWX who launched the job. With O(state=stopped) and O(state=resumed) the default is
        the user of the controller's process.
    type: str
  job_id:
    description:
      - With O(state=opened), the job of AWX in which the run is opened.
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
    version_added: 1.0.0
extends_documentation_fragment:
  - patchfleet.windows._tracking.ledger
  - patchfleet.windows._attributes
  - patchfleet.windows._options.notify
  - patchfleet.windows._attributes.action_group
  - patchfleet.windows._aws
"""

EXAMPLES = r"""
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
progress:
  description: Where each of these runs stands.
  returned: state=watched
  type: list
  elements: dict
  contains:
    run_id:
      description: The run.
      type: str
    alive:
      description: Whether its controller may be at work.
      type: bool
    as_of:
      description: When the ledger was read, ISO 8601 in UTC.
      type: str
    done:
      description: The number of hosts that have ended.
      type: int
    total:
      description: The number of hosts, without those that are left out.
      type: int
    failed:
      description: The number of hosts that failed or are held.
      type: int
    waiting:
      description: The number of hosts that have not started.
      type: int
    "on":
      description: The number of hosts that are on because of the run.
      type: int
    at_work:
      description: The hosts at work, with step, since and admitted_at.
      type: list
      elements: dict
    problems:
      description: The hosts that failed or are held, with outcome, step and reason.
      type: list
      elements: dict
    ends_at:
      description: When the run is expected to end, ISO 8601 in UTC.
      type: str
export:
  description: The run, its hosts, phases and open power records as the ledger has them; times are seconds since 1970.
  returned: state=exported without O(dest)
  type: dict
run_id:
  description: The run that was opened; empty where no host was left.
  returned: state=opened or taken_over
  type: str
hosts:
  description: The hosts in planned order.
  returned: state=planned, opened or taken_over
  type: list
  elements: dict
  contains:
    key:
      description: The instance id, or the inventory name where there is none.
      type: str
    name:
      description: The name.
      type: str
    position:
      description: The position in the order, from 0.
      type: int
    wave:
      description: The number of its wave, from 1; null for a host that is left out.
      type: int
    included:
      description: Whether the run works on it.
      type: bool
    starts_after_seconds:
      description: About when it starts, counted from the start of the run.
      type: float
    expected_seconds:
      description: What half of its earlier workflows did not exceed.
      type: float
    longest_seconds:
      description: What nine of ten of its earlier workflows did not exceed.
      type: float
batch_size:
  description: How many hosts are worked on at the same time.
  returned: state=planned, opened or taken_over
  type: int
estimate_seconds:
  description: The duration of the run, where each host takes as long as half of its earlier workflows did not exceed.
  returned: state=planned, opened or taken_over
  type: float
longest_seconds:
  description: The same, with what nine of ten of its earlier workflows did not exceed.
  returned: state=planned, opened or taken_over
  type: float
rolling_seconds:
  description: The duration with C(patch_rollout=rolling), where the plan has waves.
  returned: state=planned, opened or taken_over
  type: float
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
stopped:
  description: The ids of the runs that were stopped, or that continue.
  returned: state=stopped or resumed
  type: list
  elements: str
lines:
  description: The plan, or the runs, as text.
  returned: state=planned, opened, stopped, resumed, listed, shown or watched
  type: list
  elements: str
"""

from ansible_collections.patchfleet.windows.plugins.module_utils._modules.patch_run import OPERATION
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.module_main import run_as_module


def main() -> None:
    run_as_module(OPERATION)


if __name__ == "__main__":
    main()
