# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real PowerShell that runs the scripts which the product sends, with Windows' own commands played on the model of a host.

Has no state of a host of its own: the model has it.
"""
