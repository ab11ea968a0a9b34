# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which start of an instance was ours, by its LaunchTime."""

from __future__ import annotations

from .._ledger.records import SKEW_SECONDS

UNSEEN_LAUNCH_SECONDS = 600.0
"""A crash may come between a start and its LaunchTime: then one within so long after the request is ours."""


def launch_window(requested_at: float) -> tuple[float, float]:
    """Between which LaunchTimes a start is taken for the one that was asked for then, by whichever clock."""
    return requested_at - SKEW_SECONDS, requested_at + UNSEEN_LAUNCH_SECONDS + SKEW_SECONDS
