# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections, calls with retries, errors and EC2 instances: the only package that talks to botocore.

Knows nothing of runs, ledgers or options of modules.
"""
