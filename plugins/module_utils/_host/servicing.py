# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Does Windows install updates right now, and does it get on?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

from .._base.clock import iso
from .._base.errors import Failed
from .._model.reasons import Reason
from .._operation.context import OperationContext
from .guest_scripts import has_script, run_guest_script
from .update_answers import ServicingState

ASK_SECONDS = 300
LAST_STATE = "last_servicing_state"
HUNG_SECONDS = 3600.0
"""The servicing log is written all the time; the longest silences that people report of a healthy one are some minutes."""
LATE_DELIVERY_SECONDS = 300.0
"""A command whose delivery timed out may still be run: the service gave it up, and the node may have it all the same."""
SAMPLE_SECONDS = 60.0
IDLE_CPU_SECONDS = 1.0
"""Processor time within a sample; less is what a process takes that only waits."""


@dataclass(frozen=True)
class Overrun:
    """An installation that did not end in time, as the host shows it.

    Attributes:
        code: ``install_timeout``, ``installation_hung`` or ``agent_lost``.
        no_progress_since: when the servicing log was last written, of one that hangs.
        agent_silent_since: when the SSM agent last pinged, of one whose host does not answer.
    """

    code: Reason
    no_progress_since: str | None = None
    agent_silent_since: str | None = None


def fail_overdue(context: OperationContext, sentence: str, code: Reason) -> NoReturn:
    """Fail because an installation has not ended in its time, or makes no progress. It continues in the host and is not cut off.
    The fact ``installation_overdue`` says that a stop does not wait for it again.

    Raises:
        Failed: always.
    """
    context.update_facts(installation_overdue=True)
    raise Failed(sentence, code)


def is_quiet(context: OperationContext, instance_id: str) -> bool:
    """Whether Windows installs nothing in the host, as the host itself says.

    Raises:
        PatchFleetError: the host cannot be asked, or cannot know it (``installation_unknown``).
    """
    if not has_script(context, ServicingState):
        raise Failed(
            f"Whether {instance_id} installs updates is unknown, because the script servicing_state is not given.",
            Reason.NO_SCRIPT,
        )
    installing = servicing_state(context).installing
    if installing is None:
        raise Failed(
            "Windows does not say whether it installs something: its Update agent refuses the question.",
            Reason.INSTALLATION_UNKNOWN,
        )
    return not installing


def servicing_state(context: OperationContext) -> ServicingState:
    """What the servicing stack of the host does now."""
    state = run_guest_script(context, ServicingState, ASK_SECONDS)
    context.cache[LAST_STATE] = state
    return state


def last_progress(context: OperationContext) -> float:
    """When the servicing log of a quiet host was last written, by the controller's clock; now, where the host does not say it."""
    written_at = last_written_at(context, last_servicing_state(context))
    return context.clock.now() if written_at is None else written_at


def last_servicing_state(context: OperationContext) -> ServicingState | None:
    """What the host said last in this operation; None where it was not asked."""
    state: ServicingState | None = context.cache.get(LAST_STATE)
    return state


def last_written_at(context: OperationContext, state: ServicingState | None) -> float | None:
    """When the servicing log was last written, by the controller's clock; None where the host does not say it."""
    if state is None or state.time is None or state.last_progress_at is None:
        return None
    return context.clock.now() - max(state.time - state.last_progress_at, 0.0)


def wait_until_quiet(context: OperationContext, instance_id: str, deadline: float, quiet_seconds: float = 0.0) -> bool:
    """Wait until nothing has been installed in the host for this time; False when that was not so at the deadline.

    Raises:
        PatchFleetError: it cannot be asked.
    """
    quiet_since: list[float] = []

    def is_quiet_for_long() -> bool:
        if not is_quiet(context, instance_id):
            quiet_since.clear()
            return False
        quiet_since.append(context.clock.now())
        return context.clock.now() - quiet_since[0] >= quiet_seconds

    return context.wait_until(is_quiet_for_long, deadline, 60.0, 120.0)


def refuse_hung(context: OperationContext) -> None:
    """Raises PatchFleetError when an installation is active but makes no progress, see stands_still_since.

    Power is not cut: a servicing that is cut off may never boot again.
    """
    since = stands_still_since(context)
    if since:
        fail_overdue(
            context,
            f"An installation that was under way has made no progress since {since}. It is not cut off; check the host.",
            Reason.INSTALLATION_HUNG,
        )


def stands_still_since(context: OperationContext) -> str | None:
    """When the servicing log was last written, if an installation is active and neither the log nor the processes make progress."""
    if not has_script(context, ServicingState):
        return None
    before = servicing_state(context)
    if not _is_silent(context, before):
        return None
    context.pause(SAMPLE_SECONDS)
    now = servicing_state(context)
    worked = now.cpu_seconds - before.cpu_seconds >= IDLE_CPU_SECONDS or now.processes != before.processes
    return iso(now.last_progress_at) if _is_silent(context, now) and not worked else None


def diagnose_overrun(context: OperationContext) -> Overrun:
    """Whether an installation that did not end in time is hung or slow."""
    try:
        since = stands_still_since(context)
    except Failed:
        since = None  # a host that cannot be asked any more says nothing
    if since:
        return Overrun(Reason.INSTALLATION_HUNG, no_progress_since=since)
    return Overrun(Reason.INSTALL_TIMEOUT)


def _is_silent(context: OperationContext, state: ServicingState) -> bool:
    """By the host's own clock, which may differ from ours."""
    if not state.installing or state.last_progress_at is None:
        return False
    now = context.clock.now() if state.time is None else state.time
    return now - state.last_progress_at >= HUNG_SECONDS
