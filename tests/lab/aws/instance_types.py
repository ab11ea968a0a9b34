# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""vCPUs and memory of instance types (EC2 user guide): the size decides the vCPUs, size and family the memory."""

from __future__ import annotations

import re

from lab.aws.errors import AwsError

_VCPUS_OF_SIZE = {
    "nano": 2,
    "micro": 2,
    "small": 2,
    "medium": 2,
    "large": 2,
    "xlarge": 4,
    "2xlarge": 8,
    "3xlarge": 12,
    "4xlarge": 16,
    "6xlarge": 24,
    "8xlarge": 32,
    "9xlarge": 36,
    "12xlarge": 48,
    "16xlarge": 64,
    "18xlarge": 72,
    "24xlarge": 96,
    "32xlarge": 128,
    "48xlarge": 192,
    "metal": 96,
}
_T2_VCPUS = {"nano": 1, "micro": 1, "small": 1}
_SMALL_MIB = {"nano": 512, "micro": 1024, "small": 2048, "medium": 4096}
_GIB_PER_VCPU = {"c": 2, "r": 8, "x": 16, "z": 8}
_USUAL_GIB_PER_VCPU = 4
# Families that are listed when a request names no types.
_USUAL_FAMILIES = ("c5", "c6i", "m5", "m6i", "r5", "r6i", "t3", "t3a")
# L-1216C47A, "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances".
STANDARD_FAMILIES = frozenset("acdhimrtz")


def size_of(instance_type: str) -> tuple[int, int]:
    """vCPUs and MiB of memory; InvalidInstanceType when there is no such type."""
    family, _, size = instance_type.partition(".")
    if not re.fullmatch(r"[a-z]+[0-9]+[a-z0-9-]*", family) or size not in _VCPUS_OF_SIZE:
        raise AwsError("InvalidInstanceType", f"The following supplied instance types do not exist: [{instance_type}]")
    vcpus = _T2_VCPUS.get(size, _VCPUS_OF_SIZE[size]) if family == "t2" else _VCPUS_OF_SIZE[size]
    gib = _GIB_PER_VCPU.get(family[0], _USUAL_GIB_PER_VCPU)
    return vcpus, _SMALL_MIB.get(size, vcpus * gib * 1024)


def is_standard(instance_type: str) -> bool:
    """Whether the type counts for the quota of the Standard families."""
    return re.split(r"[0-9.]", instance_type)[0] in STANDARD_FAMILIES


def usual_types() -> list[str]:
    sizes = [size for size in _VCPUS_OF_SIZE if size not in _SMALL_MIB]
    small = [f"{family}.{size}" for family in ("t3", "t3a") for size in _SMALL_MIB]
    return [f"{family}.{size}" for family in _USUAL_FAMILIES for size in sizes] + small
