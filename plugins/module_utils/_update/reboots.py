# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reboots during an installation: how many, and whether the host is whole again afterwards.

The patch baseline reboots by itself, so the host's own event log is asked for its starts, and the services that ran by
themselves before have to run again. Those that Windows starts on a trigger come and go; the script leaves them out.
"""

from __future__ import annotations

from .._base.clock import iso
from .._base.errors import Failed
from .._host.answers import BootState
from .._host.guest_scripts import run_guest_text
from .._model.reasons import Reason
from .._operation.context import OperationContext

INSPECT_SECONDS = 300
CLOCK_TOLERANCE_SECONDS = 60.0
"""Windows reckons its boot time back from now, so that it moves when the clock is set."""


def read_boot_state(context: OperationContext, since: float | None = None) -> BootState | None:
    """Ask the host, and for the number of its starts after ``since``; None where it does not answer, or nobody may ask."""
    text = context.params.get("boot_script")
    if not text:
        return None
    try:
        return run_guest_text(context, BootState, str(text), INSPECT_SECONDS, since=iso(since))
    except Failed as error:
        context.report_progress(f"its reboots are not known: {error.reason}")
        return None


def count(context: OperationContext, before: BootState | None) -> BootState | None:
    """Learn how often it rebooted since; returns what it is like now, if that is known and it has rebooted."""
    now = read_boot_state(context, before.time) if before else None
    if before is None or now is None:
        return None
    rebooted = now.boot_time > before.boot_time + CLOCK_TOLERANCE_SECONDS
    if now.starts is not None:
        context.update_facts(reboots=now.starts)
    elif not rebooted:
        context.update_facts(reboots=0)
    return now if rebooted else None


def refuse_missing_services(context: OperationContext, before: BootState | None, now: BootState | None) -> None:
    """After a reboot, wait until the services run that ran before.

    Raises:
        PatchFleetError: ``services_not_back``, with their names.
    """
    if before is None or now is None:
        return
    ignored = {name.lower() for name in context.params["ignore_services"]}
    if "*" in ignored:
        return
    wanted = {name for name in before.services if name.lower() not in ignored}
    seen = [now]

    def read_boot_state_again() -> bool | None:
        if wanted <= seen[-1].services:
            return True
        seen.append(read_boot_state(context) or seen[-1])
        return True if wanted <= seen[-1].services else None

    if (
        context.wait(read_boot_state_again, context.deadline(float(context.params["agent_timeout_seconds"])), 15.0)
        is None
    ):
        missing = ", ".join(sorted(wanted - seen[-1].services))
        raise Failed(
            f"Everything is installed, but after the reboot these services do not run, which ran before: {missing} "
            "(patch_ignore_services leaves some out).",
            Reason.SERVICES_NOT_BACK,
        )
