# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How much room on C: the updates need that a host is missing, before they are installed.

Neither Patch Manager nor EC2 knows sizes; the Update agent in the host does, and its search is one command. Sources: Windows
Update Agent API, IUpdate (MaxDownloadSize: the most bytes that may be downloaded; RecommendedHardDiskSpace: MiB that should be
free before the installation, often 0).
"""

from __future__ import annotations

from collections.abc import Sequence

from .._base.errors import Failed
from .._host.answers import UpdateSize, UpdateSizes
from .._host.guest_scripts import has_script, run_guest_script
from .._model.severities import UNSPECIFIED
from .._operation.context import OperationContext

SEARCH_SECONDS = 900
LARGEST_DOWNLOAD_GIB = 4.0
"""MaxDownloadSize of an express update counts the deltas from every earlier version, tens of GiB, of which one is fetched."""
EXPANDED = 2.0
"""A package is unpacked, and its files are staged, before the component store has them."""
HEADROOM_GIB = 2.0
"""Windows writes logs and its page file meanwhile."""


def space_for(updates: Sequence[UpdateSize]) -> float:
    """GiB that installing these wants free: all downloads lie in the cache at one time, but one is unpacked after the other.

    ``sum(download) + max(recommended, 2 x download of the largest) + 2``; 0 without updates.
    """
    if not updates:
        return 0.0
    downloads = [min(update.max_download_bytes / 2**30, LARGEST_DOWNLOAD_GIB) for update in updates]
    recommended = [update.recommended_mib / 1024 for update in updates]
    return sum(downloads) + max(*recommended, EXPANDED * max(downloads)) + HEADROOM_GIB


def space_for_missing_updates(context: OperationContext) -> float | None:
    """GiB wanted by what the Update agent offers this host; None where it cannot tell: its repair comes later."""
    if not has_script(context, UpdateSizes):
        return None
    try:
        updates = run_guest_script(context, UpdateSizes, SEARCH_SECONDS).updates
    except Failed as error:
        context.report_progress(f"the sizes of what is missing are not known: {error.reason}")
        return None
    severities = {update.kb: update.severity for update in updates if update.kb and update.severity != UNSPECIFIED}
    known = context.facts.get("severities") or {}
    context.note_facts(searched_at=context.clock.now(), severities={**known, **severities})
    return space_for(updates)
