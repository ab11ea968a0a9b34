# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Updates that a run names and that no host was offered: one sentence for the whole run."""

from __future__ import annotations

from collections.abc import Sequence

from .._base.text import join_names, join_sentences
from ._format import Host

NOT_APPLICABLE = "not_applicable"
NAMED = 10


def kbs_not_offered(hosts: Sequence[Host]) -> list[str]:
    """The updates for which each verdict is that they do not apply; empty where no host has a verdict."""
    verdicts: dict[str, set[str]] = {}
    for host in hosts:
        for kb, verdict in (host.get("verdicts") or {}).items():
            verdicts.setdefault(kb, set()).add(verdict)
    return sorted(kb for kb, found in verdicts.items() if found == {NOT_APPLICABLE})


def not_offered_lines(hosts: Sequence[Host]) -> list[str]:
    """A sentence about these updates, and about hosts that no search has reached; empty without one."""
    kbs = kbs_not_offered(hosts)
    if not kbs:
        return []
    searched = sum(bool(host.get("verdicts")) for host in hosts)
    return [
        join_sentences(
            f"No host was offered {join_names(kbs, NAMED)}, and none has it.",
            f"{len(hosts) - searched} of {len(hosts)} hosts were not searched." if searched < len(hosts) else None,
        )
    ]
