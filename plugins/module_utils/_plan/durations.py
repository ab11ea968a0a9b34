# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long the way of each host will take, restore included, as far as the ledger remembers ways."""

from __future__ import annotations

from collections.abc import Sequence

from .._fleet.hosts import FleetHost
from .._ledger.history import Expected, expect
from .._ledger.records import HostDurations, Ledger
from .._model.outcomes import UP_TO_DATE, Outcome
from .._model.settings import Settings

TELLING = {"install": frozenset({Outcome.PATCHED}), "scan": UP_TO_DATE}
"""Outcomes of ways that tell how long one of this operation takes: a night on which nothing was missing says nothing of one on
which something is, and one that installed is the upper bound of a scan."""


def predict(ledger: Ledger, hosts: Sequence[FleetHost], settings: Settings) -> dict[str, Expected]:
    """By the host's key: from its own history, else from that of hosts of its kind and type, else patch_expected_seconds."""
    outcomes = TELLING[settings["operation"]]
    histories = ledger.histories([host.key for host in hosts])
    own = {key: [way for way in ways if way.outcome in outcomes] for key, ways in histories.items()}
    peers: dict[tuple[str, str | None], list[HostDurations]] = {}
    for host in hosts:
        peers.setdefault((host.kind, host.type), []).extend(own.get(host.key, []))
    default = settings["expected_seconds"]
    return {host.key: expect(own.get(host.key, []), peers[host.kind, host.type], default) for host in hosts}
