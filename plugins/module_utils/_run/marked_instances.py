# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Instances with the owner tag of a run of which the ledger has no open record."""

from __future__ import annotations

from dataclasses import dataclass

from .._fleet.hosts import Location
from .._model.text_enum import TextEnum
from .._power.owner_tag import OwnerTag


class Doubt(TextEnum):
    """Why it is not proven that an instance is on because of the run of its tag."""

    NO_START = "no_start"
    STARTED_AGAIN = "started_again"
    RUN_IS_KNOWN = "run_is_known"


@dataclass(frozen=True)
class MarkedInstance:
    """An instance that is on.

    Attributes:
        launched_at: its LaunchTime, in seconds since 1970.
        doubt: None where it is proven that it is on because of the run of its tag.
    """

    instance_id: str
    location: Location
    name: str
    tag: OwnerTag
    launched_at: float
    doubt: Doubt | None


@dataclass(frozen=True)
class AccountSearch:
    """What was found where.

    Attributes:
        tag_key: of the owner tag that was searched.
        searched: the regions, each with its account.
        missing: a sentence for each account and region that could not be searched: instances there may be on because of a run.
    """

    tag_key: str
    found: tuple[MarkedInstance, ...]
    searched: tuple[Location, ...]
    missing: tuple[str, ...]
