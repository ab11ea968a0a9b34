# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Does Windows install updates right now, and does it get on?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .._base.clock import parse_iso
from .._base.errors import PatchFleetError
from .._operation.context import OperationContext
from .guest_scripts import run_guest_script
from .scripts import ScriptEnded

ASK_SECONDS = 300
HUNG_SECONDS = 3600.0
"""The servicing log is written all the time; the longest silences that people report of a healthy one are some minutes."""
SAMPLE_SECONDS = 60.0
IDLE_CPU_SECONDS = 1.0
"""Processor time within a sample; less is what a process takes that only waits."""


@contextmanager
def servicing(context: OperationContext) -> Iterator[None]:
    """Written down while Windows is serviced by something else than an installing pass: whoever would cut the power of the
    host asks it first. Stays written when nobody knows whether that has ended.
    """
    context.update_facts(servicing=True)
    try:
        yield
    except ScriptEnded:
        context.update_facts(servicing=False)
        raise
    except PatchFleetError as error:
        context.update_facts(installation_overdue=error.code in {"installation_running", "installation_hung"})
        raise
    context.update_facts(servicing=False)


def is_quiet(context: OperationContext, instance_id: str) -> bool:
    """Whether nothing is being installed in the host, by its own word.

    Raises:
        PatchFleetError: it cannot be asked.
    """
    if "servicing_state" not in context.params["scripts"]:
        raise PatchFleetError(
            f"nothing here can ask {instance_id} (the script servicing_state is not given).", "no_script"
        )
    return not run_guest_script(context, "servicing_state", ASK_SECONDS)["installing"]


def refuse_hung(context: OperationContext) -> None:
    """Raises PatchFleetError when an installation goes on but gets nowhere, see stands_still_since.

    Power is not cut: a servicing that is cut off may never boot again.
    """
    since = stands_still_since(context)
    if since:
        raise PatchFleetError(
            f"An installation that was under way has made no progress since {since}. It is not cut off; look at the host.",
            "installation_hung",
        )


def stands_still_since(context: OperationContext) -> str | None:
    """When the servicing log was last written, if an installation goes on and neither the log nor the processes get on."""
    if "servicing_state" not in context.params["scripts"]:
        return None
    before = _state(context)
    if not _is_silent(context, before):
        return None
    context.pause(SAMPLE_SECONDS)
    now = _state(context)
    worked = _cpu_seconds(now) - _cpu_seconds(before) >= IDLE_CPU_SECONDS or now.get("processes") != before.get(
        "processes"
    )
    return str(now["last_progress_at"]) if _is_silent(context, now) and not worked else None


def diagnose_overrun(context: OperationContext) -> tuple[str, str]:
    """Reason code and the end of a sentence that tell an installation which is hung from one that is slow."""
    try:
        since = stands_still_since(context)
    except PatchFleetError as error:
        if error.outcome != "failed":
            raise
        since = None  # a host that cannot be asked any more says nothing
    return ("installation_hung", f", and has made no progress since {since}") if since else ("install_timeout", "")


def _state(context: OperationContext) -> dict[str, Any]:
    return run_guest_script(context, "servicing_state", ASK_SECONDS)


def _is_silent(context: OperationContext, state: dict[str, Any]) -> bool:
    last = state.get("last_progress_at")
    return bool(state["installing"] and last and context.clock.now() - parse_iso(last) >= HUNG_SECONDS)


def _cpu_seconds(state: dict[str, Any]) -> float:
    return float(state.get("cpu_seconds") or 0.0)
