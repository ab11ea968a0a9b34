# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What rights a call needs: its action on each resource that it names, with the condition keys that AWS would set.

Source: Service Authorization Reference. Actions that know no resource need "*".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from lab.aws import disk_rights
from lab.aws.alarms import COMPOSITE
from lab.aws.automation import role_of, runbook
from lab.aws.organizations import organization_id
from lab.aws.policy import Need
from lab.aws.request import Request
from lab.aws.right_parts import KEY_ID, Part, key_arn, on_hosts, requested_tags, resource_tags
from lab.world import Host

WITHOUT_RIGHTS = frozenset({"sts:GetCallerIdentity"})
"""Everybody may ask who they are (STS API reference)."""
LAUNCHED = ("instance", "network-interface", "volume")

CALLERS_ADDRESS = "127.0.0.1"
AWS_DOCUMENTS = ("AWS-", "AWSEC2-", "AmazonCloudWatch-")


def needs_of(request: Request, hosts: list[Host]) -> list[Need]:
    """All that must be allowed for the call; ``hosts`` are those that it names."""
    if request.action in WITHOUT_RIGHTS:
        return []
    parts = NEEDS.get(request.action) or NEEDS.get(request.service) or (lambda request, hosts: ())
    common = _of_every_call(request)
    found = [Need(action, resource, {**common, **context}) for action, resource, context in parts(request, hosts)]
    return found or [Need(request.action, "*", common)]


def _of_every_call(request: Request) -> dict[str, str]:
    """The global condition keys that the lab knows. Sessions of a role carry no sign of a second factor."""
    return {
        "aws:CurrentTime": request.sim.time.isoformat(),
        "aws:PrincipalAccount": request.arns.account_id,
        "aws:PrincipalArn": request.arns.role(request.role) if request.role else request.arns.caller(None),
        "aws:RequestedRegion": request.region,
        "aws:SecureTransport": "true",
        "aws:SourceIp": CALLERS_ADDRESS,
        "aws:ViaAWSService": "false",
    }


def _start(request: Request, hosts: list[Host]) -> Iterator[Part]:
    """EC2 attaches encrypted volumes in the caller's name; with a key of others the start falls back later."""
    yield from on_hosts(request, hosts)
    for host in hosts:
        if host.spec.kms == "usable":
            ec2 = f"ec2.{request.region}.{request.arns.url_suffix}"
            context = {"kms:ViaService": ec2, "kms:GrantIsForAWSResource": "true"}
            yield "kms:CreateGrant", key_arn(request.arns, request.region), context


def _document(request: Request, _hosts: list[Host]) -> Iterator[Part]:
    """AWS's own documents have no account (Systems Manager user guide, "Setting up Run Command")."""
    name = request.params.get("DocumentName") or request.params["Name"]
    make = request.arns.of_aws if name.startswith(AWS_DOCUMENTS) else request.arns.of
    arn = name if name.startswith("arn:") else make("ssm", request.region, f"document/{name}")
    yield request.action, arn, {}


def _send(request: Request, hosts: list[Host]) -> Iterator[Part]:
    yield from _document(request, hosts)
    yield from on_hosts(request, hosts)


def _tagging(request: Request, hosts: list[Host]) -> Iterator[Part]:
    tags = request.params.get("Tags") or []
    for action, arn, context in disk_rights.on_tagged(request, hosts):
        keys = {"aws:TagKeys": ",".join(tag["Key"] for tag in tags)} if tags else {}
        yield action, arn, {**context, **requested_tags(tags), **keys}


def _run_instances(request: Request, _hosts: list[Host]) -> Iterator[Part]:
    """Service Authorization Reference, EC2: each resource of the launch; tags are rights of their own, with ec2:CreateAction."""
    given = {kind: requested_tags(_tags_of_launch(request, kind)) for kind in LAUNCHED}
    for kind, tags in given.items():
        yield request.action, request.arns.of("ec2", request.region, f"{kind}/*"), tags
        if tags:
            keys = {"aws:TagKeys": ",".join(key.partition("/")[2] for key in tags), "ec2:CreateAction": "RunInstances"}
            yield "ec2:CreateTags", request.arns.of("ec2", request.region, f"{kind}/*"), {**tags, **keys}
    params = request.params
    yield (
        request.action,
        request.arns.of_aws("ec2", request.region, f"image/{params['ImageId']}"),
        {"ec2:Owner": "amazon"},
    )
    yield request.action, request.arns.of("ec2", request.region, f"subnet/{params['SubnetId']}"), {}
    for group in params.get("SecurityGroupIds") or ["sg-0a1b2c3d4e5f60718"]:
        yield request.action, request.arns.of("ec2", request.region, f"security-group/{group}"), {}
    role = request.account.roles.of_profile(params.get("IamInstanceProfile", {}).get("Name", ""))
    if role:
        yield from _passed(request.arns.role(role), "ec2.amazonaws.com")


def _tags_of_launch(request: Request, kind: str) -> list[dict[str, Any]]:
    specs = request.params.get("TagSpecifications") or []
    return [tag for spec in specs if spec["ResourceType"] == kind for tag in spec["Tags"]]


def _parameter(request: Request, _hosts: list[Host]) -> Iterator[Part]:
    """AWS's public ones have no account."""
    yield request.action, request.arns.of_aws("ssm", request.region, f"parameter{request.params['Name']}"), {}


def _new_window(request: Request, _hosts: list[Host]) -> Iterator[Part]:
    tags = request.params.get("Tags") or []
    arn = request.arns.of("ssm", request.region, "maintenancewindow/*")
    yield request.action, "*", requested_tags(tags)
    if tags:
        yield "ssm:AddTagsToResource", arn, requested_tags(tags)


def _made_window(request: Request, _hosts: list[Host]) -> Iterator[Part]:
    window_id = request.params.get("WindowId") or request.params["ResourceId"]
    made = request.account.made_windows.get(window_id)
    arn = request.arns.of("ssm", request.region, f"maintenancewindow/{window_id}")
    yield request.action, arn, resource_tags(made.tags if made else {})


def _tags_listed(request: Request, hosts: list[Host]) -> Iterator[Part]:
    yield from (
        _made_window(request, hosts)
        if request.params["ResourceType"] == "MaintenanceWindow"
        else on_hosts(request, hosts)
    )


def _assumed(request: Request, _hosts: list[Host]) -> Iterator[Part]:
    """A caller needs the right as well, where the role trusts its account as a whole (IAM user guide, "Cross-account resource
    access").
    """
    arn = request.params["RoleArn"]
    owner = next((it for it in request.account.estate if it.arns.account_id == arn.split(":")[4]), None)
    caller, resource = organization_id(request.account), organization_id(owner) if owner else None
    given = {"aws:PrincipalOrgID": caller, "aws:ResourceOrgID": resource}
    yield request.action, arn, {key: value for key, value in given.items() if value}


def _unit(request: Request, _hosts: list[Host]) -> Iterator[Part]:
    """A root or a unit, in the management account."""
    unit = request.params["ParentId"]
    kind = "root" if unit.startswith("r-") else "ou"
    management = request.account.estate[0].arns.account_id
    path = f"{kind}/{organization_id(request.account) or 'o-none'}/{unit}"
    yield request.action, f"arn:{request.arns.partition}:organizations::{management}:{path}", {}


def _quota(request: Request, _hosts: list[Host]) -> Iterator[Part]:
    path = f"{request.params['ServiceCode']}/{request.params['QuotaCode']}"
    yield request.action, request.arns.of("servicequotas", request.region, f"{path}"), {}


def _principal(request: Request, _hosts: list[Host]) -> Iterator[Part]:
    yield request.action, request.params["PolicySourceArn"], {}


def _table(request: Request, _hosts: list[Host]) -> Iterator[Part]:
    """A transaction needs the rights of what is in it ("IAM and DynamoDB transactions")."""
    for kind, table in dict.fromkeys(_on_tables(request)):
        yield f"dynamodb:{kind}", request.arns.of("dynamodb", request.region, f"table/{table}"), {}


def _on_tables(request: Request) -> Iterator[tuple[str, str]]:
    for item in request.params.get("TransactItems", ()):
        yield from ((f"{kind}Item", body["TableName"]) for kind, body in item.items())
    for table in request.params.get("RequestItems", ()):
        yield request.operation, table
    if "TableName" in request.params:
        yield request.operation, request.params["TableName"]


def _schedule(request: Request, _hosts: list[Host]) -> Iterator[Part]:
    """The caller that gives a schedule its role needs iam:PassRole on it."""
    group, name = request.params.get("GroupName", "default"), request.params["Name"]
    yield request.action, request.arns.of("scheduler", request.region, f"schedule/{group}/{name}"), {}
    if "Target" in request.params:
        yield from _passed(request.params["Target"]["RoleArn"], "scheduler.amazonaws.com")


def _topic(request: Request, _hosts: list[Host]) -> Iterator[Part]:
    yield request.action, request.params["TopicArn"], {}


def _schedule_group(request: Request, _hosts: list[Host]) -> Iterator[Part]:
    yield request.action, request.arns.of("scheduler", request.region, f"schedule-group/{request.params['Name']}"), {}


def _automation(request: Request, _hosts: list[Host]) -> Iterator[Part]:
    """The document and the execution are required; a definition was, and some policies know no other.

    Also the runbook's own role is passed on by who starts it (Systems Manager user guide, "Setting up Automation").
    """
    name = request.params["DocumentName"]
    for path in (f"document/{name}", f"automation-definition/{name}:$DEFAULT", f"automation-execution/{KEY_ID}"):
        yield request.action, request.arns.of("ssm", request.region, path), {}
    given = {key: values[0] for key, values in request.params.get("Parameters", {}).items()}
    yield from _passed(role_of(runbook(request, name), given), "ssm.amazonaws.com")


def _events(request: Request, _hosts: list[Host]) -> Iterator[Part]:
    bus = request.arns.of("events", request.region, "event-bus/default")
    for entry in request.params["Entries"]:
        yield request.action, bus, {"events:source": entry["Source"], "events:detail-type": entry["DetailType"]}


def _destination(request: Request, _hosts: list[Host]) -> Iterator[Part]:
    yield request.action, request.params["ApiDestinationArn"], {}


def _passed(role: str, service: str) -> Iterator[Part]:
    yield "iam:PassRole", role, {"iam:PassedToService": service}


def _window(request: Request, _hosts: list[Host]) -> Iterator[Part]:
    arn = request.arns.of("ssm", request.region, f"maintenancewindow/{request.params['WindowId']}")
    yield request.action, arn, {}


def _calendars(request: Request, _hosts: list[Host]) -> Iterator[Part]:
    for name in request.params["CalendarNames"]:
        own = request.arns.of("ssm", request.region, f"document/{name}")
        yield request.action, name if name.startswith("arn:") else own, {}


def _setting(request: Request, _hosts: list[Host]) -> Iterator[Part]:
    yield request.action, request.arns.of("ssm", request.region, f"servicesetting{request.params['SettingId']}"), {}


def _associate(request: Request, hosts: list[Host]) -> Iterator[Part]:
    """EC2 hands the role to the instance in the caller's name (IAM user guide, "Granting a user permissions to pass a role")."""
    yield from on_hosts(request, hosts)
    role = request.account.roles.of_profile(request.params["IamInstanceProfile"].get("Name", ""))
    if role:
        yield from _passed(request.arns.role(role), "ec2.amazonaws.com")


def _profile(request: Request, _hosts: list[Host]) -> Iterator[Part]:
    yield request.action, request.arns.profile(request.params["InstanceProfileName"]), {}


def _role(request: Request, _hosts: list[Host]) -> Iterator[Part]:
    yield request.action, request.arns.role(request.params["RoleName"]), {}


def _alarms(request: Request, _hosts: list[Host]) -> Iterator[Part]:
    """Each metric alarm by its name; composite alarms need the right on "*" (CloudWatch API reference, DescribeAlarms)."""
    if COMPOSITE in (request.params.get("AlarmTypes") or ()):
        yield request.action, "*", {}
        return
    for name in request.params.get("AlarmNames") or ["*"]:
        yield request.action, request.arns.of("cloudwatch", request.region, f"alarm:{name}"), {}


def _in_bucket(request: Request, _hosts: list[Host]) -> Iterator[Part]:
    """A bucket's name is its ARN, without region and account."""
    path = "/".join(filter(None, (request.params["Bucket"], request.params.get("Key"))))
    yield request.action, f"arn:{request.arns.partition}:s3:::{path}", {}


NEEDS: dict[str, Callable[[Request, list[Host]], Iterable[Part]]] = {
    "cloudwatch:DescribeAlarms": _alarms,
    "dynamodb": _table,
    "ec2:AssociateIamInstanceProfile": _associate,
    "ec2:AttachVolume": disk_rights.attachment,
    "ec2:CreateReplaceRootVolumeTask": disk_rights.replace_root,
    "ec2:CreateSnapshot": disk_rights.snapshot_of_volume,
    "ec2:CreateSnapshots": disk_rights.snapshots_of_instance,
    "ec2:CreateTags": _tagging,
    "ec2:CreateVolume": disk_rights.new_volume,
    "ec2:DeleteSnapshot": disk_rights.on_snapshot,
    "ec2:DeleteTags": _tagging,
    "ec2:DetachVolume": disk_rights.attachment,
    "ec2:DescribeInstanceAttribute": on_hosts,
    "ec2:ModifyVolume": disk_rights.on_volume,
    "ec2:RunInstances": _run_instances,
    "ec2:StartInstances": _start,
    "ec2:StopInstances": on_hosts,
    "ec2:TerminateInstances": on_hosts,
    "events:InvokeApiDestination": _destination,
    "events:PutEvents": _events,
    "iam:AttachRolePolicy": _role,
    "iam:GetInstanceProfile": _profile,
    "iam:GetRole": _role,
    "iam:SimulatePrincipalPolicy": _principal,
    "organizations:ListAccountsForParent": _unit,
    "organizations:ListOrganizationalUnitsForParent": _unit,
    "s3": _in_bucket,
    "scheduler:CreateSchedule": _schedule,
    "scheduler:DeleteSchedule": _schedule,
    "scheduler:GetSchedule": _schedule,
    "scheduler:GetScheduleGroup": _schedule_group,
    "scheduler:UpdateSchedule": _schedule,
    "servicequotas:GetServiceQuota": _quota,
    "sns:Publish": _topic,
    "ssm:DescribeDocument": _document,
    "ssm:DescribeMaintenanceWindowExecutions": _window,
    "ssm:GetCalendarState": _calendars,
    "ssm:DescribeInstanceAssociationsStatus": on_hosts,
    "ssm:CreateMaintenanceWindow": _new_window,
    "ssm:DeleteMaintenanceWindow": _made_window,
    "ssm:GetParameter": _parameter,
    "ssm:ListTagsForResource": _tags_listed,
    "ssm:DescribeInstancePatchStates": on_hosts,
    "ssm:DescribeInstancePatches": on_hosts,
    "ssm:GetConnectionStatus": on_hosts,
    "ssm:GetServiceSetting": _setting,
    "ssm:SendCommand": _send,
    "ssm:StartAutomationExecution": _automation,
    "sts:AssumeRole": _assumed,
}
"""By action, or by service; the actions that are not here know no resource."""
