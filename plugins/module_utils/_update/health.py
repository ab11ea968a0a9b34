# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The step windows_update_health: can Windows Update work in this host, and if not, can it be mended?

Services must be usable, not running: a healthy idle host has wuauserv stopped and starts it on demand. So the Update agent is
asked a question instead of judging service states.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from .._base.errors import CommandTimeout, Failed, NoAnswer, Unreachable
from .._host.guest_scripts import run_guest_script
from .._host.servicing import InstallationOverdue, refuse_hung, servicing
from .._host.update_answers import Reply, UpdateHealth
from .._model.host_facts import UpdateSource
from .._model.reasons import Reason
from .._operation.context import OperationContext
from .hresults import SERVICE, Cause, advice_on, cause_of
from .repair import backup_note, may_repair, remove_backup, repair
from .sessions import are_logged_on

INSPECT_SECONDS = 600


def work(context: OperationContext) -> dict[str, Any]:
    """Look, and with state repaired mend what is known to be mendable, once.

    Returns:
        changed, repaired (list of repairs), sessions, pending_reboot, update_source.

    Raises:
        PatchFleetError: the cause's code, with the HRESULT, where Windows Update cannot work.
    """
    health = _inspect(context)
    found = health.update_source
    source = UpdateSource(kind=found.kind, url=found.url, proxy=found.proxy)
    context.update_facts(update_source=source)
    _warn_about_sessions(context, health.sessions)
    repaired: tuple[str, ...] = ()
    if context.params["state"] == "repaired" and not context.check_mode:
        health = _wait_for_others(context, health)
        health, repaired = _mend(context, health)
        _refuse_broken(context, health)
    return {
        "changed": bool(repaired),
        "repaired": list(repaired),
        "sessions": health.sessions,
        "pending_reboot": list(health.pending_reboot),
        "update_source": source,
    }


def _inspect(context: OperationContext) -> UpdateHealth:
    return run_guest_script(context, UpdateHealth, INSPECT_SECONDS)


def _warn_about_sessions(context: OperationContext, count: int) -> None:
    context.update_facts(sessions=count)
    if count and context.params["warn_of_sessions"]:
        context.report_progress(f"{are_logged_on(count)}; a reboot will take their work")


def _wait_for_others(context: OperationContext, health: UpdateHealth) -> UpdateHealth:
    """An installation that is already going on is waited for, never doubled."""
    if not health.installing:
        return health
    context.report_progress("an installation is already under way in it: waiting")

    def poll() -> UpdateHealth | None:
        now = _inspect_while_it_reboots(context)
        if now is None:
            return None
        if not now.installing:
            return now
        refuse_hung(context)
        return None

    with servicing(context):
        deadline = context.deadline(float(context.params["install_timeout_seconds"]))
        ended = context.wait(poll, deadline, first_pause_seconds=60.0, longest=120.0)
        if ended is None:
            raise InstallationOverdue(
                "An installation by somebody else was still going on when the time was over.",
                Reason.INSTALLATION_RUNNING,
            )
    return ended


def _inspect_while_it_reboots(context: OperationContext) -> UpdateHealth | None:
    """None where no answer came: an installation ends with reboots, which take a script with them."""
    try:
        return _inspect(context)
    except (NoAnswer, CommandTimeout, Unreachable):
        context.report_progress("no answer: it may be rebooting")
        return None


def _mend(context: OperationContext, health: UpdateHealth) -> tuple[UpdateHealth, tuple[str, ...]]:
    """The health after the repair that fits what is wrong, if there is one, and what was repaired."""
    cause = _trouble(health)
    if cause is None or not may_repair(context, cause):
        return health, ()
    repaired = repair(context, cause, _services_to_mend(health))
    health = _inspect(context)
    if _trouble(health) is None:
        remove_backup(context)
    return health, repaired


def _trouble(health: UpdateHealth) -> Cause | None:
    """What keeps Windows Update from working, None when nothing does."""
    if any(service.start_type == "disabled" for service in health.services):
        return SERVICE
    failed = _failed_reply(health)
    return cause_of(failed.hresult) if failed else None


def _failed_reply(health: UpdateHealth) -> Reply | None:
    return next((reply for reply in (health.agent, health.search) if not reply.ok), None)


def _services_to_mend(health: UpdateHealth) -> list[str]:
    names = [service.name for service in health.services if service.start_type == "disabled"]
    if "wuauserv" not in names and not (names and health.agent.ok):
        names.append("wuauserv")
    return names


def _refuse_broken(context: OperationContext, health: UpdateHealth) -> None:
    failed = _failed_reply(health)
    if failed is None:
        return
    cause = cause_of(failed.hresult)
    what = f"{(failed.message or 'no message').rstrip('. ')} ({failed.hresult or 'no code'})"
    advice = advice_on(cause, asdict(health.update_source))
    raise Failed(f"{cause.sentence}: {what}. {advice}".rstrip() + backup_note(context), cause.code)
