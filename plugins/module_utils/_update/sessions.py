# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The step windows_sessions: people who are logged on, whose work a reboot would take."""

from __future__ import annotations

from typing import Any

from .._base.errors import Deferred, Failed, Unreachable
from .._host.answers import SentMessage, Sessions
from .._host.guest_scripts import run_guest_script
from .._model.reasons import Reason
from .._operation.context import OperationContext

INSPECT_SECONDS = 300
MESSAGE_SHOWN_SECONDS = 600
"""msg.exe shows a message for this time, or until it is read."""
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 60.0, 120.0


def work(context: OperationContext) -> dict[str, Any]:
    """Mind them as the policy says, or tell them.

    Returns:
        changed (whether a message was sent), sessions.

    Raises:
        Deferred: a user is logged on and the policy is defer, or is still after the time of wait; a host without a managed
            node cannot be reached any more.
    """
    if context.params["state"] == "notified":
        return _send_message(context)
    policy, count = context.params["policy"], _first_count(context)
    if count and policy == "wait":
        count = _wait(context, count)
    elif count and policy == "defer":
        raise Deferred(f"{are_logged_on(count)} (patch_sessions is defer).", Reason.SESSIONS)
    elif count and policy == "warn":
        context.report_progress(f"{are_logged_on(count)}; a reboot will take their work")
    return {"changed": False, "sessions": count}


def are_logged_on(count: int) -> str:
    """The beginning of a sentence."""
    return "1 person is logged on" if count == 1 else f"{count} people are logged on"


def _first_count(context: OperationContext) -> int:
    try:
        return _count(context)
    except Unreachable as error:  # nothing was started yet
        raise Deferred(error.reason, error.code) from error


def _count(context: OperationContext) -> int:
    count = run_guest_script(context, Sessions, INSPECT_SECONDS).sessions
    context.update_facts(sessions=count)
    return count


def _wait(context: OperationContext, count: int) -> int:
    timeout_seconds = float(context.params["timeout_seconds"])
    context.report_progress(f"{are_logged_on(count)}: waiting at most {timeout_seconds:.0f} s until no user is")
    seen = [count]

    def poll() -> bool | None:
        seen.append(_count(context))
        return True if seen[-1] == 0 else None

    if context.wait(poll, context.deadline(timeout_seconds), FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS) is None:
        raise Deferred(
            f"{are_logged_on(seen[-1])} still after {timeout_seconds:.0f} s "
            "(patch_sessions is wait, patch_sessions_timeout_seconds).",
            Reason.SESSIONS,
        )
    return 0


def _send_message(context: OperationContext) -> dict[str, Any]:
    """A message that cannot be shown is no reason to leave the host unpatched."""
    text = context.params["text"]
    if not text or context.check_mode:
        return {"changed": bool(text), "sessions": None}
    try:
        message = run_guest_script(context, SentMessage, INSPECT_SECONDS, message=text, seconds=MESSAGE_SHOWN_SECONDS)
    except Failed as error:
        context.report_progress(f"the users could not be notified: {error.reason}")
        return {"changed": False, "sessions": None}
    if message.sent:
        context.report_progress(f"{are_logged_on(message.sessions)}, and notified")
    return {"changed": bool(message.sent), "sessions": message.sessions}
