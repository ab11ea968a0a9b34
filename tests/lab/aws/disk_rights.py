# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What rights calls about volumes and snapshots need: each has several resources, with rights of their own.

Source: Service Authorization Reference, EC2.
"""

from __future__ import annotations

from collections.abc import Iterator

from lab.aws.request import Request
from lab.aws.right_parts import Part, host_arn, key_arn, on_hosts, requested_tags, resource_tags
from lab.world import Host


def on_volume(request: Request, hosts: list[Host]) -> Iterator[Part]:
    volume_id = request.params["VolumeId"]
    volumes = [volume for host in hosts for volume in host.all_volumes if volume.id == volume_id]
    for volume in volumes:
        arn = request.arns.of("ec2", request.region, f"volume/{volume_id}")
        yield request.action, arn, resource_tags(volume.tags.latest)


def snapshot_of_volume(request: Request, hosts: list[Host]) -> Iterator[Part]:
    yield from on_volume(request, hosts)
    yield from _made(request, request.arns.of_aws("ec2", request.region, "snapshot/*"))


def snapshots_of_instance(request: Request, hosts: list[Host]) -> Iterator[Part]:
    """The instance, its volumes, and the snapshots."""
    yield from on_hosts(request, hosts)
    wanted = request.params["InstanceSpecification"]
    for volume in (volume for host in hosts for volume in host.volumes):
        if volume.id not in (wanted.get("ExcludeDataVolumeIds") or ()):
            arn = request.arns.of("ec2", request.region, f"volume/{volume.id}")
            yield request.action, arn, resource_tags(volume.tags.latest)
    yield from _made(request, request.arns.of_aws("ec2", request.region, "snapshot/*"))


def _made(request: Request, arn: str) -> Iterator[Part]:
    """What a call makes, and the tags that it makes it with."""
    tags = [tag for spec in request.params.get("TagSpecifications") or [] for tag in spec["Tags"]]
    yield request.action, arn, requested_tags(tags)
    if tags:
        yield "ec2:CreateTags", arn, {**requested_tags(tags), "ec2:CreateAction": request.operation}


def on_snapshot(request: Request, _hosts: list[Host]) -> Iterator[Part]:
    identifier = request.params["SnapshotId"]
    snapshot = request.account.snapshots.get(identifier)
    arn = request.arns.of_aws("ec2", request.region, f"snapshot/{identifier}")
    yield request.action, arn, resource_tags(snapshot.tags.latest if snapshot else {})


def new_volume(request: Request, hosts: list[Host]) -> Iterator[Part]:
    """With a customer key the caller needs it as well (EBS user guide, "Requirements for Amazon EBS encryption")."""
    yield from on_snapshot(request, hosts)
    yield from _made(request, request.arns.of("ec2", request.region, "volume/*"))
    yield from _key_of_new_volume(request)


def _key_of_new_volume(request: Request) -> Iterator[Part]:
    snapshot = request.account.snapshots.get(request.params["SnapshotId"])
    if snapshot is None or not snapshot.encrypted:
        return
    via = {"kms:ViaService": f"ec2.{request.region}.{request.arns.url_suffix}"}
    key = key_arn(request.arns, request.region)
    for name in ("Decrypt", "DescribeKey", "GenerateDataKeyWithoutPlaintext", "ReEncryptFrom", "ReEncryptTo"):
        yield f"kms:{name}", key, via
    yield "kms:CreateGrant", key, {**via, "kms:GrantIsForAWSResource": "true"}


def attachment(request: Request, hosts: list[Host]) -> Iterator[Part]:
    yield from on_volume(request, hosts)
    yield from on_hosts(request, hosts)


def replace_root(request: Request, hosts: list[Host]) -> Iterator[Part]:
    yield from on_hosts(request, hosts)
    for path in ("volume/*", "replace-root-volume-task/*"):
        yield request.action, request.arns.of("ec2", request.region, path), {}
    yield from on_snapshot(request, hosts)
    yield from _key_of_new_volume(request)


def on_tagged(request: Request, hosts: list[Host]) -> Iterator[Part]:
    """The resources that are tagged, each with the tags that it has."""
    named = request.params["Resources"]
    for host in hosts:
        if host.id in named:
            yield request.action, host_arn(request.arns, host), resource_tags(host.tags.latest)
        for volume in (volume for volume in host.all_volumes if volume.id in named):
            arn = request.arns.of("ec2", request.region, f"volume/{volume.id}")
            yield request.action, arn, resource_tags(volume.tags.latest)
    for snapshot in (snapshot for snapshot in request.account.snapshots.values() if snapshot.id in named):
        arn = request.arns.of_aws("ec2", request.region, f"snapshot/{snapshot.id}")
        yield request.action, arn, resource_tags(snapshot.tags.latest)
