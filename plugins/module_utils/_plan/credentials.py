# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Credentials that expire for good are a deadline: a host that could not be put back before it does not start.

Source: IAM user guide, "Roles terms and concepts": a chained role lasts an hour at most. botocore renews what a profile, a
process or an instance profile gives; what was given as keys and a token stays as it is.
"""

from __future__ import annotations

from .._base.clock import iso
from .._base.errors import Deferred
from .._ledger.records import Host, Run
from .._model.reasons import Reason
from .._operation.context import OperationContext

NEAR_SECONDS = 60.0
"""Clocks differ, and the last call must still be good."""


def end_of_credentials(context: OperationContext, message: float | None) -> float | None:
    """When they expire for good, as the variable patch_credentials_expire_at or the credentials themselves say."""
    ends = [float(end) for end in (message, context.aws.expires_at) if end is not None]
    return min(ends, default=None)


def refuse_short_credentials(context: OperationContext, run: Run, host: Host, expected_seconds: float) -> None:
    """Raises Deferred where the credentials are known to end before the host could be finished and put back."""
    if host.instance_id is None:
        return  # no AWS is needed for it
    end = end_of_credentials(context, run.settings.get("credentials_expire_at"))
    if end is not None and context.clock.now() + expected_seconds + NEAR_SECONDS > end:
        raise Deferred(
            f"It would take about {expected_seconds / 60:.0f} min, and the AWS credentials end at {iso(end)} and cannot be "
            "renewed; it could not be put back. Give credentials that last longer, or that renew themselves (a profile with a "
            "role, an instance profile).",
            Reason.CREDENTIALS_TOO_SHORT,
        )
