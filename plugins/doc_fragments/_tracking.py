# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Options of an operation that may belong to a run, of one that always does, and of one for the whole ledger."""

    DOCUMENTATION = r"""
options:
  ledger:
    description:
      - The ledger in which the operation is recorded, the path of an SQLite file or C(dynamodb://TABLE).
      - Without it, C(patchfleet/ledger.sqlite) in the user's state folder (C(XDG_STATE_HOME)).
    type: str
  run_id:
    description:
      - The run to which the operation belongs; its times and, if it fails, its reason are recorded there.
      - Without it nothing is recorded.
    type: str
  host:
    description: The host's key in the run.
    type: str
  fence:
    description:
      - The fencing number under which the run holds the host, from M(patchfleet.windows.patch_run). Once another run has taken
        the host over it is a larger one, and the operation ends before it changes anything.
      - Without it, the number that holds when the operation begins. The action plugin takes it from the planned host.
    type: int
  account:
    description:
      - 'The AWS account of the host: C(id), and C(role_arn) and C(external_id) of the role that is assumed there with the
        credentials of the task.'
      - Without it, and without C(role_arn), the account of the credentials. The action plugin takes it from the planned host.
    type: dict
"""

    REQUIRED = r"""
options:
  ledger:
    description:
      - The ledger in which the operation is recorded, the path of an SQLite file or C(dynamodb://TABLE).
      - Without it, C(patchfleet/ledger.sqlite) in the user's state folder (C(XDG_STATE_HOME)).
    type: str
  run_id:
    description:
      - The run, as M(patchfleet.windows.patch_run) returned it.
    type: str
    required: true
  host:
    description:
      - 'The host''s key in the run: its instance or node id, or its inventory name where it has none.'
    type: str
    required: true
  fence:
    description:
      - The fencing number under which the run holds the host, from M(patchfleet.windows.patch_run). Once another run has taken
        the host over it is a larger one, and the operation ends before it changes anything.
      - Without it, the number that holds when the operation begins. The action plugin takes it from the planned host.
    type: int
  account:
    description:
      - 'The AWS account of the host: C(id), and C(role_arn) and C(external_id) of the role that is assumed there with the
        credentials of the task.'
      - Without it, and without C(role_arn), the account of the credentials. The action plugin takes it from the planned host.
    type: dict
"""

    LEDGER = r"""
options:
  ledger:
    description:
      - 'The ledger: the path of an SQLite file, or C(dynamodb://TABLE).'
      - Without it, C(patchfleet/ledger.sqlite) in the user's state folder (C(XDG_STATE_HOME)).
    type: str
"""
