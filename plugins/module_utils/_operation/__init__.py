# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a module and its action plugin share: the operation, its context and how it is performed.

Decides nothing about a host; waits, leases and progress go through its context.
"""
