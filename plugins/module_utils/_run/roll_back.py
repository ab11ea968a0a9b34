# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A roll-back as a run of its own: it finds the restore point in the ledger, leases the host, and says at the end what is so."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from .._aws.ebs import describe_snapshot
from .._aws.ec2 import describe_instance
from .._base.clock import iso
from .._base.errors import Deferred, Failed
from .._base.text import join_sentences
from .._disk.restore_point import complete_point
from .._ledger.records import Host, Ledger, Run
from .._model.account import account_from
from .._model.fact_values import RestorePoint, RollBack
from .._model.host_facts import HostFacts
from .._model.outcomes import Outcome
from .._model.reasons import Reason
from .._model.run_settings import ROLL_BACK, RunSettings
from .._operation.context import OperationContext
from .._operation.results import Result
from .._plan.planning import PlannedHost
from .opening import controller_of, identity, leased_by, new_run

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import InstanceTypeDef

KEPT_FACTS = ("type", "az", "account", "transport", "scheduler")
"""What the run of the restore point knew of the host, and what holds for it all the time."""


NOTHING_KNOWN = "It was rolled back. Its run is not known to have installed anything after the restore point."


class OpenedRollBack(Result, total=False):
    """The run, and its host as the plan of a run gives it; in check mode only lines. ``snapshot_id`` is Patch Manager's."""

    run_id: str
    snapshot_id: str
    host: PlannedHost
    lines: list[str]


class VerifiedRollBack(Result):
    """The KBs that are gone again."""

    gone: list[str]


class ClosedRollBack(Result):
    """What is so now, and what is left, in sentences and commands."""

    lines: list[str]


def open_roll_back(context: OperationContext) -> OpenedRollBack:
    """Find the newest restore point of a host, open a run for it, and lease it.

    Returns:
        run_id, snapshot_id, host, lines (what will be done).

    Raises:
        Failed: ``no_run``, ``no_restore_point``, or ``ambiguous_host``.
        Deferred: ``leased``.
    """
    wanted = context.params["target"]
    source, found, point = _newest_point(context, context.existing_ledger(), wanted)
    snapshot_id = _root_snapshot(context, found, point) if point else ""
    made = f"of {iso(point['made_at'])}, run {source.run_id}" if point else f"of run {source.run_id}"
    lines = [f"{found.name} goes back to its restore point {made}{f' ({snapshot_id})' if snapshot_id else ''}."]
    if context.check_mode:
        return {"changed": True, "lines": lines}
    _account, arn = identity(context, found.region if found.instance_id else None)
    run = new_run(context.clock.now(), ROLL_BACK, _settings(source), controller_of(context, arn))
    plan: RollBack = {
        "of_run": source.run_id,
        "made_at": point["made_at"] if point else None,
        "snapshot_id": snapshot_id,
        "token": str(uuid.uuid4()),
        "installed": found.facts.get("installed"),
        "device": None,
        "old_volume_id": None,
        "new_volume_id": None,
        "is_made": False,
    }
    row = _row(run, found, plan)
    leased = context.ledger.open_run(run, [row], bool(context.params["take_over"]))
    for other in leased.held.values():
        context.ledger.close_run(run.run_id, context.clock.now())
        raise Deferred(leased_by(context, other), Reason.LEASED)
    host = _as_planned(row, leased.fences[row.key])
    return {"changed": True, "run_id": run.run_id, "snapshot_id": run.snapshot_id, "host": host, "lines": lines}


def _newest_point(context: OperationContext, ledger: Ledger, wanted: str) -> tuple[Run, Host, RestorePoint | None]:
    """The newest run that has a restore point of the host, with its row and the point; None where the user's tasks made it."""
    only, known = context.params["run_id"], set[str]()
    for run in ledger.runs():
        if run.operation == ROLL_BACK or (only and run.run_id != only):
            continue
        rows = [host for host in ledger.hosts(run.run_id) if wanted in {host.key, host.name, host.instance_id}]
        if len(rows) > 1:
            keys = ", ".join(host.key for host in rows)
            raise Failed(f"{wanted} is the name of several hosts: {keys}. Name one of these.", Reason.AMBIGUOUS_HOST)
        for host in rows:
            known.add(run.run_id)
            if host.facts.get("restore_point_tasks") == "ok":
                return run, host, None
            point = _complete(context, host)
            if point is not None:
                return run, host, point
    if not known:
        raise Failed(
            f"The ledger knows no host {wanted}{f' in the run {only}' if only else ''}. Name it as the report does.",
            Reason.NO_RESTORE_POINT,
        )
    raise Failed(
        f"The ledger has no restore point of {wanted}: patch_restore_point was none, or nothing was missing on it.",
        Reason.NO_RESTORE_POINT,
    )


def _complete(context: OperationContext, host: Host) -> RestorePoint | None:
    """The host's own point, completed by its tags where the run died before AWS's answer."""
    point = host.facts.get("restore_point")
    if point is None:
        return None
    aws = context.aws_of(account_from(host.facts.get("account")), host.region)
    return complete_point(aws, host.key, point)


def _root_snapshot(context: OperationContext, host: Host, point: RestorePoint) -> str:
    """The id of the root volume's snapshot, which still exists.

    Raises:
        Failed: ``no_restore_point``.
    """
    of_root = [volume for volume in point["volumes"] if volume["volume_id"] == point["root_volume_id"]]
    aws = context.aws_of(account_from(host.facts.get("account")), host.region)
    for volume in of_root:
        if describe_snapshot(aws, volume["snapshot_id"]) is not None:
            return volume["snapshot_id"]
    raise Failed(
        f"The restore point of {host.name} of {iso(point['made_at'])} is gone: its snapshot of the root volume does not exist any "
        "more.",
        Reason.NO_RESTORE_POINT,
    )


def _settings(source: Run) -> RunSettings:
    """Those of the run that took the restore point; what it did at a time or in a group is over."""
    ended = {"canary_keys", "slice", "account_limits", "waves_began_at"}
    kept = {name: value for name, value in source.settings.items() if name not in ended}
    now: RunSettings = {
        "included": 1,
        "canary": 0,
        "outcome_tags": False,
        "event_bus": None,
        "no_run_message": None,
        "max_running": None,
    }
    return cast("RunSettings", {**kept, **now, "deadline_at": None, "begin_until_at": None})


def _row(run: Run, found: Host, plan: RollBack) -> Host:
    kept = {name: value for name, value in found.facts.items() if name in KEPT_FACTS}
    values: dict[str, Any] = {**kept, "by_tag": False, "roll_back": plan}
    facts: HostFacts = cast("HostFacts", values)
    return replace(
        found,
        run_id=run.run_id,
        position=1,
        wave=1,
        outcome=None,
        phase=None,
        reason_code=None,
        reason=None,
        facts=facts,
        unreadable=None,
    )


def _as_planned(row: Host, fence: int) -> PlannedHost:
    return {
        "key": row.key,
        "name": row.name,
        "inventory_name": row.name,
        "transport": row.facts.get("transport", "ssm"),
        "instance_id": row.instance_id,
        "region": row.region,
        "account": row.facts.get("account"),
        "kind": row.kind,
        "position": row.position,
        "wave": row.wave,
        "starts_after_seconds": None,
        "expected_seconds": None,
        "longest_seconds": None,
        "included": True,
        "fence": fence,
    }


def verify_roll_back(context: OperationContext) -> VerifiedRollBack:
    """Compare what the host misses now with what was installed after the restore point.

    Raises:
        Failed: ``updates_not_gone``.
    """
    host = context.ledger.host(context.required_run_id, context.required_host_key)
    plan, missing = host.facts.get("roll_back"), set(host.facts.get("missing") or ())
    installed = set(plan["installed"] or ()) if plan else set[str]()
    left = sorted(installed - missing)
    if left:
        raise Failed(
            f"A scan does not miss {', '.join(left)}, which was installed after the restore point: it may still be there, or "
            "Windows Update offers it no more.",
            Reason.UPDATES_NOT_GONE,
        )
    gone = sorted(installed & missing)
    remark = f"It was rolled back: {', '.join(gone)} is gone." if gone else NOTHING_KNOWN
    context.update_facts(proposed_outcome=str(Outcome.NONCOMPLIANT), remarks=[remark])
    context.report_progress(remark)
    return {"changed": False, "gone": gone}


def close_roll_back(context: OperationContext) -> ClosedRollBack:
    """Close the run, and say what is left.

    Raises:
        Failed: the host does not miss again what the roll-back took away; with its reason, also where it was left alone.
    """
    run_id = context.required_run_id
    hosts = context.ledger.hosts(run_id)
    context.ledger.close_run(run_id, context.clock.now())
    lines = [line for host in hosts for line in _left(context, host)]
    failed = [host for host in hosts if host.outcome != Outcome.NONCOMPLIANT]
    if failed:
        reasons = [f"{host.name}: {host.reason or 'the roll-back was not finished.'}" for host in failed]
        raise Failed(join_sentences(*reasons, *lines), failed[0].reason_code or Reason.INTERRUPTED)
    return {"changed": True, "lines": lines}


def _left(context: OperationContext, host: Host) -> Iterator[str]:
    """What a person has to know afterwards: the old volume, and snapshots of data volumes."""
    plan = host.facts.get("roll_back")
    if plan is None or not plan["snapshot_id"]:
        return
    aws = context.aws_of(account_from(host.facts.get("account")), host.region)
    instance = describe_instance(aws, str(host.instance_id))
    if plan["is_made"]:
        yield f"{host.name}: its root volume is {plan['new_volume_id']} now. The old one, {plan['old_volume_id']}, is kept."
        if instance and _outlives_its_instance(instance):
            yield (
                f"{host.name}: EC2 will not delete {plan['new_volume_id']} together with the instance: its DeleteOnTermination is "
                "off, as of each volume that is attached."
            )
    yield from _data_volumes(context, host, plan["of_run"], _zone(instance))


def _outlives_its_instance(instance: InstanceTypeDef) -> bool:
    """Whether its root volume stays when it is terminated."""
    mappings = instance.get("BlockDeviceMappings", [])
    root = (m["Ebs"] for m in mappings if "Ebs" in m and m["DeviceName"] == instance.get("RootDeviceName"))
    return any(not ebs.get("DeleteOnTermination", True) for ebs in root)


def _data_volumes(context: OperationContext, host: Host, source: str, zone: str) -> Iterator[str]:
    point = context.ledger.host(source, host.key).facts.get("restore_point")
    for volume in point["volumes"] if point else ():
        if point and volume["volume_id"] != point["root_volume_id"]:
            yield (
                f"{host.name}: the data volume {volume['volume_id']} is as it was. A volume of its snapshot: aws ec2 create-volume "
                f"--region {host.region} --availability-zone {zone} --snapshot-id {volume['snapshot_id']}"
            )


def _zone(instance: InstanceTypeDef | None) -> str:
    return instance["Placement"]["AvailabilityZone"] if instance else "ZONE"
