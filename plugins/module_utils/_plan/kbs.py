# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Numbers of updates that AWS knows nothing of, named in the plan: a wrong one would install nothing, or leave nothing out.

Source: SSM API reference (DescribeAvailablePatches, filter PATCH_ID; DescribeInstancePatches, filter KBId). Windows decides all the
same, since a source of updates of one's own may offer what AWS does not know.
"""

from __future__ import annotations

from collections.abc import Sequence

from .._aws.errors import AwsError
from .._aws.patches import available_patches, recorded_patches
from .._base.text import join_names
from .._fleet.hosts import FleetHost, by_location
from .._model.settings import Settings
from .._operation.context import OperationContext

MOST_RECORDS = 50
"""The number of hosts whose records are read for numbers that AWS does not list as available: a call each."""
NAMED = 10


def unknown_kbs(context: OperationContext, hosts: Sequence[FleetHost], settings: Settings) -> list[str]:
    """A sentence about the numbers of patch_kbs and patch_exclude_kbs that AWS does not know. Empty where none is set, and where no
    host is in AWS.
    """
    wanted = {*settings["kbs"], *settings["exclude_kbs"]}
    managed = [host for host in hosts if host.instance_id and host.region]
    if not wanted or not managed:
        return []
    try:
        unknown = _unlisted(context, managed, wanted)
        unknown = _unrecorded(context, managed, unknown)
    except AwsError as error:
        if not error.is_denied:
            raise
        return [
            f"Whether these numbers of updates are right is unknown: {join_names(sorted(wanted), NAMED)}. {error.reason}"
        ]
    if not unknown:
        return []
    named = join_names(sorted(unknown), NAMED)
    sentence = f"AWS knows no update with this number: {named}."
    where = "Neither DescribeAvailablePatches nor what Patch Manager has recorded of these hosts has it."
    return [f"{sentence} {where} Check the number; Windows is asked all the same."]


def _unlisted(context: OperationContext, hosts: Sequence[FleetHost], wanted: set[str]) -> set[str]:
    """Those that no region of the hosts lists as available."""
    unknown = set(wanted)
    for location in by_location(hosts):
        if not unknown:
            break
        unknown -= available_patches(context.aws_of(location.account, location.region), sorted(unknown))
    return unknown


def _unrecorded(context: OperationContext, hosts: Sequence[FleetHost], wanted: set[str]) -> set[str]:
    """Those that Patch Manager has recorded of none of the first hosts."""
    unknown = set(wanted)
    for host in hosts[:MOST_RECORDS]:
        if not unknown:
            break
        aws = context.aws_of(host.account, host.region)
        try:
            unknown -= {row["KBId"] for row in recorded_patches(aws, str(host.instance_id), sorted(unknown))}
        except AwsError as error:
            if error.is_denied:
                raise  # other refusals say something of this host alone, such as that it is no managed node
    return unknown
