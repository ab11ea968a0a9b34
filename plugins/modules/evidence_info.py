#!/usr/bin/python
# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: evidence_info
short_description: Read what is known of an update or a host
version_added: 1.0.0
author: Patch Fleet contributors (@patchfleet)
description:
  - Reads all runs of the ledger and Patch Manager's own records of the nodes, also of stopped instances. Changes nothing, and
    starts no host.
options:
  kbs:
    description:
      - Updates such as V(KB5044281). Without them, all updates of O(host_name).
    type: list
    elements: str
    default: []
  host_name:
    description:
      - A host, by its name in the report or its instance id. Without it, all hosts that know one of O(kbs).
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
  - patchfleet.windows._options.history_days
  - patchfleet.windows._attributes
  - patchfleet.windows._attributes.action_group
  - patchfleet.windows._aws
"""

EXAMPLES = r"""
- name: Which hosts have this update, and since when
  patchfleet.windows.evidence_info:
    kbs: [KB5044281]

- name: All that is known of one host
  patchfleet.windows.evidence_info:
    host_name: web-07
"""

RETURN = r"""
hosts:
  description:
    - Of each host its runs (with O(host_name)), its updates as in C(history.json), and Patch Manager's records.
  returned: success
  type: list
  elements: dict
csv:
  description:
    - The text of a file with a line for each host and update. With O(kbs) each host has a line, also one that knows nothing of
      the update.
  returned: success
  type: str
lines:
  description: What is printed.
  returned: success
  type: list
  elements: str
"""

from ansible_collections.patchfleet.windows.plugins.module_utils._modules.evidence_info import OPERATION
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.module_main import run_as_module


def main() -> None:
    run_as_module(OPERATION)


if __name__ == "__main__":
    main()
