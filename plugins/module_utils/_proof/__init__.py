# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The proof of an account: it starts one instance of its own, asks there what this project believes, and takes all away again.

Belongs to no run, and touches no instance that the proof did not start.
"""
