# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Slots of peers in the ledger: counted and taken at once, in each of its backends."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.records import Ledger, Slot

from .backends import BACKENDS, Opener
from .stage import RUN

OTHER = "20261114T230000Z-0002"
WEB, ZONE = "tag Role=web", "zone eu-central-1a"


@pytest.fixture(params=sorted(BACKENDS))
def opener(request: pytest.FixtureRequest, tmp_path: Path) -> Opener:
    return BACKENDS[request.param](tmp_path)


@pytest.fixture
def ledger(opener: Opener) -> Ledger:
    return opener()


def test_not_more_hosts_than_the_limit_get_a_slot(ledger: Ledger, opener: Opener) -> None:
    assert ledger.take_slots(RUN, "i-1", {WEB: 2}) == []
    assert opener().take_slots(OTHER, "i-2", {WEB: 2}) == []
    blocking = ledger.take_slots(RUN, "i-3", {WEB: 2})
    assert sorted(blocking, key=lambda slot: slot.host_key) == [Slot(WEB, "i-1", RUN), Slot(WEB, "i-2", OTHER)]
    ledger.free_slots(RUN, "i-1")
    assert opener().take_slots(RUN, "i-3", {WEB: 2}) == []


def test_a_host_gets_all_of_its_slots_or_none(ledger: Ledger) -> None:
    ledger.take_slots(RUN, "i-1", {ZONE: 1})
    assert ledger.take_slots(RUN, "i-2", {WEB: 1, ZONE: 1}) == [Slot(ZONE, "i-1", RUN)]
    assert ledger.slots() == [Slot(ZONE, "i-1", RUN)]


def test_a_host_keeps_its_slots_when_a_further_one_has_no_room(ledger: Ledger) -> None:
    ledger.take_slots(RUN, "i-1", {ZONE: 1})
    ledger.take_slots(RUN, "i-2", {WEB: 1})
    assert ledger.take_slots(RUN, "i-2", {WEB: 1, ZONE: 1}) == [Slot(ZONE, "i-1", RUN)]
    assert ledger.slots() == [Slot(WEB, "i-2", RUN), Slot(ZONE, "i-1", RUN)]


def test_a_run_that_takes_the_host_over_has_its_slots(ledger: Ledger) -> None:
    ledger.take_slots(RUN, "i-1", {WEB: 1})
    assert ledger.take_slots(OTHER, "i-1", {WEB: 1}) == []
    ledger.free_slots(RUN, "i-1")  # a controller that woke up
    assert ledger.slots() == [Slot(WEB, "i-1", OTHER)]
