# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""EC2: tags of instances, volumes and snapshots. What is written is seen a little later."""

from __future__ import annotations

from typing import Any

from lab.aws.ec2_describe import find_instance, instances_in
from lab.aws.ec2_power import check_dry_run
from lab.aws.errors import AwsError, invalid_value
from lab.aws.filters import Getter, select
from lab.aws.request import Operation, Request, Result, page
from lab.lagged import Lagged

MAX_TAGS = 50
MAX_RESULTS = 1000


def _tags_of(request: Request, identifier: str) -> Lagged[dict[str, str]]:
    """The tags of an instance, a volume or a snapshot; the NotFound error of its kind."""
    instance = find_instance(request, identifier)
    if instance:
        return instance.tags
    owner = request.world.by_volume_id.get(identifier)
    if owner and find_instance(request, owner.id):
        return next(volume.tags for volume in owner.all_volumes if volume.id == identifier)
    if identifier in request.account.snapshots:
        return request.account.snapshots[identifier].tags
    kinds = {"i": "InvalidInstanceID", "vol": "InvalidVolume", "snap": "InvalidSnapshot"}
    kind = kinds.get(identifier.partition("-")[0], "InvalidID")
    raise AwsError(f"{kind}.NotFound", f"The ID '{identifier}' does not exist")


def create_tags(request: Request) -> Result:
    """Adds and replaces; keys that begin with ``aws:`` are AWS's own."""
    if not request.params.get("Tags"):
        raise AwsError("MissingParameter", "The request must contain the parameter tag")
    given = {tag["Key"]: tag.get("Value", "") for tag in request.params["Tags"]}
    reserved = [key for key in given if key.lower().startswith("aws:")]
    if reserved:
        raise invalid_value(
            f"Value ( {reserved[0]} ) for parameter key is invalid. Tag keys starting with 'aws:' are "
            "reserved for internal use"
        )
    targets = [_tags_of(request, identifier) for identifier in request.params["Resources"]]
    check_dry_run(request)
    if any(len({**tags.latest, **given}) > MAX_TAGS for tags in targets):
        raise AwsError("TagLimitExceeded", f"The maximum number of {MAX_TAGS} tags is reached")
    for tags in targets:
        tags.set({**tags.latest, **given}, request.world.lag.visible_at())
    return {}


def delete_tags(request: Request) -> Result:
    """Removes the keys named; a value that is given must match, and without any keys all go that are not AWS's."""
    targets = [_tags_of(request, identifier) for identifier in request.params["Resources"]]
    check_dry_run(request)
    named = request.params.get("Tags")
    for tags in targets:
        kept = dict(tags.latest)
        for tag in named if named is not None else [{"Key": key} for key in kept if not key.startswith("aws:")]:
            if tag["Key"] in kept and tag.get("Value") in (None, kept[tag["Key"]]):
                del kept[tag["Key"]]
        tags.set(kept, request.world.lag.visible_at())
    return {}


def describe_tags(request: Request) -> Result:
    """Of instances and volumes, one tag a row."""
    now = request.as_of
    owners = [(host.id, "instance", host.tags) for host in instances_in(request)]
    owners += [(volume.id, "volume", volume.tags) for host in instances_in(request) for volume in host.all_volumes]
    rows = [
        {"ResourceId": identifier, "ResourceType": kind, "Key": key, "Value": value}
        for identifier, kind, tags in owners
        for key, value in tags.at(now).items()
    ]
    getters: dict[str, Getter[dict[str, Any]]] = {
        "key": lambda row: [row["Key"]],
        "resource-id": lambda row: [row["ResourceId"]],
        "resource-type": lambda row: [row["ResourceType"]],
        "value": lambda row: [row["Value"]],
    }
    rows = select(rows, request.params.get("Filters", []), getters, lambda _row: {})
    shown, next_token = page(request, rows, MAX_RESULTS)
    return {"Tags": shown, **next_token}


OPERATIONS: dict[str, Operation] = {
    "CreateTags": create_tags,
    "DeleteTags": delete_tags,
    "DescribeTags": describe_tags,
}
