# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What `make bench` reads from the unit tests, and the order that it measures."""

from __future__ import annotations

import pytest

from bench.order import BEGAN, FLEETS, ROWS, Drawn, FleetHost, Workload, draw, ratio
from bench.unit_suite import figures_of


def test_the_last_line_has_the_number_and_the_time() -> None:
    assert figures_of("....\n7110 passed, 3 skipped in 161.25s (0:02:41)\n") == (7110, 161.25)


def test_tests_that_fail_have_no_time() -> None:
    with pytest.raises(SystemExit, match="did not pass"):
        figures_of("FAILED tests/unit/a.py\n1 failed, 7109 passed in 161.25s\n")


@pytest.mark.parametrize(("rollout", "history", "targets"), [row[1:] for row in ROWS if row[3]])
def test_the_planned_order_meets_its_targets(rollout: str, history: bool, targets: tuple[float, ...]) -> None:
    """Of the smallest fleet; `make bench` measures all."""
    (hosts, at_once), seeds = FLEETS[0], 6
    ratios = [ratio(draw(hosts, seed), at_once, rollout, history=history) for seed in range(seeds)]
    assert sum(ratios) / seeds <= targets[0]


def test_the_ratio_is_that_of_the_order_to_the_shortest_night() -> None:
    """By name the long host would start last, and work alone."""
    fleet = [
        Drawn(FleetHost(f"i-{at}", f"node-{at}", "ec2"), Workload(0, BEGAN), (seconds,) * 4)
        for at, seconds in enumerate((600.0, 600.0, 1200.0))
    ]
    assert ratio(fleet, 2, "rolling", history=True) == 1.0
    assert ratio(fleet, 2, "rolling", history=False) == 1.5
