# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One way to run a role's script in a host."""

from __future__ import annotations

from typing import Any

from .._operation.context import OperationContext
from .scripts import compose, run_script


def run_guest_script(context: OperationContext, name: str, timeout_seconds: int, **values: Any) -> dict[str, Any]:
    """Run the script ``name`` of the option ``scripts`` with these parameters; returns its data.

    Raises:
        PatchFleetError: see scripts.run_script.
    """
    lines = compose(name, str(context.params["scripts"][name]), values)
    return run_script(context, lines, timeout_seconds)
