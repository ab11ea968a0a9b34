# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reboots during an installation: how many, and whether the host is whole again afterwards.

The patch baseline reboots by itself, so the host's own event log is asked for its starts, and automatic services that ran before
have to run again. Services that come and go for a reason (triggers, sessions) are left out by the script inspect_boot.
"""

from __future__ import annotations

from collections.abc import Collection

from .._base.clock import iso
from .._base.errors import Failed
from .._host.answers import BootState, StoppedService
from .._host.guest_scripts import run_guest_text
from .._model.reasons import Reason
from .._operation.context import OperationContext

INSPECT_SECONDS = 300
CLOCK_TOLERANCE_SECONDS = 60.0
"""Windows reckons its boot time back from now, so that it moves when the clock is set."""
NEVER_STARTED = 1077
"""ERROR_SERVICE_NEVER_STARTED: no attempt to start the service has been made since the last boot (System Error Codes)."""


def read_boot_state(context: OperationContext, since: float | None = None) -> BootState | None:
    """Ask the host, and for the number of its starts after ``since``; None where it does not answer, or may not be asked."""
    text = context.params.get("boot_script")
    if not text:
        return None
    try:
        return run_guest_text(context, BootState, str(text), INSPECT_SECONDS, since=iso(since))
    except Failed as error:
        context.report_progress(f"its reboots are not known: {error.reason}")
        return None


def earlier_seconds(context: OperationContext, taken_over_seconds: float) -> float:
    """For how long before its own installation the reboots of a host count, too.

    Since this run found an installation under way and waited for it; and since the installation of a dead run from which the host
    was taken over (``taken_over_seconds``), unless the host was started in between.
    """
    now, found_at, on_since = (
        context.clock.now(),
        context.facts.get("installation_found_at"),
        context.facts.get("on_since"),
    )
    found_seconds = 0.0 if found_at is None else max(now - found_at, 0.0)
    started_since = on_since is not None and on_since > now - taken_over_seconds
    return found_seconds if started_since else max(found_seconds, taken_over_seconds)


def count(context: OperationContext, before: BootState | None, earlier_seconds: float = 0.0) -> BootState | None:
    """Learn how often it rebooted since; returns what it is like now, if that is known and it has rebooted.

    Args:
        context: of the operation.
        before: what it was like before the installation.
        earlier_seconds: reboots of that time before count, too.
    """
    now = read_boot_state(context, before.time - earlier_seconds) if before else None
    if before is None or now is None:
        return None
    rebooted = now.boot_time > before.boot_time + CLOCK_TOLERANCE_SECONDS
    if now.starts is not None:
        context.note_facts(reboots=now.starts)
    elif not rebooted and not earlier_seconds:
        context.note_facts(reboots=0)
    return now if rebooted else None


def stopped_services(
    context: OperationContext, before: BootState | None, now: BootState | None
) -> list[StoppedService]:
    """The services that ran before a reboot and, after a wait, are stopped with an error or have not been started.

    A service that has ended in order is not missed, nor one that is no longer automatic: updaters end when there is nothing to
    do, and Windows turns services to manual by itself.
    """
    ignored = {name.lower() for name in context.params["ignore_services"]}
    if before is None or now is None or "*" in ignored:
        return []
    wanted = {name for name in before.services if name.lower() not in ignored}
    return _stopped_after_wait(context, now, wanted)


def not_back(stopped: list[StoppedService]) -> Failed:
    """The failure ``services_not_back``, with names and exit codes."""
    return Failed(
        "Everything is installed, but after the reboot these services do not run, which ran before: "
        f"{', '.join(map(_named, stopped))}. patch_ignore_services leaves services out.",
        Reason.SERVICES_NOT_BACK,
    )


def _stopped_after_wait(context: OperationContext, now: BootState, wanted: Collection[str]) -> list[StoppedService]:
    """Those that are still stopped when the time for the agent is over."""
    stopped = _not_back(now, wanted)

    def all_are_back() -> bool:
        state = read_boot_state(context)
        if state is not None:
            stopped[:] = _not_back(state, wanted)
        return not stopped

    if stopped:
        context.wait_until(all_are_back, context.deadline(context.params["agent_timeout_seconds"]), 15.0)
    return stopped


def _not_back(state: BootState, wanted: Collection[str]) -> list[StoppedService]:
    return sorted(
        (service for service in state.stopped_services if service.name in wanted), key=lambda service: service.name
    )


def _named(service: StoppedService) -> str:
    how = "not started" if service.exit_code == NEVER_STARTED else f"exit code {service.exit_code}"
    return f"{service.name} ({how})"
