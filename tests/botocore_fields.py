# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What AWS added after the oldest botocore of our range, which drops it from answers. Tests of it need a newer one."""

from __future__ import annotations

import botocore.session
import pytest


def _members(service: str, shape: str) -> set[str]:
    return set(botocore.session.get_session().get_service_model(service).shape_for(shape).members)


NEEDS_ACCOUNT_STATE = pytest.mark.skipif(
    "State" not in _members("organizations", "Account"),
    reason="this botocore does not know State of an account of Organizations; a newer one of our range does",
)
NEEDS_HIDDEN_INSTANCES = pytest.mark.skipif(
    "IncludeManagedResources" not in _members("ec2", "DescribeInstancesRequest"),
    reason="this botocore cannot ask for managed instances that the account hides; a newer one of our range can",
)
NEEDS_SKIPPED_SHUTDOWN = pytest.mark.skipif(
    "SkipOsShutdown" not in _members("ec2", "StopInstancesRequest"),
    reason="this botocore cannot stop an instance without the shutdown of its system; a newer one of our range can",
)
