# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one exception type below a module's main and an action's run."""

from __future__ import annotations

from typing import Any

from .text import clean_text


class PatchFleetError(Exception):
    """Something that ends a step.

    Attributes:
        reason: a sentence for a person.
        code: stable snake_case reason code (the report's ``reason_code``).
        outcome: what the host becomes if nothing else is decided: failed, deferred, excluded or held.
        facts: what was learned on the way and belongs into the step's result.
    """

    outcome = "failed"

    def __init__(self, reason: str, code: str, facts: dict[str, Any] | None = None) -> None:
        super().__init__(clean_text(reason))
        self.reason = clean_text(reason)  # it may hold words of hosts, tags and other programs
        self.code = code
        self.facts = facts or {}


class Deferred(PatchFleetError):
    """The host was looked at, but nothing on it was changed; a later run may take it."""

    outcome = "deferred"


class Excluded(PatchFleetError):
    """The host may not be touched."""

    outcome = "excluded"


class NeedsAttention(PatchFleetError):
    """The host's power state could not or must not be put back; a person has to look."""

    outcome = "held"


class InvalidOption(PatchFleetError):
    """A value that a user set cannot be right: names the option, the value and what would be right."""

    def __init__(self, option: str, value: object, right: str) -> None:
        super().__init__(f"{option}: {value!r} is not valid. {right}", "invalid_option")
        self.option = option
