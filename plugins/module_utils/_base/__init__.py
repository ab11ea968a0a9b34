# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clock and errors, for every other package.

Imports nothing of this collection but its vocabulary, and knows nothing of AWS, Ansible or a ledger.
"""
