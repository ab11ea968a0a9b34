# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rebuild the power records of a lost ledger from the account: from the owner tags of its runs.

An owner tag shows the LaunchTime of a run's start only where the run found the instance stopped and started it. While the
instance still has that LaunchTime, no one has started it since, so its original state is proven. Nothing else is rebuilt: an
instance without that proof is named and stays on.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from .._aws.ec2 import describe_instances, tags_of
from .._base.errors import Failed, InvalidOption, NoRun
from .._base.text import clean_text
from .._ledger import lenient
from .._ledger.records import Host, Ledger, PowerRecord, Run
from .._model.host_facts import HostFacts
from .._model.reasons import Reason
from .._operation.context import OperationContext
from .._power.owner_tag import OwnerTag, read_owner_tag
from .marked_instances import Doubt, MarkedInstance
from .messages import instance_marked, records_lost

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import InstanceTypeDef

ON = frozenset({"pending", "running"})


def find_lost(context: OperationContext) -> list[MarkedInstance]:
    """The instances in the regions of the options that have an owner tag, are on, and have no open record.

    Raises:
        InvalidOption: the key of the tag is not given.
    """
    key = context.params["mark_tag"]
    if not key:
        raise InvalidOption(
            "patch_mark_tag", key, "patch_from_account needs the key of the tag that the lost runs set."
        )
    ledger = _ledger_if_any(context)
    found = []
    for region in context.params["regions"] or [context.aws.region]:
        for instance in describe_instances(context.aws.in_region(region), [{"Name": "tag-key", "Values": [key]}]):
            tag = read_owner_tag(tags_of(instance)[key])
            if instance["State"]["Name"] not in ON or not tag.is_of_a_run:
                continue
            if ledger is None or ledger.power(instance["InstanceId"]) is None:
                found.append(_marked(ledger, instance, region, tag))
    return sorted(found, key=lambda one: (one.tag.run_id, one.name))


def rebuild(context: OperationContext, found: list[MarkedInstance]) -> None:
    """Write a record for each instance whose start is proven, as the lost ledger had it."""
    proven = [one for one in found if one.doubt is None]
    for run_id, of_the_run in groupby(proven, key=lambda one: one.tag.run_id):
        marked = list(of_the_run)
        for one in marked:
            _record(context.ledger, one, context.clock.now())
        # The run last: one that the ledger knows is not rebuilt again.
        hosts = [_host(context, one, position) for position, one in enumerate(marked)]
        context.ledger.open_run(_run(context, run_id, marked), hosts, take_over=True)


def rebuild_where_confirmed(context: OperationContext) -> list[str]:
    """What patch_from_account asks for, before the ledger is read; returns a sentence for each record that was rebuilt.

    Raises:
        Failed: ``records_lost`` with each instance, where records are missing and shall not be rebuilt.
    """
    if not context.params["from_account"]:
        return []
    found = find_lost(context)
    if context.params["from_account"] == "rebuild" and not context.check_mode:
        rebuild(context, found)
        return [f"Rebuilt: {instance_marked(one)}" for one in found if one.doubt is None]
    _raise_if_any(found)
    return []


def raise_if_lost(context: OperationContext) -> None:
    """The end of a restore with patch_from_account: what could not be rebuilt is named.

    Raises:
        Failed: ``records_lost``.
    """
    if context.params["from_account"]:
        _raise_if_any(find_lost(context))


def _raise_if_any(found: list[MarkedInstance]) -> None:
    if not found:
        return
    raise Failed(records_lost(found), Reason.RECORDS_LOST)


def _ledger_if_any(context: OperationContext) -> Ledger | None:
    try:
        return context.existing_ledger()
    except NoRun:
        return None


def _marked(ledger: Ledger | None, instance: InstanceTypeDef, region: str, tag: OwnerTag) -> MarkedInstance:
    launched = instance["LaunchTime"].timestamp()
    name = clean_text(tags_of(instance).get("Name") or instance["InstanceId"])
    return MarkedInstance(instance["InstanceId"], region, name, tag, launched, _doubt(ledger, tag, launched))


def _doubt(ledger: Ledger | None, tag: OwnerTag, launched_at: float) -> Doubt | None:
    if tag.launch_time is None:
        return Doubt.NO_START
    if abs(tag.launch_time - launched_at) >= 1.0:
        return Doubt.STARTED_AGAIN
    return Doubt.RUN_IS_KNOWN if ledger is not None and lenient.knows_run(ledger, tag.run_id) else None


def _record(ledger: Ledger, one: MarkedInstance, now: float) -> None:
    launched = one.tag.launch_time or 0.0
    ledger.record_power(
        PowerRecord(one.instance_id, one.instance_id, one.region, one.name, "stopped", now, one.tag.run_id)
    )
    ledger.note_start(one.instance_id, one.tag.run_id, launched)
    ledger.note_launch(one.instance_id, launched)


def _run(context: OperationContext, run_id: str, marked: list[MarkedInstance]) -> Run:
    """A dead run: its controller had its last heartbeat when it started the hosts, as far as is known."""
    started = min(one.tag.launch_time or 0.0 for one in marked)
    return Run(
        run_id=run_id,
        opened_at=started,
        operation="install",
        snapshot_id="",
        settings={"keep_tag": context.params["keep_tag"]},
        controller={"host": "unknown", "pid": 0, "user": "unknown"},
        heartbeat_at=started,
    )


def _host(context: OperationContext, one: MarkedInstance, position: int) -> Host:
    """Whether Windows installs updates in it is unknown, so the host itself is asked before it is stopped."""
    launched = one.tag.launch_time or 0.0
    facts: HostFacts = {
        "original_state": "stopped",
        "started_by_run": True,
        "on_since": launched,
        "servicing": True,
        "mark": context.params["mark_tag"],
        "mark_launch": launched,
    }
    return Host(
        run_id=one.tag.run_id,
        key=one.instance_id,
        name=one.name,
        position=position,
        kind="ec2",
        instance_id=one.instance_id,
        region=one.region,
        facts=facts,
    )
