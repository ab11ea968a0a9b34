# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""As whom a program runs on a Windows host."""

from __future__ import annotations

from enum import Enum


class Logon(Enum):
    """``SYSTEM`` is what the SSM agent, a scheduled task and ``become_user: SYSTEM`` give; WinRM alone gives ``NETWORK``."""

    SYSTEM = "system"
    NETWORK = "network"
