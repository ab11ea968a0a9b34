# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""No host is stopped while Windows waits for a reboot: it is rebooted first.

A shutdown does a part of the servicing's work, which takes long on some versions, and EC2 waits only minutes before it cuts the
power (EC2 user guide, "Reboot your instance": "a hard reboot while updates are being installed").
"""

from __future__ import annotations

from .._base.errors import Failed, NeedsAttention
from .._host.installing import still_installing
from .._host.servicing import wait_until_quiet
from .._ledger.records import PowerRecord
from .._model.phases import Phase
from .._model.reasons import Reason
from .._operation.context import OperationContext
from .._update.pending_reboot import pending_reboots
from .watchdog import postpone

ASKED, UNANSWERED, REBOOTED = "asked_for_reboots", "reboots_unanswered", "rebooted_before_stop"


def finish_pending_reboot(context: OperationContext, record: PowerRecord) -> bool:
    """Reboot a host that waits for it. A host that cannot be asked is stopped as it is.

    Returns:
        Whether the host was asked, which takes a while: its state is to be checked again before a stop.

    Raises:
        NeedsAttention: ``reboot_pending``: it does not come back, or waits for another reboot.
    """
    if _is_settled(context) or not _was_ready(context, record):
        return False
    context.cache[ASKED] = True
    pending = pending_reboots(context) if context.channel.answers() else None
    if pending is None:
        context.cache[UNANSWERED] = True
    if not pending:
        return True
    if REBOOTED in context.cache:
        raise NeedsAttention(
            "Windows still waits for a reboot after one reboot, so it is not stopped. Check it, then run "
            f"{context.command('restore')}.",
            Reason.REBOOT_PENDING,
        )
    context.cache[REBOOTED] = True
    timeout_seconds = context.install_timeout_seconds
    postpone(context, record, timeout_seconds)
    context.report_progress("Windows waits for a reboot: rebooting before the stop")
    rebooted_at = context.clock.now()
    try:
        context.channel.reboot(timeout_seconds)
        quiet = wait_until_quiet(context, record.instance_id, context.clock.now() + timeout_seconds)
    except Failed as error:
        raise NeedsAttention(
            f"Windows waits for a reboot and was rebooted before the stop: {error.reason} Check it, then run "
            f"{context.command('restore')}.",
            Reason.REBOOT_PENDING,
        ) from error
    if not quiet:
        raise NeedsAttention(
            still_installing(context, record.instance_id, rebooted_at),
            Reason.INSTALLATION_RUNNING,
        )
    return True


def _is_settled(context: OperationContext) -> bool:
    """Whether the answer is known, or cannot be had. What was known before an installation ended is out of date."""
    is_fresh = ASKED in context.cache or not context.cache.get("finished_installations")
    return UNANSWERED in context.cache or (is_fresh and context.facts.get("reboot_pending") is False)


def _was_ready(context: OperationContext, record: PowerRecord) -> bool:
    """Whether it has taken commands in this run, or in the one that started it."""
    runs = {run_id for run_id in (context.run_id, record.started_by) if run_id}
    phases = (phase for run_id in runs for phase in context.ledger.phases(run_id, record.host_key))
    return any(phase.phase == Phase.READY and phase.ok for phase in phases)
