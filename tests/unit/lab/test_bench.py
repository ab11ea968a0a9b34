# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What `make bench` reads from the unit tests."""

from __future__ import annotations

import pytest

from bench.unit_suite import figures_of


def test_the_last_line_has_the_number_and_the_time() -> None:
    assert figures_of("....\n7110 passed, 3 skipped in 161.25s (0:02:41)\n") == (7110, 161.25)


def test_tests_that_fail_have_no_time() -> None:
    with pytest.raises(SystemExit, match="did not pass"):
        figures_of("FAILED tests/unit/a.py\n1 failed, 7109 passed in 161.25s\n")
