# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation windows_update_health: can Windows Update work in this host, and if not, can it be repaired?

Services must be usable, not running: a healthy idle host has wuauserv stopped and starts it on demand. So the Update agent is
asked a question instead of judging service states.
"""

from __future__ import annotations

import itertools

from .._base.errors import CommandTimeout, Failed, NoAnswer, Unreachable
from .._base.text import join_sentences
from .._host.guest_scripts import run_guest_script
from .._host.servicing import fail_overdue, refuse_hung
from .._host.update_answers import Reply, UpdateHealth
from .._model.fact_values import UpdateSource
from .._model.reasons import Reason
from .._operation.context import OperationContext
from .._operation.results import Result
from . import messages
from .causes import SERVICE, SERVICE_OF_POLICY, Cause
from .cluster import resume_node
from .hresults import cause_of, name_of
from .policies import NEEDED, disabled_by_policy, refine
from .repair import OF_SERVICES, forbidden, may_repair, old_cache, remove_backup, repair
from .services import INSPECT_SECONDS, ServicesResult, disabled, restore_services, to_repair, wait_until_quiet

SEARCH_SECONDS = 3600
"""A host that was off for a month, or whose WSUS is busy, searches for 10 to 40 minutes."""
FRESH_SECONDS = 3600.0
"""A search that has worked in this time, such as that for the sizes of updates, is not repeated."""
SEARCHES = "searches"
ACCESS_REFUSED = "0x80070005"
"""E_ACCESSDENIED."""


class HealthResult(Result):
    """The repairs that were made, the number of logged-on users, the kinds of pending reboots, and the source of updates."""

    repaired: list[str]
    sessions: int
    pending_reboot: list[str]
    update_source: UpdateSource


def work(context: OperationContext) -> HealthResult | ServicesResult:
    """What the option state asks for: inspect Windows Update, repair what has a known repair, or set services back.

    Returns:
        changed, repaired (list of repairs), sessions, pending_reboot, update_source.

    Raises:
        PatchFleetError: the cause's code, with the HRESULT, where Windows Update cannot work.
    """
    if context.params["state"] == "restored":
        return _restore(context)
    health = _inspect_without_search(context) if _has_searched(context) else _inspect(context)
    source = _source_of(health)
    context.note_facts(update_source=source)
    _warn_about_sessions(context, health.sessions)
    repaired: tuple[str, ...] = ()
    if context.params["state"] == "repaired" and not context.check_mode:
        health = _wait_for_installation(context, health)
        if is_refused_to_logon(health):
            context.report_progress(
                "Windows refuses its Update API to this logon, so nothing is known before the installation"
            )
        health = _search_again(context, health)
        health, repaired = _repair(context, health)
        _refuse_broken(context, health)
    return {
        "changed": bool(repaired),
        "repaired": list(repaired),
        "sessions": health.sessions,
        "pending_reboot": list(health.pending_reboot),
        "update_source": source,
    }


def _inspect(context: OperationContext) -> UpdateHealth:
    """With a search for updates. One that does not end says nothing about Windows Update: the installation decides then."""
    context.cache[SEARCHES] = context.cache.get(SEARCHES, 0) + 1
    try:
        health = run_guest_script(context, UpdateHealth, SEARCH_SECONDS)
    except CommandTimeout:
        context.report_progress(f"its search for updates had not ended after {SEARCH_SECONDS} s: continuing without it")
        return _inspect_without_search(context)
    if health.search.ok:
        context.note_facts(searched_at=context.clock.now())
    return health


def _has_searched(context: OperationContext) -> bool:
    searched_at = context.facts.get("searched_at")
    return searched_at is not None and context.clock.now() - searched_at < FRESH_SECONDS


def _restore(context: OperationContext) -> ServicesResult:
    try:
        result = restore_services(context)
    finally:
        is_resumed = resume_node(context, failback=True, finish=wait_until_quiet)
    return {"changed": result["changed"] or is_resumed, "restored": result["restored"]}


def _inspect_without_search(context: OperationContext) -> UpdateHealth:
    """A search wakes the servicing stack, which is being watched."""
    return run_guest_script(context, UpdateHealth, INSPECT_SECONDS, search=False)


def _search_again(context: OperationContext, health: UpdateHealth) -> UpdateHealth:
    """An error that often passes is met again before it counts: an overloaded WSUS, a route, a busy agent."""
    for attempt in itertools.count():
        cause = _trouble(health)
        if cause is None or attempt >= len(cause.pauses):
            return health
        pause = cause.pauses[attempt]
        context.report_progress(f"{cause.sentence} Searching again in {pause:.0f} s.")
        context.pause(pause)
        health = _inspect(context)
    raise AssertionError  # count() does not end


def _warn_about_sessions(context: OperationContext, count: int) -> None:
    context.note_facts(sessions=count)
    if count and context.params["warn_of_sessions"]:
        context.report_progress(messages.sessions_warning(count))


def _wait_for_installation(context: OperationContext, health: UpdateHealth) -> UpdateHealth:
    """An installation that is already going on is waited for, never doubled; so is a clean-up of ours that takes long."""
    if not health.installing:
        if health.installing is False and context.facts.get("servicing"):
            context.update_facts(servicing=False, working_since=None)
        return health
    context.report_progress("an installation is already under way in it: waiting")
    context.update_facts(installation_found_at=context.clock.now())

    def health_after_installation() -> UpdateHealth | None:
        now = _inspect_while_it_reboots(context)
        if now is not None and now.installing:
            refuse_hung(context)
            return None
        return now

    context.update_facts(servicing=True)  # it stays while it is unknown whether the installation has ended
    deadline = context.deadline(context.install_timeout_seconds)
    ended = context.wait(health_after_installation, deadline, 60.0, 120.0)
    if ended is None:
        fail_overdue(
            context,
            "An installation that another program started was still running when the timeout was over.",
            Reason.INSTALLATION_RUNNING,
        )
    context.update_facts(servicing=False)
    return ended


def _inspect_while_it_reboots(context: OperationContext) -> UpdateHealth | None:
    """None where no answer came: an installation ends with reboots, which take a script with them."""
    try:
        return _inspect_without_search(context)
    except (NoAnswer, CommandTimeout, Unreachable):
        context.report_progress("no answer: it may be rebooting")
        return None


def _repair(context: OperationContext, health: UpdateHealth) -> tuple[UpdateHealth, tuple[str, ...]]:
    """The health after the repairs that fit what is wrong, and what was repaired.

    What disabled services hide shows once they are enabled, so the check after a repair may name another cause.
    """
    repaired: tuple[str, ...] = ()
    while (cause := _trouble(health)) is not None and may_repair(context, cause):
        if health.installing is None and cause.repair != OF_SERVICES:
            context.report_progress("Windows does not say whether it installs something, so nothing is repaired")
            break
        repaired += repair(context, cause, to_repair(health, cause))
        health = _search_again(context, _inspect(context))
    if repaired and _trouble(health) is None:
        remove_backup(context)
    return health, repaired


def _trouble(health: UpdateHealth) -> Cause | None:
    """What keeps Windows Update from working, None when nothing does."""
    if disabled_by_policy(health):
        return SERVICE_OF_POLICY
    if any(service.name in NEEDED for service in disabled(health)):
        return SERVICE
    failed = _failed_reply(health)
    return _cause(health, failed) if failed else None


def _cause(health: UpdateHealth, failed: Reply) -> Cause:
    return refine(cause_of(failed.hresult, at_search=health.agent.ok), health)


def _failed_reply(health: UpdateHealth) -> Reply | None:
    """The answer that shows what is wrong. A question that Windows refuses to this logon shows nothing."""
    if is_refused_to_logon(health):
        return None
    return next((reply for reply in (health.agent, health.search) if not reply.ok), None)


def is_refused_to_logon(health: UpdateHealth) -> bool:
    """Whether Windows refuses the whole Update API, as newer ones do to a network logon. win_updates does without it, in a task of
    Windows' scheduler; the installation and its search decide.
    """
    return health.installing is None and health.agent.hresult == ACCESS_REFUSED


def _source_of(health: UpdateHealth) -> UpdateSource:
    found = health.update_source
    return UpdateSource(kind=found.kind, url=found.url, proxy=found.proxy, policies=list(found.policies))


def _refuse_broken(context: OperationContext, health: UpdateHealth) -> None:
    stopped = disabled_by_policy(health)
    if stopped:
        names = messages.services_disabled([service.name for service in stopped])
        raise Failed(
            join_sentences(SERVICE_OF_POLICY.sentence, names, SERVICE_OF_POLICY.advice), SERVICE_OF_POLICY.code
        )
    failed = _failed_reply(health)
    if failed is None:
        return
    cause = _cause(health, failed)
    message = failed.message or name_of(failed.hresult)
    reason = join_sentences(
        cause.sentence,
        messages.windows_update_broken(failed.hresult, message, context.cache[SEARCHES] if cause.pauses else 0),
        messages.advice_on(cause, _source_of(health)),
        messages.repair_forbidden(forbidden(context, [cause])),
        messages.backup_kept(old_cache(context)),
    )
    raise Failed(reason, cause.code)
