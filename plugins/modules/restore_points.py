#!/usr/bin/python
# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: restore_points
short_description: List, expire or keep the restore points of hosts
version_added: 1.0.0
author: Patch Fleet contributors (@patchfleet)
description:
  - Finds the snapshots that runs took before their installations, in the accounts and regions of the runs that the ledger knows.
    Only snapshots with the tags and the description of a restore point are listed, deleted or kept.
options:
  state:
    description:
      - V(listed) lists them.
      - V(expired) deletes those that have expired.
      - V(kept) lets those of O(target) or O(run_id) never expire. Delete them yourself when you do not need them any more.
    type: str
    default: listed
    choices: [listed, expired, kept]
  target:
    description:
      - Only those of this host, by its name in the report, its instance id, or its key in the ledger.
    type: str
  run_id:
    description:
      - Only those that this run took.
    type: str
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
  - patchfleet.windows._aws
  - patchfleet.windows._attributes
  - patchfleet.windows._attributes.action_group
"""

EXAMPLES = r"""
- name: Keep the restore point of a host for the time of an investigation
  patchfleet.windows.restore_points:
    state: kept
    target: app-01
"""

RETURN = r"""
snapshots:
  description: >-
    The snapshots that there are, or that were deleted or are kept now, each with C(snapshot_id), C(host), C(run_id), C(volume_id),
    C(gib), C(made_at), C(expires_at) and C(state).
  returned: success
  type: list
  elements: dict
lines:
  description: The same for people.
  returned: success
  type: list
  elements: str
"""

from ansible_collections.patchfleet.windows.plugins.module_utils._modules.restore_points import OPERATION
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.module_main import run_as_module


def main() -> None:
    run_as_module(OPERATION)


if __name__ == "__main__":
    main()
