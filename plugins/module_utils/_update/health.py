# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The step windows_update_health: can Windows Update work in this host, and if not, can it be mended?

Services must be usable, not running: a healthy idle host has wuauserv stopped and starts it on demand. So the Update agent is
asked a question instead of judging service states.
"""

from __future__ import annotations

from typing import Any

from .._base.errors import PatchFleetError
from .._host.guest_scripts import run_guest_script
from .._host.scripts import ScriptEnded
from .._host.servicing import refuse_hung, servicing
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
    context.update_facts(update_source=health["update_source"])
    _warn_about_sessions(context, int(health["sessions"]))
    repaired: tuple[str, ...] = ()
    if context.params["state"] == "repaired" and not context.check_mode:
        health = _wait_for_others(context, health)
        health, repaired = _mend(context, health)
        _refuse_broken(context, health)
    return {
        "changed": bool(repaired),
        "repaired": list(repaired),
        "sessions": health["sessions"],
        "pending_reboot": health["pending_reboot"],
        "update_source": health["update_source"],
    }


def _inspect(context: OperationContext) -> dict[str, Any]:
    return run_guest_script(context, "inspect_windows_update", INSPECT_SECONDS)


def _warn_about_sessions(context: OperationContext, count: int) -> None:
    context.update_facts(sessions=count)
    if count and context.params["warn_of_sessions"]:
        context.report_progress(f"{are_logged_on(count)}; a reboot will take their work")


def _wait_for_others(context: OperationContext, health: dict[str, Any]) -> dict[str, Any]:
    """An installation that is already going on is waited for, never doubled."""
    if not health.get("installing"):
        return health
    context.report_progress("an installation is already under way in it: waiting")

    def poll() -> dict[str, Any] | None:
        now = _inspect_while_it_reboots(context)
        if now is None:
            return None
        if not now.get("installing"):
            return now
        refuse_hung(context)
        return None

    with servicing(context):
        deadline = context.deadline(float(context.params["install_timeout_seconds"]))
        ended = context.wait(poll, deadline, first_pause_seconds=60.0, longest=120.0)
        if ended is None:
            raise PatchFleetError(
                "An installation by somebody else was still going on when the time was over.", "installation_running"
            )
    return ended


def _inspect_while_it_reboots(context: OperationContext) -> dict[str, Any] | None:
    """None where no answer came: an installation ends with reboots, which take a script with them."""
    try:
        return _inspect(context)
    except ScriptEnded:
        raise
    except PatchFleetError as error:
        if error.code not in {"script_failed", "command_timeout", "unreachable"}:
            raise
        context.report_progress("no answer: it may be rebooting")
        return None


def _mend(context: OperationContext, health: dict[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The health after the repair that fits what is wrong, if there is one, and what was repaired."""
    cause = _trouble(health)
    if cause is None or not may_repair(context, cause):
        return health, ()
    values = {"services": _services_to_mend(health)} if cause is SERVICE else {}
    repaired = repair(context, cause, **values)
    health = _inspect(context)
    if _trouble(health) is None:
        remove_backup(context)
    return health, repaired


def _trouble(health: dict[str, Any]) -> Cause | None:
    """What keeps Windows Update from working, None when nothing does."""
    if any(service["start_type"] == "disabled" for service in health["services"]):
        return SERVICE
    failed = next((health[question] for question in ("agent", "search") if not health[question]["ok"]), None)
    return cause_of(failed.get("hresult")) if failed else None


def _services_to_mend(health: dict[str, Any]) -> list[str]:
    names = [service["name"] for service in health["services"] if service["start_type"] == "disabled"]
    if "wuauserv" not in names and not (names and health["agent"]["ok"]):
        names.append("wuauserv")
    return names


def _refuse_broken(context: OperationContext, health: dict[str, Any]) -> None:
    failed = next((health[question] for question in ("agent", "search") if not health[question]["ok"]), None)
    if failed is None:
        return
    cause = cause_of(failed.get("hresult"))
    what = f"{str(failed.get('message') or 'no message').rstrip('. ')} ({failed.get('hresult')})"
    advice = advice_on(cause, health["update_source"])
    raise PatchFleetError(f"{cause.sentence}: {what}. {advice}".rstrip() + backup_note(context), cause.code)
