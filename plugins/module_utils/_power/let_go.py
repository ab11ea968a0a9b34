# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Release a host at the word of a person: its record is closed, and no run stops it any more. It stays as it is.

For a host that no restore may stop, such as one whose installation does not end: while its record is open, each restore comes
back to it.
"""

from __future__ import annotations

from .._aws.ec2 import describe_instance
from .._base.clock import iso
from .._base.errors import NeedsAttention
from .._base.text import join_sentences
from .._ledger.lenient import stored_host
from .._ledger.records import PowerRecord, Verdict
from .._model.fact_values import LetGo
from .._model.outcomes import Outcome
from .._model.reasons import Reason
from .._operation.context import OperationContext
from .._operation.operator import operator_of
from .owner_tag import remove_owner_tag
from .roll_back import is_unfinished
from .watchdog import delete_schedule


def let_go(context: OperationContext) -> bool:
    """Close the power record of a host and leave the host on; whether there was one. Nothing in the host or its power is changed.

    Raises:
        NeedsAttention: its root volume is exchanged at the moment (``root_not_replaced``), so it may have none.
    """
    record = context.ledger.power(context.required_host_key)
    if record is None or context.check_mode:
        return record is not None
    roll_back = context.facts.get("roll_back")
    if roll_back is not None and is_unfinished(roll_back):
        raise NeedsAttention(
            "Its roll-back has not ended, so it may have no root volume. Without patch_let_go, a restore finishes or undoes it: "
            f"{context.command('restore')}.",
            Reason.ROOT_NOT_REPLACED,
        )
    state, left = "running", None
    if record.instance_id.startswith("i-"):
        instance = describe_instance(context.aws, record.instance_id)
        state = instance["State"]["Name"] if instance else "terminated"
        delete_schedule(context, record)
        left = remove_owner_tag(context, record, instance)
    _write_down(context, record, state, left)
    return True


def _write_down(context: OperationContext, record: PowerRecord, state: str, left: str | None) -> None:
    """The outcome first: without an open record and without an outcome nothing would name the host, if the controller died here."""
    now = context.clock.now()
    operator = operator_of(context)
    by: LetGo = {"at": now, "by": operator.by, "machine": operator.machine}
    host = stored_host(context.ledger, context.required_run_id, record.host_key)
    sentence = join_sentences(
        f"{by['by']} released it from {by['machine']} at {iso(now)}: it is left {state}, and no run stops it any more.",
        left,
        f"Before: {host.reason}" if host and host.reason else None,
    )
    if host is not None:
        context.update_facts(final_state=state, off_at=now, let_go=by)
        verdict = Verdict(Outcome.HELD, host.phase or context.phase, Reason.LET_GO, sentence)
        context.ledger.set_outcome(host.run_id, host.key, verdict, overwrite=True)
    context.ledger.close_power(record.host_key, "released", now, fence=context.fence)
    context.report_progress(sentence)
