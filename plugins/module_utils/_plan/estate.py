# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a plan leaves out without a word of its own: hosts of the last run that are gone, and Windows instances without the tag
or in other regions.

Source: EC2 API reference (DescribeInstances: filters platform and instance-id; the values of tag filters are case-sensitive).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from .._aws.ec2 import describe_instances, enabled_regions, tags_of
from .._aws.errors import AwsError
from .._base.clock import iso
from .._base.side_by_side import side_by_side
from .._base.text import clean_text, counted, join_names
from .._fleet.discover import LIVE_STATES
from .._fleet.eligibility import exclusion_of
from .._fleet.hosts import FleetHost, Location, by_location
from .._ledger.records import Host, Ledger, Run
from .._model.account import Account, account_from
from .._model.run_settings import ROLL_BACK
from .._model.settings import Settings
from .._operation.context import OperationContext

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import FilterTypeDef, InstanceTypeDef

NAMED = 10
"""The number of hosts that are named, and of hosts of the last run of which AWS is asked what became of them."""


def since_last_run(context: OperationContext, hosts: Sequence[FleetHost], settings: Settings) -> list[str]:
    """Sentences about the hosts that the last closed run of the same targets had and this plan has not, and the reverse."""
    last = _last_run(context.ledger, hosts, settings)
    if last is None:
        return []
    before = {host.key: host for host in context.ledger.hosts(last.run_id)}
    now = {host.key for host in hosts}
    listed = set(context.params["inventory"])  # a limit leaves these out of the plan
    gone = [host for key, host in before.items() if key not in now and not {key, host.name} & listed]
    new = [host.name for host in hosts if host.key not in before]
    about = f"the last run ({last.run_id}, closed at {iso(last.closed_at)})" if last.closed_at else "the last run"
    return [
        *(
            [f"In {about} and not in this plan: {join_names(_with_causes(context, gone, last), NAMED)}."]
            if gone
            else []
        ),
        *([f"New since {about}: {join_names(new, NAMED)}."] if new else []),
    ]


def _last_run(ledger: Ledger, hosts: Sequence[FleetHost], settings: Settings) -> Run | None:
    """The newest closed run of all hosts of the same tag or pattern; slices have a part of them only."""
    tag = f"{settings['tag_key']}={settings['tag_value']}" if any(host.by_tag for host in hosts) else None
    for run in ledger.runs():
        targets = run.settings.get("targets")
        is_whole = run.closed_at is not None and run.operation != ROLL_BACK and "slice" not in run.settings
        if is_whole and targets and (targets["tag"], targets["hosts"]) == (tag, settings["hosts"]):
            return run
    return None


def _with_causes(context: OperationContext, gone: Sequence[Host], last: Run) -> list[str]:
    """The names of the hosts of the last run, the first of them with what AWS says of them now."""
    tag = last.settings["targets"]["tag"]
    asked = [host for host in gone[:NAMED] if host.kind == "ec2" and host.region]
    found = dict[str, str]()
    locations = {Location(account_from(host.facts.get("account")), str(host.region)) for host in asked}
    for location in sorted(locations, key=str):
        ids = [host.key for host in asked if (host.region, _account_of(host)) == (location.region, location.account)]
        try:
            there = context.aws_of(location.account, location.region)
            known = {
                one["InstanceId"]: one for one in describe_instances(there, [{"Name": "instance-id", "Values": ids}])
            }
        except AwsError:
            continue
        found.update({key: _cause(known.get(key), tag) for key in ids})
    return [f"{host.name} ({found[host.key]})" if host.key in found else host.name for host in gone]


def _account_of(host: Host) -> Account | None:
    return account_from(host.facts.get("account"))


def _cause(instance: InstanceTypeDef | None, tag: str | None) -> str:
    if instance is None or instance["State"]["Name"] in {"terminated", "shutting-down"}:
        return "terminated"
    if tag and tag not in {f"{key}={value}" for key, value in tags_of(instance).items()}:
        return f"no longer tagged {clean_text(tag)}"
    return "no longer a target"


def without_targets(hosts: Sequence[FleetHost], settings: Settings) -> list[str]:
    """A sentence about regions and accounts of the variables without a host in the plan: a typo in one shows nowhere else."""
    if not any(host.by_tag for host in hosts):
        return []
    found = {(host.account.id if host.account and host.account.role_arn else None, host.region) for host in hosts}
    empty = [] if settings["organization"] else [one for one in settings["regions"] if (None, one) not in found]
    if settings["accounts"]:  # their hosts may be the only ones of a region
        empty = [one for one in empty if one not in {region for _account, region in found}]
    for account in settings["accounts"]:
        regions = account["regions"] or settings["regions"]
        named = Account(account["id"], account["name"])
        if account["id"] not in {one for one, _region in found}:
            empty.append(f"the account {named}")
        else:
            empty += [f"{one} of account {named}" for one in regions if (account["id"], one) not in found]
    return [f"No host of this plan is in {join_names(empty, NAMED)}."] if empty else []


def unpatched_windows(context: OperationContext, hosts: Sequence[FleetHost], settings: Settings) -> list[str]:
    """Sentences about Windows instances beside the hosts that do not carry the tag, and those whose tag is nearly right.

    Those that must not be patched in place, such as of Auto Scaling groups, are not named.
    """
    if not any(host.by_tag for host in hosts) or settings["filters"]:
        return []
    known = {host.key for host in hosts}
    sentences = []
    for location in by_location(hosts):
        try:
            found = _windows_in(context, location)
        except AwsError as error:
            sentences.append(f"Windows instances without the tag in {location} are unknown. {error.reason}")
            continue
        beside = [one for one in found if one["InstanceId"] not in known and exclusion_of(one) is None]
        sentences += _about(beside, location, (settings["tag_key"], settings["tag_value"]))
    return sentences


def windows_elsewhere(context: OperationContext, hosts: Sequence[FleetHost], settings: Settings) -> list[str]:
    """Sentences about Windows instances in the other regions that are enabled in the accounts of the hosts."""
    if not settings["other_regions"] or not any(host.by_tag for host in hosts) or settings["filters"]:
        return []
    here = list(by_location(hosts))
    tag = (settings["tag_key"], settings["tag_value"])
    sentences, elsewhere = [], list[Location]()
    for home in {location.account: location for location in reversed(here)}.values():
        try:
            enabled = enabled_regions(context.aws_of(home.account, home.region).without_retries())
        except AwsError as error:
            sentences.append(f"Other regions than {home} were not asked for Windows instances. {error.reason}")
            continue
        elsewhere += [there for region in sorted(enabled) if (there := Location(home.account, region)) not in here]
    refused: list[tuple[Location, AwsError]] = []
    for location, found in zip(
        elsewhere, side_by_side(lambda there: _windows_or_error(context, there), elsewhere), strict=True
    ):
        if isinstance(found, AwsError):
            refused.append((location, found))
            continue
        beside = [one for one in found if exclusion_of(one) is None]
        searched = (location.account and location.account.regions) or settings["regions"]
        if location.region not in searched:
            sentences += _tagged_elsewhere(beside, location, tag)
        sentences += _about(beside, location, tag)
    if refused:
        names = join_names([str(location) for location, _error in refused], len(refused))
        sentences.append(f"Not asked for Windows instances: {names}. {refused[0][1].reason}")
    return sentences


def _windows_or_error(context: OperationContext, location: Location) -> list[InstanceTypeDef] | AwsError:
    try:
        return _windows_in(context, location, is_needed=False)
    except AwsError as error:
        return error


def _tagged_elsewhere(beside: Iterable[InstanceTypeDef], location: Location, tag: tuple[str, str]) -> list[str]:
    """Instances with the tag in a region that was not searched."""
    tagged = [
        tags
        for instance in beside
        if (tags := {"Name": instance["InstanceId"], **tags_of(instance)}).get(tag[0]) == tag[1]
    ]
    if not tagged:
        return []
    count = counted(len(tagged), "Windows instance")
    names = join_names(sorted(clean_text(tags["Name"]) for tags in tagged), NAMED)
    return [
        f"The region {location} is not searched, and has {count} with the tag {'='.join(tag)}: {names}. See patch_regions."
    ]


def _windows_in(context: OperationContext, location: Location, *, is_needed: bool = True) -> list[InstanceTypeDef]:
    there = context.aws_of(location.account, location.region)
    there = there if is_needed else there.without_retries()
    filters: list[FilterTypeDef] = [
        {"Name": "platform", "Values": ["windows"]},
        {"Name": "instance-state-name", "Values": LIVE_STATES},
    ]
    return list(describe_instances(there, filters))


def _about(beside: Iterable[InstanceTypeDef], location: Location, tag: tuple[str, str]) -> list[str]:
    """One sentence a location. An instance with the exact tag was left out on purpose, by a pattern or a limit."""
    named = []
    for instance in beside:
        tags = tags_of(instance)
        if tags.get(tag[0]) == tag[1]:
            continue
        near = next((f"{key}={value}" for key, value in tags.items() if _plain(key, value) == _plain(*tag)), None)
        name = clean_text(tags.get("Name") or instance["InstanceId"])
        named.append((near is None, f"{name} ({clean_text(near)})" if near is not None else name))
    if not named:
        return []
    count = "1 Windows instance" if len(named) == 1 else f"{len(named)} Windows instances"
    names = join_names([name for _untagged, name in sorted(named)], NAMED)
    return [f"No run patches {count} in {location} without the tag {'='.join(tag)}: {names}."]


def _plain(key: str, value: str) -> tuple[str, str]:
    """A tag without what people mistype: upper and lower case, blanks, and signs between words."""
    plain = ["".join(character for character in text.casefold() if character.isalnum()) for text in (key, value)]
    return plain[0], plain[1]
