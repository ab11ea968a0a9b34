# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rebuild the power records of a lost ledger from the accounts: from the owner tags of its runs.

An owner tag shows the LaunchTime of a run's start only where the run found the instance stopped and started it. While the
instance still has that LaunchTime, no one has started it since, so its original state is proven. Nothing else is rebuilt: an
instance without that proof is named and stays on.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING

from .._aws.ec2 import describe_instances, tags_of
from .._base.errors import Failed, InvalidOption, NoRun, PatchFleetError
from .._base.text import clean_text
from .._fleet.accounts import Wanted, find_accounts
from .._fleet.hosts import Location
from .._ledger import lenient
from .._ledger.records import Host, Ledger, PowerRecord, Run
from .._model.host_facts import HostFacts
from .._model.reasons import Reason
from .._operation.commands import playbook_command
from .._operation.context import OperationContext
from .._power.owner_tag import OwnerTag, read_owner_tag
from .marked_instances import AccountSearch, Doubt, MarkedInstance
from .messages import account_searched, instance_marked, not_searched, records_lost

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import InstanceTypeDef

ON = frozenset({"pending", "running"})


def find_lost(context: OperationContext) -> AccountSearch:
    """The instances in the accounts and regions of the options that have an owner tag, are on, and have no open record.

    An account or region that cannot be searched keeps no other from being searched.

    Raises:
        InvalidOption: the key of the tag is not given.
    """
    key = context.params["mark_tag"]
    if not key:
        raise InvalidOption(
            "patch_mark_tag", key, "patch_from_account needs the key of the tag that the lost runs set."
        )
    ledger = _ledger_if_any(context)
    regions = context.params["regions"] or [context.aws.region]
    wanted = Wanted(context.params["accounts"], context.params["organization"] or None, missing_ok=True)
    accounts = find_accounts(context.aws, regions, wanted)
    found, searched = list[MarkedInstance](), list[Location]()
    missing = [account.reason for account in accounts.missing]
    for location in accounts.locations:
        result = _search(context, ledger, location, key)
        if isinstance(result, str):
            missing.append(result)
        else:
            searched.append(location)
            found += result
    found.sort(key=lambda one: (one.tag.run_id, one.name))
    return AccountSearch(key, tuple(found), tuple(searched), tuple(missing))


def _search(
    context: OperationContext, ledger: Ledger | None, location: Location, key: str
) -> list[MarkedInstance] | str:
    """What is there, or a sentence about why that is unknown."""
    aws, found = context.aws_of(location.account, location.region), []
    try:
        instances = list(describe_instances(aws, [{"Name": "tag-key", "Values": [key]}]))
    except PatchFleetError as error:
        return f"{location} could not be searched. {error.reason}"
    for instance in instances:
        tag = read_owner_tag(tags_of(instance)[key])
        if instance["State"]["Name"] not in ON or not tag.is_of_a_run:
            continue
        if ledger is None or ledger.power(instance["InstanceId"]) is None:
            found.append(_marked(ledger, instance, location, tag))
    return found


def rebuild(context: OperationContext, search: AccountSearch) -> None:
    """Write a record for each instance whose start is proven, as the lost ledger had it."""
    proven = [one for one in search.found if one.doubt is None]
    for run_id, of_the_run in groupby(proven, key=lambda one: one.tag.run_id):
        marked = list(of_the_run)
        for one in marked:
            _record(context.ledger, one, context.clock.now())
        # The run last: one that the ledger knows is not rebuilt again.
        hosts = [_host(context, one, position) for position, one in enumerate(marked)]
        context.ledger.open_run(_run(context, run_id, marked), hosts, take_over=True)


def rebuild_where_confirmed(context: OperationContext) -> list[str]:
    """What patch_from_account asks for, before the ledger is read; returns sentences: which accounts were searched, and each
    record that was rebuilt.

    Raises:
        Failed: ``records_lost`` with each instance, where records are missing and shall not be rebuilt.
    """
    if not context.params["from_account"]:
        return []
    search = find_lost(context)
    rebuilt = []
    if context.params["from_account"] == "rebuild" and not context.check_mode:
        rebuild(context, search)
        rebuilt = [f"Rebuilt: {instance_marked(one)}" for one in search.found if one.doubt is None]
    elif search.found:
        raise Failed(records_lost(search, _rebuild_command(context)), Reason.RECORDS_LOST)
    return [account_searched(search), *rebuilt]


def raise_if_lost(context: OperationContext) -> None:
    """The end of a restore with patch_from_account: what could not be rebuilt is named, and what could not be searched.

    Raises:
        Failed: ``records_lost``.
    """
    search = find_lost(context) if context.params["from_account"] else None
    if search and search.found:
        raise Failed(records_lost(search, _rebuild_command(context)), Reason.RECORDS_LOST)
    if search and search.missing:
        raise Failed(not_searched(search), Reason.RECORDS_LOST)


def _rebuild_command(context: OperationContext) -> str:
    """With all that says where to search; what is not set is left out."""
    params = context.params
    # The id of an account is that of its role; patch_accounts has none.
    accounts = [{name: value for name, value in one.items() if value and name != "id"} for one in params["accounts"]]
    organization = {name: value for name, value in (params["organization"] or {}).items() if value}
    given = {
        "patch_mark_tag": params["mark_tag"],
        "patch_from_account": "rebuild",
        "patch_regions": params["regions"],
        "patch_accounts": accounts,
        "patch_organization": organization,
    }
    return playbook_command("restore", params.get("ledger"), {name: value for name, value in given.items() if value})


def _ledger_if_any(context: OperationContext) -> Ledger | None:
    try:
        return context.existing_ledger()
    except NoRun:
        return None


def _marked(ledger: Ledger | None, instance: InstanceTypeDef, location: Location, tag: OwnerTag) -> MarkedInstance:
    launched = instance["LaunchTime"].timestamp()
    name = clean_text(tags_of(instance).get("Name") or instance["InstanceId"])
    return MarkedInstance(instance["InstanceId"], location, name, tag, launched, _doubt(ledger, tag, launched))


def _doubt(ledger: Ledger | None, tag: OwnerTag, launched_at: float) -> Doubt | None:
    if tag.launch_time is None:
        return Doubt.NO_START
    if abs(tag.launch_time - launched_at) >= 1.0:
        return Doubt.STARTED_AGAIN
    return Doubt.RUN_IS_KNOWN if ledger is not None and lenient.knows_run(ledger, tag.run_id) else None


def _record(ledger: Ledger, one: MarkedInstance, now: float) -> None:
    launched = one.tag.launch_time or 0.0
    region, account = one.location.region, one.location.account
    record = PowerRecord(one.instance_id, one.instance_id, region, one.name, "stopped", now, one.tag.run_id)
    if account and account.role_arn:
        record = replace(record, account=account.as_option())
    ledger.record_power(record)
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
    if one.location.account:
        facts["account"] = one.location.account.as_option()
    return Host(
        run_id=one.tag.run_id,
        key=one.instance_id,
        name=one.name,
        position=position,
        kind="ec2",
        instance_id=one.instance_id,
        region=one.location.region,
        facts=facts,
    )
