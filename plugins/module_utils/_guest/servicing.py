# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Does Windows install updates right now, and does it get on?"""

from __future__ import annotations

from .._clock import parse_iso
from .._errors import PatchFleetError
from .._step import StepContext
from .run import run_guest_script

ASK_SECONDS = 300
HUNG_SECONDS = 3600.0
"""The servicing log is written all the time; the longest silences that people report of a healthy one are some minutes."""


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


def refuse_hung(context: StepContext) -> None:
    """Raises PatchFleetError when an installation goes on but the servicing log has stood still for HUNG_SECONDS.

    Power is not cut: a servicing that is cut off may never boot again.
    """
    since = stands_still_since(context)
    if since:
        raise PatchFleetError(
            f"An installation that was under way has made no progress since {since}. It is not cut off; look at the host.",
            "installation_hung",
        )


def stands_still_since(context: StepContext) -> str | None:
    """When the servicing log of an installation that goes on was last written, if that is long ago."""
    if "servicing_state" not in context.params["scripts"]:
        return None
    state = run_guest_script(context, "servicing_state", ASK_SECONDS)
    last = state.get("last_progress_at")
    if not state["installing"] or not last or context.clock.now() - parse_iso(last) < HUNG_SECONDS:
        return None
    return str(last)
