#!/usr/bin/python
# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: fleet_info
short_description: Find Windows hosts, with what EC2 and SSM know of them
version_added: 1.0.0
author: Patch Fleet contributors (@patchfleet)
description:
  - Merges what the tag, the inventory, EC2 and SSM know into one view of each host, with the reason where a
    host may not be touched.
  - Reads only.
options:
  tag_key:
    description:
      - Find the instances and hybrid nodes that carry this tag.
    type: str
  tag_value:
    description:
      - The tag's exact value. C(*) and C(?), which EC2 would read as wildcards, are refused, as is an empty
        value.
    type: str
  filters:
    description:
      - More filters of EC2's DescribeInstances, name to list of values. Hybrid nodes match no filter.
    type: dict
    default: {}
  stop_protection:
    description:
      - Whether to read the stop protection of the stopped instances that carry the tag, with one call for each. To open a run
        needs it; to list hosts that are read again as O(inventory_hosts) does not.
    type: bool
    default: true
  regions:
    description:
      - The regions to search. Without any, the region of the credentials.
    type: list
    elements: str
    default: []
  accounts:
    description:
      - 'More AWS accounts to search, as C(settings.accounts) of M(patchfleet.windows.patch_settings) has them: mappings with
        C(name), C(id), C(role_arn) and, where needed, C(external_id) and C(regions).'
      - Their roles are assumed with the credentials of the task.
    type: list
    elements: dict
    default: []
  organization:
    description:
      - Search the accounts of AWS Organizations, as C(settings.organization) of M(patchfleet.windows.patch_settings) has it, a
        mapping with C(role_name), C(units), C(regions) and C(exclude).
    type: dict
  missing_accounts_ok:
    description:
      - Leave out accounts whose role cannot be assumed, and regions that cannot be searched, and return them as
        RV(missing_accounts). Otherwise the task fails.
    type: bool
    default: false
  inventory_hosts:
    description:
      - 'Hosts of the inventory: mappings with C(name) and, where known, C(instance_id), C(account), C(region), C(connection)
        and, of an C(ssh) connection, C(shell_type).'
      - 'On the controller, names are enough: the action plugin reads the variables of these hosts.'
    type: list
    elements: raw
    default: []
  exclude:
    description:
      - 'Hosts to leave out: names, ids, or C(key=value) of a tag.'
    type: list
    elements: str
    default: []
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
  - patchfleet.windows._aws
"""

EXAMPLES = r"""
- name: Windows hosts with the tag in two regions
  patchfleet.windows.fleet_info:
    tag_key: PatchGroup
    tag_value: Windows
    regions: [eu-central-1, us-east-1]
  register: fleet
"""

RETURN = r"""
hosts:
  description: The hosts by name.
  returned: success
  type: list
  elements: dict
  contains:
    key:
      description: Instance or node id, or the inventory name.
      type: str
    name:
      description: The name for people.
      type: str
    kind:
      description: V(ec2), V(hybrid) or V(winrm).
      type: str
    state:
      description: EC2's state name, or V(gone).
      type: str
    power:
      description: V(running) or V(stopped); a host between two states counts as the state to which it changes.
      type: str
    account:
      description: The AWS account, or null where there is none or it is not known.
      type: dict
    exclusion_code:
      description: Why the host may not be touched, or null.
      type: str
    exclusion_reason:
      description: The same as a sentence.
      type: str
regions:
  description: The regions that were searched. None if no host is in AWS.
  returned: success
  type: list
  elements: str
  sample: [eu-central-1]
left_out_accounts:
  description: A sentence for each account of O(organization) that is left out on purpose, such as a suspended one.
  returned: success
  type: list
  elements: str
missing_accounts:
  description: The accounts that were left out.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Its name.
      type: str
    id:
      description: Its id.
      type: str
    reason:
      description: Why its role cannot be assumed, or the region cannot be searched.
      type: str
    region:
      description: The region that is left out. None if the whole account is.
      type: str
"""

from ansible_collections.patchfleet.windows.plugins.module_utils._modules.fleet_info import OPERATION
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.module_main import run_as_module


def main() -> None:
    run_as_module(OPERATION)


if __name__ == "__main__":
    main()
