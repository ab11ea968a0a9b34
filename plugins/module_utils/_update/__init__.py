# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Windows Update in a host: health, repair by HRESULT, installation, scans, reboots and other patch runs.

Starts and stops no host.
"""
