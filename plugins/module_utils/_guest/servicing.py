# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Does Windows install updates right now?"""

from __future__ import annotations

from .._errors import PatchFleetError
from .._step import StepContext
from .run import run_guest_script

ASK_SECONDS = 300


def is_quiet(context: StepContext, instance_id: str) -> bool:
    """Whether nothing is being installed in the host, by its own word.

    Raises:
        PatchFleetError: it cannot be asked.
    """
    if "servicing_state" not in context.params["scripts"]:
        raise PatchFleetError(
            f"nothing here can ask {instance_id} (the script servicing_state is not given).", "no_script"
        )
    return not run_guest_script(context, "servicing_state", ASK_SECONDS)["installing"]
