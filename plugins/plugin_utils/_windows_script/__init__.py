# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The PowerShell text of the scripts that hosts get: a file of a role with the common prelude before it.

Puts no value of a user into a text, and knows nothing of what a script is for.
"""
