# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host and the unit tests cost: CPU, memory, API calls and time. `make bench` runs it.

Prints tables and judges nothing.
"""
