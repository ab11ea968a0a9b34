#!/usr/bin/python
# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: instance_profile_association
short_description: Attach an instance profile to instances that have none
version_added: 1.0.0
author: Patch Fleet contributors (@patchfleet)
description:
  - Attaches an instance profile to the Windows instances with a tag that have none. It never replaces a profile.
  - Instances that may not be touched (see M(patchfleet.windows.fleet_info)) are left out, and so is every one in a region
    where Default Host Management Configuration is on.
  - If the credentials allow it, checks whether the roles of the other instances have the rights of the SSM agent.
options:
  state:
    description:
      - V(present) attaches, V(absent) takes the profile from every instance that has it.
    type: str
    choices: [present, absent]
    default: present
  instance_profile:
    description:
      - Name of the instance profile. In check mode it need not be there yet.
    type: str
  tag_key:
    description:
      - Tag key of the instances. Required for V(present).
    type: str
  tag_value:
    description:
      - Its value. Required for V(present).
    type: str
  regions:
    description:
      - Where they are. Without it, the region of the credentials.
    type: list
    elements: str
    default: []
  add_policy:
    description:
      - Whether C(AmazonSSMManagedInstanceCore) may be attached to a role that lacks the agent's rights. Such a role
        is not part of the set-up.
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
- name: Make managed nodes of the hosts that have no profile
  patchfleet.windows.instance_profile_association:
    instance_profile: PatchFleet-host-eu-central-1
    tag_key: PatchGroup
    tag_value: Windows
"""

RETURN = r"""
hosts:
  description: The instances.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The tag Name, or the id.
      type: str
    instance_id:
      description: The id.
      type: str
    region:
      description: Its region.
      type: str
    result:
      description: V(attached), V(kept), V(left_out) or V(detached).
      type: str
    reason:
      description: Why, as a sentence.
      type: str
roles:
  description: The roles in the profiles that the instances already had, if the credentials may read them.
  returned: success
  type: list
  elements: dict
  contains:
    role:
      description: Its name.
      type: str
    profile:
      description: The instance profile that it is in.
      type: str
    result:
      description: V(has_rights), V(lacks_rights) or V(policy_added).
      type: str
    reason:
      description: What to do, as a sentence.
      type: str
lines:
  description: The same as text.
  returned: success
  type: list
  elements: str
"""

from ansible_collections.patchfleet.windows.plugins.module_utils._modules.instance_profile_association import OPERATION
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.module_main import run_as_module


def main() -> None:
    run_as_module(OPERATION)


if __name__ == "__main__":
    main()
