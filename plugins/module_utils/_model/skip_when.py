# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variable patch_skip_when."""

from __future__ import annotations

from typing import TypedDict


class SkipWhen(TypedDict):
    """Programs, without ``.exe``, and roles of failover clusters, by name; ``script`` is the text of the user's script."""

    processes: list[str]
    cluster_role: list[str]
    script: str | None
