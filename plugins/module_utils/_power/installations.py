# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Installations that a stop would cut off: those that our records show, and patch runs that no row of ours knows."""

from __future__ import annotations

from .._base.errors import CommandTimeout, LeaseLost, NeedsAttention, PatchFleetError
from .._host.installing import still_installing
from .._host.run_command import CommandNotRun, wait_for_end
from .._host.servicing import LATE_DELIVERY_SECONDS, last_progress, wait_until_quiet
from .._ledger.records import Host, PowerRecord
from .._model.host_facts import HostFacts, is_serviced
from .._model.reasons import Reason
from .._operation.context import OperationContext
from .._update.foreign_runs import (
    OthersPatching,
    Own,
    find_foreign_patch_runs,
    wait_for_foreign_runs,
    windows_was_asked,
)
from .rows import rows_of_record
from .watchdog import postpone


def finish_installations(context: OperationContext, record: PowerRecord) -> bool:
    """Those of the run that holds the host and of every earlier one that it was taken over from; whether there were any."""
    hosts = rows_of_record(context, record)
    finished = context.cache.setdefault("finished_installations", set())  # a damaged row says again that there is one
    installing = [host for host in hosts if host.run_id not in finished and is_serviced(host.facts)]
    for host in installing:
        _finish_installation(context, record, host)
        finished.add(host.run_id)
    return bool(installing)


def finish_foreign_runs(context: OperationContext, record: PowerRecord) -> bool:
    """Wait for patch runs that no row of ours knows: foreign ones, and ours whose answer was lost.

    Returns whether there was one. All of them together have one time.
    """
    runs = rows_of_record(context, record)
    known = {*_judged(context), *(str(host.facts.get("installing_command_id")) for host in runs)}
    own = Own({host.run_id for host in runs}, known)
    asked_before = windows_was_asked(context)
    if not find_foreign_patch_runs(context, record.instance_id, own):
        return windows_was_asked(context) and not asked_before
    timeout_seconds = context.install_timeout_seconds
    deadline = context.cache.setdefault("others_deadline", context.clock.now() + timeout_seconds)
    postpone(context, record, timeout_seconds)
    try:
        return wait_for_foreign_runs(context, record.instance_id, own, deadline)
    except OthersPatching as error:
        raise NeedsAttention(
            f"{error.reason} Cutting its power now could break Windows. When they have ended, run {context.command('restore')}.",
            error.code,
        ) from error


def _finish_installation(context: OperationContext, record: PowerRecord, host: Host) -> None:
    """Never cut the power of a host while it installs: wait for the installation that our records say is under way.

    Its command shows whether it ended in order; where SSM gave up on it, the host itself is asked.
    """
    context.report_progress("an installation may still be active: checking it before the stop")
    timeout_seconds = 0.0 if host.facts.get("installation_overdue") else context.install_timeout_seconds
    deadline = context.clock.now() + timeout_seconds
    postpone(context, record, timeout_seconds)
    try:
        quiet = _ended_in_order(context, record, host, deadline)
        if not quiet:
            quiet = _wait_until_quiet(context, record, host, deadline)
            since = host.facts.get("working_since")
            context.add_work(max(last_progress(context) - since, 0.0) if quiet and since is not None else 0.0)
    except LeaseLost:
        raise
    except PatchFleetError as error:
        if not isinstance(error, CommandTimeout) or error.command_id is None:
            raise NeedsAttention(
                f"Whether Windows still installs updates is unknown: {error.reason}", Reason.INSTALLATION_UNKNOWN
            ) from error
        quiet = False  # the installation continues
    if not quiet:
        raise NeedsAttention(
            still_installing(context, record.instance_id, _since(host), host.facts.get("installing_command_id")),
            Reason.INSTALLATION_RUNNING,
        )
    _judged(context).add(str(host.facts.get("installing_command_id")))
    ended: HostFacts = {"installing_command_id": "", "servicing": False, "working_since": None}
    context.update_facts_in(host, ended)


def _since(host: Host) -> float | None:
    """When the installation began, or when it was found; seconds since 1970."""
    return host.facts.get("working_since") or host.facts.get("installation_found_at")


def _judged(context: OperationContext) -> set[str]:
    """The commands of installations that were found to have ended, whatever Run Command still says of them."""
    judged: set[str] = context.cache.setdefault("judged_commands", set())
    return judged


def _ended_in_order(context: OperationContext, record: PowerRecord, host: Host, deadline: float) -> bool:
    """Whether the command of the installation ended; False where Windows is serviced without a command of ours."""
    command_id = host.facts.get("installing_command_id")
    if not command_id:
        return False
    try:
        ended = wait_for_end(context, record.instance_id, str(command_id), deadline)
    except CommandNotRun:
        return not host.facts.get("servicing")
    context.cache["late_delivery"] = ended.details == "DeliveryTimedOut"
    in_order = ended.status in {"Success", "Failed"} and not host.facts.get("servicing")
    context.add_work(ended.worked_seconds if in_order else 0.0)
    return in_order


def _wait_until_quiet(context: OperationContext, record: PowerRecord, host: Host, deadline: float) -> bool:
    """As Windows says. What was not delivered in time may still begin, so it has to be quiet for longer then."""
    late = context.cache.pop("late_delivery", False) and not host.facts.get("installation_overdue")
    return wait_until_quiet(context, record.instance_id, deadline, LATE_DELIVERY_SECONDS if late else 0.0)
