# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API budget of a whole run, on the trace of the emulated account in virtual time."""

from __future__ import annotations

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._aws.budget import Pace
from bench.calls import most_a_second, trace_of
from lab.pace import UNPACED


def test_a_run_makes_no_more_calls_a_second_than_its_budget_and_puts_its_hosts_back() -> None:
    calls = [call for call in trace_of(2, 2, poller=True, pace=Pace(1.0)) if call["service"] not in UNPACED]
    assert most_a_second(call["t"] for call in calls) == 1
    assert sum(call["operation"] == "StopInstances" and call["error"] is None for call in calls) == 2


@pytest.mark.parametrize(("times", "most"), [([], 0), ([3.0], 1), ([0.0, 0.5, 0.99, 1.0], 3), ([0.0, 1.0, 2.0], 1)])
def test_the_fullest_second(times: list[float], most: int) -> None:
    assert most_a_second(times) == most
