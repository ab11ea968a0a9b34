# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long the workflow of each host will take, restore included, as far as the ledger has earlier durations."""

from __future__ import annotations

from collections.abc import Sequence

from .._fleet.hosts import FleetHost
from .._ledger.history import Expected, expect
from .._ledger.records import HostDurations, Ledger
from .._model.outcomes import UP_TO_DATE, Outcome
from .._model.settings import Settings

COMPARABLE = {"install": frozenset({Outcome.PATCHED}), "scan": UP_TO_DATE, "reboot": UP_TO_DATE}
"""The outcomes of workflows whose durations predict those of an operation. A workflow that had nothing to install does not predict
one that has; one that installed is the upper bound of a scan."""


MARGIN = 1.5
SHORTEST_INSTALL_SECONDS, LONGEST_INSTALL_SECONDS = 3600, 36_000
"""A fast host may get a large update, and AWS-RunPatchBaseline takes no longer StepTimeoutSeconds."""


def install_timeout(p99_seconds: float) -> int:
    """How long one installation of a host may take, in seconds, by its earlier ones."""
    return round(min(max(p99_seconds * MARGIN, SHORTEST_INSTALL_SECONDS), LONGEST_INSTALL_SECONDS))


SHORTEST_HOST_SECONDS = 14_400
"""The time of a host without history. It ends what hangs between the operations, each of which has a shorter time of its own."""
BESIDE_INSTALLATION_SECONDS = 3600


def host_timeout(expected: Expected | None) -> int:
    """How long the whole workflow of a host may take, in seconds, by its earlier ones."""
    own = (expected.p99_seconds or 0.0) if expected else 0.0
    install_p99 = expected.install_p99_seconds if expected else None
    with_installation = 0 if install_p99 is None else install_timeout(install_p99) + BESIDE_INSTALLATION_SECONDS
    return round(max(own * MARGIN, with_installation, SHORTEST_HOST_SECONDS))


def predict(ledger: Ledger, hosts: Sequence[FleetHost], settings: Settings) -> dict[str, Expected]:
    """By the host's key: from its own history, else from that of hosts of its kind and type, else patch_expected_seconds."""
    outcomes = COMPARABLE[settings["operation"]]
    histories = ledger.histories([host.key for host in hosts])
    own = {key: [one for one in history if one.outcome in outcomes] for key, history in histories.items()}
    peers: dict[tuple[str, str | None], list[HostDurations]] = {}
    for host in hosts:
        peers.setdefault((host.kind, host.type), []).extend(own.get(host.key, []))
    default = settings["expected_seconds"]
    return {host.key: expect(own.get(host.key, []), peers[host.kind, host.type], default) for host in hosts}
