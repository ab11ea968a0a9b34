# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._base.clock import (
    SystemClock,
    iso,
    parse_iso,
    system_clock,
    wait_for,
)
from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import InvalidOption

from .fakes import START, VirtualClock


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The real seconds that the system was asked to sleep; real time stands still at 1000."""
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    monkeypatch.setattr(time, "time", lambda: 1000.0)
    return pauses


def test_the_clock_is_the_systems_own_without_a_setting(monkeypatch: pytest.MonkeyPatch, slept: list[float]) -> None:
    monkeypatch.delenv("PATCHFLEET_CLOCK", raising=False)
    clock = system_clock()
    clock.sleep(7)
    assert (clock.now(), slept, clock.real_seconds(7)) == (1000.0, [7.0], 7.0)


def test_a_scaled_clock_runs_faster_and_waits_shorter(monkeypatch: pytest.MonkeyPatch, slept: list[float]) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
    monkeypatch.setenv("PATCHFLEET_CLOCK", f"60,{START},990")
    clock = system_clock()
    clock.sleep(120)
    assert clock.now() == START + 10 * 60
    assert slept == [2.0]
    assert clock.real_seconds(600) == 10.0


def test_a_pause_below_zero_is_none(slept: list[float]) -> None:
    SystemClock().sleep(-5)
    assert slept == [0.0]


def test_a_clock_setting_that_is_not_three_numbers_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
    monkeypatch.setenv("PATCHFLEET_CLOCK", "60,1")
    with pytest.raises(InvalidOption, match=r"PATCHFLEET_CLOCK: '60,1' is not valid\. It must be three numbers"):
        system_clock()


@pytest.mark.parametrize("endpoint", [None, "", "https://ec2.eu-central-1.amazonaws.com", "https://vpce-1.example.com"])
def test_a_clock_setting_is_refused_against_real_aws(monkeypatch: pytest.MonkeyPatch, endpoint: str | None) -> None:
    monkeypatch.setenv("PATCHFLEET_CLOCK", f"60,{START},990")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    if endpoint is not None:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    with pytest.raises(InvalidOption, match="Unset it"):
        system_clock()


def test_times_are_written_in_utc_to_the_second_and_unknown_stays_unknown() -> None:
    assert iso(START + 0.9) == "2026-11-14T22:00:00Z"
    assert iso(None) is None


@pytest.mark.parametrize(
    "text",
    ["2026-11-14T22:00:00Z", " 2026-11-14T23:00:00+01:00 ", "2026-11-14 22:00:00", "2026-11-14T22:00:00.000+00:00"],
)
def test_a_time_with_or_without_offset_is_read(text: str) -> None:
    assert parse_iso(text) == START


def test_what_is_no_time_is_refused() -> None:
    with pytest.raises(ValueError, match="tomorrow"):
        parse_iso("tomorrow")


def test_what_is_true_at_once_is_not_waited_for(clock: VirtualClock) -> None:
    assert wait_for(lambda: "seen", clock, START + 60) == "seen"
    assert clock.pauses == []


def test_pauses_grow_by_half_up_to_the_longest_and_end_at_the_deadline(clock: VirtualClock) -> None:
    assert wait_for(lambda: None, clock, START + 100, 10, 20) is None
    assert clock.pauses == [10, 15, 20, 20, 20, 15]


def test_there_is_one_last_poll_after_the_deadline(clock: VirtualClock) -> None:
    """A look that itself took until after the deadline is not the last one."""
    polls: list[float] = []

    def poll() -> str | None:
        polls.append(clock.passed)
        if len(polls) == 1:
            clock.sleep(500)  # AWS throttled the call for this time
            return None
        return "ready"

    assert wait_for(poll, clock, START + 60) == "ready"
    assert polls == [0, 500]


def test_a_deadline_in_the_past_still_allows_one_poll(clock: VirtualClock) -> None:
    assert wait_for(lambda: "seen", clock, START - 1) == "seen"
    assert wait_for(lambda: None, clock, START - 1) is None
    assert clock.passed == 0


def test_an_answer_that_is_false_but_not_none_ends_the_wait(clock: VirtualClock) -> None:
    answers = iter([None, False])
    assert wait_for(lambda: next(answers), clock, START + 60) is False
