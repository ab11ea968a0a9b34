# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the runs of months say together: how long each update was missing on each host, trends, repeated failures.

Only reads the ledger. Asks no host and changes nothing.
"""
