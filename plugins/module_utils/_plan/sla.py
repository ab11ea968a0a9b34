# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variable patch_sla_days: how many days an update of each severity may be missing."""

from __future__ import annotations

import difflib
import math
from typing import Any

from .._base.errors import InvalidOption
from .._model.severities import SEVERITIES

EXAMPLE = 'It must be a mapping of severities to days, e.g. {"critical": 14, "important": 30}.'


def read_sla_days(name: str, given: Any) -> dict[str, float]:
    """Days by severity.

    Raises:
        InvalidOption: a severity that does not exist, or a number of days that cannot be right.
    """
    if not isinstance(given, dict):
        raise InvalidOption(name, given, EXAMPLE)
    return {_severity(name, key): _days(f"{name}.{key}", value) for key, value in given.items()}


def _severity(name: str, given: Any) -> str:
    severity = str(given).strip().casefold()
    if severity not in SEVERITIES:
        nearest = difflib.get_close_matches(severity, SEVERITIES, n=1, cutoff=0.0)[0]
        raise InvalidOption(name, given, f"It has no such severity. Did you mean {nearest}?")
    return severity


def _days(option: str, given: Any) -> float:
    try:
        days = math.nan if isinstance(given, bool) else float(given)
    except (TypeError, ValueError):
        days = math.nan
    if not 0 < days < math.inf:
        raise InvalidOption(option, given, "It must be a number of days above 0.")
    return days
