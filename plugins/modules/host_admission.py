#!/usr/bin/python
# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: host_admission
short_description: Decide whether a host of a run may start now
version_added: 1.0.0
author: Patch Fleet contributors (@patchfleet)
description:
  - Waits while the canaries are patched. Refuses a host once the breaker is open or the failure budget of the run is
    spent, and when the host could not be patched and put back before the deadline.
  - Checks the instance as it is now, and records its original power state when the host is admitted.
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
  - patchfleet.windows._options.notify
  - patchfleet.windows._attributes.action_group
  - patchfleet.windows._tracking.required
  - patchfleet.windows._aws
"""

EXAMPLES = r"""
- name: May it begin?
  patchfleet.windows.host_admission:
    run_id: "{{ run.run_id }}"
    host: i-0123456789abcdef0
"""

RETURN = r"""
admitted:
  description: Whether the host may start.
  returned: success
  type: bool
original_state:
  description: The recorded power state.
  returned: when admitted
  type: str
outcome:
  description: V(deferred), V(excluded) or V(failed).
  returned: when not admitted
  type: str
reason:
  description: Why not, as a sentence.
  returned: when not admitted
  type: str
reason_code:
  description: The same as a code.
  returned: when not admitted
  type: str
"""

from ansible_collections.patchfleet.windows.plugins.module_utils._modules.host_admission import OPERATION
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.module_main import run_as_module


def main() -> None:
    run_as_module(OPERATION)


if __name__ == "__main__":
    main()
