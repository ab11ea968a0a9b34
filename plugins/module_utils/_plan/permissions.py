# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rights that are missing, found before anything is touched.

Start and stop are asked with DryRun; reading rights by reading; what has neither by iam:SimulatePrincipalPolicy, where the
credentials may call that. Source: EC2 API reference (DryRun), IAM API reference.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from .._aws.commands import refuse_without_reading_invocations
from .._aws.ebs import refusal_to_create_snapshot, refusal_to_create_snapshots
from .._aws.ec2 import refusal_to_create_tag, refusal_to_delete_tag, refusal_to_start, refusal_to_stop
from .._aws.errors import DENIED, AwsError
from .._aws.iam import caller_arn, doubts_about, simulate_policy
from .._aws.patches import patch_state
from .._aws.ssm import describe_document
from .._base.errors import Failed, InstanceGone
from .._disk.restore_point import DESCRIPTION, chosen_volumes, point_tags
from .._disk.snapshot import description, snapshot_tags
from .._disk.volume import NoRootVolume, root_volume
from .._fleet.hosts import FleetHost, by_location
from .._host.instances import existing_instance
from .._model.account import Account
from .._model.reasons import Reason
from .._operation.context import OperationContext
from .._power.watchdog import refuse_without_setup, role_arn_of
from .._update.patch_baseline import DOCUMENT
from .agreement import setting_of

if TYPE_CHECKING:
    from mypy_boto3_iam.type_defs import ContextEntryTypeDef, EvaluationResultTypeDef


def missing_power_right(context: OperationContext, host: FleetHost) -> AwsError | None:
    """The denial of starting or stopping this instance, if there is one."""
    aws = context.aws_of(host.account, host.region)
    for refusal in (refusal_to_start, refusal_to_stop):
        error = refusal(aws, str(host.instance_id))
        if error is not None and error.aws_code in DENIED:
            return error
    return None


def refuse_missing_rights(context: OperationContext, hosts: list[FleetHost]) -> list[str]:
    """Rights that no host can do without; returns sentences about those that are unknown.

    Raises:
        PatchFleetError: the first that is missing, with its action and resource.
    """
    managed = [host for host in hosts if host.instance_id and host.region]
    settings = context.params["settings"]
    if settings["dead_man_switch"]:
        refuse_without_setup(context, settings["setup_prefix"], by_location(h for h in managed if h.kind == "ec2"))
    _refuse_without_snapshots(context, [host for host in managed if _takes_snapshots(settings, host)])
    _refuse_without_restore_points(context, [host for host in managed if _restore_point(settings, host) != "none"])
    if settings["mark_tag"]:
        _refuse_without_marks(context, settings["mark_tag"], [host for host in managed if host.kind == "ec2"])
    for location, there in by_location(managed).items():
        aws = context.aws_of(location.account, location.region)
        describe_document(aws, DOCUMENT)
        refuse_without_reading_invocations(aws)
        patch_state(aws, str(there[0].instance_id))
    return [line for hosts in _by_account(managed) for line in _simulate(context, _typical(context, hosts))]


def _by_account(hosts: Iterable[FleetHost]) -> Iterable[list[FleetHost]]:
    """The rights of a role are those of all regions."""
    found: dict[Account | None, list[FleetHost]] = {}
    for host in hosts:
        found.setdefault(host.account, []).append(host)
    return found.values()


def _takes_snapshots(settings: Mapping[str, object], host: FleetHost) -> bool:
    return host.kind == "ec2" and bool(setting_of(settings, host.inventory_name, "snapshot_before_grow"))


def _restore_point(settings: Mapping[str, object], host: FleetHost) -> str:
    """patch_restore_point of a host; there is none of hosts that are no instances, and none where nothing is installed."""
    if host.kind != "ec2" or settings["operation"] != "install":
        return "none"
    return str(setting_of(settings, host.inventory_name, "restore_point"))


def _typical(context: OperationContext, hosts: list[FleetHost]) -> FleetHost:
    """A host with the targets' tag, since policies require it. A host without the tag fails alone, when the run comes to it."""
    settings = context.params["settings"]
    tagged = [host for host in hosts if host.tags.get(settings["tag_key"]) == settings["tag_value"]]
    return (tagged or hosts)[0]


def _refuse_without_snapshots(context: OperationContext, hosts: list[FleetHost]) -> None:
    """Only a growth needs a snapshot, but the user wants one: the first volume of each region is tried."""
    for location, there in by_location(hosts).items():
        aws = context.aws_of(location.account, location.region)
        try:
            volume = root_volume(aws, str(there[0].instance_id))
        except (InstanceGone, NoRootVolume):
            continue  # nothing that could grow, then
        tags = snapshot_tags(context, volume)
        refusal = refusal_to_create_snapshot(aws, volume["VolumeId"], description("before growing"), tags)
        if refusal is not None and refusal.aws_code in DENIED:
            raise refusal


def _refuse_without_restore_points(context: OperationContext, hosts: list[FleetHost]) -> None:
    """A host of each region is tried: without the right none of them would be patched."""
    for location, chosen in by_location(hosts).items():
        there, aws = _typical(context, chosen), context.aws_of(location.account, location.region)
        which = _restore_point(context.params["settings"], there)
        try:
            instance = existing_instance(aws, str(there.instance_id))
            left_out, _wanted = chosen_volumes(instance, which)
        except Failed:
            continue  # the host itself will tell
        tags = point_tags(context, instance, context.clock.now())
        refusal = refusal_to_create_snapshots(aws, instance["InstanceId"], left_out, DESCRIPTION, tags)
        if refusal is not None and refusal.aws_code in DENIED:
            raise refusal


def _refuse_without_marks(context: OperationContext, key: str, hosts: list[FleetHost]) -> None:
    """The rights hold for the hosts' tag and this one; a host of each region is tried."""
    for location, chosen in by_location(hosts).items():
        there, aws = _typical(context, chosen), context.aws_of(location.account, location.region)
        for refusal in (refusal_to_create_tag, refusal_to_delete_tag):
            error = refusal(aws, str(there.instance_id), key)
            if error is not None and error.aws_code in DENIED:
                raise error


def _simulate(context: OperationContext, host: FleetHost) -> list[str]:
    """Sentences about rights of which a simulation cannot say whether they are there; see refuse_missing_rights."""
    aws = context.aws_of(host.account, host.region)
    try:
        caller = caller_arn(aws)
        results = [
            result
            for resource, actions in _simulated(context, host, caller).items()
            for result in simulate_policy(aws, policy_source_arn(caller), actions, resource, _simulation_context(host))
        ]
    except AwsError:
        return []  # these credentials may not ask; the first host will tell
    refused = [result for result in results if result["EvalDecision"] != "allowed"]
    for result in refused:
        if not doubts_about(result):
            raise Failed(
                f"The credentials ({caller}) lack the right {result['EvalActionName']} on "
                f"{result['EvalResourceName']}, which every host needs. Nothing was touched.",
                Reason.ACCESS_DENIED,
            )
    return [_unknown_sentence(refused)] if refused else []


def _unknown_sentence(refused: Sequence[EvaluationResultTypeDef]) -> str:
    actions = ", ".join(sorted({result["EvalActionName"] for result in refused}))
    why = ", ".join(sorted({cause for result in refused for cause in doubts_about(result)}))
    return (
        f"Whether these rights are there is unknown: {actions}. A policy asks for what a simulation cannot tell ({why}); the "
        "first host will show it."
    )


def _simulated(context: OperationContext, host: FleetHost, caller_arn: str) -> dict[str, list[str]]:
    """The actions by resource: a policy for some resources only does not allow "*", which the API takes by default."""
    partition, account = caller_arn.split(":")[1], caller_arn.split(":")[4]
    document = f"arn:{partition}:ssm:{host.region}::document/{DOCUMENT}"  # AWS's own belong to no account
    actions = {document: ["ssm:SendCommand"], "*": ["ssm:GetCommandInvocation"]}
    if host.tags:  # a hybrid node that the inventory names shows none, and a condition on them could not be simulated
        kind = f"ec2:{host.region}:{account}:instance"
        if str(host.instance_id).startswith("mi-"):
            kind = f"ssm:{host.region}:{account}:managed-instance"
        actions[f"arn:{partition}:{kind}/{host.instance_id}"] = ["ssm:SendCommand", "ssm:DescribeInstancePatches"]
    settings = context.params["settings"]
    if settings["dead_man_switch"] and host.kind == "ec2":
        schedule = f"schedule/{settings['setup_prefix']}/{host.instance_id}"
        needed = ["scheduler:CreateSchedule", "scheduler:UpdateSchedule", "scheduler:DeleteSchedule"]
        actions[f"arn:{partition}:scheduler:{host.region}:{account}:{schedule}"] = needed
        actions[role_arn_of(caller_arn, settings["setup_prefix"], str(host.region))] = ["iam:PassRole"]
    return actions


def policy_source_arn(arn: str) -> str:
    """Of arn:aws:sts::1:assumed-role/NAME/SESSION the role; the user as it is."""
    if ":assumed-role/" not in arn:
        return arn
    head, _separator, tail = arn.partition(":assumed-role/")
    return f"{head.replace(':sts:', ':iam:')}:role/{tail.split('/')[0]}"


def _simulation_context(host: FleetHost) -> list[ContextEntryTypeDef]:
    """What conditions may ask for: a simulation knows neither the region nor the tags of a resource."""
    keys = {"aws:RequestedRegion": str(host.region), "iam:PassedToService": "scheduler.amazonaws.com"}
    for prefix in ("aws:ResourceTag", "ssm:resourceTag"):
        keys.update({f"{prefix}/{key}": value for key, value in host.tags.items() if not key.startswith("aws:")})
    return [
        {"ContextKeyName": key, "ContextKeyType": "string", "ContextKeyValues": [value]} for key, value in keys.items()
    ]
