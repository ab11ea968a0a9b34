# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variable patch_prices: what an hour of each instance type costs, for the hours that hosts are on because of a run."""

from __future__ import annotations

import math
import re
from typing import Any

from .._base.errors import InvalidOption

EXAMPLE = 'It must be a mapping of instance types to USD an hour, e.g. {"m5.large": 0.188, "t3.medium": 0.06}.'
TYPE = re.compile(r"[a-z][a-z0-9-]*\.[a-z0-9-]+")


def read_prices(name: str, given: Any) -> dict[str, float]:
    """USD an hour by instance type.

    Raises:
        InvalidOption: what cannot be an instance type, or a price.
    """
    if not isinstance(given, dict):
        raise InvalidOption(name, given, EXAMPLE)
    for key in given:
        if not TYPE.fullmatch(str(key)):
            raise InvalidOption(name, key, f"It is no instance type. {EXAMPLE}")
    return {str(key): _price(f"{name}.{key}", value) for key, value in given.items()}


def _price(option: str, given: Any) -> float:
    try:
        price = math.nan if isinstance(given, bool) else float(given)
    except (TypeError, ValueError):
        price = math.nan
    if not 0 <= price < math.inf:
        raise InvalidOption(option, given, "It must be a price in USD an hour, 0 or more.")
    return price
