# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Restart Windows through Run Command, from inside and in order.

EC2's reboot cuts the power after some minutes, which a servicing stack at work does not survive (EC2 user guide, "Reboot your
instance"). A restart is proven by the time at which Windows started.
"""

from __future__ import annotations

from .._base.errors import CommandTimeout, Failed
from .._operation.context import OperationContext
from .answers import Restart
from .fields import ScriptEnded
from .guest_scripts import run_guest_script

ASK_SECONDS = 300
FIRST_PAUSE_SECONDS = 90.0
"""Before the first question: a command that is sent while Windows goes down is lost with its answer."""
CLOCK_TOLERANCE_SECONDS = 60.0
"""Windows reckons its boot time back from now, so that it moves when the clock is set."""


def restart_windows(context: OperationContext, timeout_seconds: float) -> None:
    """Restart Windows and wait until it answers again.

    Raises:
        PatchFleetError: ``restart_failed``; ``command_timeout`` where it has not come back in time.
    """
    before = run_guest_script(context, Restart, ASK_SECONDS, restart=False).boot_time
    context.lease.prove()
    deadline = context.deadline(timeout_seconds)
    run_guest_script(context, Restart, ASK_SECONDS, restart=True)
    context.pause(FIRST_PAUSE_SECONDS)

    def has_restarted() -> bool:
        try:
            now = run_guest_script(context, Restart, ASK_SECONDS, restart=False).boot_time
        except ScriptEnded:
            raise
        except Failed:
            return False
        return abs(now - before) > CLOCK_TOLERANCE_SECONDS

    if not context.wait_until(has_restarted, deadline, 15.0, 60.0):
        raise CommandTimeout(f"Windows has not restarted within {timeout_seconds:.0f} s.")
