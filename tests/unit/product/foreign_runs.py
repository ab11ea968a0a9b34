# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Systems Manager shows of patch runs of others."""

from __future__ import annotations

from typing import Any

from .fakes import ID, moment


def a_command(status: str, started_at: float = 0.0, **more: Any) -> dict[str, Any]:
    """A row of ListCommandInvocations; ``began`` in seconds since the test began."""
    return {
        "CommandId": "99999999-0000-4000-8000-000000000000",
        "InstanceId": ID,
        "DocumentName": "AWS-RunPatchBaseline",
        "Comment": "",
        "RequestedDateTime": moment(started_at),
        "Status": status,
        **more,
    }


def an_association(status: str, started_at: float = 0.0, **more: Any) -> dict[str, Any]:
    """A row of DescribeInstanceAssociationsStatus."""
    return {
        "AssociationId": "88888888-0000-4000-8000-000000000000",
        "AssociationName": "nightly",
        "InstanceId": ID,
        "Name": "AWS-RunPatchBaselineAssociation",
        "ExecutionDate": moment(started_at),
        "Status": status,
        **more,
    }
