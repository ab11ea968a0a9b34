# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why a host may not be touched, or not be power-cycled.

Sources: EC2 user guide (stop protection, hibernation, Spot, instance store), EC2 Auto Scaling user guide (members are
replaced when they stop or reboot unhealthily), EC2 API reference (Operator, StateReason).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from .._aws.ec2 import tags_of
from .._base.text import clean_text
from .._model.reasons import Reason
from .hosts import OFF_STATES

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import InstanceTypeDef

HIBERNATED = "Client.UserInitiatedHibernate"
Exclusion: TypeAlias = tuple[Reason, str] | None


def exclusion_of(instance: InstanceTypeDef) -> Exclusion:
    """(code, sentence) when the instance, as DescribeInstances gives it, must not be touched; else None.

    Stop protection is not part of that answer: see power_exclusion.
    """
    if not _is_windows(instance):
        return Reason.NOT_WINDOWS, "It is not a Windows host."
    if (owner := owner_of(instance)) is not None:
        return owner
    if instance["State"]["Name"] in OFF_STATES:
        return power_exclusion(instance, stop_protected=False)
    return None


def _is_windows(instance: InstanceTypeDef) -> bool:
    """An AMI that was registered from a snapshot may lack the platform; what is billed names Windows all the same.

    Source: EC2 user guide ("AMI billing information"): PlatformDetails such as Windows, Windows BYOL, Windows with SQL Server.
    """
    named = (str(instance.get("Platform", "")), str(instance.get("PlatformDetails", "")))
    return any(text.lower().startswith("windows") for text in named)


def owner_of(instance: InstanceTypeDef) -> Exclusion:
    """(code, sentence) when an AWS service manages the instance, and replaces it or controls its power; else None."""
    group = tags_of(instance).get("aws:autoscaling:groupName")
    if group is not None:
        return (
            Reason.AUTO_SCALING_GROUP,
            f"It belongs to the Auto Scaling group {clean_text(group)}, which may replace it when it reboots or stops.",
        )
    if (instance.get("Operator") or {}).get("Managed"):
        principal = instance["Operator"].get("Principal", "an AWS service")
        return Reason.MANAGED_BY_SERVICE, f"It is managed by {clean_text(principal)}."
    return None


def power_exclusion(instance: InstanceTypeDef, stop_protected: bool) -> Exclusion:
    """(code, sentence) when an instance that is off must not be started, because it could not be put back as it was."""
    if instance.get("InstanceLifecycle") == "spot":
        return Reason.SPOT, "It is a Spot instance, which is not started and stopped by us."
    if (instance.get("StateReason") or {}).get("Code") == HIBERNATED:
        return Reason.HIBERNATED, "It is hibernated; starting and stopping it would lose its memory."
    if instance.get("RootDeviceType") == "instance-store":
        return Reason.INSTANCE_STORE, "Its root volume is an instance store, which is lost when it stops."
    if stop_protected:
        return (
            Reason.STOP_PROTECTED,
            "It is protected against being stopped (DisableApiStop), so it could not be put back.",
        )
    return None
