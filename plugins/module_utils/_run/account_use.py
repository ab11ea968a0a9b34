# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What still needs the set-up of an account, so that it must not be removed now.

Only teardown_aws asks, with the credentials of an administrator: the controller of a run may not list schedules.
"""

from __future__ import annotations

from .._aws.errors import AwsError
from .._aws.schedule_groups import list_schedules
from .._aws.scheduler import NOT_FOUND
from .._base.clock import iso
from .._base.errors import NoRun
from .._ledger import describe_ledger
from .._operation.context import OperationContext
from .._operation.results import Result


class AccountUse(Result):
    """``uses`` are sentences, none when nothing needs the set-up."""

    uses: list[str]
    lines: list[str]


def account_use(context: OperationContext) -> AccountUse:
    """Runs and hosts that the ledger has as open, and pending watchdog schedules of the region.

    Returns:
        uses (sentences, none when nothing needs the set-up), lines (the same, or that the ledger could not be asked).
    """
    uses: list[str] = []
    lines: list[str] = []
    try:
        uses = _open_in_ledger(context)
    except NoRun as error:
        lines = [f"{error.reason} Only the account was asked."]
    uses += _pending_schedules(context)
    return {"changed": False, "uses": uses, "lines": uses + lines}


def _open_in_ledger(context: OperationContext) -> list[str]:
    ledger, now = context.existing_ledger(), context.clock.now()
    runs = ledger.runs()
    records, unreadable = ledger.open_power(), ledger.unreadable_power()
    if not runs and not records and not unreadable:
        where = describe_ledger(context.params.get("ledger"))
        raise NoRun(f"The ledger {where} holds no run: it is new, or of another account.")
    restore = context.command("restore")
    active = [
        f"Run {run.run_id} is active (last heartbeat {iso(run.heartbeat_at)})." for run in runs if run.is_active(now)
    ]
    on = [
        f"{record.name} ({record.instance_id}) is on because of run {record.started_by}. Put it back: {restore}."
        for record in records
        if record.started_by
    ]
    return active + on + unreadable


def _pending_schedules(context: OperationContext) -> list[str]:
    group, region = context.params["setup_prefix"], context.aws.region
    try:
        return [f"The watchdog schedule {name} is pending in {region}." for name in list_schedules(context.aws, group)]
    except AwsError as error:
        if error.aws_code != NOT_FOUND:  # no such group: the set-up has no watchdog
            raise
        return []
