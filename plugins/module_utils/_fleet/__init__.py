# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which hosts there are: found by tag or in the inventory, with what makes a host ineligible or claimed.

Reads only: changes nothing in AWS, in a host or in the ledger.
"""
