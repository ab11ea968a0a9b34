# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A tag on the instance that shows other users which run works on it.

Written down before it is set, so that a recovery of the run removes it. Source: EC2 API reference (CreateTags replaces the
value of a key; DeleteTags with a value removes the tag only while it has that value).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._aws.ec2 import create_tag, delete_tag, tags_of
from .._aws.errors import GONE, AwsError
from .._ledger.earlier import earlier_hosts
from .._ledger.records import Host, PowerRecord
from .._operation.context import OperationContext

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import InstanceTypeDef


def set_owner_tag(context: OperationContext, record: PowerRecord, instance: InstanceTypeDef) -> None:
    """Set the tag, unless another user has set one with that key, which stays as it is.

    Raises:
        AwsError: it could not be set.
    """
    key = context.params["mark_tag"]
    if not key or not context.tracked_host:
        return
    value = tags_of(instance).get(key)
    if value is not None and value not in {host.run_id for host in _rows(context, record)}:
        context.report_progress(f"not marked: its tag {key}={value} belongs to another user")
        return
    context.update_facts(mark=key)
    try:
        create_tag(context.aws.in_region(record.region), record.instance_id, key, str(context.run_id))
    except AwsError as error:
        if not error.is_retryable and not error.after_unanswered:
            context.update_facts(mark=None)
        raise


def remove_owner_tag(context: OperationContext, record: PowerRecord, instance: InstanceTypeDef | None) -> str | None:
    """Take away the tags of all runs that had the host; returns why one is left, in AWS's words, None when none is.

    Args:
        instance: None when it does not exist any more, and nothing has to be taken away.
    """
    for host in _rows(context, record):
        key = host.facts.get("mark")
        if not key or context.check_mode:
            continue
        try:
            if instance is not None:
                delete_tag(context.aws.in_region(record.region), record.instance_id, key, host.run_id)
        except AwsError as error:
            if error.aws_code not in GONE:
                return f"It still carries the tag {key} of run {host.run_id}: {error.reason}"
        context.ledger.update_facts(host.run_id, host.key, {"mark": None})
    return None


def _rows(context: OperationContext, record: PowerRecord) -> list[Host]:
    return earlier_hosts(context.ledger, [context.run_id, record.started_by, record.run_id], record.host_key)
