# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who holds a host, until when, and that no other run writes about it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import NeedsAttention
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.records import (
    LEASE_SECONDS,
    SKEW_SECONDS,
    Host,
    Ledger,
    PowerRecord,
    Verdict,
)

from .backends import BACKENDS, Opener
from .fakes import ID, START
from .stage import RUN, a_host, a_run

OTHER = "20261114T230000Z-0002"
THIRD = "20261114T233000Z-0003"
FOUND = PowerRecord(ID, ID, "eu-central-1", "dev-01", "stopped", START, RUN)


@pytest.fixture(params=sorted(BACKENDS))
def opener(request: pytest.FixtureRequest, tmp_path: Path) -> Opener:
    return BACKENDS[request.param](tmp_path)


@pytest.fixture
def ledger(opener: Opener) -> Ledger:
    return opener()


def open_run(ledger: Ledger, *hosts: Host, run_id: str = RUN, at: float = START, force: bool = False) -> dict[str, str]:
    rows = hosts or (a_host(run_id=run_id),)
    return ledger.open_run(a_run(run_id, at), list(rows), take_over=force).held


# Leases


def test_a_host_that_a_living_run_holds_is_kept_by_it(ledger: Ledger) -> None:
    open_run(ledger, a_host("i-1"), a_host("i-2", position=1))
    kept = open_run(ledger, a_host("i-2", OTHER), a_host("i-3", OTHER, 1), run_id=OTHER, at=START + 60)
    assert kept == {"i-2": RUN}
    assert ledger.holds_lease(RUN, "i-2")
    assert not ledger.holds_lease(OTHER, "i-2")
    assert ledger.holds_lease(OTHER, "i-3")


def test_hosts_that_are_out_are_not_leased(ledger: Ledger) -> None:
    open_run(ledger, a_host(outcome="excluded"))
    assert not ledger.holds_lease(RUN, ID)
    assert open_run(ledger, run_id=OTHER) == {}


def test_a_lease_ends_with_its_run(ledger: Ledger) -> None:
    open_run(ledger)
    ledger.close_run(RUN, START + 1)
    assert open_run(ledger, run_id=OTHER, at=START + 2) == {}
    assert ledger.holds_lease(OTHER, ID)


def test_a_lock_whose_holder_is_dead_is_free_after_a_while(ledger: Ledger) -> None:
    """kured#137."""
    open_run(ledger)
    just_before = START + LEASE_SECONDS - 1
    assert open_run(ledger, run_id=OTHER, at=just_before) == {ID: RUN}
    assert ledger.run(RUN).is_active(just_before)
    assert ledger.take_over(OTHER, [ID], START + LEASE_SECONDS, force=False).held == {}
    assert not ledger.run(RUN).is_active(START + LEASE_SECONDS)
    assert not ledger.holds_lease(RUN, ID)


def test_a_lock_does_not_expire_while_its_holder_still_works(ledger: Ledger) -> None:
    """terraform-hcloud-kube-hetzner#1182."""
    open_run(ledger)
    for at in range(600, 6001, 600):
        ledger.heartbeat(RUN, START + at)
    assert open_run(ledger, run_id=OTHER, at=START + 6000 + LEASE_SECONDS - 1) == {ID: RUN}
    assert ledger.holds_lease(RUN, ID)


def test_a_heartbeat_that_comes_late_does_not_turn_the_time_back(ledger: Ledger) -> None:
    open_run(ledger)
    ledger.heartbeat(RUN, START + 600)
    ledger.heartbeat(RUN, START + 300)
    assert ledger.run(RUN).heartbeat_at == START + 600


def test_a_living_run_is_taken_over_only_on_request(ledger: Ledger) -> None:
    open_run(ledger)
    open_run(ledger, a_host("i-9", OTHER), run_id=OTHER)
    assert ledger.take_over(OTHER, [ID], START + 1, force=False).held == {ID: RUN}
    assert ledger.take_over(OTHER, [ID], START + 1, force=True).held == {}
    assert ledger.holds_lease(OTHER, ID)
    assert not ledger.holds_lease(RUN, ID)


def test_opening_a_run_can_take_over_too(ledger: Ledger) -> None:
    open_run(ledger)
    assert open_run(ledger, run_id=OTHER, force=True) == {}
    assert not ledger.holds_lease(RUN, ID)


def test_a_living_run_loses_its_hosts_not_even_to_others_that_work_for_it(ledger: Ledger) -> None:
    open_run(ledger)
    assert ledger.take_over(RUN, [ID], START + 1, force=False).held == {ID: RUN}
    assert ledger.fence(RUN, ID) == 1


@pytest.mark.parametrize("skew", [-SKEW_SECONDS, SKEW_SECONDS])
def test_clocks_that_differ_by_five_minutes_change_nothing(ledger: Ledger, skew: float) -> None:
    """The clock of the reader is ahead or behind; the worker sent a heartbeat a minute ago."""
    open_run(ledger)
    ledger.heartbeat(RUN, START + 600)
    assert open_run(ledger, run_id=OTHER, at=START + 660 + skew) == {ID: RUN}
    assert ledger.fence(RUN, ID) == 1


def test_a_host_that_is_put_back_for_a_dead_run_is_kept_meanwhile(ledger: Ledger) -> None:
    open_run(ledger)
    dead = START + LEASE_SECONDS
    assert ledger.take_over(RUN, [ID], dead, force=False).held == {}
    assert open_run(ledger, run_id=OTHER, at=dead + 1) == {ID: RUN}
    ledger.extend_lease(ID, 2, dead + 3600)
    assert open_run(ledger, run_id=THIRD, at=dead + 3599) == {ID: RUN}
    ledger.extend_lease(ID, 2, None)
    assert ledger.take_over(THIRD, [ID], dead + 60, force=False).held == {}


def test_who_lost_a_host_does_not_keep_it(ledger: Ledger) -> None:
    open_run(ledger)
    ledger.close_run(RUN, START)
    open_run(ledger, run_id=OTHER)
    ledger.extend_lease(ID, 1, START + 9999)
    ledger.close_run(OTHER, START)
    assert open_run(ledger, run_id=THIRD) == {}


# Fencing


def test_the_fencing_number_grows_with_every_take_over(ledger: Ledger) -> None:
    open_run(ledger, a_host("i-1"), a_host("i-2", position=1), a_host("i-3", position=2, outcome="excluded"))
    assert ledger.fences(RUN) == {"i-1": 1, "i-2": 1}
    open_run(ledger, a_host("i-1", OTHER), run_id=OTHER, force=True)
    assert (ledger.fence(RUN, "i-1"), ledger.fence(OTHER, "i-1")) == (None, 2)
    assert ledger.fences(RUN) == {"i-2": 1}
    ledger.take_over(OTHER, ["i-1"], START, force=True)
    ledger.take_over(RUN, ["i-1"], START, force=True)
    assert ledger.fence(RUN, "i-1") == 4
    assert ledger.fence(RUN, "i-9") is None


WRITES: dict[str, Callable[[Ledger, int], object]] = {
    "update_facts": lambda ledger, fence: ledger.update_facts(RUN, ID, {"reboots": 1}, fence=fence),
    "begin_phase": lambda ledger, fence: ledger.begin_phase(RUN, ID, "patch", START, fence=fence),
    "record_power": lambda ledger, fence: ledger.record_power(FOUND, fence=fence),
    "note_start": lambda ledger, fence: ledger.note_start(ID, RUN, START, fence=fence),
    "note_launch": lambda ledger, fence: ledger.note_launch(ID, START, fence=fence),
    "note_refused_launch": lambda ledger, fence: ledger.note_launch(ID, None, fence=fence),
    "close_power": lambda ledger, fence: ledger.close_power(ID, "restored", START, fence=fence),
}


@pytest.mark.parametrize("taker", [RUN, OTHER])
@pytest.mark.parametrize("write", sorted(WRITES))
def test_a_write_of_who_lost_the_host_is_refused_and_changes_nothing(ledger: Ledger, write: str, taker: str) -> None:
    open_run(ledger)
    ledger.record_power(FOUND, fence=1)
    if taker == OTHER:
        open_run(ledger, run_id=OTHER, force=True)
    else:
        ledger.take_over(RUN, [ID], START, force=True)
    before = (ledger.host(RUN, ID), ledger.phases(RUN), ledger.open_power())
    with pytest.raises(NeedsAttention, match=f"Another run has taken {ID} over") as caught:
        WRITES[write](ledger, 1)
    assert caught.value.code == "lease_lost"
    assert (ledger.host(RUN, ID), ledger.phases(RUN), ledger.open_power()) == before


def test_a_write_of_who_holds_the_host_is_done(ledger: Ledger) -> None:
    open_run(ledger)
    open_run(ledger, run_id=OTHER, force=True)
    adopted = dataclasses.replace(FOUND, run_id=OTHER)
    assert ledger.record_power(adopted, fence=2) == adopted
    ledger.begin_phase(OTHER, ID, "start", START, fence=2)
    ledger.note_start(ID, OTHER, START, fence=2)
    ledger.note_launch(ID, START + 1, fence=2)
    ledger.update_facts(OTHER, ID, {"reboots": 1}, fence=2)
    assert ledger.open_power()[0].launch_time == START + 1
    ledger.close_power(ID, "restored", START, fence=2)
    assert ledger.open_power() == []


def test_who_lost_a_host_may_still_say_so(ledger: Ledger) -> None:
    open_run(ledger)
    ledger.begin_phase(RUN, ID, "patch", START, fence=1)
    open_run(ledger, run_id=OTHER, force=True)
    ledger.end_phase(RUN, ID, "patch", START + 60, ok=False)
    assert ledger.set_outcome(RUN, ID, Verdict("held", "patch", "lease_lost", "It is another's."))
    assert ledger.host(OTHER, ID).outcome is None


# Adoption


def test_a_run_knows_from_which_dead_one_it_took_a_host(ledger: Ledger) -> None:
    open_run(ledger, a_host("i-1"), a_host("i-2", position=1))
    open_run(ledger, a_host("i-1", OTHER), a_host("i-3", OTHER, 1), run_id=OTHER, force=True)
    facts = {host.key: host.facts for host in ledger.hosts(OTHER)}
    assert facts == {"i-1": {"adopted_from": RUN}, "i-3": {}}


def test_a_run_that_was_closed_leaves_nothing_to_adopt_but_what_is_still_recorded(ledger: Ledger) -> None:
    open_run(ledger, a_host("i-1"), a_host("i-2", position=1))
    ledger.record_power(dataclasses.replace(FOUND, host_key="i-2", instance_id="i-2"))
    ledger.close_run(RUN, START)
    open_run(ledger, a_host("i-1", OTHER), a_host("i-2", OTHER, 1), run_id=OTHER)
    facts = {host.key: host.facts for host in ledger.hosts(OTHER)}
    assert facts == {"i-1": {}, "i-2": {"adopted_from": RUN}}


# The number under which a taker works


def test_the_fencing_number_comes_out_of_the_transaction_that_gives_it(opener: Opener) -> None:
    """A rival may take the host over before a second call could read the number."""
    opener().open_run(a_run(), [a_host()], take_over=False)
    first = opener().take_over(RUN, [ID], START + LEASE_SECONDS, force=True)
    second = opener().take_over(RUN, [ID], START + LEASE_SECONDS, force=True)
    assert (first.fences, second.fences) == ({ID: 2}, {ID: 3})


def test_an_opened_run_has_the_numbers_of_its_own_transaction(opener: Opener) -> None:
    hosts = [a_host("i-1"), a_host("i-2", position=1), a_host("i-3", position=2, outcome="excluded")]
    opened = opener().open_run(a_run(), hosts, take_over=False)
    opener().take_over(RUN, ["i-1"], START, force=True)
    assert opened.fences == {"i-1": 1, "i-2": 1}
