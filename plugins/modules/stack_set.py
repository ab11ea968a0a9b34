#!/usr/bin/python
# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: stack_set
short_description: Roll the set-up out to an organization as a CloudFormation stack set
version_added: 1.0.0
author: Patch Fleet contributors (@patchfleet)
description:
  - Makes and updates a stack set with service-managed permissions, and a stack in each active account of the units.
  - The management account and the account of the credentials get no stack by it. They have an ordinary one.
  - Checks first that the credentials may do it, that trusted access is activated, and that units and regions exist.
options:
  state:
    description:
      - V(present) makes or updates it. V(absent) removes all of its stacks, and then the stack set.
    type: str
    choices: [present, absent]
    default: present
  name:
    description:
      - Name of the stack set.
    type: str
    required: true
  stack_set:
    description:
      - C(units) (ids of the root or of organizational units) and C(regions), and where needed C(auto_deployment) and C(role_name).
      - C(auto_deployment) (true by default) gives accounts that come into the units later a stack, and takes it from those that
        leave them.
      - C(role_name) is the role by which V(absent) reads the schedules of an account, C(OrganizationAccountAccessRole) by
        default.
    type: dict
    required: true
  template:
    description:
      - The template's text. Required for V(present).
    type: str
  parameters:
    description:
      - Parameters of the template, as texts. Those that are not named keep the values that they have in the stack set.
    type: dict
    default: {}
  reset:
    description:
      - Whether parameters that are not named get the template's own defaults.
    type: bool
    default: false
  confirmed:
    description:
      - Whether a stack set with a newer template may be replaced.
    type: bool
    default: false
  anyway:
    description:
      - With V(absent), whether to remove the stacks although watchdog schedules are pending.
    type: bool
    default: false
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
- name: Roll out to the accounts of a unit
  patchfleet.windows.stack_set:
    name: patchfleet
    template: "{{ lookup('ansible.builtin.file', 'patchfleet.template') | patchfleet.windows.compact_template }}"
    parameters:
      ControllerPrincipals: arn:aws:iam::123456789012:role/PatchFleet-controller-eu-central-1
    stack_set:
      units: [ou-ab12-workload1]
      regions: [eu-central-1]
"""

RETURN = r"""
lines:
  description: What was done or would be done, account by account.
  returned: success
  type: list
  elements: str
uses:
  description: With V(absent) in check mode, what still needs the stacks.
  returned: success
  type: list
  elements: str
"""

from ansible_collections.patchfleet.windows.plugins.module_utils._modules.stack_set import OPERATION
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.module_main import run_as_module


def main() -> None:
    run_as_module(OPERATION)


if __name__ == "__main__":
    main()
