# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a host is reached: Run Command or its own connection, scripts in it, and what its servicing stack does.

Decides nothing about updates, disks or power.
"""
