# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What worked before a host was patched works after it: the user's checks, the services, and the evidence.

All are taken before and after, and stay in the report. Where several see one fault, a check comes first, then the services.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from .._base.errors import Failed, LoginRefused
from .._host.answers import BootState
from .._ledger.earlier import earlier_hosts
from .._ledger.records import Host
from .._model.checks import COMPARED, EVENTS, FAILURE, REMARK, SERVICES, SETTLING, CheckState, EvidenceState
from .._model.outcomes import UP_TO_DATE
from .._model.phases import Phase
from .._model.reasons import Reason
from .._operation.context import OperationContext
from . import messages, reboots
from .observed import Observed, is_asked_for, levels, observe

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 15.0, 60.0


@dataclass(frozen=True)
class Before:
    """What worked before.

    Attributes:
        checks: whether each check passed, None where that is not known.
        details: what was wrong with those that failed.
        evidence: the items of each kind, None where they are not known.
        remarks: what could not be found out.
    """

    checks: Mapping[str, bool | None] = field(default_factory=dict)
    details: Mapping[str, str | None] = field(default_factory=dict)
    evidence: Mapping[str, tuple[str, ...] | None] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Broken:
    """What worked before and does not now.

    Attributes:
        checks: what is wrong, by the names of the checks.
        evidence: the items that are gone, by the kinds; one that could not be taken has the reason as its only item.
    """

    checks: Mapping[str, str | None]
    evidence: Mapping[str, tuple[str, ...]]


def take_before(context: OperationContext, boot: BootState | None) -> Before | None:
    """Ask the host before anything is installed; None where no user wants it. A host that has just started gets time to settle."""
    if not is_asked_for(context):
        return None
    observed = observe(context)
    left = context.params["checks_settle_seconds"] - (observed.up_seconds or 0.0)
    if observed.trouble is None and left > 0 and not _all_pass(observed):
        context.report_progress("some checks fail, and Windows has just started: checking again")
        observed = _observe_until(context, _all_pass, context.deadline(left), observed)
    dead = _left_by_dead_run(context)
    passed = {check["name"]: _passed(observed, check["name"]) for check in context.params["checks"]}
    evidence = {kind: _items(observed, kind) for kind in levels(context) if kind != SERVICES}
    if SERVICES in levels(context) and boot:
        evidence[SERVICES] = tuple(sorted(boot.services))
    if dead:
        passed |= {name: state["before"] for name, state in dead.facts.get("checks", {}).items() if name in passed}
        earlier = dead.facts.get("evidence", {})
        evidence |= {kind: tuple(state["before"] or ()) for kind, state in earlier.items() if kind in evidence}
    details = {name: answer.detail for name, answer in observed.checks.items()}
    troubles = [messages.not_taken(kind, row.trouble) for kind, row in observed.evidence.items() if row.trouble]
    unknown = [messages.not_asked_before(observed.trouble)] if observed.trouble else []
    before = Before(passed, details, evidence, (*unknown, *troubles))
    _store(context, before, None, None)
    return before


def refuse_what_broke(
    context: OperationContext, was: Before | None, before: BootState | None, now: BootState | None
) -> None:
    """Compare services, checks and evidence with what was before.

    Args:
        context: of the operation.
        was: what take_before has found.
        before: services and boot before the installation.
        now: the same afterwards, where the host was rebooted.

    Raises:
        PatchFleetError: ``check_failed`` or ``services_not_back``.
    """
    deadline = context.deadline(context.params["checks_settle_seconds"])
    stopped = reboots.stopped_services(context, before, now)
    broken, remarks = Broken({}, {}), list[str]()
    if was is not None:
        context.enter(Phase.VERIFY)
        broken, remarks = _compare(context, was, deadline, now)
    level = levels(context).get(SERVICES, FAILURE)
    if stopped and level == REMARK:
        remarks.append(reboots.not_back(stopped).reason)
    _add_remarks(context, remarks)
    if broken.checks:
        raise Failed(messages.checks_failed(broken.checks), Reason.CHECK_FAILED)
    if stopped and level == FAILURE:
        raise reboots.not_back(stopped)
    failures = _at_level(context, broken, FAILURE)
    if failures:
        raise Failed(messages.gone_since(failures), Reason.CHECK_FAILED)


def observe_after(context: OperationContext, was: Before | None) -> None:
    """Keep what works now in a host that has failed for another reason: it decides nothing."""
    if was is not None:
        with suppress(LoginRefused):
            _store(context, was, observe(context), None)


def _compare(
    context: OperationContext, was: Before, deadline: float, boot: BootState | None
) -> tuple[Broken, list[str]]:
    """What is broken once the time to settle is over, and the remarks."""

    def is_whole(observed: Observed) -> bool:
        broken = _broken(was, observed)
        return not broken.checks and not set(broken.evidence) & set(SETTLING)

    observed = observe(context)
    if not is_whole(observed):
        context.report_progress("something that worked before does not yet: waiting for it")
        observed = _observe_until(context, is_whole, deadline, observed)
    _store(context, was, observed, boot)
    broken = _broken(was, observed)
    failed_before = [name for name, passed in was.checks.items() if passed is False]
    return broken, [
        *was.remarks,
        *(messages.failed_before(name, was.details.get(name)) for name in failed_before),
        *messages.gone_remarks(_at_level(context, broken, REMARK)),
        *messages.new_errors(_new_errors(was, observed)),
    ]


def _observe_until(
    context: OperationContext, is_good: Callable[[Observed], bool], deadline: float, first: Observed
) -> Observed:
    last = [first]

    def good() -> bool:
        last[:] = [observe(context)]
        return is_good(last[0])

    if context.clock.now() < deadline:
        context.pause(min(FIRST_PAUSE_SECONDS, deadline - context.clock.now()))
        context.wait_until(good, deadline, FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS)
    return last[0]


def _all_pass(observed: Observed) -> bool:
    return all(answer.ok for answer in observed.checks.values())


def _passed(observed: Observed, name: str) -> bool | None:
    return observed.checks[name].ok if name in observed.checks else None


def _items(observed: Observed, kind: str) -> tuple[str, ...] | None:
    row = observed.evidence.get(kind)
    return row.items if row and not row.trouble else None


def _broken(was: Before, observed: Observed) -> Broken:
    """A check that cannot be run any more is broken, too: its page may be what keeps the host from answering."""
    lost = observed.trouble or "The host gave no answer."
    checks = {
        name: observed.checks[name].detail if name in observed.checks else lost
        for name, passed in was.checks.items()
        if passed and not _passed(observed, name)
    }
    gone = {kind: _gone(was.evidence.get(kind) or (), observed, kind) for kind in COMPARED}
    return Broken(checks, {kind: items for kind, items in gone.items() if items})


def _gone(items: tuple[str, ...], observed: Observed, kind: str) -> tuple[str, ...]:
    """What comes after the last item of a list that was cut may be there all the same."""
    row = observed.evidence.get(kind)
    if row is None or row.trouble:
        return (messages.unknown_items(row.trouble if row else observed.trouble),) if items else ()
    last = row.items[-1] if row.is_cut and row.items else None
    return tuple(item for item in items if item not in row.items and (last is None or item < last))


def _at_level(context: OperationContext, broken: Broken, level: str) -> dict[str, tuple[str, ...]]:
    wanted = levels(context)
    return {kind: items for kind, items in broken.evidence.items() if wanted.get(kind) == level}


def _new_errors(was: Before, observed: Observed) -> list[str]:
    """Sources of errors since the boot that had none before; their counts say nothing, as the time since the boot differs."""
    known = {item.rpartition(": ")[0] for item in was.evidence.get(EVENTS) or ()}
    return [item for item in _items(observed, EVENTS) or () if item.rpartition(": ")[0] not in known]


def _store(context: OperationContext, was: Before, observed: Observed | None, boot: BootState | None) -> None:
    after = observed or Observed()
    found = {kind: _items(after, kind) for kind in was.evidence}
    if SERVICES in found:
        found[SERVICES] = tuple(sorted(boot.services)) if boot else None
    context.update_facts(
        checks={name: CheckState(before=passed, after=_passed(after, name)) for name, passed in was.checks.items()},
        evidence={
            kind: EvidenceState(before=_as_list(items), after=_as_list(found[kind]))
            for kind, items in was.evidence.items()
        },
    )


def _as_list(items: tuple[str, ...] | None) -> list[str] | None:
    return None if items is None else list(items)


def _add_remarks(context: OperationContext, remarks: list[str]) -> None:
    if remarks:
        context.update_facts(remarks=[*context.facts.get("remarks", []), *remarks])


def _left_by_dead_run(context: OperationContext) -> Host | None:
    """The host in the first run that took it as it was, installed something, and died before it could compare."""
    if not context.tracked_host:
        return None
    hosts = earlier_hosts(context.ledger, [context.facts.get("adopted_from")], context.tracked_host[1])
    open_hosts = [
        host for host in hosts if host.outcome not in UP_TO_DATE and host.facts.get("proposed_outcome") is None
    ]
    return next((host for host in reversed(open_hosts) if host.facts.get("checks") or host.facts.get("evidence")), None)
