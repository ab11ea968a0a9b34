# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""patch_prices: what cannot be right is refused by name, and the report multiplies by it."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import InvalidOption
from ansible_collections.patchfleet.windows.plugins.module_utils._plan.variables import read
from ansible_collections.patchfleet.windows.plugins.module_utils._report.html import to_html
from report_sample import host, report


def test_a_table_is_read() -> None:
    given = {"m5.large": 0.188, "u-6tb1.metal": "54.6", "t3.nano": 0}
    assert read({"patch_prices": given})["prices"] == {"m5.large": 0.188, "u-6tb1.metal": 54.6, "t3.nano": 0.0}


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (["m5.large"], r"patch_prices: .+mapping of instance types"),
        ({"large": 1}, r"patch_prices: 'large' .+no instance type"),
        ({"m5.large": -1}, r"patch_prices\.m5\.large: .+price in USD an hour"),
        ({"m5.large": "cheap"}, r"patch_prices\.m5\.large: 'cheap'"),
        ({"m5.large": True}, r"patch_prices\.m5\.large"),
        ({"m5.large": float("nan")}, r"patch_prices\.m5\.large"),
    ],
)
def test_what_cannot_be_right_is_refused_by_name(given: Any, named: str) -> None:
    with pytest.raises(InvalidOption, match=named):
        read({"patch_prices": given})


def test_the_page_has_the_sum_and_how_many_have_no_price() -> None:
    hosts = [
        host(1, on_seconds=3600.0, on_usd=1.5),
        host(2, on_seconds=1800.0, on_usd=0.75),
        host(3, on_seconds=60.0, on_usd=None),
    ]
    assert "2.25 USD, 1 host without a price" in to_html(report(hosts))
