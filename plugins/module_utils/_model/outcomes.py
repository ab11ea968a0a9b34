# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""How a host ends."""

from __future__ import annotations

from .text_enum import TextEnum


class Outcome(TextEnum):
    """What became of a host in a run, in the order of the report's totals."""

    PATCHED = "patched"
    """Updates were installed, and a scan after the last reboot finds nothing missing."""
    COMPLIANT = "compliant"
    """Nothing had to be installed; a scan proves it."""
    NONCOMPLIANT = "noncompliant"
    """Updates are missing; the run only scanned."""
    FAILED = "failed"
    """The run worked on it and did not reach its end; its power state was put back."""
    HELD = "held"
    """Its power state could not, or must not, be put back."""
    DEFERRED = "deferred"
    """Nothing on it was changed; a later run may take it."""
    EXCLUDED = "excluded"
    """It must not be touched."""


UP_TO_DATE = frozenset({Outcome.PATCHED, Outcome.COMPLIANT})
"""A scan finds nothing missing."""
PROVEN = UP_TO_DATE | {Outcome.NONCOMPLIANT}
"""A scan says what is missing, if anything."""
FAILURES = frozenset({Outcome.FAILED, Outcome.HELD})
"""They need a person, and count against the failure budget."""
UNTOUCHED = frozenset({Outcome.DEFERRED, Outcome.EXCLUDED})
"""Nothing on the host was changed."""
UNFINISHED = FAILURES | {Outcome.DEFERRED}
"""A later run has to take the host again; they make a run fail."""
MOST_URGENT_FIRST = (
    Outcome.FAILED,
    Outcome.HELD,
    Outcome.NONCOMPLIANT,
    Outcome.DEFERRED,
    Outcome.EXCLUDED,
    Outcome.PATCHED,
    Outcome.COMPLIANT,
)
"""The order in which people read about hosts."""
