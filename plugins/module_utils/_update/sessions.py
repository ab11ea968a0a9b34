# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation windows_sessions: people who are logged on, whose work a reboot would take."""

from __future__ import annotations

from .._base.errors import Deferred, Failed, Unreachable
from .._host.answers import SentMessage, Sessions
from .._host.guest_scripts import run_guest_script
from .._model.reasons import Reason
from .._operation.context import OperationContext
from .._operation.results import Result
from .cluster import prepare_node
from .in_use import refuse_host_in_use
from .messages import sessions_deferred, sessions_notified, sessions_timed_out, sessions_waiting, sessions_warning

INSPECT_SECONDS = 300
MESSAGE_SHOWN_SECONDS = 600
"""msg.exe shows a message for this time, or until it is read."""
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 60.0, 120.0


class SessionsResult(Result):
    """How many users are logged on; None where they were not counted."""

    sessions: int | None


def work(context: OperationContext) -> SessionsResult:
    """Wait, defer or warn as the policy says, or show the users a message.

    Returns:
        changed (whether a message was sent), sessions.

    Raises:
        Deferred: a user is logged on and the policy is defer, or is still after the time of wait; a host without a managed
            node cannot be reached any more.
    """
    if context.params["state"] == "notified":
        return _send_message(context)
    policy = context.params["policy"]
    asks = policy != "ignore" or (context.params["clusters"] == "ignore" and not context.params["skip_when"])
    count = _first_count(context) if asks else None
    if count and policy == "wait":
        count = _wait(context, count)
    elif count and policy == "defer":
        raise Deferred(sessions_deferred(count), Reason.SESSIONS)
    elif count and policy == "warn":
        context.report_progress(sessions_warning(count))
    refuse_host_in_use(context)
    return {"changed": prepare_node(context), "sessions": count}


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
    timeout_seconds = context.params["timeout_seconds"]
    context.report_progress(sessions_waiting(count, timeout_seconds))
    counts = [count]

    def no_user_is_logged_on() -> bool:
        counts.append(_count(context))
        return counts[-1] == 0

    deadline = context.deadline(timeout_seconds)
    if not context.wait_until(no_user_is_logged_on, deadline, FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS):
        raise Deferred(sessions_timed_out(counts[-1], timeout_seconds), Reason.SESSIONS)
    return 0


def _send_message(context: OperationContext) -> SessionsResult:
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
        context.report_progress(sessions_notified(message.sessions))
    return {"changed": bool(message.sent), "sessions": message.sessions}
