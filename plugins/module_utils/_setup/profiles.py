# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Attach an instance profile to hosts without one, and detach it again. An existing profile is never replaced.

Only setup_aws and teardown_aws call this, with the credentials of an administrator; the controller of a run
has none of these rights. Source: EC2 API reference (AssociateIamInstanceProfile: an instance has one profile at most).
"""

from __future__ import annotations

from collections import Counter
from typing import TypedDict

from .._aws.api import Aws
from .._aws.ec2 import describe_instances, tags_of
from .._aws.errors import AwsError
from .._aws.instance_profiles import (
    associate_profile,
    attach_role_policy,
    describe_associations,
    disassociate_profile,
)
from .._base.errors import Failed
from .._base.text import counted
from .._fleet.discover import by_tag, check_tag_value
from .._fleet.hosts import FleetHost, Location
from .._host.instances import CONSISTENCY_SECONDS
from .._model.reasons import Reason
from .._operation.context import OperationContext
from .._operation.results import Result
from .._plan.profiles import CORE_POLICY, ProfileRole, default_management_role, profile_name, read_profiles

VALUES_OF_A_FILTER = 200
"""EC2 takes at most this number of values in one filter (API reference, DescribeInstances)."""
NEW_PROFILE_SECONDS = 120.0
"""For this time EC2 may not know an instance profile that IAM has just made (IAM user guide, "Changes that I make are not always
immediately visible")."""
RETRY_PAUSE_SECONDS = 10.0


class ProfileHost(TypedDict):
    """A host; ``result`` is attached, kept, left_out or detached."""

    name: str
    instance_id: str | None
    region: str | None
    result: str
    reason: str


class RoleRow(TypedDict):
    """The role of a profile that hosts had already; ``result`` is has_rights, lacks_rights or policy_added."""

    profile: str
    role: str | None
    result: str
    reason: str


class ProfilesResult(Result):
    """What was done, host by host and role by role; ``lines`` says it to a person."""

    hosts: list[ProfileHost]
    roles: list[RoleRow]
    lines: list[str]


def attach(context: OperationContext) -> ProfilesResult:
    """Attach the profile to the hosts with the tag that have none, and check the roles of those that have one.

    Returns:
        hosts (name, instance_id, region, result: attached, kept or left_out, reason), roles (role, profile, result: has_rights,
        lacks_rights or policy_added), lines.
    """
    params = context.params
    tag_key, tag_value = params["tag_key"] or "", check_tag_value(params["tag_value"])
    regions = params["regions"] or [context.aws.region]
    found = by_tag(context.aws, [Location(None, region) for region in regions], (tag_key, tag_value), {})
    managed = {region: default_management_role(context.aws.in_region(region)) for region in regions}
    hosts = [_attach_to(context, host, managed[str(host.region)]) for host in found if host.kind == "ec2"]
    kept = Counter(host.profile_arn for host in found if host.kind == "ec2" and host.profile_arn and not host.exclusion)
    roles = [role for arn in sorted(kept) if (role := _read_role(context, arn)) is not None]
    changed = any(host["result"] == "attached" for host in hosts) or any(
        role["result"] == "policy_added" for role in roles
    )
    return {"changed": changed, "hosts": hosts, "roles": roles, "lines": _lines(hosts, roles)}


def _attach_to(context: OperationContext, host: FleetHost, management_role: str | None) -> ProfileHost:
    result, reason = _attached(context, host, management_role)
    return {
        "name": host.name,
        "instance_id": host.instance_id,
        "region": host.region,
        "result": result,
        "reason": reason,
    }


def _attached(context: OperationContext, host: FleetHost, management_role: str | None) -> tuple[str, str]:
    """What was done with a host, and a sentence why."""
    if host.exclusion is not None:
        return "left_out", host.exclusion[1]
    if host.profile_arn:
        return "kept", f"It has {profile_name(host.profile_arn)}."
    if management_role:
        return "left_out", f"Default Host Management Configuration gives it the role {management_role}."
    name = context.params["instance_profile"]
    if not context.check_mode and not _associate(context, host, name):
        return "kept", "Another user attached one meanwhile."
    return "attached", f"It has {name} now." if name else "It gets the stack's instance profile."


def _associate(context: OperationContext, host: FleetHost, name: str | None) -> bool:
    """Attach the profile; False when another user attached one meanwhile.

    Raises:
        Failed: no profile is named.
        AwsError: EC2 does not know the profile after NEW_PROFILE_SECONDS either, or refuses the call.
    """
    if not name:
        raise Failed(
            "No instance profile is named: the stack makes none (InstanceRole). Set aws_prerequisites_instance_profile.",
            Reason.NO_INSTANCE_PROFILE,
        )
    aws, instance_id = context.aws.in_region(host.region), str(host.instance_id)
    deadline = context.clock.now() + NEW_PROFILE_SECONDS
    while True:
        try:
            associate_profile(aws, instance_id, name)
        except AwsError as error:
            if error.aws_code == "IncorrectState" and "existing association" in error.reason:
                return error.after_unanswered and _attached_profile(context, aws, instance_id) == name
            if error.aws_code != "InvalidParameterValue" or context.clock.now() >= deadline:
                raise
        else:
            return True
        context.pause(RETRY_PAUSE_SECONDS)


def _attached_profile(context: OperationContext, aws: Aws, instance_id: str) -> str | None:
    """The profile that the instance has. EC2 may show it late; an attempt whose answer was lost may have attached ours."""

    def profile() -> str | None:
        arns = (
            row["IamInstanceProfile"]["Arn"] for row in describe_associations(aws) if row["InstanceId"] == instance_id
        )
        return next(map(profile_name, arns), None)

    return context.wait(profile, context.clock.now() + CONSISTENCY_SECONDS)


def _read_role(context: OperationContext, profile_arn: str) -> RoleRow | None:
    role = read_profiles(context.aws, profile_arn)
    if role is None:
        return None
    result, reason = _role_result(context, role, profile_arn)
    return {"profile": role.profile, "role": role.name if role.arn else None, "result": result, "reason": reason}


def _role_result(context: OperationContext, role: ProfileRole, profile_arn: str) -> tuple[str, str]:
    """What the role has or got, and a sentence where there is something to say."""
    if not role.missing_items:
        return "has_rights", ""
    if role.arn and context.params["add_policy"]:
        _add_policy(context, role, profile_arn.split(":")[1])
        return "policy_added", f"{CORE_POLICY} is attached to it now."
    reason = (
        f"It lacks {' and '.join(role.missing_items)}: attach {CORE_POLICY} to it, or set aws_prerequisites_add_policy."
    )
    return "lacks_rights", reason


def _add_policy(context: OperationContext, role: ProfileRole, partition: str) -> None:
    if not context.check_mode:
        policy = f"arn:{partition}:iam::aws:policy/{CORE_POLICY}"
        attach_role_policy(context.aws, role.name, policy)


def detach(context: OperationContext) -> ProfilesResult:
    """Take the profile from every instance that has it; other profiles stay where they are."""
    hosts: list[ProfileHost] = []
    for region in context.params["regions"] or [context.aws.region]:
        aws, wanted = context.aws.in_region(region), context.params["instance_profile"]
        rows = [row for row in describe_associations(aws) if profile_name(row["IamInstanceProfile"]["Arn"]) == wanted]
        names = _names(aws, [row["InstanceId"] for row in rows])
        for row in rows:
            if not context.check_mode:
                disassociate_profile(aws, row["InstanceId"], row["AssociationId"])
            instance_id = row["InstanceId"]
            hosts.append(
                {
                    "name": names.get(instance_id, instance_id),
                    "instance_id": instance_id,
                    "region": region,
                    "result": "detached",
                    "reason": "",
                }
            )
    lines = [f"detached: {host['name']} ({host['instance_id']})" for host in hosts]
    return {"changed": bool(hosts), "hosts": hosts, "roles": [], "lines": lines}


def _names(aws: Aws, instance_ids: list[str]) -> dict[str, str]:
    """The tags Name of these instances, by id."""
    names = {}
    for first in range(0, len(instance_ids), VALUES_OF_A_FILTER):
        some = instance_ids[first : first + VALUES_OF_A_FILTER]
        for instance in describe_instances(aws, [{"Name": "instance-id", "Values": some}]):
            names[instance["InstanceId"]] = tags_of(instance).get("Name") or instance["InstanceId"]
    return names


def _lines(hosts: list[ProfileHost], roles: list[RoleRow]) -> list[str]:
    """What was done, host by host; those that keep theirs are a number."""
    message = [host for host in hosts if host["result"] != "kept"]
    lines = [f"{host['result'].replace('_', ' ')}: {host['name']}. {host['reason']}".strip() for host in message]
    lines += [f"role {role['role']} in {role['profile']}: {role['reason']}" for role in roles if role["reason"]]
    kept = len(hosts) - len(message)
    verbs = ("has", "keeps") if kept == 1 else ("have", "keep")
    return [*lines, f"{counted(kept, 'host')} {verbs[0]} an instance profile and {verbs[1]} it."]
