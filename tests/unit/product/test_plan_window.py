# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Maintenance windows and change calendars: open or not, until when, and what a run makes of that."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.patchfleet.windows.plugins.module_utils._base.clock import iso
from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import InvalidOption, PatchFleetError
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.patch_run import OPERATION
from ansible_collections.patchfleet.windows.plugins.module_utils._plan.account_windows import refuse_closed
from ansible_collections.patchfleet.windows.plugins.module_utils._plan.variables import read
from ansible_collections.patchfleet.windows.plugins.module_utils._plan.window import (
    Window,
    find_window,
    within,
)

from .fakes import START, client_error, moment
from .stage import Stage

WINDOW_ID = "mw-0123456789abcdef0"
HOUR = 3600.0


def a_window(**more: Any) -> dict[str, Any]:
    return {"WindowId": WINDOW_ID, "Name": "nights", "Enabled": True, "Duration": 6, "Cutoff": 1, **more}


def windows(stage: Stage, *found: dict[str, Any], opened_ago: float | None = None) -> None:
    stage.account.on("describe_maintenance_windows", {"WindowIdentities": list(found)})
    executions = [] if opened_ago is None else [{"StartTime": moment(-opened_ago)}]
    stage.account.on("describe_maintenance_window_executions", {"WindowExecutions": executions})


def find(stage: Stage, named: str = "nights") -> Window:
    window = find_window(stage.context(OPERATION, state="planned"), read({"patch_maintenance_window": named}))
    assert window is not None
    return window


def test_without_the_variable_nothing_is_asked(stage: Stage) -> None:
    assert find_window(stage.context(OPERATION, state="planned"), read({})) is None
    assert stage.account.calls == []


@pytest.mark.parametrize("named", ["nights", WINDOW_ID])
def test_a_window_that_has_opened_is_open_for_its_duration_and_begins_hosts_until_its_cutoff(
    stage: Stage, named: str
) -> None:
    windows(stage, a_window(Name="other", WindowId="mw-0000000000000000a"), a_window(), opened_ago=HOUR + 7)
    window = find(stage, named)
    opened = (START - HOUR - 7) // 60 * 60
    assert (window.is_open, window.ends_at, window.begin_until_at) == (True, opened + 6 * HOUR, opened + 5 * HOUR)
    (call,) = stage.account.of("describe_maintenance_window_executions")
    assert call.params["Filters"] == [{"Key": "ExecutedAfter", "Values": [iso(START - 6 * HOUR)]}]


@pytest.mark.parametrize("following", ["2026-11-21T22:00Z", "2026-11-21T23:00+01:00[Europe/Berlin]"])
def test_a_closed_window_names_its_next_opening_in_each_zone(stage: Stage, following: str) -> None:
    windows(stage, a_window(NextExecutionTime=following))
    assert find(stage).sentence().endswith("is closed; it opens next at 2026-11-21T22:00:00Z.")


def test_a_disabled_window_is_closed_for_good(stage: Stage) -> None:
    windows(stage, a_window(Enabled=False, NextExecutionTime="2026-11-21T22:00Z"), opened_ago=60)
    assert find(stage).sentence() == "The maintenance window nights (mw-0123456789abcdef0) is disabled."


def test_two_windows_of_one_name_are_refused(stage: Stage) -> None:
    windows(stage, a_window(), a_window(WindowId="mw-0000000000000000a"))
    with pytest.raises(InvalidOption, match=WINDOW_ID):
        find(stage)


def test_an_open_calendar_is_open_until_it_changes(stage: Stage) -> None:
    windows(stage)
    stage.account.on("get_calendar_state", {"State": "OPEN", "NextTransitionTime": "2026-11-15T02:00:00Z"})
    assert find(stage) == Window("The change calendar nights", True, START + 4 * HOUR, START + 4 * HOUR)


def test_a_closed_calendar_is_asked_where_its_arn_says(stage: Stage) -> None:
    arn = "arn:aws:ssm:us-east-1:123456789012:document/nights"
    stage.account.on("get_calendar_state", {"State": "CLOSED", "NextTransitionTime": "2026-11-15T02:00:00Z"})
    assert find(stage, arn) == Window(f"The change calendar {arn}", False, opens_at=START + 4 * HOUR)
    (call,) = stage.account.calls
    assert (call.region, call.params) == ("us-east-1", {"CalendarNames": [arn], "AtTime": iso(START)})


def test_a_name_that_is_neither_is_refused(stage: Stage) -> None:
    windows(stage)
    stage.account.on("get_calendar_state", client_error("InvalidDocument"))
    with pytest.raises(InvalidOption, match="no change calendar"):
        find(stage)


def test_outside_a_run_is_refused_without_consent() -> None:
    closed = Window("It", False, opens_at=START + HOUR)
    with pytest.raises(PatchFleetError, match=str(iso(START + HOUR))) as caught:
        refuse_closed(closed, {}, read({}), START)
    assert caught.value.code == "outside_window"
    refuse_closed(closed, {}, read({"patch_outside_window_ok": True}), START)


def test_the_cutoff_is_outside() -> None:
    window = Window("It", True, START + HOUR, START + 2 * HOUR)
    refuse_closed(window, {}, read({}), START + HOUR - 1)
    with pytest.raises(PatchFleetError):
        refuse_closed(window, {}, read({}), START + HOUR)


SECONDS = st.integers(1, 1_000_000)


@given(deadline=st.none() | SECONDS, ends=st.none() | SECONDS, is_open=st.booleans(), now=SECONDS)
def test_the_earliest_deadline_holds(deadline: float | None, ends: float | None, is_open: bool, now: float) -> None:
    """A run that may go on outside its window, or in its cutoff, is not held to its end."""
    settings = within({**read({}), "deadline_at": deadline}, Window("It", is_open, ends, ends), now)
    inside = is_open and (ends is None or now < ends)
    known = [at for at in (deadline, ends if inside else None) if at is not None]
    assert settings["deadline_at"] == min(known, default=None)
