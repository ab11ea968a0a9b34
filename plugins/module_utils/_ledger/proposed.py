# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The verdict that a host's proving scan proposed, which it gets once it is put back."""

from __future__ import annotations

from .._model.outcomes import Outcome
from .._model.reasons import Reason
from .records import Host, Verdict


def proposed_verdict(host: Host) -> Verdict | None:
    """None where no scan has proven anything."""
    outcome, remarks = host.facts.get("proposed_outcome"), " ".join(host.facts.get("remarks") or ())
    if not outcome:
        return None
    if host.facts.get("only_reboot_missing"):
        sentence = "No update is missing, but Windows waits for a reboot."
        return Verdict(Outcome(outcome), reason_code=Reason.REBOOT_PENDING, reason=f"{sentence} {remarks}".strip())
    code, reason = host.facts.get("proposed_reason_code"), host.facts.get("proposed_reason") or ""
    if code:
        return Verdict(Outcome(outcome), reason_code=Reason(code), reason=f"{reason} {remarks}".strip())
    return Verdict(Outcome(outcome), reason=remarks or None)
