# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plan says in the lab of hosts that Systems Manager does not manage, and of who else patches them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._modules.instance_profile_association import (
    OPERATION as ATTACH,
)
from chaos.controller import Controller
from chaos.night import REGION, Night
from lab.aws.interfaces import VPC_ID
from lab.aws.network import TABLE_ID
from lab.aws.ssm_nodes import DEFAULT_HOST_MANAGEMENT

HOSTS: list[dict[str, Any]] = [
    {"name": "fine"},
    {"name": "bare", "agent": "no_role"},
    {"name": "silent", "agent": "never", "tags": {"PatchGroup": "Windows", "App": "web"}},
]


@pytest.fixture
def night(tmp_path: Path) -> Iterator[Night]:
    with Night(tmp_path, hosts=HOSTS, account={"lag_seconds": 0}) as night:
        yield night


def lacking(night: Night) -> dict[str, list[str]]:
    """The hosts by the code of what they lack."""
    return {row["code"]: row["hosts"] for row in Controller(night).plan()["prerequisites"]}


def test_a_subnet_that_leads_nowhere_and_endpoints_that_do_as_well(night: Night) -> None:
    ec2 = night.client("ec2", REGION)
    assert lacking(night) == {"no_instance_profile": ["bare"], "not_registered": ["silent"]}
    ec2.delete_route(RouteTableId=TABLE_ID, DestinationCidrBlock="0.0.0.0/0")
    assert lacking(night) == {"no_instance_profile": ["bare"], "cut_off": ["silent"]}
    for service in ("ssm", "ssmmessages"):
        name = f"com.amazonaws.{REGION}.{service}"
        ec2.create_vpc_endpoint(VpcId=VPC_ID, ServiceName=name, VpcEndpointType="Interface")
    assert lacking(night) == {"no_instance_profile": ["bare"], "not_registered": ["silent"]}


def test_default_host_management_does_instead_of_an_instance_profile(night: Night) -> None:
    role = "service-role/AWSSystemsManagerDefaultEC2InstanceManagementRole"
    night.client("ssm", REGION).update_service_setting(SettingId=DEFAULT_HOST_MANAGEMENT, SettingValue=role)
    attached = Controller(night).step(ATTACH, tag_key="PatchGroup", tag_value="Windows", instance_profile="ours")
    assert {host["name"]: host["result"] for host in attached["hosts"]} == {
        "fine": "kept",
        "bare": "left_out",
        "silent": "kept",
    }
    assert not attached["changed"]
    night.sleep(3600)
    assert lacking(night) == {"not_registered": ["silent"]}


@pytest.mark.parametrize(
    ("association", "code", "hosts"),
    [
        (
            {"AssociationName": "AWS-QuickSetup-PatchPolicy-ScanForPatches-LA-a1b2c", "Name": "AWS-RunPatchBaseline"},
            "patch_policy",
            ["fine", "bare", "silent"],
        ),
        ({"AssociationName": "mine", "Name": "AWS-RunPatchBaseline"}, "patch_association", ["silent"]),
    ],
)
def test_who_else_patches(night: Night, association: dict[str, Any], code: str, hosts: list[str]) -> None:
    everybody = {"Key": "InstanceIds", "Values": ["*"]}
    targets = [everybody] if code == "patch_policy" else [{"Key": "tag:App", "Values": ["web"]}]
    night.client("ssm", REGION).create_association(Targets=targets, **association)
    assert sorted(lacking(night)[code]) == sorted(hosts)
