#!/usr/bin/python
# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: patch_settings
short_description: Check the playbooks' variables
version_added: 1.0.0
author: Patch Fleet contributors (@patchfleet)
description:
  - Checks the names and values of all C(patch_*) variables before anything is touched, and returns them
    typed, with their defaults.
  - On the controller the action plugin reads the variables itself.
options:
  variables:
    description:
      - The variables that count for the run, name to value.
    type: dict
    default: {}
  host_variables:
    description:
      - The variables of each host. Those that count for the whole run must be the same for all of them.
    type: dict
    default: {}
  searched_with:
    description:
      - The settings with which hosts were found by tag, from an earlier call of this module.
    type: dict
  forks:
    description:
      - Ansible's forks. The action plugin fills it in.
    type: int
    default: 5
  tasks_on_host:
    description:
      - Those of the user's own task files that run tasks on the host itself. The action plugin reads them and fills
        it in.
    type: list
    elements: str
    default: []
  slice_of:
    description:
      - The job of AWX that this one is a slice of. The action plugin fills it in.
    type: str
  partial:
    description:
      - Check the names and values only, not whether they fit a run.
    type: bool
    default: false
  only_plan:
    description:
      - Nothing will be written to the ledger, so a ledger on a disk that is deleted with its container causes a
        warning instead of an error.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
extends_documentation_fragment:
  - patchfleet.windows._tracking.ledger
  - patchfleet.windows._attributes
"""

EXAMPLES = r"""
- name: Check the variables
  patchfleet.windows.patch_settings:
"""

RETURN = r"""
settings:
  description:
    - The variables without their prefix, typed.
    - C(of_hosts) has the values of hosts that differ.
  returned: success
  type: dict
"""

from ansible_collections.patchfleet.windows.plugins.module_utils._modules.patch_settings import OPERATION
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.module_main import run_as_module


def main() -> None:
    run_as_module(OPERATION)


if __name__ == "__main__":
    main()
