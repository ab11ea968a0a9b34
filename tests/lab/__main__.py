# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m lab run|serve|explain …``: the same as tests/lab/run, tests/lab/serve and tests/lab/explain."""

from __future__ import annotations

from lab.cli import command_line

command_line()
