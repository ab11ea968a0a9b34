#!/usr/bin/python
# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: account_proof
short_description: Ask a real AWS account what this collection believes of it
version_added: 1.0.0
author: Patch Fleet contributors (@patchfleet)
description:
  - Starts one Windows instance of its own, asks each belief of a table there and in the account, writes the answers to
    C(beliefs.json) and C(beliefs.md), and takes everything away again.
  - Everything that it makes is found again by tags and names. It never touches another instance.
options:
  state:
    description:
      - V(planned) checks the options and says what would be made and what it costs at most.
      - V(started) starts the instance.
      - V(asked) asks the beliefs. One that could not be answered is V(not_answered), with its reason.
      - V(absent) takes away everything that proofs have made in the region.
    type: str
    required: true
    choices: [planned, started, asked, absent]
  confirmed:
    description:
      - The user agrees with what V(planned) says. Without it, nothing is started.
    type: bool
    default: false
  subnet_id:
    description:
      - The subnet of the instance. It must lead to Systems Manager.
    type: str
  instance_type:
    description:
      - The type of the instance.
    type: str
    default: m5.large
  image_parameter:
    description:
      - The public parameter by which AWS names its newest image of a Windows.
    type: str
    default: /aws/service/ami-windows-latest/Windows_Server-2022-English-Full-Base
  security_group_ids:
    description:
      - Security groups of the instance, which needs no inbound rule. Without it, the default group of the VPC.
    type: list
    elements: str
    default: []
  instance_profile:
    description:
      - Name of an instance profile with the rights of the SSM agent. Without it, the one that the account's stack makes.
    type: str
  hours:
    description:
      - After this number of hours, 12 at most, no belief is asked any more, and the account's watchdog stops the instance.
    type: int
    default: 4
  hourly_usd:
    description:
      - What an hour of the instance and its volume costs, in USD. Without it, AWS's Price List is asked.
    type: float
  setup_prefix:
    description:
      - The parameter Prefix of the account's stack.
    type: str
    default: PatchFleet
  tag_key:
    description:
      - The key of the target tag of that stack. The instance gets the tag.
    type: str
    default: PatchGroup
  tag_value:
    description:
      - Its value.
    type: str
    default: Windows
  external_id:
    description:
      - The parameter ControllerExternalId of that stack.
    type: str
  beliefs:
    description:
      - The beliefs that are asked, by their ids. Without it, all.
    type: list
    elements: str
    default: []
  report_dir:
    description:
      - The folder for C(beliefs.json) and C(beliefs.md). Without it, a folder C(proof) in the user's state folder.
    type: str
  scripts:
    description:
      - The scripts of the roles that are run in the instance, by their names, as files.
    type: dict
    default: {}
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: none
  action_group:
    version_added: 1.0.0
extends_documentation_fragment:
  - patchfleet.windows._attributes
  - patchfleet.windows._attributes.action_group
  - patchfleet.windows._aws
"""

EXAMPLES = r"""
- name: Take away what an interrupted proof has left
  patchfleet.windows.account_proof:
    state: absent
"""

RETURN = r"""
lines:
  description: What is planned, what was answered, or what was taken away, as sentences.
  returned: success
  type: list
  elements: str
instance_id:
  description: The instance.
  returned: for V(started)
  type: str
proven:
  description: Whether each belief that was asked has the expected answer.
  returned: for V(asked)
  type: bool
totals:
  description: How many beliefs have each status.
  returned: for V(asked)
  type: dict
beliefs:
  description: The beliefs with their answers, as in C(beliefs.json).
  returned: for V(asked)
  type: list
  elements: dict
files:
  description: The files that were written, by their names.
  returned: for V(asked)
  type: dict
"""

from ansible_collections.patchfleet.windows.plugins.module_utils._modules.account_proof import OPERATION
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.module_main import run_as_module


def main() -> None:
    run_as_module(OPERATION)


if __name__ == "__main__":
    main()
