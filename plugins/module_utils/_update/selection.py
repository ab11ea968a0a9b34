# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which updates a host shall get, and whether it may reboot for them: patch_kbs, patch_exclude_kbs and patch_reboot."""

from __future__ import annotations

from dataclasses import dataclass, replace

from .._operation.channel import Scan
from .._operation.context import OperationContext
from .pending_reboot import search_with_own_word

EXCLUDED = "excluded"
"""The verdict of an update that is missing and that patch_exclude_kbs names."""


@dataclass(frozen=True)
class Selection:
    """What an installation takes.

    Attributes:
        kbs: only these, approved or not; empty for all that are approved.
        excluded: none of these, also where ``kbs`` names one.
        may_reboot: whether Windows may be rebooted for them now.
    """

    kbs: tuple[str, ...] = ()
    excluded: frozenset[str] = frozenset()
    may_reboot: bool = True

    @property
    def is_by_number(self) -> bool:
        """Whether the updates of an installation are named one by one, which needs a search before it."""
        return bool(self.kbs or self.excluded)

    def is_reached(self, found: Scan) -> bool:
        """Whether nothing is left to do here."""
        return found.compliant or (not self.may_reboot and replace(found, pending_reboot=0).compliant)


def selection_of(context: OperationContext) -> Selection:
    """By the options. A host that was off when the run found it reboots as its updates ask for: no user works on it."""
    params = context.params
    was_off = context.facts.get("original_state") == "stopped"
    return Selection(
        kbs=tuple(kb.strip().upper() for kb in params["kbs"]),
        excluded=frozenset(kb.strip().upper() for kb in params["exclude_kbs"]),
        may_reboot=params.get("reboot") != "never" or was_off,
    )


def search(context: OperationContext, selection: Selection) -> Scan:
    """A fresh search for these updates alone, with the reboots that the host itself knows of.

    Raises:
        PatchFleetError: ``scan_failed`` or ``not_proven``, as the channel's search.
    """
    if selection.kbs:
        found = search_with_own_word(context, lambda: context.channel.search_kbs(selection.kbs))
    else:
        found = search_with_own_word(context, context.channel.search)
    return _without_excluded(context, selection, found) if selection.excluded else found


def _without_excluded(context: OperationContext, selection: Selection, found: Scan) -> Scan:
    left_out = sorted(selection.excluded & {*found.missing, *found.failed})
    kept = replace(
        found,
        missing=tuple(kb for kb in found.missing if kb not in left_out),
        failed=tuple(kb for kb in found.failed if kb not in left_out),
        verdicts={**found.verdicts, **dict.fromkeys(left_out, EXCLUDED)},
    )
    context.update_facts(missing=sorted({*kept.missing, *kept.failed}), verdicts=dict(kept.verdicts))
    return kept
