# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The step windows_sessions: people who are logged on, whose work a reboot would take."""

from __future__ import annotations

from typing import Any

from .._errors import Deferred, PatchFleetError
from .._step import TRACKING_ARGUMENTS, Step, StepContext
from .run import run_guest_script

LOOK_SECONDS = 300
MESSAGE_SHOWN_SECONDS = 600
"""msg.exe shows a message for so long, or until it is read."""
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 60.0, 120.0


def work(context: StepContext) -> dict[str, Any]:
    """Mind them as the policy says, or tell them.

    Returns:
        changed (whether a message was sent), sessions.

    Raises:
        Deferred: somebody is logged on and the policy is defer, or is still after the time of wait; a host without a managed
            node cannot be reached any more.
    """
    if context.params["state"] == "told":
        return _tell(context)
    policy, count = context.params["policy"], _first_count(context)
    if count and policy == "wait":
        count = _wait(context, count)
    elif count and policy == "defer":
        raise Deferred(f"{are_logged_on(count)} (patch_sessions is defer).", "sessions")
    elif count and policy == "warn":
        context.say(f"{are_logged_on(count)}; a reboot will take their work")
    return {"changed": False, "sessions": count}


def are_logged_on(count: int) -> str:
    """The beginning of a sentence."""
    return "1 person is logged on" if count == 1 else f"{count} people are logged on"


def _first_count(context: StepContext) -> int:
    try:
        return _count(context)
    except PatchFleetError as error:
        if context.connection and error.code == "unreachable":  # nothing was begun yet
            raise Deferred(error.reason, error.code) from error
        raise


def _count(context: StepContext) -> int:
    count = int(run_guest_script(context, "inspect_sessions", LOOK_SECONDS)["sessions"])
    context.learn(sessions=count)
    return count


def _wait(context: StepContext, count: int) -> int:
    patience = float(context.params["timeout_seconds"])
    context.say(f"{are_logged_on(count)}: waiting at most {patience:.0f} s until nobody is")
    seen = [count]

    def look() -> bool | None:
        seen.append(_count(context))
        return True if seen[-1] == 0 else None

    if context.wait(look, context.deadline(patience), FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS) is None:
        raise Deferred(
            f"{are_logged_on(seen[-1])} still after {patience:.0f} s (patch_sessions is wait, patch_sessions_timeout_seconds).",
            "sessions",
        )
    return 0


def _tell(context: StepContext) -> dict[str, Any]:
    """A message that cannot be shown is no reason to leave the host unpatched."""
    message = context.params["text"]
    if not message or context.check_mode:
        return {"changed": bool(message), "sessions": None}
    try:
        told = run_guest_script(
            *(context, "send_session_message", LOOK_SECONDS), message=message, seconds=MESSAGE_SHOWN_SECONDS
        )
    except PatchFleetError as error:
        if error.outcome != "failed":
            raise
        context.say(f"people could not be told: {error.reason}")
        return {"changed": False, "sessions": None}
    if told["sent"]:
        context.say(f"{are_logged_on(told['sessions'])}, and told of what comes")
    return {"changed": bool(told["sent"]), "sessions": told["sessions"]}


STEP = Step(
    name="windows_sessions",
    phase={"checked": "ready", "told": "patch"},
    arguments={
        **TRACKING_ARGUMENTS,
        "instance_id": {"type": "str", "required": True},
        "state": {"type": "str", "choices": ["checked", "told"], "default": "checked"},
        "policy": {"type": "str", "choices": ["warn", "ignore", "defer", "wait"], "default": "warn"},
        "timeout_seconds": {"type": "int", "default": 3600},
        "text": {"type": "str"},
        "scripts": {"type": "dict", "required": True},
    },
    work=work,
)
