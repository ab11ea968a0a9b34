# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The restore points that there are: found by their tags, deleted when they have expired, and kept on demand.

Only a snapshot of the account's own that carries our tags and our description is one of ours: a copy of it has another description.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TypedDict

from .._aws.api import Aws
from .._aws.ebs import delete_snapshot, describe_snapshots
from .._aws.ec2 import create_tag, tags_of
from .._base.clock import iso, parse_iso
from .._base.errors import Failed, PatchFleetError
from .._base.text import counted, join_sentences
from .._disk.restore_point import DESCRIPTION, EXPIRES, HOST, KEPT, MARK, RUN
from .._ledger.records import Ledger
from .._model.account import account_from
from .._model.reasons import Reason
from .._model.run_settings import PointLocation
from .._model.settings import Settings
from .._operation.context import OperationContext
from .._operation.results import Result
from .._plan.agreement import setting_of
from .._plan.order import Plan

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import SnapshotTypeDef

HOUR_SECONDS, DAY_HOURS = 3600.0, 48.0


class FoundSnapshot(TypedDict):
    """A snapshot of a restore point. ``expires_at`` is ISO 8601, or C(never)."""

    snapshot_id: str
    host: str
    run_id: str
    volume_id: str
    gib: int
    made_at: str | None
    expires_at: str
    state: str


class PointsResult(Result):
    """The snapshots that there are, or that were deleted or are kept now."""

    snapshots: list[FoundSnapshot]
    lines: list[str]


def point_locations(plan: Plan, settings: Settings) -> list[PointLocation]:
    """Where a run may take restore points, each account and region once."""
    found: list[PointLocation] = []
    for host in (planned.host for planned in plan.included):
        if host.kind != "ec2" or host.region is None:
            continue
        if setting_of(settings, host.inventory_name, "restore_point") == "none":
            continue
        account = host.account.as_option() if host.account else None
        location: PointLocation = {"account": account, "region": host.region}
        if location not in found:
            found.append(location)
    return found


def _locations(ledger: Ledger) -> list[PointLocation]:
    """Those of all runs that the ledger knows."""
    found: list[PointLocation] = []
    for run in ledger.runs():
        found += [location for location in run.settings.get("restore_points") or () if location not in found]
    return found


def _aws_at(context: OperationContext, location: PointLocation) -> Aws:
    return context.aws_of(account_from(location["account"]), location["region"])


def _points(aws: Aws) -> list[SnapshotTypeDef]:
    """Of one account and region, the newest first."""
    found = [
        snapshot
        for snapshot in describe_snapshots(aws, {f"tag:{MARK}": "true"})
        if snapshot.get("Description") == DESCRIPTION and {HOST, EXPIRES} <= tags_of(snapshot).keys()
    ]
    return sorted(found, key=lambda snapshot: snapshot["StartTime"], reverse=True)


def _is_expired(snapshot: SnapshotTypeDef, now: float) -> bool:
    """One whose tag cannot be read is kept."""
    try:
        return parse_iso(tags_of(snapshot)[EXPIRES]) <= now
    except ValueError:
        return False


def expire_old_points(context: OperationContext) -> tuple[list[str], list[str]]:
    """Delete the restore points of all runs that have expired.

    Returns:
        Lines about them, and warnings: no host fails because one could not be deleted.
    """
    lines, warnings = list[str](), list[str]()
    for location in _locations(context.ledger):
        deleted: list[SnapshotTypeDef] = []
        try:
            _expire_at(context, location, deleted)
        except PatchFleetError as error:
            warnings.append(f"Not every expired restore point in {location['region']} was deleted: {error.reason}")
        if deleted:
            gib = sum(snapshot["VolumeSize"] for snapshot in deleted)
            lines.append(
                f"Deleted {counted(len(deleted), 'snapshot')} of expired restore points in {location['region']}: {gib} GiB."
            )
    return lines, warnings


def _expire_at(context: OperationContext, location: PointLocation, deleted: list[SnapshotTypeDef]) -> None:
    aws = _aws_at(context, location)
    for snapshot in _points(aws):
        if _is_expired(snapshot, context.clock.now()):
            delete_snapshot(aws, snapshot["SnapshotId"])
            deleted.append(snapshot)


def list_points(context: OperationContext) -> PointsResult:
    """All restore points, or those of a host or a run.

    Returns:
        changed (false), snapshots, lines.

    Raises:
        Failed: an account and region does not answer; what the others have is shown before.
    """
    troubles: list[PatchFleetError] = []
    return _result(context, [snapshot for _aws, snapshot in _chosen(context, troubles)], troubles, changed=False)


def expire_points(context: OperationContext) -> PointsResult:
    """Delete those that have expired.

    Returns:
        changed, snapshots (the deleted ones), lines.

    Raises:
        Failed: as list_points, or not every one could be deleted.
    """
    troubles: list[PatchFleetError] = []
    expired = [pair for pair in _chosen(context, troubles) if _is_expired(pair[1], context.clock.now())]

    def delete(aws: Aws, snapshot: SnapshotTypeDef) -> None:
        if not context.check_mode:
            delete_snapshot(aws, snapshot["SnapshotId"])

    deleted = _each(expired, delete, troubles)
    return _result(context, deleted, troubles, changed=bool(deleted))


def keep_points(context: OperationContext) -> PointsResult:
    """Let those of a host or a run never expire.

    Returns:
        changed, snapshots (those that are kept now), lines.

    Raises:
        Failed: ``no_restore_point``; as list_points; or not every one could be kept.
    """
    troubles: list[PatchFleetError] = []
    chosen = [pair for pair in _chosen(context, troubles) if tags_of(pair[1])[EXPIRES] != KEPT]
    if not chosen and not troubles and not context.check_mode:
        raise Failed("There is no such restore point that expires.", Reason.NO_RESTORE_POINT)

    def keep(aws: Aws, snapshot: SnapshotTypeDef) -> None:
        if not context.check_mode:
            create_tag(aws, snapshot["SnapshotId"], EXPIRES, KEPT)

    kept = _each(chosen, keep, troubles)
    return _result(context, [_kept(snapshot) for snapshot in kept], troubles, changed=bool(kept))


def _each(
    chosen: Iterable[tuple[Aws, SnapshotTypeDef]],
    change: Callable[[Aws, SnapshotTypeDef], None],
    troubles: list[PatchFleetError],
) -> list[SnapshotTypeDef]:
    """Those that could be changed; one that could not keeps no other from it."""

    def is_changed(aws: Aws, snapshot: SnapshotTypeDef) -> bool:
        try:
            change(aws, snapshot)
        except PatchFleetError as error:
            troubles.append(Failed(f"{snapshot['SnapshotId']}: {error.reason}", error.code))
            return False
        return True

    return [snapshot for aws, snapshot in chosen if is_changed(aws, snapshot)]


def _kept(snapshot: SnapshotTypeDef) -> SnapshotTypeDef:
    """As its tags are now."""
    tags = {**tags_of(snapshot), EXPIRES: KEPT}
    return {**snapshot, "Tags": [{"Key": name, "Value": value} for name, value in tags.items()]}


def _chosen(context: OperationContext, troubles: list[PatchFleetError]) -> Iterator[tuple[Aws, SnapshotTypeDef]]:
    """The restore points that the options name, each with its account and region; those that do not answer are ``troubles``."""
    target, run_id = context.params["target"], context.params["run_id"]
    keys = _keys_of(context.existing_ledger(), target) if target else set[str]()
    for location in _locations(context.existing_ledger()):
        try:
            aws = _aws_at(context, location)
            points = _points(aws)
        except PatchFleetError as error:
            troubles.append(Failed(f"{_described(location)}: {error.reason}", error.code))
            continue
        for snapshot in points:
            tags = tags_of(snapshot)
            if (not target or tags[HOST] in keys) and (not run_id or tags.get(RUN) == run_id):
                yield aws, snapshot


def _described(location: PointLocation) -> str:
    account = account_from(location["account"])
    return f"{location['region']} of account {account.name} ({account.id})" if account else location["region"]


def _keys_of(ledger: Ledger, target: str) -> set[str]:
    """The key of a host that is named by its name, its instance id or its key."""
    rows: Iterable[set[str | None]] = (
        {host.key, host.name, host.instance_id} for run in ledger.runs() for host in ledger.hosts(run.run_id)
    )
    return {str(one) for names in rows if target in names for one in names} | {target}


def _result(
    context: OperationContext, snapshots: list[SnapshotTypeDef], troubles: Sequence[PatchFleetError], *, changed: bool
) -> PointsResult:
    """Raises Failed with the troubles, after all the rest is shown."""
    now = context.clock.now()
    result: PointsResult = {
        "changed": changed,
        "snapshots": [
            {
                "snapshot_id": snapshot["SnapshotId"],
                "host": tags_of(snapshot)[HOST],
                "run_id": tags_of(snapshot).get(RUN, ""),
                "volume_id": snapshot["VolumeId"],
                "gib": snapshot["VolumeSize"],
                "made_at": iso(snapshot["StartTime"].timestamp()),
                "expires_at": tags_of(snapshot)[EXPIRES],
                "state": snapshot["State"],
            }
            for snapshot in snapshots
        ],
        "lines": [_words(snapshot, now) for snapshot in snapshots] or ["There is no such restore point."],
    }
    if troubles:
        for snapshot in snapshots:
            context.report_progress(_words(snapshot, now))
        raise Failed(
            join_sentences("Not every restore point could be reached.", *(error.reason for error in troubles)),
            troubles[0].code,
            {"snapshots": result["snapshots"]},
        )
    return result


def _words(snapshot: SnapshotTypeDef, now: float) -> str:
    tags, made = tags_of(snapshot), snapshot["StartTime"].timestamp()
    name = tags.get("Name")
    host = f"{name} ({tags[HOST]})" if name and name != tags[HOST] else tags[HOST]
    hours = max(now - made, 0.0) / HOUR_SECONDS
    age = f"{hours:.0f} hours" if hours < DAY_HOURS else f"{hours / 24:.0f} days"
    return (
        f"{host}: {snapshot['SnapshotId']} of {iso(made)}, {age} old, {snapshot['VolumeSize']} GiB, kept until "
        f"{tags[EXPIRES]}, run {tags.get(RUN)}"
    )
