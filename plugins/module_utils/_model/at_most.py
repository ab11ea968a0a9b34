# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An entry of the variable patch_at_most."""

from __future__ import annotations

from typing import TypedDict


class AtMost(TypedDict, total=False):
    """It has ``tag`` (a key) or ``zone``, and ``hosts`` (a number) or ``share`` (a percentage of the targets in the group)."""

    tag: str
    zone: bool
    hosts: int
    share: str
