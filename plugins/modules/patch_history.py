#!/usr/bin/python
# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: patch_history
short_description: Write the history of all runs
version_added: 1.0.0
author: Patch Fleet contributors (@patchfleet)
description:
  - Writes C(history.html), C(history.csv) and C(history.json) from the ledger. They say for how long each update was missing on
    each host, how compliance develops, why hosts fail, and which hosts fail again and again.
  - On the controller the action plugin also prints what is missing too long and which hosts need a person.
options:
  report_dir:
    description:
      - The folder for the files; without it, C(patchfleet/reports/history) in the user's state folder.
    type: str
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: none
    details: The files hold the time at which they were written, so each run writes them again.
extends_documentation_fragment:
  - patchfleet.windows._tracking.ledger
  - patchfleet.windows._options.patch_history
  - patchfleet.windows._options.history_days
  - patchfleet.windows._options.report_bucket
  - patchfleet.windows._attributes
"""

EXAMPLES = r"""
- name: The last quarter, with limits for two severities
  patchfleet.windows.patch_history:
    history_days: 92
    sla_days:
      critical: 14
      important: 30
    report_dir: /srv/reports
"""

RETURN = r"""
totals:
  description: Numbers of runs, hosts by state, and updates.
  returned: success
  type: dict
fail_again:
  description: Names of the hosts that fail again and again.
  returned: success
  type: list
  elements: str
late_kbs:
  description: KBs that are missing longer than O(sla_days) allows.
  returned: success
  type: list
  elements: str
files:
  description: Name to path of what was written.
  returned: success
  type: dict
objects:
  description: Name to address, or to a signed link, of what is in O(report_bucket).
  returned: success
  type: dict
lines:
  description: What is printed.
  returned: success
  type: list
  elements: str
"""

from ansible_collections.patchfleet.windows.plugins.module_utils._modules.patch_history import OPERATION
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.module_main import run_as_module


def main() -> None:
    run_as_module(OPERATION)


if __name__ == "__main__":
    main()
