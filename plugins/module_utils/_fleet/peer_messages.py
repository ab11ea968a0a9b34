# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is said of hosts that wait for their peers. Each function makes whole sentences of codes and data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .._base.text import join_names, join_sentences
from .._ledger.records import Slot

NAMED = 5


def waiting_for_peers(limits: Mapping[str, int], slots: Sequence[Slot]) -> str:
    """Of a host that waits until others of its group are put back."""
    return f"waiting for {_holders(slots)}: {_limits(limits, slots)} (patch_at_most, patch_clusters)"


def peers_timed_out(limits: Mapping[str, int], slots: Sequence[Slot]) -> str:
    """Of a host whose peers did not end."""
    return join_sentences(
        f"Its turn did not come: at most {_limits(limits, slots)} may be at work at once.",
        f"These stayed at work: {_holders(slots)}.",
    )


def peers_stuck(name: str, slots: Sequence[Slot], restore_command: str) -> str:
    """Of a host whose peers are at work for a dead run, or are held."""
    return join_sentences(
        f"Not more hosts of {name} may be at work at once, and these are not put back yet: {_holders(slots)}.",
        f"Run {restore_command}, or put them back by hand.",
    )


def _limits(limits: Mapping[str, int], slots: Sequence[Slot]) -> str:
    return join_names([f"{limits[name]} of {name}" for name in dict.fromkeys(slot.name for slot in slots)], NAMED)


def _holders(slots: Sequence[Slot]) -> str:
    return join_names(
        [f"{key} (run {run_id})" for key, run_id in {slot.host_key: slot.run_id for slot in slots}.items()], NAMED
    )
