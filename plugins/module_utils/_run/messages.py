# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The messages of this package that are made of several facts. Each function makes whole sentences of codes and data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .._aws.cloudwatch import AlarmState
from .._base.clock import iso
from .._base.commands import extra_variable, in_text
from .._base.text import clean_text, counted, join_names, join_sentences
from .._ledger.records import LEASE_SECONDS, PowerRecord, Run
from .._model.outcomes import Outcome
from .._model.phases import Phase
from .._model.run_settings import Brake, StopAlarm
from .common_causes import BreakerCause, BreakerCode
from .common_facts import CommonFacts
from .marked_instances import AccountSearch, Doubt, MarkedInstance
from .progress import Progress

ALARM_REASON_LENGTH = 300
NAMED = 10
"""The number of updates that are named."""
POST_TASKS_MISSING = "Its patch_post_tasks have not run."


def breaker_reason(cause: BreakerCause) -> str:
    """Why no other host starts: the report's field ``breaker`` of a run, ``account_breakers`` of an account."""
    hosts, failed = ", ".join(cause.hosts), "1 host" if cause.failures == 1 else f"{cause.failures} hosts"
    return {
        BreakerCode.CANARY_FAILED: f"The canary {hosts} failed.",
        BreakerCode.CANARY_NOT_PATCHED: "No canary was patched, so nothing is proven.",
        BreakerCode.BUDGET_SPENT: f"{failed} failed, and patch_failure_budget tolerates {cause.budget}.",
        BreakerCode.NOT_BOOTED: f"{hosts} has not come back from its updates, and the other hosts would get the same updates.",
        BreakerCode.NO_SOURCE: f"No host has reached its update source yet, and {hosts} could not.",
        BreakerCode.RIGHT_MISSING: f"Every host needs the right {cause.action}, and AWS refused it for {hosts}.",
        BreakerCode.ACCOUNT_RIGHT_MISSING: f"Every host of the account {cause.account} needs the right {cause.action}, and AWS "
        f"refused it for {hosts}.",
        BreakerCode.ACCOUNT_BUDGET_SPENT: f"{failed} of the account {cause.account} failed, and patch_account_failure_budget "
        f"tolerates {cause.budget}.",
    }[cause.code]


def in_common(common: CommonFacts) -> str:
    """What the hosts have in common for which a run starts no other host; empty where that is nothing."""
    failed = len(common.failed)
    sentences = []
    if common.updates:
        named = join_names([f"{one.kb} ({one.hresult})" if one.hresult else one.kb for one in common.updates], NAMED)
        sentences.append(f"{_of_all(common.updates[0].hosts, failed)} failed for {named}.")
    elif common.reason and failed:
        sentences.append(f"{_of_all(failed, failed)} failed with the reason code {common.reason}.")
    if common.attributes:
        named = ", ".join(f"{words} {value}" for words, value in common.attributes)
        sentences.append(f"All {failed} are {named}.")
        if common.done:
            sentences.append(f"This is true of none of the {common.done} hosts whose state is proven.")
    return join_sentences(*sentences)


def command_to_continue(common: CommonFacts, started_with: str | None) -> str:
    """How to continue without what the failures have in common.

    Args:
        common: what that is.
        started_with: the command that started the run, where it can be repeated.
    """
    if common.exclude_kbs:
        variable, when = f"-e {extra_variable('patch_exclude_kbs', common.exclude_kbs)}", "To continue without it"
        when = when if len(common.updates) == 1 else "To continue without them"
    elif common.exclude:
        variable, when = f"-e {extra_variable('patch_exclude', common.exclude)}", "To continue without these hosts"
    else:
        variable, when = "", "When the cause is fixed, continue"
    if started_with is None:
        return f"{when}: start the run again as before{f', with {variable}' if variable else ''}."
    return f"{when}: {f'{started_with} {variable}'.rstrip()}"


def _of_all(hosts: int, failed: int) -> str:
    if failed == 1:
        return "It"
    return f"All {failed}" if hosts == failed else f"{hosts} of these {failed}"


def no_host_starts(reason: str) -> str:
    """Of a host that is deferred because the breaker is open."""
    return join_sentences("No other host starts in this run.", reason)


def no_host_of_account_starts(cause: BreakerCause) -> str:
    """Of a host that is deferred because of other hosts of its account."""
    return join_sentences("No other host of this account starts in this run.", breaker_reason(cause))


def alarm_raised(alarm: StopAlarm, state: AlarmState | None) -> str:
    """Of an alarm of patch_stop_alarms that stops the run; without a state it does not exist any more."""
    named = f"The alarm {alarm['name']} ({alarm['region']})"
    if state is None:
        return f"{named} of patch_stop_alarms does not exist any more."
    return join_sentences(
        f"{named} is in ALARM since {state['since']}.", clean_text(state["reason"], ALARM_REASON_LENGTH)
    )


def alarms_unknown(reason: str) -> str:
    """Of a host that is deferred because CloudWatch does not answer."""
    return join_sentences("The alarms of patch_stop_alarms cannot be read, so this host is not started.", reason)


def alarms_unread(reason: str) -> str:
    """Of a run whose hosts are deferred because CloudWatch does not answer."""
    return join_sentences("The alarms of patch_stop_alarms cannot be read, so no host starts until they can.", reason)


def canaries_not_ended(hosts: Sequence[str]) -> str:
    """Of a run whose hosts are deferred because of canaries that are still at work, or that have not started."""
    return (
        f"The canary {', '.join(hosts)} had not ended in time." if hosts else "The canary hosts had not ended in time."
    )


def first_not_started(host: str, reason: str) -> str:
    """Of the first host of a run that does not start for a cause that the hosts after it may have, too."""
    return join_sentences(f"{host} is the first host that does not start.", reason)


def stopped_by(brake: Brake) -> str:
    """Of a run that people have stopped."""
    return f"{brake['by']} stopped it from {brake['machine']} at {iso(brake['at'])}: {brake['reason']}"


def resumed_by(brake: Brake) -> str:
    """Of a run that people have let continue."""
    who = f"{brake['by']} resumed it from {brake['machine']} at {iso(brake['at'])}"
    return f"{who}: {brake['reason']}" if brake["reason"] else f"{who}."


def run_at_work(run: Run) -> str:
    """Of one of several runs, of which one must be named."""
    user, machine = run.controller.get("user", "an unknown user"), run.controller.get("host", "an unknown controller")
    return f"{run.run_id} was started by {user} on {machine} at {iso(run.opened_at)}."


def not_resumed(run: Run) -> str:
    """Of a run that resume does not continue."""
    if run.breaker is None:
        return f"{run.run_id} is not stopped."
    return f"{run.run_id} starts no other host for a reason that resume does not lift. {run.breaker}"


def where_hosts_are(at_work: str, waiting: str, missed: str) -> list[str]:
    """Of the hosts of a run that was stopped or resumed, each kind with the names of its hosts."""
    return [
        *([f"At work, and finished in any case: {at_work}."] if at_work else []),
        *([f"Not started yet: {waiting}."] if waiting else []),
        *([f"Deferred, and left to a further run: {missed}."] if missed else []),
    ]


def run_in_short(run: Run, event: str, totals: Mapping[str, int]) -> str:
    """Of a run that has finished, was stopped or resumed, or that leaves hosts out, with the number of hosts by outcome."""
    sums = ", ".join(f"{number} {outcome}" for outcome, number in totals.items())
    what = "does not start all hosts" if event == "braked" else event
    return f"Patch run {run.run_id} {what}{f': {sums}' if sums else ''}."


def hosts_not_ended(number: int) -> str:
    """Of the hosts of a run that are at work or wait."""
    return f"{number} {'host has' if number == 1 else 'hosts have'} not ended yet."


def not_notified(reason: str) -> str:
    """Of a message that a webhook did not take."""
    return join_sentences("The webhook of patch_notify did not take the message.", reason)


def host_ended(outcome: Outcome | None, reason: str | None) -> str:
    """Of a host that has its outcome."""
    return f"{outcome}: {reason}" if reason else f"{outcome}"


def host_lost(phase: Phase, *, post_tasks_missing: bool, restore_command: str | None) -> str:
    """Of a host that left its play; with a command, it is on because of the run, and the command puts it back."""
    return join_sentences(
        f"Ansible lost it in the phase {phase}: a task found it unreachable, or ended its play.",
        POST_TASKS_MISSING if post_tasks_missing else None,
        f"It was started for this run and is still on: run {restore_command}." if restore_command else None,
    )


def host_found(name: str, instance_id: str, run_id: str, *, ours: bool | None) -> str:
    """Of a host that a restore found open; ``ours`` is whether a run started it, None where nothing is recorded of that."""
    why = {True: ": on because of it", False: ": on before it"}.get(ours, "") if ours is not None else ""
    return f"{name} ({instance_id}) of run {run_id}{why}"


def hosts_put_back(states: Mapping[str, int], still_open: int) -> str:
    """Of the hosts that a restore found open: their power states by number, and how many it could not close."""
    words = ", ".join(f"{number} {state}" for state, number in sorted(states.items()))
    return f"{counted(sum(states.values()), 'host')} put back: {words or 'none'}. {still_open} still open."


def run_to_continue(run_id: str, started_with: str | None) -> str:
    """Of a run whose hosts were put back without a proof; with the command that started it, where that can be repeated."""
    again = in_text(started_with) if started_with else "start the run again as before"
    return f"Run {run_id} left hosts unpatched. To continue: {again}."


def host_busy(host: str, run: Run | None) -> str:
    """Of a host that stays with the run that works on it, or with another restore (None)."""
    if run is None:
        return f"Another restore puts {host} back."
    return join_sentences(f"Run {_with_owner(run)}, works on {host}.", _last_activity(run))


def _with_owner(run: Run) -> str:
    """The id of a run, and who started it where."""
    user, machine = run.controller.get("user", "an unknown user"), run.controller.get("host", "an unknown controller")
    process = f" (process {run.controller['pid']})" if run.controller.get("pid") else ""
    return f"{run.run_id}, which {user} started on {machine}{process}"


def _last_activity(run: Run) -> str:
    """When the run was last active, and when it loses its hosts if that was its end."""
    return (
        f"It was last active at {iso(run.heartbeat_at)}; its lease ends at {iso(run.heartbeat_at + LEASE_SECONDS)}, unless it "
        "renews it."
    )


def host_of_other_account(record: PowerRecord, account: str, restore_command: str) -> str:
    """Of an open record whose instance the credentials do not reach."""
    host = f"{record.name} ({record.instance_id})"
    return join_sentences(
        f"{host} belongs to account {account}; these credentials are of another one.",
        f"Run {restore_command} with credentials of {account}.",
    )


def host_leased(progress: Progress) -> str:
    """Of a host that another run holds: who started that one, when it was last active, and when its hosts are free."""
    ends_at = progress.ends_at
    return join_sentences(
        f"Another run holds it: {_with_owner(progress.run)}.",
        _last_activity(progress.run),
        f"It will have ended at about {iso(ends_at)}; its hosts are free then." if ends_at is not None else None,
    )


def still_on(
    hosts: list[str], unknown: list[str], runs: list[Run], now: float, command: str, rolled_back: Sequence[str] = ()
) -> str:
    """Of hosts that a restore leaves on, or without their root volume.

    Args:
        hosts: their names.
        unknown: sentences about records that cannot be read.
        runs: those that hold the hosts.
        now: in seconds since 1970.
        command: that runs restore again.
        rolled_back: names of hosts whose roll-back did not come to its end.
    """
    on = join_sentences(
        f"Still on because of us: {', '.join(hosts)}." if hosts else None,
        f"Maybe without a root volume, after a roll-back: {', '.join(rolled_back)}." if rolled_back else None,
        *unknown,
    )
    active = [run for run in runs if run.is_active(now)]
    if not active:
        return join_sentences(on, f"When the causes are fixed, run it again: {in_text(command)}.")
    free_at = max(run.heartbeat_at for run in active) + LEASE_SECONDS
    names = ", ".join(sorted(run.run_id for run in active))
    return join_sentences(
        on,
        f"They belong to {names}, which may be at work. If it has not renewed its lease, it ends at {iso(free_at)}; then run "
        f"{in_text(command)}.",
    )


def host_interrupted(*, post_tasks_missing: bool, watchdog_stopped_at: float | None = None) -> str:
    """Of a host on which a run that was interrupted worked.

    Args:
        post_tasks_missing: whether patch_post_tasks are still to run.
        watchdog_stopped_at: when it was stopped after its watchdog schedule was due, in seconds since 1970.
    """
    stopped = (
        watchdog_stopped_at and f"It was stopped at {iso(watchdog_stopped_at)}, after its watchdog schedule was due."
    )
    return join_sentences(
        "The run was interrupted while it worked on this host.",
        stopped or None,
        POST_TASKS_MISSING if post_tasks_missing else None,
    )


def instance_marked(one: MarkedInstance) -> str:
    """Of an instance with the owner tag of a run that the ledger does not know."""
    about, run_id = f"{one.name} ({one.instance_id}, {one.location})", one.tag.run_id
    if one.doubt is None:
        return f"{about} is on because of run {run_id}, which started it at {iso(one.tag.launch_time)}."
    return {
        Doubt.NO_START: f"{about} has the tag of run {run_id}, but the tag does not show that the run started it: it was on "
        "before, or its controller died first.",
        Doubt.STARTED_AGAIN: f"{about} has the tag of run {run_id}, but another user started it again at "
        f"{iso(one.launched_at)}.",
        Doubt.RUN_IS_KNOWN: f"{about} has the tag of run {run_id}, but this ledger knows the run and has no open record of the "
        "host.",
    }[one.doubt]


def account_searched(search: AccountSearch) -> str:
    """Which accounts and regions a search for lost records has reached, and which it has not."""
    locations = ", ".join(map(str, search.searched)) or "no account"
    return join_sentences(f"Searched for the tag {search.tag_key}: {locations}.", *search.missing)


def not_searched(search: AccountSearch) -> str:
    """Of accounts and regions that could not be searched."""
    return f"{account_searched(search)} Whether instances are on there because of a lost run is unknown."


def records_lost(search: AccountSearch, rebuild: str) -> str:
    """Of instances that the ledger does not know, and what to do about them; ``rebuild`` is the command that rebuilds records."""
    found = search.found
    return join_sentences(
        *(instance_marked(one) for one in found),
        "This ledger has no record of them. If the ledger of these runs still exists, use it (patch_ledger). If it is lost and "
        f"no controller of these runs is alive, put these hosts back: {in_text(rebuild)}."
        if any(one.doubt is None for one in found)
        else None,
        "What is not proven stays on. Check these hosts, and stop them by hand if they are not needed."
        if any(one.doubt for one in found)
        else None,
        account_searched(search),
    )
