# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the result of every operation has. Each operation adds its own keys, next to its function."""

from __future__ import annotations

from typing import TypedDict


class Result(TypedDict):
    """``changed`` is whether the operation changed something, or in check mode would."""

    changed: bool
