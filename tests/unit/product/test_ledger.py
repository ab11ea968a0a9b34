# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import PatchFleetError
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.breaker import keep_brake
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.records import (
    Host,
    Ledger,
    PhaseStart,
    PhaseTime,
    PowerRecord,
    Verdict,
)
from ansible_collections.patchfleet.windows.plugins.module_utils._model.run_settings import Brake

from .backends import BACKENDS, Opener
from .fakes import ID, START
from .stage import RUN, a_host, a_run

OTHER = "20261114T230000Z-0002"
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


# Runs


def test_a_run_is_read_as_it_was_written(ledger: Ledger, opener: Opener) -> None:
    run = dataclasses.replace(a_run(targets={"tag": "PatchGroup=Wïndows"}), breaker=None)
    hosts = [
        a_host("i-b", position=1, facts={"type": "t3.large", "by_tag": True}),
        a_host("i-a", position=0, outcome="excluded", reason_code="spot", reason="It is a Spot instance.", wave=None),
        a_host("web", position=2, kind="winrm", instance_id=None, region=None),
    ]
    ledger.open_run(run, hosts, take_over=False)
    again = opener()
    assert again.run(RUN) == run
    assert again.hosts(RUN) == sorted(hosts, key=lambda host: host.position)
    assert again.host(RUN, "web") == hosts[2]


def test_runs_are_listed_newest_first_also_when_they_began_together(ledger: Ledger) -> None:
    for run_id in ("first", "second"):
        open_run(ledger, a_host("i-1", run_id), run_id=run_id)
    open_run(ledger, a_host("i-2", "older"), run_id="older", at=START - 60)
    assert [run.run_id for run in ledger.runs()] == ["second", "first", "older"]


def test_what_is_not_there_is_reported_by_its_name(ledger: Ledger) -> None:
    with pytest.raises(PatchFleetError, match=r"knows no run 'nonsense'") as caught:
        ledger.run("nonsense")
    assert caught.value.code == "unknown_run"
    open_run(ledger)
    with pytest.raises(PatchFleetError, match="has no host i-2"):
        ledger.host(RUN, "i-2")
    assert ledger.hosts("nonsense") == []


def test_the_first_reason_of_the_breaker_stays(ledger: Ledger) -> None:
    open_run(ledger)
    for reason in ("the canary dev-01 failed", "2 hosts failed"):
        brake: Brake = {"kind": "failures", "at": START, "by": None, "machine": None, "reason": reason}
        keep_brake(ledger, RUN, brake, reason)
    assert ledger.run(RUN).breaker == "the canary dev-01 failed"
    assert [kept["reason"] for kept in ledger.run(RUN).settings["brakes"]] == [
        "the canary dev-01 failed",
        "2 hosts failed",
    ]


def test_a_breaker_is_changed_only_as_it_is_known(ledger: Ledger, opener: Opener) -> None:
    open_run(ledger)
    settings = ledger.run(RUN).settings
    stop: Brake = {"kind": "stop", "at": START, "by": "alice", "machine": "bastion", "reason": "Checkout is down"}
    resume: Brake = {**stop, "kind": "resume"}
    assert ledger.change_breaker(RUN, None, "stopped", stop)
    assert not opener().change_breaker(RUN, None, "another", {**stop, "by": "bob"})
    assert not opener().change_breaker(RUN, "another", None, resume)
    assert opener().change_breaker(RUN, "stopped", "stopped", {**stop, "by": "carol"})
    assert ledger.run(RUN).breaker == "stopped"
    assert opener().change_breaker(RUN, "stopped", None, resume)
    assert ledger.run(RUN).breaker is None
    brakes = [stop, {**stop, "by": "carol"}, resume]
    assert ledger.run(RUN).settings == {**settings, "brakes": brakes}
    with pytest.raises(PatchFleetError, match="knows no run"):
        ledger.change_breaker("no-run", None, "stopped", stop)


def test_a_run_is_closed_once(ledger: Ledger) -> None:
    open_run(ledger)
    ledger.close_run(RUN, START + 1)
    ledger.close_run(RUN, START + 2)
    assert ledger.run(RUN).closed_at == START + 1


# Hosts


def test_what_is_learned_is_added_to_what_is_known(ledger: Ledger) -> None:
    open_run(ledger, a_host(facts={"type": "t3.large"}))
    ledger.update_facts(RUN, ID, {"installed": ["KB1"], "free_gib_before": 12.5})
    ledger.update_facts(RUN, ID, {"installed": ["KB1", "KB2"]})
    assert ledger.host(RUN, ID).facts == {"type": "t3.large", "installed": ["KB1", "KB2"], "free_gib_before": 12.5}


def test_a_fact_that_is_unknown_again_is_forgotten(ledger: Ledger) -> None:
    open_run(ledger, a_host(facts={"deadline_at": 1.0}))
    ledger.update_facts(RUN, ID, {"deadline_at": None})
    assert ledger.host(RUN, ID).facts == {}


def test_an_unknown_inside_a_fact_is_kept(ledger: Ledger) -> None:
    open_run(ledger)
    updates = [{"kb": "KB1", "hresult": None}]
    ledger.update_facts(RUN, ID, {"failed_updates": updates})
    assert ledger.host(RUN, ID).facts["failed_updates"] == updates


def test_a_fact_is_replaced_whole(ledger: Ledger) -> None:
    open_run(ledger)
    ledger.update_facts(RUN, ID, {"source": {"kind": "wsus", "url": "http://wsus"}})
    ledger.update_facts(RUN, ID, {"source": {"kind": "microsoft"}})
    assert ledger.host(RUN, ID).facts == {"source": {"kind": "microsoft"}}


def test_facts_of_another_run_or_host_stay_apart(ledger: Ledger) -> None:
    open_run(ledger, a_host("i-1"), a_host("i-2", position=1))
    ledger.update_facts(RUN, "i-1", {"reboots": 1})
    ledger.update_facts(OTHER, "i-1", {"reboots": 2})
    assert [host.facts for host in ledger.hosts(RUN)] == [{"reboots": 1}, {}]


def test_a_host_gets_one_outcome(ledger: Ledger) -> None:
    open_run(ledger)
    assert ledger.set_outcome(RUN, ID, Verdict("failed", "patch", "still_missing", "KB1 is missing."))
    assert not ledger.set_outcome(RUN, ID, Verdict("patched"))
    host = ledger.host(RUN, ID)
    assert (host.outcome, host.phase, host.reason_code) == ("failed", "patch", "still_missing")


def test_a_host_that_cannot_be_put_back_is_held_whatever_it_was(ledger: Ledger) -> None:
    open_run(ledger)
    ledger.set_outcome(RUN, ID, Verdict("patched"))
    assert ledger.set_outcome(RUN, ID, Verdict("held", "restore", "still_stopping", "It did not stop."), overwrite=True)
    assert ledger.host(RUN, ID).outcome == "held"


def test_a_host_that_has_ended_may_get_another_turn(ledger: Ledger) -> None:
    open_run(ledger)
    ledger.set_outcome(RUN, ID, Verdict("deferred", "start", "no_capacity", "No room."))
    assert ledger.set_outcome(RUN, ID, Verdict(None), overwrite=True) is True
    host = ledger.host(RUN, ID)
    assert (host.outcome, host.phase, host.reason_code, host.reason) == (None, None, None, None)
    assert ledger.outcome_counts(RUN) == {None: 1}
    assert ledger.set_outcome(RUN, ID, Verdict("patched")) is True
    assert ledger.outcome_counts(RUN) == {"patched": 1}


def test_a_host_that_is_not_there_gets_no_outcome(ledger: Ledger) -> None:
    assert not ledger.set_outcome(RUN, ID, Verdict("patched"))


def test_outcomes_are_counted_with_those_that_have_none_yet(ledger: Ledger) -> None:
    hosts = [a_host(f"i-{number}", position=number) for number in range(4)]
    open_run(ledger, *hosts)
    for key in ("i-0", "i-1"):
        ledger.set_outcome(RUN, key, Verdict("failed"))
    ledger.set_outcome(RUN, "i-2", Verdict("patched"))
    assert ledger.outcome_counts(RUN) == {"failed": 2, "patched": 1, None: 1}


# Steps


def test_steps_are_kept_in_the_order_in_which_they_began(ledger: Ledger) -> None:
    open_run(ledger)
    ledger.begin_phase(RUN, ID, "start", START)
    ledger.end_phase(RUN, ID, "start", START + 30, ok=True)
    ledger.begin_phase(RUN, ID, "ready", START + 30)
    ledger.end_phase(RUN, ID, "ready", START + 90, ok=False)
    ledger.begin_phase(RUN, ID, "restore", START + 90)
    assert ledger.phases(RUN) == [
        PhaseTime(ID, "start", START, START + 30, True),
        PhaseTime(ID, "ready", START + 30, START + 90, False),
        PhaseTime(ID, "restore", START + 90, None, None),
    ]


def test_a_step_that_is_done_again_ends_its_last_beginning(ledger: Ledger) -> None:
    open_run(ledger)
    ledger.begin_phase(RUN, ID, "patch", START)
    ledger.end_phase(RUN, ID, "patch", START + 10, ok=True)
    ledger.begin_phase(RUN, ID, "patch", START + 20)
    ledger.end_phase(RUN, ID, "patch", START + 30, ok=False)
    assert [(step.started_at, step.finished_at, step.ok) for step in ledger.phases(RUN)] == [
        (START, START + 10, True),
        (START + 20, START + 30, False),
    ]


def test_the_steps_of_one_host_can_be_read_alone(ledger: Ledger) -> None:
    open_run(ledger, a_host("i-1"), a_host("i-2", position=1))
    for key in ("i-1", "i-2"):
        ledger.begin_phase(RUN, key, "start", START)
    assert ledger.phases(RUN, "i-2") == [PhaseTime("i-2", "start", START, None, None)]
    assert len(ledger.phases(RUN)) == 2


def test_the_beginning_of_a_step_shows_the_host_as_it_is(ledger: Ledger) -> None:
    open_run(ledger, a_host(facts={"sessions": 2}))
    assert ledger.begin_phase(RUN, ID, "start", START) == PhaseStart(ledger.host(RUN, ID), 1)
    ledger.take_over(RUN, [ID], START, force=True)
    assert ledger.begin_phase(RUN, ID, "ready", START) == PhaseStart(ledger.host(RUN, ID), 2)
    assert ledger.begin_phase(RUN, "i-9", "start", START) is None


def test_a_step_ends_with_what_it_found(ledger: Ledger) -> None:
    open_run(ledger, a_host(facts={"sessions": 2, "reboots": 1}))
    ledger.begin_phase(RUN, ID, "repair", START, fence=1)
    assert ledger.end_phase(RUN, ID, "repair", START + 30, True, {"sessions": 3, "reboots": None}, fence=1)
    host, phases = ledger.host_and_phases(RUN, ID)
    assert host.facts == {"sessions": 3}
    assert phases == [PhaseTime(ID, "repair", START, START + 30, True)]


def test_a_step_of_a_host_that_is_lost_ends_without_what_it_found(ledger: Ledger) -> None:
    open_run(ledger)
    ledger.begin_phase(RUN, ID, "repair", START, fence=1)
    ledger.take_over(RUN, [ID], START, force=True)
    assert not ledger.end_phase(RUN, ID, "repair", START + 30, True, {"sessions": 3}, fence=1)
    host, phases = ledger.host_and_phases(RUN, ID)
    assert host.facts == {}
    assert phases == [PhaseTime(ID, "repair", START, START + 30, True)]


def test_an_outcome_that_another_process_gave_meanwhile_stays(ledger: Ledger) -> None:
    open_run(ledger)
    assert ledger.set_outcome(RUN, ID, Verdict("failed", "patch", "still_missing", "Yes."), has_none=True)
    assert not ledger.set_outcome(RUN, ID, Verdict("patched"), has_none=True)
    assert ledger.host(RUN, ID).outcome == "failed"
    run, counts = ledger.run_and_counts(RUN)
    assert (run, counts) == (ledger.run(RUN), {"failed": 1})


def test_the_fencing_numbers_of_some_hosts_are_read_alone(ledger: Ledger) -> None:
    open_run(ledger, *(a_host(f"i-{number}", position=number) for number in range(3)))
    ledger.take_over(RUN, ["i-1"], START, force=True)
    open_run(ledger, a_host("i-2", OTHER), run_id=OTHER, force=True)
    assert ledger.some_fences(RUN, ["i-1", "i-2", "i-9"]) == {"i-1": 2}


def test_a_power_record_is_written_where_the_row_of_its_host_is_missing(ledger: Ledger) -> None:
    record = dataclasses.replace(FOUND, run_id="20261114T210000Z-0000")
    assert ledger.record_power(record) == record
    assert ledger.open_power() == [record]


# Power


def test_the_first_writer_of_a_power_record_wins(ledger: Ledger) -> None:
    assert ledger.record_power(FOUND) == FOUND
    later = dataclasses.replace(FOUND, original_state="running", run_id=OTHER, recorded_at=START + 60)
    assert ledger.record_power(later) == FOUND
    assert ledger.open_power() == [FOUND]


def test_an_open_record_is_adopted_with_the_start_that_is_in_it(ledger: Ledger, opener: Opener) -> None:
    ledger.record_power(FOUND)
    ledger.note_start(ID, RUN, START + 5)
    ledger.note_launch(ID, START + 7)
    adopted = opener().record_power(dataclasses.replace(FOUND, run_id=OTHER))
    assert (adopted.started_by, adopted.start_requested_at, adopted.launch_time) == (RUN, START + 5, START + 7)


def test_a_closed_record_makes_room_for_a_new_one(ledger: Ledger) -> None:
    ledger.record_power(FOUND)
    ledger.close_power(ID, "restored", START + 60)
    assert ledger.power(ID) is None
    again = dataclasses.replace(FOUND, original_state="running", run_id=OTHER)
    assert ledger.record_power(again) == again


@pytest.mark.parametrize("is_current", [True, False])
def test_a_record_is_closed_as_it_is_and_not_as_it_was_read(ledger: Ledger, opener: Opener, is_current: bool) -> None:
    open_run(ledger)
    before = ledger.record_power(FOUND, fence=1)
    ledger.note_start(ID, RUN, START + 5, fence=1)
    known = ledger.power(ID) if is_current else before
    ledger.close_power(ID, "restored", START + 60, fence=1, known=known)
    assert ledger.open_power() == opener().open_power() == []


def test_a_record_that_the_caller_knows_is_not_closed_by_who_lost_the_host(ledger: Ledger) -> None:
    open_run(ledger)
    known = ledger.record_power(FOUND, fence=1)
    ledger.take_over(RUN, [ID], START, force=True)
    with pytest.raises(PatchFleetError) as caught:
        ledger.close_power(ID, "restored", START + 60, fence=1, known=known)
    assert caught.value.code == "lease_lost"
    assert ledger.open_power() == [FOUND]


def test_a_start_of_what_is_not_recorded_is_refused(ledger: Ledger) -> None:
    with pytest.raises(PatchFleetError, match="not recorded; it is not started") as caught:
        ledger.note_start(ID, RUN, START)
    assert caught.value.code == "not_recorded"


def test_a_start_of_what_was_recorded_and_closed_is_refused(ledger: Ledger) -> None:
    ledger.record_power(FOUND)
    ledger.close_power(ID, "restored", START)
    with pytest.raises(PatchFleetError, match="not recorded"):
        ledger.note_start(ID, RUN, START)


def test_a_new_start_forgets_the_launch_of_the_one_before(ledger: Ledger) -> None:
    ledger.record_power(FOUND)
    ledger.note_start(ID, RUN, START)
    ledger.note_launch(ID, START + 2)
    ledger.note_start(ID, OTHER, START + 60)
    assert ledger.power(ID) == dataclasses.replace(FOUND, start_requested_at=START + 60, started_by=OTHER)


def test_a_start_that_aws_refused_was_none(ledger: Ledger) -> None:
    ledger.record_power(FOUND)
    ledger.note_start(ID, RUN, START)
    ledger.note_launch(ID, None)
    assert ledger.power(ID) == FOUND


def test_open_records_are_listed_oldest_first(ledger: Ledger) -> None:
    for key, at in (("i-2", 20), ("i-1", 10), ("i-3", 30)):
        ledger.record_power(dataclasses.replace(FOUND, host_key=key, recorded_at=START + at))
    ledger.close_power("i-3", "gone", START)
    assert [record.host_key for record in ledger.open_power()] == ["i-1", "i-2"]


def test_some_hosts_of_a_run_are_read_alone(ledger: Ledger) -> None:
    open_run(ledger, a_host("i-1", position=2), a_host("i-2", position=1), a_host("i-3", position=3))
    assert [host.key for host in ledger.some_hosts(RUN, ["i-1", "i-2", "i-9", "i-1"])] == ["i-2", "i-1"]


def test_the_hosts_that_failed_are_read_alone(ledger: Ledger) -> None:
    gone = a_host("i-4", position=4, outcome="failed", reason_code="instance_gone")
    open_run(ledger, *(a_host(f"i-{number}", position=number) for number in (3, 2, 1)), gone)
    assert [host.key for host in ledger.failed_hosts(RUN)] == ["i-4"]
    for key, outcome in (("i-2", "held"), ("i-1", "failed"), ("i-3", "patched")):
        ledger.set_outcome(RUN, key, Verdict(outcome))
    assert [host.key for host in ledger.failed_hosts(RUN)] == ["i-1", "i-2", "i-4"]
    ledger.set_outcome(RUN, "i-2", Verdict("failed"), overwrite=True)
    ledger.set_outcome(RUN, "i-1", Verdict("patched"), overwrite=True)
    assert [(host.key, host.outcome) for host in ledger.failed_hosts(RUN)] == [("i-2", "failed"), ("i-4", "failed")]
    assert ledger.failed_hosts("no run") == []


def test_the_first_host_of_a_wave_says_when_it_began(ledger: Ledger, opener: Opener) -> None:
    open_run(ledger)
    settings = ledger.run(RUN).settings
    assert ledger.begin_wave(RUN, 2, START + 60) == START + 60
    assert opener().begin_wave(RUN, 2, START + 70) == START + 60
    assert opener().begin_wave(RUN, 3, START + 900) == START + 900
    assert ledger.run(RUN).settings == {**settings, "waves_began_at": {"2": START + 60, "3": START + 900}}


def test_a_wave_of_no_run_is_refused(ledger: Ledger) -> None:
    with pytest.raises(PatchFleetError) as caught:
        ledger.begin_wave("no-run", 2, START)
    assert caught.value.code == "unknown_run"


def test_settings_that_are_known_late_are_kept(ledger: Ledger) -> None:
    open_run(ledger, a_host())
    ledger.keep_settings(RUN, {**ledger.run(RUN).settings, "canary_keys": [ID]})
    assert ledger.run(RUN).settings == {**a_run().settings, "canary_keys": [ID]}


def test_the_hosts_that_were_found_stopped_are_those_of_the_open_records(ledger: Ledger) -> None:
    for key, state in {"i-1": "stopped", "i-2": "running", "i-3": "stopped"}.items():
        ledger.record_power(dataclasses.replace(FOUND, host_key=key, instance_id=key, original_state=state))
    ledger.close_power("i-3", "restored", START)
    assert ledger.found_stopped() == {"i-1"}
