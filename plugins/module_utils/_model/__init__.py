# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The vocabulary of a run: outcomes, phases and reasons, each in one list with what belongs to it.

Imports nothing of this collection. The members are texts, so JSON, the ledger and Jinja have the values as they always were.
"""
