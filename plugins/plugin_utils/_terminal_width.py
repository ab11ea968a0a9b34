# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How wide the terminal of the controller is. ansible-core detaches workers from it; a descriptor from before the fork is kept."""

from __future__ import annotations

import os

from ansible_collections.patchfleet.windows.plugins.module_utils._operation.context import USUAL_COLUMNS

RUNNER = "AWX_ISOLATED_DATA_DIR"
"""ansible-runner, which AWX uses, sets this variable; it gives the playbook a terminal that no person sees."""
WIDEST = 160
STANDARD_OUTPUT = 1

_terminal = os.dup(STANDARD_OUTPUT) if os.isatty(STANDARD_OUTPUT) and RUNNER not in os.environ else None


def output_columns() -> int:
    """As wide as the terminal; of a file or a pipe the usual width."""
    if _terminal is None:
        return USUAL_COLUMNS
    try:
        columns = os.get_terminal_size(_terminal).columns
    except OSError:
        return USUAL_COLUMNS
    return min(columns or USUAL_COLUMNS, WIDEST)
