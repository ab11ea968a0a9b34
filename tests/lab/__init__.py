# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab of Patch Fleet: an AWS account, SSM agents and Windows hosts in one process, played from scenario files.

Imports nothing of the collection: its judge knows nothing of the code that it judges. ``docs/lab.md`` describes the lab for people
who write scenarios.
"""

from __future__ import annotations
