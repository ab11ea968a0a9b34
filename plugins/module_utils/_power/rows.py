# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rows of a host whose power record is open."""

from __future__ import annotations

from .._ledger.earlier import earlier_hosts
from .._ledger.records import Host, PowerRecord
from .._operation.context import OperationContext


def rows_of_record(context: OperationContext, record: PowerRecord) -> list[Host]:
    """In the run that holds it, in those that made the record and started the host, and in all from which they took it over."""
    runs = [context.run_id, record.started_by, record.run_id]
    return earlier_hosts(context.ledger, runs, record.host_key, context.row)
