# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tags by which people and schedulers claim a host's power for themselves.

Source: Instance Scheduler on AWS, implementation guide (the stack's parameter "Schedule tag key", ``Schedule`` by default) and its
source since 3.1 (``IS-ManagedBy``, which it puts on what it manages).
"""

from __future__ import annotations

from collections.abc import Mapping

from .._base.text import clean_text
from .._model.reasons import Reason
from .._model.run_settings import RunSettings
from .eligibility import Exclusion

MANAGED_BY = "IS-ManagedBy"


def scheduler_of(tags: Mapping[str, str], settings: RunSettings) -> str | None:
    """The tag, as ``key=value``, of the scheduler that starts and stops the host; None without one."""
    scheduler_tag = settings.get("scheduler_tag")
    key = next((key for key in (scheduler_tag, MANAGED_BY) if key in tags), None)
    return clean_text(f"{key}={tags[key]}") if key and scheduler_tag else None


def claim_of(tags: Mapping[str, str], settings: RunSettings, accepted: str | None = None) -> Exclusion:
    """(code, sentence) where a tag claims the host; None where no tag does.

    Args:
        settings: of the run: keep_tag, scheduler_tag. A run of an older version has neither.
        accepted: the scheduler under which the run took the host, as scheduler_of gives it.
    """
    keep = settings.get("keep_tag")
    if keep in tags:
        return Reason.KEEP_TAG, f"Its tag {keep} asks to leave it alone."
    scheduler = scheduler_of(tags, settings)
    if scheduler is not None and scheduler != accepted:
        return Reason.SCHEDULED, f"A scheduler starts and stops it ({scheduler})."
    return None
