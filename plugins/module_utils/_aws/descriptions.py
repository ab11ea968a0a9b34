# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What botocore has to know of a service: the operations that are called, of the 800 of EC2.

Every client gets a method for each operation that its service's description has, and each worker makes clients of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

EC2_OPERATIONS = frozenset(
    {
        "AssociateIamInstanceProfile",
        "AttachVolume",
        "CreateReplaceRootVolumeTask",
        "CreateSnapshot",
        "CreateSnapshots",
        "CreateTags",
        "CreateVolume",
        "DeleteSnapshot",
        "DeleteTags",
        "DescribeIamInstanceProfileAssociations",
        "DescribeImages",
        "DescribeInstanceAttribute",
        "DescribeInstanceTypes",
        "DescribeInstances",
        "DescribeRegions",
        "DescribeReplaceRootVolumeTasks",
        "DescribeRouteTables",
        "DescribeSnapshots",
        "DescribeSubnets",
        "DescribeVolumes",
        "DescribeVolumesModifications",
        "DescribeVpcEndpoints",
        "DetachVolume",
        "DisassociateIamInstanceProfile",
        "ModifyVolume",
        "RunInstances",
        "StartInstances",
        "StopInstances",
        "TerminateInstances",
    }
)
"""All that the modules of this package call. Another one is no method of the client."""


def only(description: Mapping[str, Any], operations: Collection[str]) -> dict[str, Any]:
    """A description of a service (``service-2.json``) with these operations, and the shapes that they use."""
    kept = {name: operation for name, operation in description["operations"].items() if name in operations}
    shapes = {}
    wanted = [name for operation in kept.values() for name in _shapes_in(operation)]
    while wanted:
        name = wanted.pop()
        if name not in shapes:
            shapes[name] = description["shapes"][name]
            wanted += _shapes_in(shapes[name])
    return {**description, "operations": kept, "shapes": shapes}


def _shapes_in(part: Any) -> Iterator[str]:
    """The names of the shapes that a part of a description refers to, at any depth."""
    if isinstance(part, list):
        for one in part:
            yield from _shapes_in(one)
    elif isinstance(part, dict):
        if isinstance(part.get("shape"), str):
            yield part["shape"]
        for one in part.values():
            yield from _shapes_in(one)
