# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The type of argument specs, and the options by which an operation belongs to a host of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias, TypedDict


class Argument(TypedDict, total=False):
    """One option of an argument spec, with the keys of ansible-core that this collection uses."""

    type: str
    required: bool
    default: Any
    choices: list[str]
    elements: str
    no_log: bool


Arguments: TypeAlias = Mapping[str, Argument]

TRACKING_ARGUMENTS: dict[str, Argument] = {
    "ledger": {"type": "str"},
    "run_id": {"type": "str"},
    "host": {"type": "str"},
    "fence": {"type": "int"},
    "account": {"type": "dict"},
}
"""Options of an operation that may belong to a run; doc fragment ``_tracking``."""

TRACKING_REQUIRED: dict[str, Argument] = {
    **TRACKING_ARGUMENTS,
    "run_id": {"type": "str", "required": True},
    "host": {"type": "str", "required": True},
}
"""Options of an operation that always belongs to a run; doc fragment ``_tracking.required``."""
