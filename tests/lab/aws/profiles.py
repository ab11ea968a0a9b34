# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""EC2: which instance has which instance profile.

Source: EC2 API reference (AssociateIamInstanceProfile and its relatives); an instance has one at most, and the error of a
second is as people report it (aws-samples/one-observability-demo#201).
"""

from __future__ import annotations

from typing import Any

from lab.aws.ec2_describe import find_instances, instances_in
from lab.aws.ec2_power import check_dry_run
from lab.aws.errors import AwsError, invalid_value
from lab.aws.filters import Getter, select
from lab.aws.request import Operation, Request, Result, page
from lab.world import Host

MAX_RESULTS = 1000


def _association_id(host: Host) -> str:
    return (host.id or "").replace("i-", "iip-assoc-")


def _association(request: Request, host: Host, state: str) -> dict[str, Any]:
    return {
        "AssociationId": _association_id(host),
        "InstanceId": host.id,
        "IamInstanceProfile": {"Arn": request.arns.profile(host.profile or ""), "Id": "AIPA" + "LAB" * 5},
        "State": state,
    }


def associate(request: Request) -> Result:
    """By the profile's name; never a second one."""
    host = find_instances(request, [request.params["InstanceId"]])[0]
    name = request.params["IamInstanceProfile"].get("Name", "")
    if request.account.roles.of_profile(name) is None:
        raise invalid_value(
            f"Value ({name}) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name"
        )
    if host.profile:
        raise AwsError("IncorrectState", f"There is an existing association for instance {host.id}")
    check_dry_run(request)
    host.take_profile(name)
    return {"IamInstanceProfileAssociation": _association(request, host, "associating")}


def describe(request: Request) -> Result:
    getters: dict[str, Getter[Host]] = {
        "instance-id": lambda host: [host.id or ""],
        "state": lambda _host: ["associated"],
    }
    hosts = [host for host in instances_in(request) if host.profile]
    hosts = select(hosts, request.params.get("Filters", []), getters, lambda _host: {})
    shown, next_token = page(request, hosts, MAX_RESULTS)
    return {
        "IamInstanceProfileAssociations": [_association(request, host, "associated") for host in shown],
        **next_token,
    }


def disassociate(request: Request) -> Result:
    wanted = request.params["AssociationId"]
    host = next((host for host in instances_in(request) if host.profile and _association_id(host) == wanted), None)
    if host is None:
        raise AwsError("InvalidAssociationID.NotFound", f"An invalid association-id of '{wanted}' was given")
    gone = _association(request, host, "disassociating")
    host.take_profile(None)
    if request.account.management_roles.get(request.region):
        host.agent.gets_role()
    return {"IamInstanceProfileAssociation": gone}


OPERATIONS: dict[str, Operation] = {
    "AssociateIamInstanceProfile": associate,
    "DescribeIamInstanceProfileAssociations": describe,
    "DisassociateIamInstanceProfile": disassociate,
}
