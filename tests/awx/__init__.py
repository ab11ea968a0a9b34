# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in of AWX's API, as far as setting up Patch Fleet needs it.

Runs no job itself, and imports nothing of the collection.
"""
