# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report of a run as JSON, as a page, as Markdown and as a table for a terminal.

Reads the ledger in build.py only, writes no file, and calls nothing of AWS. All else are pure functions of the report.
"""
