# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A tag on the instance that shows other users which run works on it, and which start of it was that run's.

Written down before it is set, so that a recovery of the run removes it. Once the instance that a run started shows its LaunchTime,
the tag does, too: where the ledger is lost, it proves that this start was ours (`_run/lost_records.py`). Source: EC2 API reference
(CreateTags replaces the value of a key; DeleteTags with a value removes the tag only while it has that value).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .._aws.ec2 import create_tag, delete_tag, tags_of
from .._aws.errors import GONE, AwsError
from .._base.clock import iso, parse_iso
from .._base.errors import NeedsAttention, PatchFleetError
from .._ledger.records import Host, PowerRecord
from .._operation.context import OperationContext
from .rows import rows_of_record

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import InstanceTypeDef


LAUNCHED = " launched "
RUN_ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{4,}")


@dataclass(frozen=True)
class OwnerTag:
    """What the tag says. ``launch_time`` is that of the run's start, None where the run did not start the instance."""

    run_id: str
    launch_time: float | None = None

    @property
    def value(self) -> str:
        """As the tag's value."""
        return self.run_id if self.launch_time is None else f"{self.run_id}{LAUNCHED}{iso(self.launch_time)}"

    @property
    def is_of_a_run(self) -> bool:
        """Whether a run has set it, and not another user."""
        return RUN_ID.fullmatch(self.run_id) is not None


def read_owner_tag(value: str) -> OwnerTag:
    """What a tag's value says. Of a value that no run has set, run_id is the value itself."""
    run_id, _blank, launched = value.partition(LAUNCHED)
    try:
        return OwnerTag(run_id, parse_iso(launched) if launched else None)
    except ValueError:
        return OwnerTag(value)


def set_owner_tag(context: OperationContext, record: PowerRecord, instance: InstanceTypeDef) -> None:
    """Set the tag, unless another user has set one with that key, which stays as it is.

    Raises:
        AwsError: it could not be set.
    """
    key = context.params["mark_tag"]
    if not key or not context.tracked_host:
        return
    value = tags_of(instance).get(key)
    if value is not None and read_owner_tag(value).run_id not in {
        host.run_id for host in rows_of_record(context, record)
    }:
        context.report_progress(f"not marked: its tag {key}={value} belongs to another user")
        return
    context.update_facts(mark=key, mark_shown=None)
    try:
        _set(context, record, key, None)
    except AwsError as error:
        if not error.is_retryable and not error.after_unanswered:
            context.update_facts(mark=None)
        raise


def show_start(context: OperationContext, record: PowerRecord, instance: InstanceTypeDef) -> None:
    """The tag of a host that is on because of a run shows that start. No host is worse off without it, so it may fail."""
    key, launched = context.facts.get("mark"), instance["LaunchTime"].timestamp()
    if not key or not context.tracked_host:
        return
    context.update_facts(mark_launch=launched, mark_shown=None)
    try:
        _set(context, record, key, launched)
        context.note_facts(mark_shown=True)
    except NeedsAttention:
        raise
    except PatchFleetError as error:
        context.report_progress(f"its tag {key} does not show the start: {error.reason}")


def _set(context: OperationContext, record: PowerRecord, key: str, launch_time: float | None) -> None:
    value = OwnerTag(context.required_run_id, launch_time).value
    create_tag(context.aws.in_region(record.region), record.instance_id, key, value)


def remove_owner_tag(context: OperationContext, record: PowerRecord, instance: InstanceTypeDef | None) -> str | None:
    """Take away the tags of all runs that had the host; returns why one is left, in AWS's words, None when none is.

    Args:
        instance: None when it does not exist any more, and nothing has to be taken away.
    """
    for host in rows_of_record(context, record):
        key = host.facts.get("mark")
        if not key or context.check_mode:
            continue
        try:
            if instance is not None:
                _remove(context, record, host, key)
        except AwsError as error:
            if error.aws_code not in GONE:
                return f"It still carries the tag {key} of run {host.run_id}: {error.reason}"
        if (host.run_id, host.key) == context.tracked_host:
            context.note_facts(mark=None, mark_launch=None, mark_shown=None)
        else:
            context.update_facts_in(host, {"mark": None, "mark_launch": None, "mark_shown": None})
    return None


def _remove(context: OperationContext, record: PowerRecord, host: Host, key: str) -> None:
    """Each value that the run may have given it: whether the last one was set is not always known."""
    aws, launched = context.aws.in_region(record.region), host.facts.get("mark_launch")
    values: tuple[float | None, ...] = (launched, None) if launched is not None else (None,)
    for launch_time in values[:1] if host.facts.get("mark_shown") else values:
        delete_tag(aws, record.instance_id, key, OwnerTag(host.run_id, launch_time).value)
