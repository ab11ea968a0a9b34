# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""At most ``patch_max_running`` instances are on because of runs, however many runs there are.

An open power record of an instance that was found off is a place: it is taken at the admission, before the start, and free again
when the instance is as it was found. Records that a dead run left open count, for their instances may be on.

Claims are counted after they are written, so that of two at once at least one sees the other, whatever their clocks say. Both may
step back then; they look again after pauses of their own.
"""

from __future__ import annotations

import zlib

from .._base.errors import Deferred
from .._base.text import counted
from .._ledger.records import PowerRecord
from .._model.reasons import Reason
from .._operation.context import OperationContext

RETRY_BUDGET_SECONDS = 3600.0
"""So much longer than a host's whole time a place is waited for."""
LONGEST_STEP_BACK_SECONDS = 60


def wait_for_slot(context: OperationContext, host_key: str, limit: int | None, host_timeout_seconds: float) -> bool:
    """Wait while ``limit`` other instances are on because of runs; returns whether it had to, so that everything is checked again.

    Raises:
        Deferred: ``no_headroom``, when no slot became free in all that time.
    """
    if limit is None or context.ledger.power(host_key) is not None or _slots_taken(context, host_key) < limit:
        return False
    context.report_progress(f"waiting: runs have {counted(limit, 'instance')} on already (patch_max_running)")
    timeout_seconds = host_timeout_seconds + RETRY_BUDGET_SECONDS
    deadline = float(context.cache.setdefault("slot_deadline", context.clock.now() + timeout_seconds))
    if not context.wait_until(lambda: _slots_taken(context, host_key) < limit, deadline):
        raise Deferred(
            f"patch_max_running is {limit}, and as many instances stayed on because of runs. What "
            f"earlier runs left, {context.command('restore')} puts back.",
            Reason.NO_HEADROOM,
        )
    return True


def confirm_slot(context: OperationContext, record: PowerRecord, limit: int | None) -> bool:
    """Whether a record that was just opened is within the limit. If not, close it again and pause."""
    if limit is None or record.original_state != "stopped" or _slots_taken(context, record.host_key) < limit:
        return True
    context.ledger.close_power(record.host_key, "no slot", context.clock.now(), fence=context.fence)
    tries = context.cache["slot_tries"] = int(context.cache.get("slot_tries", 0)) + 1
    context.pause(1.0 + zlib.crc32(f"{record.host_key} {tries}".encode()) % LONGEST_STEP_BACK_SECONDS)
    return False


def _slots_taken(context: OperationContext, host_key: str) -> int:
    return len(context.ledger.found_stopped() - {host_key})
