# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What hosts lack for Systems Manager to manage them, found before a run needs it. Part of plan.

Nothing here ends a plan: what the credentials may not see is not said. Hosts that SSM lists cost no calls but for their
volumes, and one a region for who else patches them.
Sources: Systems Manager user guide ("Patch Manager prerequisites": the agent's version; "Troubleshooting managed node
availability"), AWS managed policy reference (AWSQuickSetupPatchPolicyTagManagementExecutionPolicy: the tag of a patch policy).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TypedDict

from .._aws.api import Aws
from .._aws.ebs import describe_volumes
from .._aws.errors import AwsError
from .._base.text import join_names, join_sentences
from .._fleet.hosts import FleetHost, by_location
from .._model.reasons import Reason
from .._operation.context import OperationContext
from .agreement import setting_of
from .associations import Association, patching_associations
from .network import Network
from .profiles import CORE_POLICY, ProfileRole, default_management_role, read_profiles

OLDEST_AGENT = (2, 0, 834, 0)
POLICY_TAG = "QSConfigName-"
PROFILES_AT_MOST = 20
"""Each costs two calls; those of most hosts come first."""
VOLUMES_A_CALL = 200
NAMES_AT_MOST = 5

NO_PROFILE = (
    "It has no instance profile, so Systems Manager cannot manage it. Let setup_aws attach one "
    "(aws_prerequisites_attach_instance_profile), or turn on Default Host Management Configuration."
)
BY_DEFAULT_MANAGEMENT = (
    "Without a profile it needs IMDSv2 and an agent of at least 3.2.582.0 (Default Host Management Configuration)."
)

DOMAINS = {"cn": "amazonaws.com.cn", "eusc": "amazonaws.eu"}
"""Of AWS's endpoints in the regions of other partitions, by the beginning of the region's name."""

Finding = tuple[Reason, str]
"""A code, and what is missing with its remedy."""


class Prerequisite(TypedDict):
    """What hosts lack: the code, a sentence with the remedy, and the names of the hosts."""

    code: Reason
    reason: str
    hosts: list[str]


def missing_prerequisites(context: OperationContext, hosts: list[FleetHost]) -> list[Prerequisite]:
    """What hosts lack, those with the same together: code, reason (with the remedy), hosts (names)."""
    found: dict[Finding, list[str]] = {}
    for location, all_there in by_location(host for host in hosts if host.instance_id).items():
        there = [host for host in all_there if host.transport == "ssm"]
        aws = context.aws_of(location.account, location.region)
        for host, finding in (
            *_in_region(aws, there),
            *_untagged_volumes(context, aws, there),
            *_foreign_patching(aws, there),
        ):
            found.setdefault(finding, []).append(host.name)
    for host in hosts:
        for policy in (value for key, value in sorted(host.tags.items()) if key.startswith(POLICY_TAG)):
            found.setdefault(_other_policy(policy), []).append(host.name)
    return [{"code": code, "reason": reason, "hosts": names} for (code, reason), names in found.items()]


def prerequisite_lines(missing: Iterable[Prerequisite]) -> list[str]:
    """A line each, the names of many hosts cut short."""
    return [f"look at   {join_names(row['hosts'], NAMES_AT_MOST)}: {row['reason']}" for row in missing]


def _in_region(aws: Aws, hosts: list[FleetHost]) -> Iterator[tuple[FleetHost, Finding]]:
    for host in hosts:
        finding = _bad_agent(host)
        if finding:
            yield host, finding
    unlisted = [host for host in hosts if host.kind == "ec2" and not host.node]
    if not unlisted:
        return
    managed_by = default_management_role(aws)
    roles = {} if managed_by else _roles_of(aws, unlisted)
    network = Network(aws, [host for host in unlisted if host.power == "running"])
    for host in unlisted:
        finding = None if managed_by else _no_rights(host, roles)
        finding = finding or (_not_registered(host, network, managed_by) if host.power == "running" else None)
        if finding:
            yield host, finding


def _roles_of(aws: Aws, hosts: Iterable[FleetHost]) -> dict[str, ProfileRole | None]:
    count = Counter(host.profile_arn for host in hosts if host.profile_arn)
    return {arn: read_profiles(aws, arn) for arn, _number in count.most_common(PROFILES_AT_MOST)}


def _bad_agent(host: FleetHost) -> Finding | None:
    version = str(host.node.get("agent_version") or "")
    if host.node.get("ping_status") == "ConnectionLost":
        since = host.node["last_ping_at"]
        return (
            Reason.AGENT_SILENT,
            f"Its SSM agent has been silent since {since}. Start it again, or stop and start the host once.",
        )
    numbers = tuple(int(part) for part in version.split(".") if part.isdigit())
    if numbers and numbers < OLDEST_AGENT:
        return (
            Reason.AGENT_OLD,
            f"Its SSM agent {version} is too old for Patch Manager. Update it, e.g. with AWS-UpdateSSMAgent.",
        )
    return None


def _no_rights(host: FleetHost, roles: dict[str, ProfileRole | None]) -> Finding | None:
    if not host.profile_arn:
        return Reason.NO_INSTANCE_PROFILE, NO_PROFILE
    role = roles.get(host.profile_arn)
    if role is None or not role.missing_items:
        return None
    who = (
        f"The role {role.name} of its instance profile"
        if role.arn
        else f"There is no role in its instance profile {role.profile}; it"
    )
    return Reason.ROLE_LACKS_RIGHTS, f"{who} lacks {' and '.join(role.missing_items)}. Attach {CORE_POLICY} to it."


def _domain(region: str) -> str:
    """The domain of AWS's endpoints in a region (AWS general reference, "AWS service endpoints")."""
    return DOMAINS.get(region.partition("-")[0], "amazonaws.com")


def _not_registered(host: FleetHost, network: Network, managed_by: str | None) -> Finding:
    cut_off = network.why_cut_off(host)
    if cut_off:
        return Reason.CUT_OFF, f"{cut_off} Add these endpoints and S3's, or a NAT gateway."
    reason = join_sentences(
        "It runs, but its SSM agent has not registered. Install or start the agent, and check that it reaches "
        f"ssm.{host.region}.{_domain(str(host.region))}; after a new instance profile it takes up to half an hour.",
        BY_DEFAULT_MANAGEMENT if managed_by and not host.profile_arn else None,
    )
    return Reason.NOT_REGISTERED, reason


def _untagged_volumes(
    context: OperationContext, aws: Aws, hosts: list[FleetHost]
) -> Iterator[tuple[FleetHost, Finding]]:
    """Volumes that setup_aws gives no right to grow, since it asks for the hosts' tag on them, too."""
    settings = context.params["settings"]
    key, value = settings["tag_key"], settings["tag_value"]
    growing = [host for host in hosts if host.root_volume_id and setting_of(settings, host.inventory_name, "grow_gib")]
    tagged = {host.root_volume_id: host for host in growing if host.tags.get(key) == value}
    ids = sorted(str(volume_id) for volume_id in tagged)
    try:
        for at in range(0, len(ids), VOLUMES_A_CALL):
            batch = ids[at : at + VOLUMES_A_CALL]
            for volume in describe_volumes(aws, [{"Name": "volume-id", "Values": batch}]):
                if {"Key": key, "Value": value} not in volume.get("Tags", []):
                    reason = (
                        f"Its root volume has no tag {key}={value}, so the rights of setup_aws do not let it grow. Tag the volume, "
                        "or set patch_grow_gib to 0."
                    )
                    yield tagged[volume["VolumeId"]], (Reason.VOLUME_UNTAGGED, reason)
    except AwsError:
        return


def _foreign_patching(aws: Aws, hosts: list[FleetHost]) -> Iterator[tuple[FleetHost, Finding]]:
    for association in patching_associations(aws) if hosts else ():
        for host in hosts:
            if association.reaches(host) and f"{POLICY_TAG}{association.policy}" not in host.tags:
                yield host, _association(association)


def _association(found: Association) -> Finding:
    if found.policy:
        return _other_policy(found.policy)
    when = f" ({found.schedule})" if found.schedule else ""
    reason = (
        f"State Manager's association {found.name} runs {found.document} on it, too{when}. If that installs, take it out of one "
        "of the two."
    )
    return Reason.PATCH_ASSOCIATION, reason


def _other_policy(name: str) -> Finding:
    reason = f"Quick Setup's patch policy {name} patches it, too, by its own baseline and schedule. Take it out of one of the two."
    return Reason.PATCH_POLICY, reason
