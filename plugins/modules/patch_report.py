#!/usr/bin/python
# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: patch_report
short_description: Write the report of a run
version_added: 1.0.0
author: Patch Fleet contributors (@patchfleet)
description:
  - Writes C(report.json), C(report.md), C(report.html) and C(report.csv) from the ledger; on the controller the action
    plugin also prints the table.
options:
  run_id:
    description:
      - The run; without it the newest.
    type: str
  report_dir:
    description:
      - The folder for the files; without it, one for the run in the user's state folder.
    type: str
  take_over:
    description:
      - Set this only when the run's controller is known to be dead. Its hosts without an outcome then count as interrupted.
    type: bool
    default: false
  must_write:
    description:
      - Whether the module fails where the files or the objects cannot be written. Otherwise it warns, and writes the files to the
        user's state folder.
    type: bool
    default: true
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: none
    details: The files are written again each time.
extends_documentation_fragment:
  - patchfleet.windows._tracking.ledger
  - patchfleet.windows._attributes
  - patchfleet.windows._options.notify
  - patchfleet.windows._options.report_bucket
"""

EXAMPLES = r"""
- name: The last run's report
  patchfleet.windows.patch_report:
    report_dir: /srv/reports
"""

RETURN = r"""
report:
  description: As in report.json.
  returned: success
  type: dict
table:
  description: Lines of at most 100 columns.
  returned: success
  type: list
  elements: str
files:
  description: Name to path of what was written.
  returned: success
  type: dict
objects:
  description: Name to address of what was written to the bucket, or to its signed link.
  returned: success
  type: dict
stats:
  description: For M(ansible.builtin.set_stats), one key for the run, with its totals and the first hosts to check.
  returned: success
  type: dict
verdicts:
  description: Host key to sentence, for hosts that make the run fail.
  returned: success
  type: dict
"""

from ansible_collections.patchfleet.windows.plugins.module_utils._modules.patch_report import OPERATION
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.module_main import run_as_module


def main() -> None:
    run_as_module(OPERATION)


if __name__ == "__main__":
    main()
